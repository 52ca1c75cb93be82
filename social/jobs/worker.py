"""A SAQ worker that lives in the server's process: no signals of its own, no upkeep but the sweep."""

import asyncio
from typing import Any

from saq import Worker

from social.backing import Backing
from social.jobs.running import Running
from social.jobs.tasks import TASKS

SWEEP = 600  # seconds; a job is a hint, so nothing hangs on a stuck one
WAIT = 2.0  # seconds for one blocking look at the queue
SLOTS = 2  # jobs end at once, so two are plenty


class _Worker(Worker[Any]):
    SIGNALS: list[Any] = []  # noqa: RUF012 - as SAQ declares it; the process owns the signals

    async def upkeep(self) -> list[asyncio.Task[None]]:
        """Only the sweep: nothing is scheduled, aborted or watched through Redis."""
        return [asyncio.create_task(self._sweep())]

    async def _sweep(self) -> None:
        while not self.event.is_set():
            await asyncio.sleep(SWEEP)
            await self.queue.sweep()


async def run(backing: Backing, running: Running) -> None:
    """Takes hints from the queue until `backing.stopping` is set."""
    worker = _Worker(backing.queue, TASKS, concurrency=SLOTS, dequeue_timeout=WAIT)
    worker.context.update({"backing": backing, "running": running})
    task = asyncio.create_task(worker.start())
    await backing.stopping.wait()
    worker.event.set()
    await task
