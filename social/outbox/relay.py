"""Numbers the rows of the outbox and tells everybody, workspace by workspace, many of them in one go.

Every instance runs one. Leases keep two from doing the same work; numbers without gap or double do not rest on them but
on how they are decided (see `documents`). What a dead relay had in hand is finished by another when its lease runs out;
what it had numbered and not told, hubs find by themselves.
"""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

import structlog
from bson import ObjectId
from pymongo.errors import PyMongoError

from social.backing import Backing
from social.outbox.bus import Bus
from social.outbox.documents import Batch, Relay, Row

ROWS = 1_000  # in one round
WORKSPACES = 100
LEASE = timedelta(seconds=5)  # a round takes a tenth of one; longer than that and another takes over
GATHER = 0.05  # seconds from the first sign of a row to the look: what happens in one moment travels together
CROWDED = 0.4  # the same while there is much to tell: what one round costs, it costs for each workspace
AT_ONCE = 0.0  # seconds until the next look: there may be more
HELD = 0.05  # the rest is in another relay's hands, which may have looked before it was committed
IDLE = 1.0  # nothing was there; what other instances commit, and cannot number, is found by then

log = structlog.get_logger()


async def run(backing: Backing, stop: asyncio.Event) -> None:
    """Relays until `stop`, and then until nothing is left, so that what was written before it is numbered and told.

    Wakes at once for rows that were committed in this process, and within a second for those of others.
    """
    relaying = Relaying(backing)
    while not stop.is_set():
        backing.announced.clear()
        within = await _round(relaying)
        await _announced(backing, stop, within=within, gather=_gathering(relaying.told))
    while await _round(relaying) == AT_ONCE:
        pass


class Relaying:
    """One instance's relay. What it claimed in a round that was cut off is still its own."""

    def __init__(self, backing: Backing, lease: timedelta = LEASE) -> None:
        self._bus = Bus(backing)
        self.token = uuid4().hex
        self._lease = lease
        self.told = 0  # rows in the last round
        self._left_then = -IDLE  # when it last looked for what dead relays left, on the loop's clock

    async def round(self) -> float:
        """Numbers and tells the first waiting rows. Seconds until it is worth looking again."""
        self.told = 0
        waiting = await self._waiting()
        claimed = await Relay.claim(waiting, token=self.token, lease=self._lease) if waiting else 0
        if not claimed:
            return HELD if waiting else IDLE
        batches = await Relay.look(waiting, token=self.token, most=max(ROWS // WORKSPACES, ROWS // claimed))
        if not await Relay.give([batch for batch in batches if batch.rows], token=self.token):
            return HELD
        await self.finish(batches)
        self.told = sum(len(batch.rows) for batch in batches)
        return AT_ONCE

    async def finish(self, batches: Sequence[Batch]) -> None:
        """Carries out what was decided, and tells everybody."""
        if numbers := {id: seq for batch in batches for id, seq in batch.numbers().items()}:
            await Row.number(numbers)
        await Relay.give_back(batches, token=self.token)
        await self._bus.tell(batches)

    async def _waiting(self) -> list[ObjectId]:
        """Workspaces with something to number, and now and then those that a dead relay left in the middle."""
        waiting = await Row.waiting(most=WORKSPACES)
        now = asyncio.get_running_loop().time()
        if now < self._left_then + IDLE:
            return waiting
        self._left_then = now
        left = await Relay.abandoned(most=WORKSPACES)
        return [*waiting, *(each for each in left if each not in waiting)]


async def _round(relaying: Relaying) -> float:
    """One round. With Mongo away there is nothing to relay; it comes back."""
    try:
        return await relaying.round()
    except PyMongoError as error:
        log.warning("relay.mongo_away", error=type(error).__name__)
        return IDLE


def _gathering(told: int) -> float:
    """Seconds to wait for more, after a round that told of so many: a full one has left some behind."""
    return GATHER if told >= ROWS else max(GATHER, CROWDED * told / ROWS)


async def _announced(backing: Backing, stop: asyncio.Event, *, within: float, gather: float) -> None:
    """Returns `gather` seconds after something was announced here, `stop` was set, or about `within` seconds passed."""
    signs = [asyncio.create_task(sign.wait()) for sign in (backing.announced, stop)]
    spread = within * random.uniform(0.75, 1.25)  # instances started together do not look together  # noqa: S311
    await asyncio.wait(signs, timeout=spread, return_when=asyncio.FIRST_COMPLETED)
    for sign in signs:
        sign.cancel()
    await asyncio.sleep(gather)
