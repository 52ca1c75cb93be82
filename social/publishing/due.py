"""What falls due, what wants preparing, what is in doubt, and whose owner is dead: one look at the whole engine.

Every instance's clock looks by itself; a wake-up from the queue only makes one look sooner.
"""

import asyncio
import secrets
from datetime import datetime, timedelta

import structlog

from social.backing import Backing
from social.backing.redis import GONE
from social.publishing.holds import keep_holding
from social.publishing.lanes import Lane
from social.publishing.late import pass_by
from social.publishing.prepare import prepare_due
from social.publishing.send import send_due
from social.publishing.settle import settle_due
from social.publishing.tellings import tell_for_the_dead

log = structlog.get_logger()
PATIENCE = 0.3  # seconds for a hint: nobody who plans a post waits for a silent Redis


async def hint(due_at: datetime, backing: Backing) -> None:
    """Wakes somebody for what is due at `due_at`, if that is so soon that waiting for a clock would be felt.

    A hint that is lost costs a tick of the clock, never a post.
    """
    soon = timedelta(seconds=backing.settings.times.look_ahead + backing.settings.times.tick)
    if due_at > backing.now() + soon:
        return
    backing.planned.set()
    try:
        async with asyncio.timeout(PATIENCE):
            await backing.queue.enqueue(
                "wake", key=f"due:{due_at.timestamp():.0f}:{secrets.token_hex(4)}", timeout=30, ttl=60, retries=1
            )
    except (*GONE, TimeoutError) as away:
        log.info("hint.lost", error=type(away).__name__)


async def look(backing: Backing) -> None:
    """Does what there is to do until a little ahead of now. Safe to run twice and in many processes."""
    if backing.stopping.is_set():
        return
    await backing.clock.known(backing.client)  # a machine an hour ahead would take what is on its way for absent
    await Lane.free_the_dead(backing.owner)
    ahead = timedelta(seconds=backing.settings.times.look_ahead)
    works = (
        send_due(backing.now() + ahead, backing),
        settle_due(backing),
        prepare_due(backing),
        tell_for_the_dead(backing),
        keep_holding(backing),
        pass_by(backing),
    )
    for outcome in await asyncio.gather(*works, return_exceptions=True):  # one that fails lets go of no other's send
        if isinstance(outcome, BaseException):
            raise outcome
