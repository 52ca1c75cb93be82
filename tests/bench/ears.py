"""Many WebSocket clients in one process, as cheap as they can be: `python -m tests.bench.ears HOST PORT`.

Takes lines on standard input: a ticket opens one more socket; `?` is answered by how many have been greeted, once all
that were asked for are; the end ends it. Tells of every event that all have heard, and at the end of all of them, as
JSON lines: {"seq": its number, "heard": by how many, "last_at": when the last one did (s since 1970)}.
"""

import asyncio
import base64
import os
import struct
import sys
import time
from typing import Any

import msgspec
import uvloop

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
SHORT, LONG = 126, 127  # lengths that stand for a length of two and of eight bytes
AT_ONCE = 50  # handshakes
WITHIN = 20.0  # seconds for a handshake and a greeting


class Told(msgspec.Struct):
    """What a socket is told, as far as it is looked at."""

    type: str = ""
    seq: int | None = None


class Heard(msgspec.Struct):
    """One event."""

    seq: int
    heard: int
    last_at: float


class Ear(asyncio.Protocol):
    """One socket."""

    def __init__(self, path: str, host: str, ears: "Ears") -> None:
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ears = ears
        self._opening = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self._got = bytearray()
        self._open = False
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks to be let in."""
        self._transport = transport
        self._transport.write(self._opening.encode())

    def data_received(self, data: bytes) -> None:
        """Hears."""
        self._got += data
        if not self._open:
            end = self._got.find(b"\r\n\r\n")
            if end < 0:
                return
            if not self._got.startswith(b"HTTP/1.1 101"):
                self._fail(bytes(self._got[:end]).decode())
                return
            del self._got[: end + 4]
            self._open = True
        while (frame := _frame(self._got)) is not None:
            opcode, body, end = frame
            del self._got[:end]
            if opcode == TEXT:
                self._told(msgspec.json.decode(body, type=Told))
            elif opcode == PING:
                self._transport.write(bytes((0x80 | PONG, 0x80 | len(body), 0, 0, 0, 0)) + body)

    def connection_lost(self, error: Exception | None) -> None:
        """It was closed."""
        self._fail("closed")

    def _told(self, told: Told) -> None:
        if told.type == "hello" and not self.greeted.done():
            self.greeted.set_result(None)
        elif told.seq is not None:
            self._ears.heard(told.seq, time.time())

    def _fail(self, why: str) -> None:
        if not self.greeted.done():
            self.greeted.set_exception(ConnectionError(why))


class Ears:
    """All sockets."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._opened = 0
        self._events: dict[int, Heard] = {}
        self._room = asyncio.Semaphore(AT_ONCE)

    async def listen(self, lines: asyncio.StreamReader) -> None:
        """Does what the lines say, until they end."""
        opening: list[asyncio.Task[None]] = []
        while line := (await lines.readline()).decode().strip():
            if line == "?":
                await asyncio.gather(*opening)
                _say({"greeted": self._opened})
            else:
                opening.append(asyncio.create_task(self._opens(line)))
        for event in self._events.values():
            _say(event)

    def heard(self, seq: int, at: float) -> None:
        """One socket has heard event `seq` at the instant `at`."""
        event = self._events.setdefault(seq, Heard(seq, 0, at))
        event.heard, event.last_at = event.heard + 1, at
        if event.heard == self._opened:
            _say(event)

    async def _opens(self, ticket: str) -> None:
        async with self._room, asyncio.timeout(WITHIN):
            make = lambda: Ear(f"/live?ticket={ticket}", f"{self._host}:{self._port}", self)  # noqa: E731
            _, ear = await asyncio.get_running_loop().create_connection(make, self._host, self._port)
            await ear.greeted
            self._opened += 1


def _frame(got: bytearray) -> tuple[int, bytes, int] | None:
    """Opcode, body and length of the first frame in `got`, once it is all there. Servers do not mask."""
    if len(got) < 2:
        return None
    length, start = got[1] & 0x7F, 2
    if length == SHORT:
        if len(got) < 4:
            return None
        length, start = struct.unpack_from(">H", got, 2)[0], 4
    elif length == LONG:
        if len(got) < 10:
            return None
        length, start = struct.unpack_from(">Q", got, 2)[0], 10
    end = start + length
    return (got[0] & 0x0F, bytes(got[start:end]), end) if len(got) >= end else None


def _say(what: Any) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


async def main(host: str, port: int) -> None:
    """Listens until standard input ends."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    await Ears(host, port).listen(lines)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
