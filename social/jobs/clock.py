"""Looks ahead, in every instance, whether or not there is a queue."""

import asyncio
import random
import time
from contextlib import suppress

from social.backing import Backing
from social.jobs.running import Running
from social.jobs.tasks import profiles, swept
from social.media.clipping import make_clips
from social.media.renditions import make_wanted
from social.publishing import due

PROFILES = 600.0  # seconds between looks for accounts that nobody has read for a day
SWEEPS = 600.0  # seconds between looks for files that nobody needs any more or that were left off; the first one soon
CLIPS = 3.0  # seconds between looks for clips that are wanted: nothing waits for them but a person who looks at one
JITTER = 0.1  # of a tick, so that instances do not all look at once


async def run(backing: Backing, running: Running) -> None:
    """Begins a look every tick, and at once when something was planned for now, until `backing.stopping` is set."""
    tick, again_at, clips_at = backing.settings.times.tick, 0.0, 0.0
    sweep_at = time.monotonic() + SWEEPS * random.uniform(0, 0.1)  # noqa: S311
    while not backing.stopping.is_set():
        backing.planned.clear()
        if time.monotonic() >= again_at:
            again_at = time.monotonic() + PROFILES * random.uniform(0.5, 1.5)  # noqa: S311
            running.spawn(profiles(backing), "profiles")
        if time.monotonic() >= sweep_at:
            sweep_at = time.monotonic() + SWEEPS * random.uniform(0.5, 1.5)  # noqa: S311
            running.spawn(swept(backing), "sweep")
        running.spawn(due.look(backing), "clock")
        running.spawn(make_wanted(backing), "renditions")
        if time.monotonic() >= clips_at:
            clips_at = time.monotonic() + CLIPS
            running.spawn(make_clips(backing), "clips")
        with suppress(TimeoutError):
            await asyncio.wait_for(_either(backing), tick * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311


async def _either(backing: Backing) -> None:
    """Returns when something was planned or the instance stops."""
    waits = [asyncio.create_task(event.wait()) for event in (backing.planned, backing.stopping)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
