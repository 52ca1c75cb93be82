"""One child process: it dies with us, and it is remembered so that the next start can end whatever was left behind."""

import asyncio
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from social.embedded import logfile
from social.embedded.folder import pretty, write
from social.embedded.program import Program, until

PR_SET_PDEATHSIG = 1  # linux/prctl.h
LIBC = ctypes.CDLL(None, use_errno=True)
LEFTOVER_GRACE = 3.0  # seconds from SIGTERM to SIGKILL for what a killed run has left

Process = asyncio.subprocess.Process


class Mark(msgspec.Struct, frozen=True):
    """A process, told apart from a later one with the same pid by the boot and the clock tick it was born in."""

    name: str
    pid: int
    born: str


class Register:
    """The processes of this run in a file, for the next start, which finds there what a killed run has left."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, name: str, pid: int) -> None:
        """Remembers a process of ours, and forgets those that have ended."""
        birth = born(pid)
        if birth is not None:
            write(self._path, pretty([*filter(alive, self._marks()), Mark(name, pid, birth)]))

    async def end_leftovers(self, tell: Callable[[str], None]) -> None:
        """Ends what an earlier run has left running: SIGTERM, and SIGKILL after LEFTOVER_GRACE."""
        left = [mark for mark in self._marks() if alive(mark)]
        for mark in left:
            tell(f"Ending {mark.name} (process {mark.pid}), left over from a run that was killed")
            os.kill(mark.pid, signal.SIGTERM)
        for mark in left:
            try:
                async with asyncio.timeout(LEFTOVER_GRACE):
                    await gone(mark)
            except TimeoutError:
                os.kill(mark.pid, signal.SIGKILL)
                await gone(mark)
        self._path.unlink(missing_ok=True)

    def _marks(self) -> list[Mark]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[Mark])
        except (FileNotFoundError, msgspec.DecodeError):
            return []


async def spawn(program: Program) -> Process:
    """Starts `program` in a process group of its own, so that Ctrl-C reaches us alone and we stop it in order."""
    output = None if program.log is None else logfile.opened(program.log)
    try:
        return await asyncio.create_subprocess_exec(
            *program.command,
            cwd=program.cwd,
            env=dict(program.env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,
            preexec_fn=dies_with(os.getpid(), program.death),
        )
    finally:
        if output is not None:
            os.close(output)


async def end(process: Process, grace: float) -> None:
    """SIGTERM, and SIGKILL after `grace` seconds, or at once when this is cancelled meanwhile."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(grace):
            await process.wait()
    except TimeoutError:
        pass
    finally:
        if process.returncode is None:
            process.kill()
    await process.wait()


def dies_with(parent: int, death: signal.Signals) -> Callable[[], None]:
    """What a child does before it becomes the program: asks for `death` when we die, and for all files it may open."""

    def prepare() -> None:
        if sys.platform == "linux":
            LIBC.prctl(PR_SET_PDEATHSIG, int(death), 0, 0, 0)
            if os.getppid() != parent:  # we died before it could ask
                os._exit(1)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    return prepare


def born(pid: int) -> str | None:
    """When process `pid` was born, unique over reboots. None if it has ended, or where there is no /proc to ask."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    state, start = fields[0], fields[19]  # fields 3 and 22 of proc(5): the name before them may hold blanks
    return None if state in "ZX" else f"{boot}:{start}"


def alive(mark: Mark) -> bool:
    """Whether the very process that was marked still runs."""
    return born(mark.pid) == mark.born


async def gone(mark: Mark) -> None:
    """Returns once it has ended. It is not our child, so there is nothing to wait on."""

    async def ended() -> bool:
        return not alive(mark)

    await until(ended)
