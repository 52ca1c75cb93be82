"""Child processes that work on strangers' files: what they are given, and how they end."""

import os
import signal
from asyncio.subprocess import Process
from contextlib import suppress
from pathlib import Path

import structlog

import social
from social.errors import Unavailable

log = structlog.get_logger()

ROOT = Path(social.__file__).parent.parent  # where `python -m` finds us, installed or not
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "2"}  # none of our secrets
BUSY = "The server has too much else to do to read this file just now. Please try again in a minute."
KILLED = "killed"  # the code of what is said then
ENDED = (
    "The server ended the work on this file before it was done, as it does where its memory runs out. "
    "Please try again in a minute."
)


def check_not_killed(code: int | None) -> None:
    """Unavailable if a child that we did not end ourselves was ended by SIGKILL: then it was the system, which does so
    where memory runs out, or somebody by hand. `code` is its exit code, minus the signal if one ended it.

    What it was given ends it otherwise: its time with OUT_OF_TIME (`confined`), and where memory, disk or files are
    used up it hears so itself.
    """
    if code == -signal.SIGKILL:
        log.warning("media.killed")
        raise Unavailable(ENDED, retry_after=60, code=KILLED)


async def ended(process: Process) -> None:
    """Ends whatever is left of it, children of its own too."""
    if process.returncode is None:
        with suppress(ProcessLookupError):  # it has ended, and nobody has told us yet
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
