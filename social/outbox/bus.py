"""Events on Redis: how they are packed, and telling them without ever waiting for a Redis that is away.

What is lost here costs a socket two seconds, never an event: hubs ask Mongo how far each workspace is numbered.
"""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec
import structlog
from bson import ObjectId

from social.backing import Backing
from social.backing.redis import GONE
from social.events import Event, TickType
from social.moments import now, rfc3339
from social.outbox.documents import Batch

PATIENCE = 0.5  # seconds for one telling
PAUSE = 2.0  # seconds without trying after one that failed
AT_ONCE = 100  # events in one message

log = structlog.get_logger()


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """Events that follow one another, up to number `last`. Without `last` they are ticks, which have no number.

    Each event is already the text that a browser is sent, so a hub passes it on without reading it.
    """

    events: list[msgspec.Raw]
    last: int = 0


class Bus:
    """Tells all hubs. One per process."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing
        self._silent_until: float | None = None  # on the loop's clock, while Redis is away

    async def tell(self, batches: Iterable[Batch]) -> None:
        """Publishes the events of `batches`, in order, or gives up within half a second."""
        await self._publish((batch.workspace_id, message) for batch in batches for message in messages(batch))

    async def tick(self, workspace_id: ObjectId, type: TickType, data: Mapping[str, Any]) -> None:
        """Publishes something fleeting, a progress for example: it has no number and is not kept."""
        await self.ticks(type, [(workspace_id, data)])

    async def ticks(self, type: TickType, told: Iterable[tuple[ObjectId, Mapping[str, Any]]]) -> None:
        """The same for many workspaces at once."""
        at = rfc3339(now())
        frames = [
            (workspace, msgspec.json.encode({"workspace": str(workspace), "at": at, "type": type, "data": data}))
            for workspace, data in told
        ]
        await self._publish((workspace, Message([msgspec.Raw(frame)])) for workspace, frame in frames)

    async def _publish(self, told: Iterable[tuple[ObjectId, Message]]) -> None:
        loop = asyncio.get_running_loop()
        if self._silent_until is not None and loop.time() < self._silent_until:
            return
        pipe = self._backing.redis.pipeline(transaction=False)
        for workspace_id, message in told:
            pipe.publish(channel(self._backing, workspace_id), msgspec.json.encode(message))
        try:
            async with asyncio.timeout(PATIENCE):
                await pipe.execute()
            self._silent_until = None
        except (*GONE, TimeoutError) as error:
            if self._silent_until is None:
                log.warning("bus.redis_away", error=type(error).__name__)
            self._silent_until = loop.time() + PAUSE


def channel(backing: Backing, workspace_id: ObjectId | None) -> str:
    """Where a workspace's events are published; without one, where it is said that somebody may not listen any more."""
    return f"live:{backing.settings.mongo_database}:{workspace_id}"


async def somebody_left(backing: Backing) -> None:
    """Has all hubs look, now rather than within half a minute, who may not listen any more. Gives up soon."""
    with suppress(*GONE, TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await backing.redis.publish(channel(backing, None), b"left")


def messages(batch: Batch) -> Iterable[Message]:
    """The events of `batch`, in messages of a bearable size. Where it holds none, their last number alone."""
    events = batch.events()
    if not events:
        yield Message([], last=batch.last)
    for start in range(0, len(events), AT_ONCE):
        some = events[start : start + AT_ONCE]
        yield Message([msgspec.Raw(frame(event)) for event in some], last=some[-1].seq)


def unpacked(packed: bytes) -> Message:
    """What a channel carried. msgspec.MsgspecError if it is none of ours."""
    return msgspec.json.decode(packed, type=Message)


def frame(event: Event) -> bytes:
    """An event as browsers are sent it."""
    told = msgspec.to_builtins(event, builtin_types=(datetime,))
    return msgspec.json.encode(told | {"at": rfc3339(event.at)})
