"""Where faults happen: a sandbox that counts, a door to plan through, and instances that send and may be killed."""

import asyncio
import itertools
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from social.moments import now, rfc3339
from social.settings import Settings
from tests.crashes.forked import Forked
from tests.faults.ledger import Figures, Ledger
from tests.servers.product import Person, Product
from tests.servers.sandbox import Sandbox

Json = dict[str, Any]
PLATFORMS = ("mastodon", "bluesky", "x")
BY_WIRE = ("mastodon", "x")  # whose server an account names by itself; Bluesky's directory names the sandbox
NO_QUOTAS = {"SOCIAL_TEST_QUOTA_SCALE": "0"}


class Resident(Person):
    """Somebody who stays for longer than a sign-in lasts, and renews it as the web client does."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        super().__init__(session, url)
        self._renewing = asyncio.Lock()

    async def tried(self, method: str, path: str, **given: Any) -> tuple[int, Any]:
        """One call, whatever comes of it; once more where the sign-in had run out."""
        used = self.token
        status, said = await super().tried(method, path, **given)
        if status != 401 or used is None:
            return status, said
        async with self._renewing:
            if self.token == used:
                renewed, signed_in = await super().tried("POST", "/session/refresh")
                assert renewed == 201, signed_in
                self.token = signed_in["access_token"]
        return await super().tried(method, path, **given)


@dataclass(kw_only=True)
class Scene:
    """One fault's world: nothing of it is shared with another test but the machine."""

    settings: Settings
    folder: Path
    sandbox: Sandbox
    person: Person
    session: aiohttp.ClientSession
    db: Any
    door: Product  # answers the API, and sends nothing
    ledger: Ledger
    stack: ExitStack
    accounts: dict[tuple[str, int], str] = field(default_factory=dict)  # ids by platform and number
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def instance(self, *, settings: Settings | None = None, forked: bool = True, **env: str) -> Product:
        """One more that sends, not started; it has no door. `forked` saves its imports, but is deaf to LD_PRELOAD."""
        folder = self.folder / f"instance-{next(self.numbers)}"
        folder.mkdir()
        kind = Forked if forked else Product
        env = {"SOCIAL_TASKS": "worker,clock"} | NO_QUOTAS | env
        return self.stack.enter_context(kind(settings or self.settings, folder, **env))

    def started(self, **env: str) -> Product:
        """One more that sends, started."""
        return self.instance().start(ready=False, **env)

    async def at_work(self, product: Product, within: float = 30) -> Product:
        """Waits until an instance that was started for the first time has begun to work; it."""
        deadline = time.monotonic() + within
        product.log.touch()
        while "instance.started" not in product.log.read_text():
            assert time.monotonic() < deadline, product.log.read_text()
            await asyncio.sleep(0.05)
        return product

    async def tried(self, method: str, path: str, **given: Any) -> tuple[int, Any]:
        """One call of the person's, whatever comes of it: status and decoded answer."""
        return await self.person.tried(method, path, **given)

    async def connect(self, accounts: int, platforms: Sequence[str] = PLATFORMS) -> None:
        """Connects so many accounts on each platform."""
        for platform in platforms:
            for number in range(accounts):
                found = await self.person.connect(self.sandbox, f"ada{number}", platform)
                self.accounts[platform, number] = found["id"]

    async def plan(
        self,
        text: str,
        number: int = 0,
        platforms: Sequence[str] | None = None,
        parts: Sequence[str] = (),
        media: Sequence[Json] = (),
        **when: Any,
    ) -> Json:
        """A post on the `number`th account of each platform, planned for now or `when`. The planned post."""
        chosen = [
            id_
            for (platform, of), id_ in self.accounts.items()
            if of == number and platform in (platforms or PLATFORMS)
        ]
        thread = [{"text": each} for each in parts]
        written = {"text": text, "thread": thread, "media": list(media), "accounts": chosen}
        draft = await self.person.ask("POST", "/posts", json=written)
        post = await self.person.plan(draft, **(when or {"now": True}))
        self.ledger.accept(post)
        return post

    async def concluded(self, faults: int, within: float = 30) -> Figures:
        """The figures once everything is at rest, or after `within` seconds."""
        await self.ledger.at_rest(within)
        return await self.ledger.counted(faults)

    async def until(self, state: str, within: float = 20, **matching: Any) -> Json:
        """Waits until a publication is in `state`; it."""
        deadline = time.monotonic() + within
        while True:
            found: Json | None = await self.db.publications.find_one({"state": state, **matching})
            if found is not None:
                return found
            assert time.monotonic() < deadline, f"nothing {state}: {await self.states()}"
            await asyncio.sleep(0.02)

    async def states(self) -> list[tuple[str, str, Any]]:
        """Platform, state and reason of all."""
        found = await self.ledger.publications()
        return [(each["platform"], each["state"], (each["reason"] or {}).get("text")) for each in found]


@asynccontextmanager
async def scene(
    settings: Settings,
    folder: Path,
    sandbox: Sandbox,
    *,
    accounts: int = 1,
    platforms: Sequence[str] = PLATFORMS,
    sandbox_port: int | None = None,
) -> AsyncIterator[Scene]:
    """A scene on the database that `settings` names, which is empty before and gone after. With `sandbox_port` the
    product reaches `sandbox` by that port."""
    client: AsyncMongoClient[Json] = AsyncMongoClient(settings.mongo_url, tz_aware=True)
    session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
    async with client, session:
        await client.drop_database(settings.mongo_database)
        with ExitStack() as stack:
            port = sandbox_port or int(sandbox.url.rpartition(":")[2])
            settings = msgspec.structs.replace(settings, sandbox_url=f"http://127.0.0.1:{port}")
            door_folder = folder / "door"
            door_folder.mkdir()
            door = stack.enter_context(Forked(settings, door_folder, SOCIAL_TASKS="api,live", **NO_QUOTAS))
            await asyncio.to_thread(door.start)
            person = Resident(session, door.url)
            await person.set_up(settings.setup_token or "")
            db = client[settings.mongo_database]
            made = Scene(
                settings=settings,
                folder=folder,
                sandbox=sandbox,
                person=person,
                session=session,
                db=db,
                door=door,
                ledger=Ledger(sandbox, db),
                stack=stack,
            )
            await made.connect(accounts, platforms)
            yield made
        with suppress(PyMongoError):  # a server of the test's own may be gone by now
            await client.drop_database(settings.mongo_database)


def pause(product: Product) -> None:
    """SIGSTOP: it stands still, with everything it holds."""
    product.process.send_signal(signal.SIGSTOP)


def resume(product: Product) -> None:
    """SIGCONT."""
    product.process.send_signal(signal.SIGCONT)


def soon(seconds: float) -> str:
    """The instant so many seconds from now, as the API takes it."""
    return rfc3339(now() + timedelta(seconds=seconds))


def instant(at: str) -> float:
    """The seconds since 1970 of an instant that the sandbox wrote down."""
    return datetime.fromisoformat(at).timestamp()
