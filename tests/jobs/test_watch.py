"""What every instance does beside its work, whatever it was told to run."""

import asyncio
import dataclasses
import time
from datetime import timedelta

from social import moments
from social.backing import Backing
from social.backing.mongo import TOO_SLOW, ServerClock
from social.jobs import watch
from social.jobs.running import Running


async def test_an_instance_without_the_clock_knows_what_time_it_is_at_the_database(backing: Backing) -> None:
    instance = dataclasses.replace(backing, clock=ServerClock())
    wrong = moments.now() + timedelta(hours=1)
    instance.clock.heard(wrong, moments.steady() - TOO_SLOW)
    stop = asyncio.Event()
    watching = asyncio.create_task(watch.run(instance, Running(), stop))
    deadline = time.monotonic() + 5

    while instance.now() > wrong - timedelta(minutes=1):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)

    stop.set()
    await watching
