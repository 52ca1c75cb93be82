"""The body of a request that makes a post public: handed over once, in time, or not at all."""

from collections.abc import Callable
from typing import Protocol

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

from social.moments import steady


class Handing(Protocol):
    """What a call says about the moment its committing request is handed over."""

    deadline: float | None  # steady
    on_write: Callable[[], None] | None
    written: bool


class Guarded(Payload):
    """The body of a committing request. It is handed over once, before the deadline, or not at all.

    aiohttp keeps the headers back until the body's first bytes are written, so that until `written` is true nothing of
    the request has left: the check, the mark and the transport's write are one step without an await between them.
    """

    _autoclose = True

    def __init__(self, inner: Payload, call: Handing) -> None:
        super().__init__(inner, headers=dict(inner.headers), content_type=inner.content_type)
        self._size = inner.size
        self._inner = inner
        self._call = call
        self.written = False
        self.late = False
        self._withdrawn = False

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The inner body's text."""
        return self._inner.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Hands the body over. NotHandedOver if that must not happen."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Hands the body over. NotHandedOver if that must not happen."""
        self._hand_over(writer)
        await self._inner.write_with_length(writer, content_length)

    def withdraw(self) -> None:
        """From here on it cannot be handed over any more, should a writer still wait for its turn."""
        self._withdrawn = True

    def _hand_over(self, writer: AbstractStreamWriter) -> None:
        transport = getattr(writer, "transport", None)
        if self._withdrawn or self.written or transport is None or transport.is_closing():
            raise NotHandedOver
        if self._call.deadline is not None and steady() >= self._call.deadline:
            self.late = True
            raise NotHandedOver
        if self._call.on_write is not None:
            self._call.on_write()
        self.written = self._call.written = True


class NotHandedOver(Exception):
    """A committing request stays where it is: it is too late, the connection has gone, or it went out before."""
