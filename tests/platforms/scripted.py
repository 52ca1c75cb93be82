"""A server that answers exactly what a test tells it to, byte by byte, and counts what reached it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp
import msgspec

from social.backing.outbound import once
from social.platforms.calls import Call
from social.platforms.contract import Platform, Token

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Request:
    """What reached the server."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Scripted:
    """`requests` are those that arrived whole; `bytes_seen` counts everything, half requests too."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    bytes_seen: int = 0

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def answer(
    status: int = 200,
    body: object = b"",
    *,
    headers: dict[str, str] | None = None,
    cut: int | None = None,
    length: int | None = None,
) -> bytes:
    """An HTTP answer. `cut`: only so many bytes of the body are sent although all were announced."""
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    said = {"Content-Type": "application/json", "Content-Length": str(len(raw) if length is None else length)}
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in (said | (headers or {})).items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (raw if cut is None else raw[:cut])


@asynccontextmanager
async def scripted(*answers: bytes | str) -> AsyncIterator[Scripted]:
    """A server that gives `answers` in turn, the last one for ever.

    "hang up" reads the request and closes, "reset" resets, "stall" never answers, "deaf" closes without reading.
    """
    server_seen = Scripted()
    given = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_seen.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while given[0] != "deaf":
                server_seen.requests.append(await _request(reader, server_seen))
                said = given.pop(0) if len(given) > 1 else given[0]
                if isinstance(said, bytes):
                    writer.write(said)
                    await writer.drain()
                    if b"Content-Length" in said and _whole(said):
                        continue
                elif said == "stall":
                    await reader.read()
                elif said == "reset":
                    writer.transport.abort()
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    server_seen.port = server.sockets[0].getsockname()[1]
    try:
        yield server_seen
    finally:
        server.close()


def _whole(said: bytes) -> bool:
    head, _, body = said.partition(b"\r\n\r\n")
    announced = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    return len(body) >= int(announced.partition(b":")[2])


async def _request(reader: asyncio.StreamReader, seen: Scripted) -> Request:
    head = await reader.readuntil(b"\r\n\r\n")
    seen.bytes_seen += len(head)
    first, *lines = head.decode().strip().split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    seen.bytes_seen += len(body)
    return Request(method, path, headers, body)


BRIEFLY = 1.5  # seconds, for a server that stalls: a busy machine may take one for what is answered at once


@asynccontextmanager
async def calling(platform: Platform, server: Scripted, *, patience: float = BRIEFLY) -> AsyncIterator[Call]:
    """A Call to a scripted server, over a session like the product's."""
    async with aiohttp.ClientSession(middlewares=(once,), cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Call(
            origin=server.origin,
            title=platform.title,
            session=session,
            patience=patience,
            faults=platform.faults,
            token=Token(access="the-access-token"),
            realm="sandbox",
        )
