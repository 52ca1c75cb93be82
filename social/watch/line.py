"""The live line: one socket that mends itself, and never tells an event twice or leaves one out.

What is said on it is written in `social/live/`: hello first; then events, numbered one after the other; `refetch` where
what was missed is not kept any more; ticks, which have no number.
"""

import asyncio
import os
import random
from collections.abc import AsyncGenerator, Callable
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from social.watch.desk import Desk
from social.watch.wanted import Away, CannotWatch

FIRST, LONGEST = 0.5, 30.0  # seconds until it is tried again; doubled each time
PING = 20.0  # seconds; proxies cut lines that are silent for longer
LARGEST = 4 * 2**20  # bytes of one message
SIGNED_OUT = 4401  # what the line is closed with when the session, or the membership, has ended
OUT = "You were signed out, or are not in this workspace any more."
BROKEN = (Away, OSError, ConnectionClosed, InvalidHandshake, InvalidMessage)  # TimeoutError is an OSError


class Message(msgspec.Struct, frozen=True):
    """One message, as far as it is understood, and the text that it came as."""

    type: str
    seq: int | None = None
    at: str = ""
    post_id: str | None = None
    data: dict[str, Any] = {}
    text: str = ""


class Gap(Away):
    """A number was left out. What is missing comes when the line is opened again."""


def pause(failures: int) -> float:
    """Seconds until the next attempt after so many that failed: doubling, half of it by chance, so that those who were
    cut off together do not come back together."""
    most = min(LONGEST, FIRST * 2.0 ** min(failures, 16))
    return most * random.uniform(0.5, 1)  # noqa: S311


class Line:
    """`seen` is the number of the last event that was told, None before the line was ever open."""

    def __init__(self, url: str, desk: Desk, since: int | None, notice: Callable[[str], None]) -> None:
        self._live = "ws" + url.removeprefix("http") + "/live"
        self._desk = desk
        self._notice = notice
        self.seen = since

    async def messages(self) -> AsyncGenerator[Message]:
        """Events in order, ticks, and `hello` and `refetch`. Ends by CannotWatch alone; whatever breaks is mended."""
        failures = 0
        while True:
            try:
                async with await self._opened() as socket:
                    async for message in self._heard(socket):
                        if failures:
                            self._notice("The line is back.")
                            failures = 0
                        yield message
            except BROKEN as broken:
                if isinstance(broken, ConnectionClosed) and broken.rcvd is not None and broken.rcvd.code == SIGNED_OUT:
                    raise CannotWatch(OUT, os.EX_NOPERM) from None
            if not failures:
                self._notice("The line is broken; trying again.")
            failures += 1
            await asyncio.sleep(pause(failures - 1))

    async def _opened(self) -> connect:
        ticket = await self._desk.ticket()
        after = "" if self.seen is None else f"&after={self.seen}"
        return connect(
            f"{self._live}?ticket={ticket}{after}",
            compression=None,
            ping_interval=PING,
            ping_timeout=PING,
            max_size=LARGEST,
            proxy=None,
            user_agent_header="social-watch",
        )

    async def _heard(self, socket: ClientConnection) -> AsyncGenerator[Message]:
        """What one connection says, without what was told before."""
        async for said in socket:
            message = _read(said)
            if message is None or message.type == "pong":
                continue
            if message.type == "hello":
                self.seen = message.seq if self.seen is None else self.seen
            elif message.type == "refetch":
                self.seen = message.seq
            elif message.seq is not None:
                if self.seen is not None and message.seq <= self.seen:
                    continue
                if self.seen is not None and message.seq != self.seen + 1:
                    raise Gap
                self.seen = message.seq
            yield message


def _read(said: str | bytes) -> Message | None:
    """None for what is no message of ours: a newer service may say more."""
    text = said if isinstance(said, str) else said.decode(errors="replace")
    try:
        return msgspec.structs.replace(msgspec.json.decode(text, type=Message), text=text)
    except msgspec.MsgspecError:
        return None
