"""What every instance does beside its work: it asks the database what time it is, notices when its loop is blocked,
writes down what it has counted, says that it lives, and takes its turn at watching the invariants."""

import asyncio
import random
from contextlib import suppress

import structlog
from pymongo.errors import PyMongoError

from social.backing import Backing
from social.jobs.running import Running
from social.publishing import lateness, watchdog

log = structlog.get_logger()
HEARTBEAT = 0.25  # seconds; a loop that is late for this is late for every publication
EVERY = 5.0  # seconds between two times that counts are written down, and that the time is asked for


async def run(backing: Backing, running: Running, stop: asyncio.Event) -> None:
    """Until `stop`; then what was counted last is written down. With Mongo away it goes on counting."""
    heart = asyncio.create_task(_heart(backing), name="heart")
    try:
        while not stop.is_set():
            with suppress(PyMongoError):  # what is known does until the database says better
                await backing.clock.ask(backing.client)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), EVERY * random.uniform(0.9, 1.1))  # noqa: S311
            await _written_down(backing)
            if not backing.stopping.is_set():
                running.spawn(watchdog.watch(backing), "watchdog")
    finally:
        heart.cancel()


async def _written_down(backing: Backing) -> None:
    try:
        await lateness.keep(backing)
        await watchdog.beat(backing)
    except PyMongoError as error:
        log.warning("watch.mongo_away", error=type(error).__name__)


async def _heart(backing: Backing) -> None:
    """Beats, and keeps in the tally by how much a beat came too late at worst."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + HEARTBEAT
        await asyncio.sleep(HEARTBEAT)
        backing.tally.lag = max(backing.tally.lag, loop.time() - due)
