"""What this instance is working on right now, so that it can be let finish before the process ends."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog
from pymongo.errors import PyMongoError

log = structlog.get_logger()


class Running:
    """The tasks in hand. One per process, handed to the clock and the worker."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Begins `work` beside the rest. What it raises is logged; the next look finds what it left."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def __len__(self) -> int:
        return len(self._tasks)

    async def drained(self, seconds: float) -> None:
        """Returns when all is done, or ends the rest after `seconds`: what was being sent is then to be settled."""
        if not self._tasks:
            return
        _, left = await asyncio.wait(set(self._tasks), timeout=seconds)
        for task in left:
            task.cancel()
        if left:
            log.warning("running.cut_off", tasks=len(left))
            await asyncio.wait(left, timeout=2)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, PyMongoError):
            log.warning("running.mongo_away", work=task.get_name(), error=type(error).__name__)
        elif error is not None:
            log.error("running.failed", work=task.get_name(), exc_info=error)
