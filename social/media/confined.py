"""What a child process gives up before it touches a stranger's file: memory, time, room on the disk, the network.

`python -m social.media.confined MEMORY CPU LARGEST PARENT PROGRAM ARGUMENTS...` does so and becomes PROGRAM.
"""

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path

NICER = 10
OUT_OF_TIME = signal.SIGPROF  # what ends one that has worked for as long as it may
UNHEARD = 5  # seconds of a processor more, for one that would not hear that
FIRST_TO_GO = Path("/proc/self/oom_score_adj")
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000  # CLONE_NEWUSER, CLONE_NEWNET


def confine(*, memory: int, cpu: int, largest: int, parent: int | None = None) -> None:
    """Limits this process for good. `memory` is of addresses, `largest` of a file it writes, both in bytes; `cpu` in
    seconds, after which OUT_OF_TIME ends it. It ends when its parent does, and at once if that is no longer the process
    `parent`."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        os._exit(1)
    os.nice(NICER)
    if FIRST_TO_GO.exists():
        FIRST_TO_GO.write_text("1000")  # where memory runs out, one file and not the database
    with suppress(AttributeError):  # a network without a way out, where the system lets us; else there is no harm
        libc.unshare(NEW_USER | NEW_NETWORK)
    # RLIMIT_CPU alone ends it with SIGKILL, as the system does where memory runs out: nobody could tell which it was.
    signal.setitimer(signal.ITIMER_PROF, cpu)  # which a program that we become inherits
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu + UNHEARD),
        (resource.RLIMIT_FSIZE, largest),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        lowest = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (lowest, lowest))


def main(arguments: list[str]) -> int:
    """memory cpu largest parent program ..."""
    memory, cpu, largest, parent = map(int, arguments[:4])
    confine(memory=memory, cpu=cpu, largest=largest, parent=parent)
    os.execv(arguments[4], arguments[4:])  # noqa: S606 - a program of ours, with arguments of ours


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
