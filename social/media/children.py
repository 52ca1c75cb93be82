"""Child processes that work on strangers' files: what they are given, and how they end."""

import os
import signal
from asyncio.subprocess import Process
from contextlib import suppress
from pathlib import Path

import social

ROOT = Path(social.__file__).parent.parent  # where `python -m` finds us, installed or not
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "2"}  # none of our secrets
BUSY = "The server has too much else to do to read this file just now. Please try again in a minute."


async def ended(process: Process) -> None:
    """Ends whatever is left of it, children of its own too."""
    if process.returncode is None:
        with suppress(ProcessLookupError):  # it has ended, and nobody has told us yet
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
