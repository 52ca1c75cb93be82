"""Hanging up on a caller. ASGI has no word for it (an error becomes a 500), so the protocol hands over the line."""

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION = "sandbox"

Receive = Callable[[], Awaitable[Any]]


class Line:
    """One caller's TCP connection, and the instant its present request arrived."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.arrived_ms = time.time_ns() // 1_000_000
        self._transport = transport

    async def hang_up(self, receive: Receive, *, reset: bool = False) -> None:
        """Ends the connection at once, without another byte; the caller sees an end of file, or a reset.

        What was written before and is not sent yet is lost. Returns when uvicorn knows, which keeps it from answering.
        """
        if reset:  # lingering for 0 seconds makes the kernel send RST instead of FIN
            sock: socket.socket = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
        await _gone(receive)

    async def finish(self, receive: Receive) -> None:
        """Sends what was written, then ends the connection."""
        self._transport.close()
        await _gone(receive)


class Protocol(HttpToolsProtocol):
    """uvicorn's own, which puts the line into each request's scope."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: {"line": Line(self.transport)}}


def line_of(scope: Any) -> Line:
    line: Line = scope["extensions"][EXTENSION]["line"]
    return line


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
