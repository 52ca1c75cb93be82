"""An asyncio loop without a clock or a socket: time stands still while anything can run, and then jumps.

What runs belongs to an instance (`INSTANCE`, inherited by tasks and timers). One that is dead never runs again; one
that stands still runs when that is over, whatever was due meanwhile.
"""

import asyncio
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, Protocol


class Pausable(Protocol):
    """Whose work it is."""

    alive: bool
    paused_until: float


INSTANCE: ContextVar[Any] = ContextVar("INSTANCE", default=None)
PERSON: ContextVar[bool] = ContextVar("PERSON", default=False)  # whether it is a person's doing
ROUNDS = 100_000  # callbacks at one instant, after which something spins


class Handle:
    """A callback that was asked for. `run` calls it in its context; None once it is cancelled."""

    __slots__ = ("args", "run")

    def __init__(self, run: Callable[..., object] | None, args: tuple[Any, ...]) -> None:
        self.run = run
        self.args = args

    def cancel(self) -> None:
        """It will not be called."""
        self.run = None

    def cancelled(self) -> bool:
        """Whether it will not be called."""
        return self.run is None


class Timer(Handle):
    """A callback that is due at the loop's time `at`, in `instance`."""

    __slots__ = ("at", "instance")

    def __init__(self, run: Callable[..., object], args: tuple[Any, ...], at: float, instance: Any) -> None:
        super().__init__(run, args)
        self.at = at
        self.instance = instance

    def when(self) -> float:
        """The loop's time at which it is due."""
        return self.at


class VirtualLoop(asyncio.AbstractEventLoop):
    """Runs what is ready with `settle`; `jump` goes to the next timer. `now` is its time in seconds."""

    def __init__(self, start: float = 0.0) -> None:
        self.now = start
        self.wrong: list[str] = []  # what went wrong and nobody heard of
        self._ready: deque[Handle] = deque()
        self._timers: list[tuple[float, int, Timer]] = []
        self._count = 0

    def __enter__(self) -> "VirtualLoop":
        events._set_running_loop(self)
        return self

    def __exit__(self, *_: object) -> None:
        events._set_running_loop(None)

    def settle(self) -> None:
        """Runs everything that can run now."""
        ready = self._ready
        for _ in range(ROUNDS):
            if not ready:
                return
            handle = ready.popleft()
            if handle.run is not None:
                handle.run(*handle.args)
        raise RuntimeError("something spins without ever waiting")

    def next_timer(self) -> float | None:
        """The instant of the first timer that will ever be called; None if there is none."""
        timers = self._timers
        while timers:
            when, number, handle = timers[0]
            instance = handle.instance
            if handle.run is None or (instance is not None and not instance.alive):
                heapq.heappop(timers)
            elif instance is not None and instance.paused_until > when:
                heapq.heapreplace(timers, (instance.paused_until, number, handle))
            else:
                return when
        return None

    def jump(self, until: float) -> bool:
        """Goes to the next timer, or to `until` if that is earlier. Whether a timer is due."""
        when = self.next_timer()
        if when is None or when > until:
            self.now = max(self.now, until)
            return False
        self.now = max(self.now, when)
        handle = heapq.heappop(self._timers)[2]
        self._ready.append(handle)
        return True

    def outside(self, when: float, then: Callable[[], object]) -> None:
        """Has `then` happen at `when`, as nobody's work."""
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, Timer(then, (), when, None)))

    # What asyncio asks of a loop.

    def time(self) -> float:
        return self.now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Any:
        handle = Handle((copy_context() if context is None else context).run, (callback, *args))
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(self, delay: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        timer = Timer((copy_context() if context is None else context).run, (callback, *args), when, INSTANCE.get())
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, timer))
        return timer

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Any]:  # type: ignore[override]
        instance = INSTANCE.get() if context is None else context.get(INSTANCE)
        task = asyncio.Task(coro, loop=self, name=name or "task", context=context)
        if instance is not None:
            instance.tasks.append(task)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.wrong.append(f"{context.get('message')}: {type(error).__name__} {error}")

    def _timer_handle_cancelled(self, handle: Any) -> None:
        """asyncio's own handles tell of this; ours need not."""
