"""The child processes that work on files here, and what becomes of them where the machine's memory runs out."""

import asyncio
from pathlib import Path

import psutil


def at_work(program: str) -> list[psutil.Process]:
    """Those that run it: a module (`social.media.workbench`) or what a command is called, as far as it is given."""
    return [each for each in psutil.Process().children(recursive=True) if _runs(each).startswith(program)]


async def memory_runs_out(program: str) -> None:
    """Waits until it is at work and ends it, with the signal that the kernel ends it with."""
    while not (found := at_work(program)):
        await asyncio.sleep(0.005)
    found[0].kill()


def _runs(process: psutil.Process) -> str:
    try:
        words = process.cmdline()
    except psutil.Error:
        return ""
    return words[2] if words[1:2] == ["-m"] else Path(words[0]).name if words else ""
