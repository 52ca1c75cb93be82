"""HTTP/1.1 as far as the sink needs it: requests out of bytes, answers into bytes. Keeps connections open."""

import asyncio
import re
import time
from collections.abc import Callable
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

import msgspec

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
TOKEN = re.compile(rb"\r\nauthorization: *(?:bearer|dpop) +([^\r]+)", re.IGNORECASE)
KEY = re.compile(rb"\r\nidempotency-key: *([^\r]+)", re.IGNORECASE)
HEADS = {
    status: f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n".encode()
    for status in (200, 201, 400, 404, 409)
}
Answer = Callable[["Request"], bytes]


class Request:
    """One request, whole. `at` is the instant (seconds since 1970) at which its last byte was there."""

    __slots__ = ("__dict__", "at", "body", "head", "method", "path", "query")

    def __init__(self, head: bytes, body: bytes, at: float) -> None:
        self.method, target, _ = head.partition(b"\r\n")[0].decode().split(" ", 2)
        self.path, _, self.query = target.partition("?")
        self.head = head
        self.body = body
        self.at = at

    @property
    def token(self) -> str:
        """The access token, or nothing."""
        return _first(TOKEN, self.head)

    @property
    def key(self) -> str:
        """The idempotency key, or nothing."""
        return _first(KEY, self.head)

    @cached_property
    def asked(self) -> dict[str, str]:
        """The query's parameters, the first of each."""
        return {name: values[0] for name, values in parse_qs(self.query).items()}


def answer(status: int, value: Any) -> bytes:
    """An answer with `value` as JSON."""
    body = msgspec.json.encode(value)
    return b"%bContent-Length: %d\r\n\r\n%b" % (HEADS[status], len(body), body)


class Wire(asyncio.Protocol):
    """One connection. Answers keep the order of their requests, for all wait equally long."""

    def __init__(self, answers: Answer, wait: Callable[[Request], float]) -> None:
        """`wait`: the seconds until a request is answered."""
        self._answers = answers
        self._wait = wait
        self._loop = asyncio.get_running_loop()
        self._transport: Any = None
        self._got = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has connected."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answers every request that is whole by now."""
        self._got += data
        while (whole := _whole(self._got)) is not None:
            head, body, end = whole
            del self._got[:end]
            request = Request(head, body, time.time())
            answered = self._answers(request)
            if (wait := self._wait(request)) > 0:
                self._loop.call_later(wait, self._write, answered)
            else:
                self._write(answered)

    def _write(self, answered: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answered)


def _whole(got: bytearray) -> tuple[bytes, bytes, int] | None:
    """Head, body and length of the first request in `got`, once it is all there."""
    end = got.find(b"\r\n\r\n")
    if end < 0:
        return None
    head, start = bytes(got[:end]), end + 4
    if CHUNKED.search(head):
        return _unchunked(head, got, start)
    found = LENGTH.search(head)
    stop = start + (int(found[1]) if found else 0)
    return (head, bytes(got[start:stop]), stop) if len(got) >= stop else None


def _unchunked(head: bytes, got: bytearray, at: int) -> tuple[bytes, bytes, int] | None:
    pieces: list[bytes] = []
    while (line := got.find(b"\r\n", at)) >= 0:
        size = int(bytes(got[at:line]).partition(b";")[0], 16)
        if len(got) < line + 2 + size + 2:
            return None
        if size == 0:
            return head, b"".join(pieces), line + 4
        pieces.append(bytes(got[line + 2 : line + 2 + size]))
        at = line + 2 + size + 2
    return None


def _first(pattern: re.Pattern[bytes], head: bytes) -> str:
    found = pattern.search(head)
    return found[1].decode() if found else ""
