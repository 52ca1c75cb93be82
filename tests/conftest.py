"""Fixtures by the nouns of the product. Real servers, started once per run; a database per test process."""

import asyncio
import base64
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from pymongo import monitoring
from xdist.remote import Producer

from social import app
from social.api.health import Readiness
from social.backing import Backing, mongo, opened
from social.jobs import clock
from social.jobs.running import Running
from social.live.hub import Hub
from social.outbox import relay
from social.settings import Settings, Times
from tests.servers import Servers, running_servers
from tests.servers.browser import KEPT
from tests.servers.commands import Commands
from tests.servers.product import Person
from tests.servers.sandbox import Sandbox
from tests.spread import Spread, wanted

COMMANDS = Commands()
monitoring.register(COMMANDS)  # before any client is made, or it hears nothing


@pytest.fixture
def commands() -> Iterator[Commands]:
    """Every shape of query that is made until the test ends."""
    COMMANDS.seen.clear()
    COMMANDS.asked = 0
    COMMANDS.listening = True
    yield COMMANDS
    COMMANDS.listening = False


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Spread | None:
    """With `--dist loadfile`, as pyproject.toml has it."""
    return Spread(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """With `-n auto`, as pyproject.toml has it."""
    return wanted()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Where SOCIAL_SKIPS_FAIL is set, everything is installed, so that a skipped test hides something: it fails."""
    report = yield
    if report.skipped and os.environ.get("SOCIAL_SKIPS_FAIL") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this test run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="session")
def process() -> str:
    """The name of this test process: gw0, gw1, ... or main."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def servers(run_folder: Path) -> Iterator[Servers]:
    """MongoDB, Valkey and S3, real, shared by the whole run."""
    with running_servers(run_folder) as running:
        yield running


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The sandbox as a process of its own, one for each test process."""
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox"))
    sandbox.start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def sandbox(sandbox_process: Sandbox) -> Sandbox:
    """The sandbox, empty and without trouble."""
    sandbox_process.reset()
    return sandbox_process


@pytest.fixture(scope="session")
def settings(servers: Servers, process: str, sandbox_process: Sandbox) -> Settings:
    """Of the product under test; the protocol's times are short so that nothing waits for minutes."""
    return Settings(
        mongo_url=servers.mongo_url,
        mongo_database=f"social_{process}",
        redis_url=servers.redis_url,
        s3_endpoint=servers.s3_endpoint,
        s3_access_key=servers.s3_access_key,
        s3_secret_key=servers.s3_secret_key,
        s3_bucket=servers.s3_bucket,
        master_key=base64.b64encode(hashlib.sha256(b"tests").digest()).decode(),
        public_url=f"http://127.0.0.1:{free_port()}",
        sandbox_url=sandbox_process.url,
        setup_token="set-up-token-of-the-tests",
        log_format="console",
        times=Times(
            http_timeout=2,
            lease=4,
            margin=0.5,
            first_look=0.2,
            settle=3,
            settle_dead=1,
            backoff=0.3,
            look_ahead=1,
            tick=0.2,
        ),
    )


@pytest.fixture(scope="session")
async def session_backing(settings: Settings) -> AsyncIterator[Backing]:
    """Connected once; `backing` empties it for each test."""
    async with opened(settings) as backing:
        await backing.client.drop_database(settings.mongo_database)
        await app.bind(backing)
        await mongo.index(app.DOCUMENTS)
        yield backing
        await backing.client.drop_database(settings.mongo_database)


@pytest.fixture
async def backing(session_backing: Backing) -> Backing:
    """Everything the product stands on, empty."""
    names = await session_backing.db.list_collection_names()
    await asyncio.gather(*(session_backing.db[name].delete_many({}) for name in names))
    await session_backing.redis.flushdb()
    return session_backing


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def door(session_backing: Backing) -> AsyncIterator[str]:
    """The API and the live hub as they are served, on the tests' own loop; their address."""
    address = session_backing.settings.public_url
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", int(address.rpartition(":")[2])))
        listening.listen()
        stop, hub = asyncio.Event(), Hub(session_backing)
        server = app.server(session_backing, hub, Readiness())
        tasks = [
            asyncio.create_task(work)
            for work in (server.serve(sockets=[listening]), hub.run(stop), relay.run(session_backing, stop))
        ]
        while not server.started:
            await asyncio.sleep(0.01)
        yield address
        stop.set()
        server.should_exit = True
        async with asyncio.timeout(20):
            await asyncio.gather(*tasks)


@pytest_asyncio.fixture(scope="session", autouse=True)
async def browser_closed() -> AsyncIterator[None]:
    """However many tests used it, the browser ends with the test process."""
    yield
    await KEPT.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A client with a cookie jar of its own, as a browser has."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


@pytest.fixture
async def person(backing: Backing, door: str, session: aiohttp.ClientSession) -> Person:
    """The owner of a fresh instance, signed in."""
    person = Person(session, door)
    await person.set_up(backing.settings.setup_token or "")
    return person


@pytest.fixture
async def engine(backing: Backing) -> AsyncIterator[Running]:
    """The clock, running in this process until the test ends."""
    running = Running()
    ticking = asyncio.create_task(clock.run(backing, running))
    yield running
    backing.stopping.set()
    await ticking
    await running.drained(10)
    backing.stopping.clear()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
