"""Writes of many publications that run side by side travel together; the code of one reads as if it were alone.

While one batch is under way the next one gathers, so that a single write waits for nobody and a thousand make few.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

FEW = 20
T = TypeVar("T")
R = TypeVar("R")


class Together(Generic[T, R]):
    """Call it with one item; it answers what `carry` made of it, which is given many and answers as many, in order.

    What `carry` raises is raised to everybody in the batch. Who stops waiting does not stop the batch. With `patience`
    (seconds) a batch of a few waits so long for more: for what nobody is in a hurry about.
    """

    def __init__(self, carry: Callable[[list[T]], Awaitable[Sequence[R]]], *, most: int, patience: float = 0.0) -> None:
        self._carry = carry
        self._most = most
        self._patience = patience
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._under_way: asyncio.Task[None] | None = None

    async def __call__(self, item: T) -> R:
        """What became of `item`."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._under_way is None:
            self._under_way = asyncio.create_task(self._carry_all())
        return await future

    async def _carry_all(self) -> None:
        while self._waiting:
            if self._patience and len(self._waiting) < FEW:
                await asyncio.sleep(self._patience)
            batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            try:
                answers = await self._carry([item for item, _ in batch])
            except BaseException as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                if not isinstance(error, Exception):
                    self._give_up()
                    raise
            else:
                for (_, future), answer in zip(batch, answers, strict=True):
                    if not future.done():
                        future.set_result(answer)
        self._under_way = None

    def _give_up(self) -> None:
        """The process is ending: nobody waits for what will not come."""
        self._under_way = None
        while self._waiting:
            self._waiting.popleft()[1].cancel()
