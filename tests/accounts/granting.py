"""A platform whose tokens end: a refresh token counts once, and one that comes again ends the whole permission."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from aiohttp import web
from beanie import PydanticObjectId

from social.accounts.documents import Account, SealedApp
from social.backing import Backing
from social.errors import Rejected, TokenExpired
from social.moments import now
from social.platforms.calls import Call, Empty
from social.platforms.contract import App, Fault, Identity, Limits, OAuth, Platform, Token

APP = App(client_id="social", client_secret="the-app-secret")
NAME = "granting"


@dataclass
class Server:
    """What it was asked, and how it behaves."""

    port: int = 0
    refresh: str = "refresh-0"  # the one that counts
    access: str = "access-0"
    refreshes: list[str] = field(default_factory=list)  # refresh tokens that came
    uses: list[str] = field(default_factory=list)  # access tokens that came
    revoked: list[str] = field(default_factory=list)
    delay: float = 0.0
    status: int | None = None  # of every answer of the token endpoint
    loses_replies: int = 0
    forgives: bool = False  # the one before may come again
    dead: bool = False
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    async def token(self, request: web.Request) -> web.StreamResponse:
        """The token endpoint."""
        form = await request.post()
        came = str(form["refresh_token"])
        self.refreshes.append(came)
        self.asked.set()
        await asyncio.sleep(self.delay)
        if self.status is not None:
            return web.json_response({"error": "temporarily_unavailable"}, status=self.status)
        if came != self.refresh and not (self.forgives and _number(came) == _number(self.refresh) - 1):
            self.dead = True
        if self.dead:
            return web.json_response({"error": "invalid_grant"}, status=400)
        if came == self.refresh:
            n = _number(came) + 1
            self.refresh, self.access = f"refresh-{n}", f"access-{n}"
        if self.loses_replies:
            self.loses_replies -= 1
            assert request.transport is not None
            request.transport.abort()
        body = {"access_token": self.access, "refresh_token": self.refresh, "token_type": "bearer", "expires_in": 7200}
        return web.json_response(body)

    async def me(self, request: web.Request) -> web.Response:
        """Whose token this is."""
        came = request.headers["Authorization"].removeprefix("Bearer ")
        self.uses.append(came)
        if came != self.access or self.dead:
            return web.json_response({"error": "expired"}, status=401)
        return web.json_response({})

    async def revoke(self, request: web.Request) -> web.Response:
        """Makes a token worthless."""
        self.revoked.append(str((await request.post())["token"]))
        return web.json_response({})


async def identify(call: Call) -> Identity:
    """Asks with the token."""
    await call.get("/me", Empty)
    return Identity(id="1", handle="ada", name="Ada")


async def _nothing(*_: object) -> None:
    raise AssertionError("no test of connecting publishes")


PLATFORM = Platform(
    name=NAME,
    title="Granting",
    limits=Limits(text=100, counted_as="characters", media=1, alt=10, image_bytes=1000, image_types=("image/png",)),
    settles="blind",
    options=Empty,
    faults=(Fault(status=401, then=TokenExpired), Fault(status=400, then=Rejected)),
    oauth=OAuth(authorize="/authorize", token="/token", revoke="/revoke"),
    identify=identify,
    prepare=_nothing,  # type: ignore[arg-type]
    ready=_nothing,  # type: ignore[arg-type]
    publish=_nothing,  # type: ignore[arg-type]
    find=_nothing,
)


@asynccontextmanager
async def granting() -> AsyncIterator[Server]:
    """The server, until the block ends."""
    server = Server()
    app = web.Application()
    app.add_routes([web.post("/token", server.token), web.get("/me", server.me), web.post("/revoke", server.revoke)])
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()


async def account_at(server: Server, backing: Backing, *, ends_in: float = 3600.0, refresh: bool = True) -> Account:
    """An account there with the server's present token, which ends in so many seconds."""
    account = Account(
        workspace_id=PydanticObjectId(),
        platform=NAME,
        realm="sandbox",
        origin=server.origin,
        remote_id="1",
        handle="ada",
        name="Ada",
        app=SealedApp(client_id=APP.client_id, secret=b""),
        limits_read_at=now(),
        connected_at=now(),
        connected_by=PydanticObjectId(),
    )
    account.app = SealedApp.of(APP, backing.vault, place=account.place("app"))
    end = now() + timedelta(seconds=ends_in)
    account.hold(
        Token(access=server.access, refresh=server.refresh if refresh else None, expires_at=end), backing.vault
    )
    await account.insert()
    return account


def _number(token: str) -> int:
    return int(token.rpartition("-")[2])
