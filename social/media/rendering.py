"""Carries plans out on files of this machine: ffmpeg and Pillow in child processes, bounded in every way.

What is made is looked at like any file that comes in: a rendition that does not hold what its plan promises is none.
"""

import asyncio
import os
import shutil
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

import imageio_ffmpeg
import msgspec
import structlog

from social.errors import Invalid, Unavailable
from social.files import Probe
from social.media import boxes, filming
from social.media.children import ENVIRONMENT, ROOT, check_not_killed, ended
from social.media.confined import OUT_OF_TIME
from social.media.fit_videos import clock
from social.media.outcomes import Unusable
from social.media.plans import Film, Loop, Picture, Plan, Trim, Wrap
from social.media.probing import probe as probed
from social.media.sources import OnDisk

log = structlog.get_logger()

Progress = Callable[[float], None]  # told how much is done, from 0 to 1

MEMORY = 6 * 2**30  # of addresses
PICTURE_PATIENCE = 600.0  # seconds; how much of them it works is bounded by itself
VIDEO_WORK = (600.0, 30.0)  # seconds of a processor for each pass, and so many for each second that is shown
PATIENCE_PER_WORK = 4  # seconds for each of them, where others work too
ROOM_KEPT = 512 * 2**20  # bytes of the disk that are left to others
ROOM_MORE = 64 * 2**20  # of a file beyond what is asked for, before it is cut off
SHORTEST, SHORTER = 0.9, 1.0  # of the seconds that were promised, and so many more, before something is missing
LESS = 0.8  # of the bits, where the first try came out too large
TOO_HARD = "This file could not be converted: it takes more work than is given to one. Save it anew or smaller."
TOO_LARGE = "This file could not be made small enough."
BUSY = "The server has too much else to do to convert this file just now. It is tried again later."
NO_ROOM = "The server's disk has no room to convert this file. It is tried again later."


async def rendered(plan: Plan, probe: Probe, source: IO[bytes], target: IO[bytes], progress: Progress) -> Probe:
    """Makes what the plan says of `source` into `target`, both files of this machine, and answers what that is.

    Invalid, in words, if that cannot be or takes too much work; Unavailable if the disk has no room, or the machine no
    time or no memory. Ends its children when it is cancelled.
    """
    await asyncio.to_thread(check_room, room_needed(plan, probe))
    if plan.step(Picture) is not None:
        await _picture(plan, source, target)
    else:
        await _video(plan, probe, source, target, progress)
    made = await probed(OnDisk(target))
    if made.bytes > plan.bytes:
        raise Invalid(TOO_LARGE, code="too-large")
    if made.footage is not None and made.seconds < SHORTEST * _seconds(plan, probe) - SHORTER:
        words = (
            f"Only {clock(made.seconds)} of this video can be read: what follows is damaged. Save it anew or cut it."
        )
        raise Invalid(words, code="breaks-off")
    return made


def _seconds(plan: Plan, probe: Probe) -> float:
    """How long what is made should last."""
    if (trim := plan.step(Trim)) is not None:
        return trim.end - trim.start
    return probe.seconds * (loop.times if (loop := plan.step(Loop)) is not None else 1)


def room_needed(plan: Plan, probe: Probe) -> int:
    """Bytes of the disk that what is made may take."""
    return min(plan.bytes, 4 * probe.bytes + ROOM_MORE)


def check_room(needed: int) -> None:
    """Unavailable if the disk has no room for so many bytes more; some of it is left to others."""
    if shutil.disk_usage(tempfile.gettempdir()).free < needed + ROOM_KEPT:
        raise Unavailable(NO_ROOM, retry_after=60)


async def _picture(plan: Plan, source: IO[bytes], target: IO[bytes]) -> None:
    files = (source.fileno(), target.fileno())
    await asyncio.to_thread(source.seek, 0)
    async with _started(["-m", "social.media.redraw", *map(str, files)], files, stdin=PIPE) as process:
        try:
            async with asyncio.timeout(PICTURE_PATIENCE):
                said, _ = await process.communicate(msgspec.json.encode(plan))
        except TimeoutError:
            raise Unavailable(BUSY, retry_after=60) from None
    check_not_killed(process.returncode)
    if process.returncode != 0:
        log.error("media.redraw_broke", code=process.returncode)
        raise Invalid(TOO_HARD, code="too-hard")
    if said:
        refused = msgspec.json.decode(said, type=Unusable)
        raise Invalid(refused.sentence, code=refused.code)


async def _video(plan: Plan, probe: Probe, source: IO[bytes], target: IO[bytes], progress: Progress) -> None:
    """Twice if need be: more plainly where the colours are beyond us, with fewer bits where it comes out too large."""
    if not await _ffmpeg(plan, probe, source, target, progress) and not await _ffmpeg(
        plan, probe, source, target, progress, plainly=True
    ):
        raise Invalid(TOO_HARD, code="too-hard")
    if await asyncio.to_thread(target.seek, 0, os.SEEK_END) > plan.bytes:
        await _ffmpeg(_with_less(plan), probe, source, target, progress)
    wrap = plan.step(Wrap)
    size = await asyncio.to_thread(target.seek, 0, os.SEEK_END)
    if wrap is not None and 0 < size < wrap.least:
        await asyncio.to_thread(_append, target, boxes.padding(max(8, wrap.least - size)))


def _append(target: IO[bytes], piece: bytes) -> None:
    target.write(piece)
    target.flush()


def _with_less(plan: Plan) -> Plan:
    def less(film: Film) -> Film:
        return Film(kbps=round(film.kbps * LESS), two_passes=True, flat=film.flat)

    return msgspec.structs.replace(
        plan, steps=tuple(less(step) if isinstance(step, Film) else step for step in plan.steps)
    )


async def _ffmpeg(
    plan: Plan, probe: Probe, source: IO[bytes], target: IO[bytes], progress: Progress, *, plainly: bool = False
) -> bool:
    """Whether it worked. Both files are inherited by the child, which opens them anew."""
    files = (source.fileno(), target.fileno())
    seconds = max(0.1, _seconds(plan, probe))
    runs, furthest = filming.passes(plan, probe, *files, plainly=plainly), 0.0
    with tempfile.TemporaryDirectory(prefix="social-passes-") as folder:
        for number, words in enumerate(runs):

            def told(done: float, number: int = number) -> None:
                nonlocal furthest
                furthest = max(furthest, (number + min(1.0, done / seconds)) / len(runs))
                progress(furthest)

            if not await _run(words, files, seconds, room_needed(plan, probe), Path(folder), told):
                return False
    return True


async def _run(
    words: list[str], files: Sequence[int], seconds: float, largest: int, folder: Path, progress: Progress
) -> bool:
    work = VIDEO_WORK[0] + VIDEO_WORK[1] * seconds
    limits = [str(each) for each in (MEMORY, round(work), largest + ROOM_MORE, os.getpid())]
    ffmpeg = await asyncio.to_thread(imageio_ffmpeg.get_ffmpeg_exe)  # which tries it, the first time
    program = ["-m", "social.media.confined", *limits, ffmpeg, *words]
    async with _started(program, files, folder=folder) as process:
        try:
            async with asyncio.timeout(work * PATIENCE_PER_WORK):
                complaint, _ = await asyncio.gather(_read(process), _followed(process, progress))
                await process.wait()
        except TimeoutError:
            raise Unavailable(BUSY, retry_after=60) from None
    if process.returncode != 0:
        log.warning(
            "media.ffmpeg_failed", code=process.returncode, complaint=complaint[-2000:].decode(errors="replace")
        )
    check_not_killed(process.returncode)
    if process.returncode == -OUT_OF_TIME:
        raise Invalid(TOO_HARD, code="too-hard")
    return process.returncode == 0


async def _read(process: Process) -> bytes:
    """The end of what it complains of."""
    said = b""
    while process.stderr is not None and (piece := await process.stderr.read(4096)):
        said = (said + piece)[-4096:]
    return said


async def _followed(process: Process, progress: Progress) -> None:
    """Passes on how far it is: ffmpeg tells in lines of `out_time_us=`."""
    while process.stdout is not None and (line := await process.stdout.readline()):
        name, _, value = line.decode(errors="replace").strip().partition("=")
        if name == "out_time_us" and value.isdigit():
            progress(int(value) / 1e6)


@asynccontextmanager
async def _started(
    words: list[str], files: Sequence[int], *, stdin: int = DEVNULL, folder: Path | None = None
) -> AsyncIterator[Process]:
    """A child that has nothing of ours but these files, and that is gone when the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *words,
        stdin=stdin,
        stdout=PIPE,
        stderr=PIPE,
        pass_fds=files,
        cwd=folder or ROOT,
        env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        await ended(process)
