"""A wire between the product and one of its servers, which can be cut in every way a network knows."""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

CHUNK = 64 * 1024
RST = struct.pack("ii", 1, 0)  # SO_LINGER of nothing: a close is a reset
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What the wire does to connections, old and new. Nothing of it: it carries on."""

    latency: float = 0.0  # seconds, each way
    blackhole: bool = False  # nothing comes through and nothing is closed: packets dropped
    refuse: bool = False  # nobody listens: a new connection is refused
    swallow: bool = False  # what the server answers never arrives; what it is asked does
    cut_after: int | None = None  # bytes towards the server, on one connection; then it is reset
    reply_cut_after: int | None = None  # bytes of the answer, on one connection; then it ends
    drip: float = 0.0  # seconds between two bytes of an answer


class Wire:
    """A TCP proxy on 127.0.0.1 in a thread of its own, so that a test that waits does not hold it up."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        """To 127.0.0.1:`port`. With `tls` the near end speaks it, and the far end is plain as ever."""
        self._to = port
        self._tls = tls
        self._trouble = Trouble()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._accepted: set[asyncio.Task[None]] = set()
        self._carrying: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.connections = 0  # ever accepted
        self.together = 0  # that were open at the same time, at most
        self.towards = 0  # bytes towards the server, over all connections

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def trouble(self, **switches: Any) -> None:
        """Replaces all trouble, for connections that are there as well: `trouble(blackhole=True)`. `trouble()` ends
        it."""
        self._run(self._change(replace(Trouble(), **switches)))

    def reset(self) -> None:
        """Resets every connection that is there, towards both ends."""
        self._run(self._reset())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _change(self, trouble: Trouble) -> None:
        if trouble.refuse and not self._trouble.refuse:
            assert self._server is not None
            self._server.close()
        elif self._trouble.refuse and not trouble.refuse:
            await self._listen()
        self._trouble = trouble
        self._changed.set()
        self._changed = asyncio.Event()

    async def _reset(self) -> None:
        for writer in list(self._writers):
            _abort(writer)

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        while self._accepted:  # among them what is only just being connected
            await self._reset()
            for task in self._carrying:
                task.cancel()
            await asyncio.wait(self._accepted, timeout=0.05)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._connect(reader, writer))
        self._accepted.add(task)
        task.add_done_callback(self._accepted.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            there, server = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            _abort(writer)
            return
        self._writers |= {writer, server}
        self.together = max(self.together, len(self._writers) // 2)
        ways = [
            asyncio.create_task(self._carry(reader, server, writer, answers=False)),
            asyncio.create_task(self._carry(there, writer, server, answers=True)),
        ]
        self._carrying.update(ways)
        try:
            await asyncio.wait(ways, return_when=asyncio.ALL_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
                self._carrying.discard(way)
            for end in (writer, server):
                end.close()
            for end in (writer, server):  # who does not read keeps it open, until it is reset
                with contextlib.suppress(OSError):
                    await end.wait_closed()
                self._writers.discard(end)

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, back: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        carried = 0
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                while self._trouble.blackhole or (answers and self._trouble.swallow):
                    await self._changed.wait()
                trouble = self._trouble
                if trouble.latency:
                    await asyncio.sleep(trouble.latency)
                limit = trouble.reply_cut_after if answers else trouble.cut_after
                if limit is not None and carried + len(data) >= limit:
                    writer.write(data[: max(0, limit - carried)])
                    await writer.drain()
                    if not answers:
                        self.towards += max(0, limit - carried)
                    for end in (writer, back):
                        end.close() if answers else _abort(end)
                    return
                if trouble.drip and answers:
                    for at in range(len(data)):
                        writer.write(data[at : at + 1])
                        await asyncio.sleep(trouble.drip)
                else:
                    writer.write(data)
                await writer.drain()
                carried += len(data)
                if not answers:
                    self.towards += len(data)
        if writer.can_write_eof() and not writer.is_closing():
            with contextlib.suppress(OSError):
                writer.write_eof()


def _abort(writer: asyncio.StreamWriter) -> None:
    opened = writer.get_extra_info("socket")
    if opened is not None:
        with contextlib.suppress(OSError):
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
    writer.transport.abort()
