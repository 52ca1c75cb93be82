"""Platforms that fetch by themselves, in a network of their own: our files at our configured address, and nothing else.

And the check whether they can, made from where they can and from where they cannot.
"""

import asyncio
import dataclasses
import hashlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from social import app
from social.api.health import Readiness
from social.backing import Backing, outbound
from social.live.hub import Hub
from social.media import links
from social.media.links import Opened, outside, signed
from social.media.reach import reach
from social.moments import now
from tests.media import namespaces
from tests.media.namespaces import DOOR, LACKING, Answer, Namespace, Networks, can_be_laid
from tests.media.test_reach import NAME, certified

URL = f"https://{NAME}"
CONTENT = bytes(range(256)) * 1000
Ask = Callable[..., Awaitable[Answer]]


@pytest.fixture(scope="module")
def networks() -> Iterator[Networks]:
    if not can_be_laid():
        pytest.skip(LACKING)
    with namespaces.laid() as networks:
        yield networks


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    folder = tmp_path_factory.mktemp("door")
    return folder / "door.pem", certified(folder)


@pytest.fixture
async def shown(
    networks: Networks, certificate: tuple[Path, ssl.SSLContext], backing: Backing
) -> AsyncIterator[Backing]:
    """Our API under a public address, behind https in a network of its own, as behind a proxy; with its settings."""
    ours = dataclasses.replace(backing, settings=msgspec.structs.replace(backing.settings, public_url=URL))
    with socket.create_server(("127.0.0.1", 0)) as inner:
        api = app.server(ours, Hub(ours), Readiness())
        serving = asyncio.create_task(api.serve(sockets=[inner]))
        async with behind_https(inner.getsockname()[1], networks.ours, certificate[1]):
            while not api.started:
                await asyncio.sleep(0.01)
            yield ours
        api.should_exit = True
        await serving


@asynccontextmanager
async def behind_https(port: int, space: Namespace, secure: ssl.SSLContext) -> AsyncIterator[None]:
    """Whoever comes to the door in that network is carried on to the port here."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionError, ssl.SSLError):
            await asyncio.gather(_piped(reader, inner_writer), _piped(inner_reader, writer))

    with space.inside():
        listening = socket.create_server((DOOR, 443))
    server = await asyncio.start_server(carry, sock=listening, ssl=secure)
    yield
    server.close()
    await server.wait_closed()


async def _piped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    finally:
        writer.close()


@pytest.fixture
def ask(networks: Networks, certificate: tuple[Path, ssl.SSLContext]) -> Ask:
    """Asks for an address, as a process in the other network."""

    async def asked(address: str, method: str = "GET", range: str = "") -> Answer:
        path = address.removeprefix(URL)
        said = await asyncio.to_thread(
            networks.theirs.run, "tests.media.stranger", str(certificate[0]), DOOR, NAME, method, path, range
        )
        return msgspec.json.decode(said, type=Answer)

    return asked


@pytest.fixture
async def key(backing: Backing) -> AsyncIterator[str]:
    """Of a film in the bucket."""
    key = "tests/fetched-from-elsewhere"
    await backing.bucket.put(key, CONTENT, mime="video/mp4", size=len(CONTENT))
    yield key
    await backing.bucket.delete([key])


async def test_a_platform_elsewhere_gets_the_file_whole_its_head_and_any_part(
    shown: Backing, key: str, ask: Ask
) -> None:
    address = await outside(key, "video/mp4", "film.mov", shown)

    whole, head, part = [await ask(address, *words) for words in (("GET",), ("HEAD",), ("GET", "bytes=1000-1999"))]

    assert (whole.status, whole.bytes, whole.sha256) == (200, len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert (head.status, head.bytes) == (200, 0)
    for answer in (whole, head):
        assert answer.headers["content-length"] == str(len(CONTENT))
        assert answer.headers["content-type"] == "video/mp4"
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["content-disposition"] == "inline; filename*=UTF-8''film.mp4"
    assert (part.status, part.sha256) == (206, hashlib.sha256(CONTENT[1000:2000]).hexdigest())
    assert part.headers["content-range"] == f"bytes 1000-1999/{len(CONTENT)}"


async def test_what_has_expired_or_was_changed_is_refused_there(
    shown: Backing, key: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = await outside(key, "video/mp4", "film.mov", shown)
    monkeypatch.setattr(links, "now", lambda: now() - timedelta(days=2))
    old = await outside(key, "video/mp4", "film.mov", shown)
    monkeypatch.undo()
    others = signed(Opened(expires=2**33, key="reach/", mime="video/mp4", name="a"), shown).partition(".")[0]

    for wrong in (old, address[:-1] + ("0" if address[-1] != "0" else "1"), others + "." + address.partition(".")[2]):
        answer = await ask(wrong)
        assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json"), wrong


async def test_the_check_says_that_they_can_fetch_where_they_can(
    shown: Backing, networks: Networks, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    async with asking_from(networks.theirs, certificate[0], shown) as backing:
        found = await reach(backing)

    assert (found.address, found.problem) == (URL, None)


async def test_the_check_says_in_words_that_they_cannot_where_nothing_leads_here(
    shown: Backing, networks: Networks, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    async with asking_from(networks.nowhere, certificate[0], shown) as backing:
        found = await reach(backing)

    assert (found.address, found.problem) == (URL, f"Nothing answers at {URL}.")


@asynccontextmanager
async def asking_from(space: Namespace, certificate: Path, backing: Backing) -> AsyncIterator[Backing]:
    """The same, but that what it asks of platforms is asked in that network, with the product's own rule of where."""
    connector = aiohttp.TCPConnector(
        socket_factory=space.opening(outbound._to_public({443})),
        resolver=Resolver(),
        ssl=ssl.create_default_context(cafile=str(certificate)),
    )
    async with aiohttp.ClientSession(connector=connector, middlewares=(outbound.once,)) as session:
        yield dataclasses.replace(backing, outbound=dataclasses.replace(backing.outbound, platforms=session))


class Resolver(AbstractResolver):
    """Knows our name alone."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=DOOR, port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None: ...
