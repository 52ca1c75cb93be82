"""How long it takes to say what becomes of a file in the bucket: `python -m tests.bench media --probe`.

Films of a gigabyte, put together as cameras, programs and broadcasters do it, and pictures as phones make them. A
verdict is what composing waits for: the file is looked at over ranges of it, in a child process as ever, and then
compared with what every platform takes. Of each file the middle of some looks counts, and the bytes that were read.
"""

import asyncio
import io
import statistics
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from social.files import PostKind
from social.media.benches import Benches
from social.media.fit import File, fit_all
from social.media.scratch import nameless
from social.media.sources import InBucket
from social.platforms import AHEAD, PLATFORMS
from tests.bench import footage
from tests.bench.stage import Stage, staged
from tests.media import awkward

LOOKS = 7
KBPS = 60_000
THIN_KBPS = 900  # two and a half hours in a gigabyte
FHD = "1920x1080"
X265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=30 -tag:v hvc1"
FILMS: dict[str, dict[str, Any]] = {
    "camera.mp4": {"kbps": KBPS, "size": FHD},
    "index first.mp4": {"kbps": KBPS, "size": FHD, "more": "-movflags +faststart"},
    "phone.mov": {"kbps": KBPS, "size": FHD, "encoder": X265},
    "long.mp4": {"kbps": THIN_KBPS, "size": "640x360"},
    "program.mkv": {"kbps": KBPS, "size": FHD},
    "broadcast.ts": {"kbps": KBPS, "size": FHD},
    "old.avi": {"kbps": KBPS, "size": FHD, "encoder": "-c:v mpeg4 -bf 0"},
}
PHONE = (4032, 3024)
PICTURES: dict[str, Callable[[], bytes]] = {
    "phone.jpg": lambda: awkward.jpeg(awkward.noise(*PHONE)),
    "phone.heic": lambda: awkward.heic(awkward.corners(*PHONE)),
    "screen.png": lambda: awkward.png(awkward.noise(2560, 1440)),
    "web.webp": lambda: awkward.webp(awkward.corners(2048, 1536)),
    "moving.gif": awkward.moving_gif,
}


@dataclass
class Counted:
    """An object of the bucket, and how much of it was read."""

    source: InBucket
    read_bytes: int = 0
    ranges: int = 0

    @property
    def size(self) -> int:
        """Bytes."""
        return self.source.size

    async def read(self, start: int, end: int) -> bytes:
        """One request to the bucket."""
        self.read_bytes += end - start
        self.ranges += 1
        return await self.source.read(start, end)


@dataclass(frozen=True, kw_only=True)
class Look:
    """What looks at one file took: the middle and the longest in ms, what was read each time."""

    name: str
    megabytes: float
    ms: float
    ms_most: float
    read_kb: float
    ranges: int


async def run(folder: Path, megabytes: float) -> dict[str, Any]:
    """The figures, and a table with each file. `folder` has room for one film of so many megabytes."""
    async with staged(start=False) as stage:
        benches = Benches()
        films = [await _looked(stage, benches, name, size) async for name, size in _films(stage, folder, megabytes)]
        pictures = []
        for name, make in PICTURES.items():
            file = make()
            await stage.backing.bucket.put(_key(name), io.BytesIO(file), mime="image/jpeg", size=len(file))
            pictures.append(await _looked(stage, benches, name, len(file)))
    _shown([*films, *pictures])
    return {
        "films": len(films),
        "film_mb": megabytes,
        "film_ms_p50_worst": max(each.ms for each in films),
        "film_ms_max": max(each.ms_most for each in films),
        "film_read_kb_most": max(each.read_kb for each in films),
        "film_ranges_most": max(each.ranges for each in films),
        "pictures": len(pictures),
        "picture_ms_p50_worst": max(each.ms for each in pictures),
        "picture_ms_max": max(each.ms_most for each in pictures),
        "picture_read_kb_most": max(each.read_kb for each in pictures),
    }


async def _films(stage: Stage, folder: Path, megabytes: float) -> AsyncIterator[tuple[str, int]]:
    for name, given in FILMS.items():
        film = await footage.film(folder / name, megabytes=megabytes, **given)
        size = film.stat().st_size
        await stage.backing.bucket.put(_key(name), film, mime="video/mp4", size=size)
        film.unlink()
        yield name, size
        await stage.backing.bucket.delete([_key(name)])


async def _looked(stage: Stage, benches: Benches, name: str, size: int) -> Look:
    took = []
    for _ in range(LOOKS):
        source = Counted(InBucket(stage.backing.bucket, _key(name), size))
        began = time.perf_counter()
        with await asyncio.to_thread(nameless) as thumbnail:
            looked = await benches.look(source, thumbnail)
        for title, kinds in _platforms():
            for kind in kinds:
                fit_all([File(probe=looked.probe)] * kind.least, kind, title)
        took.append((time.perf_counter() - began) * 1000)
    return Look(
        name=name,
        megabytes=round(size / 1e6, 1),
        ms=round(statistics.median(took), 1),
        ms_most=round(max(took), 1),
        read_kb=round(source.read_bytes / 1e3, 1),
        ranges=source.ranges,
    )


def _platforms() -> list[tuple[str, tuple[PostKind, ...]]]:
    return [*((each.title, each.kinds(each.limits)) for each in PLATFORMS.values()), *AHEAD.values()]


def _key(name: str) -> str:
    return f"w/bench/m/{name}"


def _shown(looks: list[Look]) -> None:
    table = Table("file", "MB", "ms", "ms at most", "kB read", "in ranges")
    for each in looks:
        table.add_row(each.name, *(f"{value:,}" for value in list(vars(each).values())[1:]))
    Console().print(table)
