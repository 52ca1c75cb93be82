"""Keeps programs running: starts them side by side, starts again what dies, stops them all."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from os import EX_CONFIG, EX_UNAVAILABLE
from typing import Any, Self, TypeVar

from social.embedded import logfile
from social.embedded.child import Process, Register, end, spawn
from social.embedded.folder import free
from social.embedded.program import Program
from social.embedded.unfit import Said, Unfit

FIRST_PAUSE = 0.2  # seconds before a dead program is started again; doubled each time up to LONGEST_PAUSE
LONGEST_PAUSE = 30.0
HEALTHY = 60.0  # seconds: whoever lived that long begins with FIRST_PAUSE again
LOG_LOOK = 10.0  # seconds between two looks at the size of the logs

DEBIAN = {"libcurl.so.4": "libcurl4", "libssl.so.3": "libssl3", "libcrypto.so.3": "libssl3", "liblzma.so.5": "liblzma5"}
Answer = TypeVar("Answer")
Tell = Callable[[str], None]


@dataclass
class Running:
    """A program and its present life."""

    program: Program
    process: Process
    began: float  # on the monotonic clock
    logged: int  # size of its log when this life began


class Supervisor:
    """Used as a context: what `start` has started is stopped at its end, whatever the reason."""

    def __init__(self, tell: Tell, register: Register | None = None) -> None:
        self._tell = tell
        self._register = register
        self._running: list[Running] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._over: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        self._tasks.append(asyncio.create_task(self._bound_logs()))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: object) -> None:
        await self.stop()

    async def start(self, programs: Sequence[Program]) -> None:
        """Starts all of them side by side and returns when all are ready. Unfit when one cannot run here."""
        for program in programs:
            ports_free(program)
        starts = [asyncio.create_task(self._start(program)) for program in programs]
        try:
            await asyncio.gather(*starts)
        finally:
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)

    async def over(self) -> int:
        """Returns the exit code of a program that is not to be restarted, once it has ended."""
        return await asyncio.shield(self._over)

    async def unless_over(self, work: Awaitable[Answer]) -> Answer | None:
        """What `work` answers, or None when a program that is not to be restarted ends first."""
        task = asyncio.ensure_future(work)
        either: set[asyncio.Future[Any]] = {task, self._over}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def stop(self, grace: float | None = None) -> None:
        """Ends all side by side: they don't need each other. `grace` seconds at most, or each program's own.

        Kills them when the current task is cancelled for the second time, now or before.
        """
        if hurried():
            grace = 0
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await asyncio.gather(
                *(end(running.process, running.program.grace if grace is None else grace) for running in self._running)
            )
        finally:
            for running in self._running:
                for path in running.program.litter:
                    path.unlink(missing_ok=True)

    async def _start(self, program: Program) -> None:
        running = await self._live(program)
        self._running.append(running)
        await self._until_ready(running)
        self._tell(f"{program.name} is ready ({time.monotonic() - running.began:.1f} s)")
        self._tasks.append(asyncio.create_task(self._keep(running)))

    async def _keep(self, running: Running) -> None:
        """Waits for its death and starts it again, with longer and longer pauses while it dies young."""
        program, pause = running.program, FIRST_PAUSE
        while True:
            code = await running.process.wait()
            if not program.restarts:
                self._over.set_result(code)
                return
            if time.monotonic() - running.began > HEALTHY:
                pause = FIRST_PAUSE
            self._tell(f"{program.name} ended ({how(code)}); starting it again in {pause:g} s")
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            try:
                again = await self._live(program)
            except OSError as wrong:  # the disk is full, or there are too many processes: that passes
                self._tell(f"{program.name} cannot be started now ({wrong.strerror})")
                continue
            running.process, running.began, running.logged = again.process, again.began, again.logged
            try:
                await self._until_ready(running)
            except Unfit as wrong:
                self._tell(str(wrong))
                await end(running.process, program.grace)
            else:
                self._tell(f"{program.name} is back ({time.monotonic() - running.began:.1f} s)")

    async def _live(self, program: Program) -> Running:
        logged = program.log.stat().st_size if program.log is not None and program.log.exists() else 0
        began = time.monotonic()
        process = await spawn(program)
        try:
            if self._register is not None:
                self._register.add(program.name, process.pid)
        except OSError:
            await end(process, 0)  # what nobody remembers must not be left over
            raise
        return Running(program, process, began, logged)

    async def _until_ready(self, running: Running) -> None:
        program, process = running.program, running.process
        ready = asyncio.ensure_future(program.ready(process.pid))
        died = asyncio.ensure_future(process.wait())
        try:
            done, _ = await asyncio.wait({ready, died}, timeout=program.patience, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
            died.cancel()
            await asyncio.gather(ready, died, return_exceptions=True)
        if died in done:
            raise why_it_died(running, died.result())
        if not done:
            raise Unfit(f"{program.name} is not ready after {program.patience:g} s{see(program)}")
        ready.result()

    async def _bound_logs(self) -> None:
        while True:
            for log in [running.program.log for running in self._running if running.program.log is not None]:
                with suppress(OSError):  # there is no room for what is kept of it: the next look tries again
                    logfile.bound(log)
            await asyncio.sleep(LOG_LOOK)


def cancelled_by_signals(on_asked: Callable[[], None]) -> None:
    """From here on SIGINT, SIGTERM and SIGHUP cancel the current task; a second one interrupts its cleaning up.

    `on_asked` is called on the first, before the cancellation.
    """
    task = asyncio.current_task()
    assert task is not None
    asked = iter([on_asked])

    def cancel() -> None:
        for first in asked:
            first()
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, cancel)


def hurried() -> bool:
    """Whether the current task was cancelled more than once: somebody has pressed Ctrl-C twice."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 1


def ports_free(program: Program) -> None:
    """Unfit, naming the setting to use instead, when somebody else has one of the ports that `program` keeps."""
    for port in program.ports:
        if not free(port):
            raise Unfit(
                f"Port {port}, which the embedded {program.name} keeps, is taken by another program: "
                f"stop that one, or {program.instead}."
            )


def why_it_died(running: Running, code: int) -> Unfit:
    """One sentence about a program that ended before it was ready, with what a person can do about it."""
    program = running.program
    if program.log is None:
        if code in {EX_UNAVAILABLE, EX_CONFIG}:
            return Said()
        return Unfit(f"{program.name} ended before it was ready ({how(code)}).")
    words = logfile.last_words(program.log, running.logged)
    if "error while loading shared libraries: " in words:
        library = words.rpartition("error while loading shared libraries: ")[2].partition(":")[0]
        package = f" (Debian and Ubuntu: apt-get install {DEBIAN[library]})" if library in DEBIAN else ""
        return Unfit(f"{program.name} needs {library}, which this machine lacks{package}{or_instead(program)}")
    if code == -signal.SIGILL:
        return Unfit(f"{program.name} needs a processor with AVX, which this machine lacks{or_instead(program)}")
    if "No space left on device" in words:
        return Unfit(f"{program.name} cannot start because the disk is full: make room{or_instead(program)}")
    said = logfile.complaint(words)
    return Unfit(f"{program.name} ended before it was ready ({how(code)}){f': {said!r}' if said else ''}{see(program)}")


def how(code: int) -> str:
    """An exit code in words."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def see(program: Program) -> str:
    """Where to look, and what to set, as the end of a sentence."""
    return (f"; its log is {program.log}" if program.log else "") + or_instead(program)


def or_instead(program: Program) -> str:
    """The way out as the end of a sentence."""
    return f"; or {program.instead}." if program.instead else "."
