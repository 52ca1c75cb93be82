"""The application alone on a port of its own, on the test's loop, and somebody who asks it anything at all."""

import asyncio
import dataclasses
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import uvicorn
from litestar import Litestar
from litestar.types import ControllerRouterHandler

from social.api.health import Readiness
from social.api.routes import application
from social.app import KEEP_ALIVE
from social.backing import Backing

PASSWORD = "four words in a row"
TOKEN = "set-up-token-of-the-tests"
SET_UP = {
    "token": TOKEN,
    "name": "Ada",
    "email": "ada@example.org",
    "password": PASSWORD,
    "workspace": "Works",
    "zone": "Europe/Berlin",
}


class Answer(msgspec.Struct):
    """What came back. `headers` by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes
    cookies: dict[str, str]

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)

    @property
    def problem(self) -> str:
        """The kind of problem, having the form of one."""
        assert self.headers["content-type"] == "application/problem+json", self.body
        told = self.json
        assert {"type", "title", "status", "detail"} <= set(told)
        assert told["status"] == self.status
        return str(told["type"]).removeprefix("/problems/")


class Api:
    """Asks the application; `token` goes along once there is one."""

    def __init__(self, app: Litestar, url: str, session: aiohttp.ClientSession) -> None:
        self.app = app
        self.url = url
        self.token: str | None = None
        self._session = session

    async def ask(self, method: str, path: str, *, headers: dict[str, str] | None = None, **given: Any) -> Answer:
        """One request. `path` under /api/v1 unless it begins with two slashes, which stand for the root."""
        url = self.url + (path[1:] if path.startswith("//") else f"/api/v1{path}")
        own = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with self._session.request(
            method, url, headers=own | (headers or {}), allow_redirects=False, **given
        ) as answer:
            return Answer(
                status=answer.status,
                headers={name.lower(): value for name, value in answer.headers.items()},
                body=await answer.read(),
                cookies={name: cookie.OutputString() for name, cookie in answer.cookies.items()},
            )

    async def set_up(self, **changes: Any) -> Answer:
        """Becomes the owner, unless the answer says why not."""
        answer = await self.ask("POST", "/setup", json=SET_UP | changes)
        if answer.status == 201:
            self.token = answer.json["access_token"]
        return answer


@asynccontextmanager
async def served(
    backing: Backing,
    *,
    others: Sequence[ControllerRouterHandler] = (),
    readiness: Readiness | None = None,
    address: str = "127.0.0.1",
) -> AsyncIterator[Api]:
    """Starts it, and stops it at the end."""
    app = application(backing, others=others, readiness=readiness)
    config = uvicorn.Config(
        app,
        loop="none",
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,  # uvicorn's 5 s end while our client still takes the connection for open
    )
    server = uvicorn.Server(config)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind((address, 0))
        listening.listen()
        port = listening.getsockname()[1]
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            async with asyncio.timeout(10):
                while not server.started:
                    await asyncio.sleep(0.01)
            async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
                yield Api(app, f"http://{address}:{port}", session)
        finally:
            server.should_exit = True
            await serving


def with_settings(backing: Backing, **changes: Any) -> Backing:
    """The same servers, other settings."""
    return dataclasses.replace(backing, settings=msgspec.structs.replace(backing.settings, **changes))
