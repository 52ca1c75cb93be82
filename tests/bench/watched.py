"""What an instance and its children hold while a bench runs: memory of each kind, and files without a name on the disk.

The instance's own peak is the system's (`usage.peak_mb`); children come and go, so they are looked at again and again.
"""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

LOOK = 0.2  # seconds between two looks
FFMPEG, PROBER, WORKBENCH = "ffmpeg", "prober", "workbench"
KINDS = (FFMPEG, PROBER, WORKBENCH)


@dataclass
class Watched:
    """The most that was seen at once, in MB (10^6 bytes). `children`: of each kind, all that ran together."""

    children: dict[str, float] = field(default_factory=dict)
    all_children: float = 0.0
    temporary: float = 0.0  # of the disk, in files that the instance or a child has open or that lie in the folder
    alive: set[str] = field(default_factory=set)  # kinds of children at the last look

    def look(self, pid: int, folder: Path) -> None:
        """Once."""
        mb = dict.fromkeys(KINDS, 0.0)
        rest = 0.0
        processes = [psutil.Process(pid)]
        for child in processes[0].children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                rss, words = child.memory_info().rss / 1e6, " ".join(child.cmdline())
                kind = next((kind for kind in KINDS if kind in words), None)
                if kind is None:
                    rest += rss
                else:
                    mb[kind] += rss
                processes.append(child)
        self.alive = {kind for kind, used in mb.items() if used}
        for kind, used in mb.items():
            self.children[kind] = max(self.children.get(kind, 0.0), used)
        self.all_children = max(self.all_children, sum(mb.values()) + rest)
        self.temporary = max(self.temporary, _temporary(processes, folder) / 1e6)


@asynccontextmanager
async def watched(pid: int, folder: Path, at_each_look: Callable[[Watched], None]) -> AsyncIterator[Watched]:
    """What the instance `pid`, whose temporary files lie in `folder`, holds while the block runs."""
    seen = Watched()

    async def watch() -> None:
        while True:
            await asyncio.to_thread(seen.look, pid, folder)
            at_each_look(seen)
            await asyncio.sleep(LOOK)

    task = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _temporary(processes: list[psutil.Process], folder: Path) -> int:
    """Bytes of the disk that are taken: a file that two have open counts once."""
    device = folder.stat().st_dev
    taken = {each.st_ino: each.st_blocks * 512 for each in _open(processes) if each.st_dev == device}
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            found = path.stat()
            if stat.S_ISREG(found.st_mode):
                taken[found.st_ino] = found.st_blocks * 512
    return sum(taken.values())


def _open(processes: list[psutil.Process]) -> Iterator[os.stat_result]:
    """The files without a name that they have open."""
    for process in processes:
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            for descriptor in os.listdir(f"/proc/{process.pid}/fd"):
                with suppress(FileNotFoundError):
                    found = os.stat(f"/proc/{process.pid}/fd/{descriptor}")
                    if stat.S_ISREG(found.st_mode) and not found.st_nlink:
                        yield found
