"""What a file is, found out in a child process that is fed ranges of it: a gigabyte costs some hundred kilobytes.

`probe` for the facts alone; `look` makes a small picture of a video besides; `begin` reads its first seconds, for
whoever keeps what it reads. Its name and what its sender calls
it are never believed.
"""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, TypeVar

import msgspec
import structlog

from social.errors import Invalid, Unavailable, UnsupportedType
from social.files import Probe
from social.media.children import BUSY, ENVIRONMENT, ROOT, check_not_killed, ended
from social.media.kinds import ENOUGH, TAKEN, VIDEOS_TAKEN, Kind, VideoKind, called, kind_of, video_kind_of
from social.media.outcomes import Begun, Looked, Unusable
from social.media.ranged import ANSWER, ASK
from social.media.sources import Source
from social.media.taken import is_video

Answer = TypeVar("Answer", Looked, Begun)

log = structlog.get_logger()

PATIENCE = 45.0  # seconds for one file; it takes a tenth of one, and more where the bucket is slow
BEGINNING_PATIENCE = 120.0  # seconds for as much of one as `BEGINNING_MOST`
ENDING = 5.0  # seconds for one that has closed its pipes
RANGE_MOST = 2**20  # bytes that are asked for at once
ANSWER_MOST = 2**16
TOO_HARD = "This file could not be read: it takes more work than is given to one. Save it anew or smaller."


async def probe(source: Source) -> Probe:
    """What the file is. UnsupportedType if it is none we take; Invalid, in words, if it is broken or too much;
    Unavailable if the machine has no time or no memory for it now."""
    return (await _asked(source, None)).probe


async def look(source: Source, thumbnail: IO[bytes]) -> Looked:
    """The same, and of a video a small upright frame into `thumbnail` (WebP)."""
    return await _asked(source, thumbnail)


async def begin(source: Source, seconds: float) -> Begun:
    """Has what shows the first `seconds` of a video read, and at most `BEGINNING_MOST` bytes of it. Refusals as of
    `probe`."""
    kind = await _kind(source)
    if not is_video(kind):
        raise UnsupportedType("This is a picture, which has no beginning.")
    words = (kind, str(source.size), str(round(seconds * 1000)))
    answer = await _answer("film_beginner", words, source, BEGINNING_PATIENCE)
    return _of_kind(answer, Begun)


async def _asked(source: Source, thumbnail: IO[bytes] | None) -> Looked:
    kind = await _kind(source)
    written = 0 if thumbnail is None else thumbnail.fileno()
    words = (kind, str(source.size), str(written))
    program = f"{'film' if is_video(kind) else 'picture'}_prober"
    answer = await _answer(program, words, source, PATIENCE, files=[written] if written else [])
    return _of_kind(answer, Looked)


async def _kind(source: Source) -> Kind | VideoKind:
    if not source.size:
        raise Invalid("This file is empty.", code="empty")
    head = await source.read(0, min(ENOUGH, source.size))
    kind = video_kind_of(head) or kind_of(head)
    if kind is None:
        raise UnsupportedType(
            f"This is {called(head)}. Pictures can be {TAKEN}, videos {VIDEOS_TAKEN}.", taken=f"{TAKEN}, {VIDEOS_TAKEN}"
        )
    return kind


async def _answer(
    program: str, words: Sequence[str], source: Source, patience: float, *, files: Sequence[int] = ()
) -> Looked | Begun:
    """What the program says of the source, having been fed what it asked for. Invalid for what it refuses, and where it
    does not come to an answer; Unavailable where the machine, or the bucket, has no time for it, or the machine
    no memory."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", f"social.media.{program}", *words),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        pass_fds=files,
        cwd=ROOT,
        env=ENVIRONMENT,
        start_new_session=True,
    )
    said = None
    try:
        async with asyncio.timeout(patience):
            said = await _fed(process, source)
    except TimeoutError:
        log.warning("media.no_time", program=program, kind=words[0], bytes=source.size)
        raise Unavailable(BUSY, retry_after=60) from None
    except (EOFError, ConnectionError):  # it has ended, or is about to
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), ENDING)
        check_not_killed(process.returncode)
    finally:
        await ended(process)
    if said is None:
        log.error("media.prober_broke", program=program, kind=words[0], code=process.returncode, bytes=source.size)
        raise Invalid(TOO_HARD, code="too-hard")
    answer = msgspec.json.decode(said, type=Looked | Begun | Unusable)
    if isinstance(answer, Unusable):
        raise Invalid(answer.sentence, code=answer.code)
    return answer


def _of_kind(answer: Looked | Begun, wanted: type[Answer]) -> Answer:
    """Only what was asked is an answer: who gives it has read a stranger's file."""
    if not isinstance(answer, wanted):
        raise Invalid(TOO_HARD, code="too-hard")
    return answer


async def _fed(process: Process, source: Source) -> bytes | None:
    """Gives the child what it asks for, until it answers. None if it says what it may not."""
    asks, answers = process.stdout, process.stdin
    if asks is None or answers is None:
        raise TypeError("the child has no pipes")
    while True:
        what = await asks.readexactly(1)
        if what == ANSWER:
            length = int.from_bytes(await asks.readexactly(8), "big")
            return await asks.readexactly(length) if length <= ANSWER_MOST else None
        wanted = await asks.readexactly(16)
        start, end = int.from_bytes(wanted[:8], "big"), int.from_bytes(wanted[8:], "big")
        if what != ASK or not 0 <= start < end <= source.size or end - start > RANGE_MOST:
            return None
        answers.write(await source.read(start, end))
        await answers.drain()
