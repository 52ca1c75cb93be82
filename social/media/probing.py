"""What a file is, found out in a child process that is fed ranges of it: a gigabyte costs some hundred kilobytes.

`probe` for the facts alone; `look` makes a small picture of a video besides. Its name and what its sender calls
it are never believed.
"""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import IO

import msgspec
import structlog

from social.errors import Invalid, UnsupportedType
from social.files import Probe
from social.media.children import ENVIRONMENT, ROOT, ended
from social.media.kinds import ENOUGH, TAKEN, VIDEOS_TAKEN, called, kind_of, video_kind_of
from social.media.outcomes import Looked, Unusable
from social.media.ranged import ANSWER, ASK
from social.media.sources import Source

log = structlog.get_logger()

PATIENCE = 45.0  # seconds for one file; it takes a tenth of one, and more where the bucket is slow
RANGE_MOST = 2**20  # bytes that are asked for at once
ANSWER_MOST = 2**16
TOO_HARD = "This file could not be read: it takes more work than is given to one. Save it anew or smaller."


async def probe(source: Source) -> Probe:
    """What the file is. UnsupportedType if it is none we take; Invalid, in words, if it is broken or too much."""
    return (await _asked(source, None)).probe


async def look(source: Source, thumbnail: IO[bytes]) -> Looked:
    """The same, and of a video a small upright frame into `thumbnail` (WebP)."""
    return await _asked(source, thumbnail)


async def _asked(source: Source, thumbnail: IO[bytes] | None) -> Looked:
    if not source.size:
        raise Invalid("This file is empty.", code="empty")
    head = await source.read(0, min(ENOUGH, source.size))
    video_kind = video_kind_of(head)
    kind = video_kind or kind_of(head)
    if kind is None:
        raise UnsupportedType(
            f"This is {called(head)}. Pictures can be {TAKEN}, videos {VIDEOS_TAKEN}.", taken=f"{TAKEN}, {VIDEOS_TAKEN}"
        )
    written = 0 if thumbnail is None else thumbnail.fileno()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", f"social.media.{'picture' if video_kind is None else 'film'}_prober"),
        *(kind, str(source.size), str(written)),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        pass_fds=[written] if written else [],
        cwd=ROOT,
        env=ENVIRONMENT,
        start_new_session=True,
    )
    said = None
    try:
        async with asyncio.timeout(PATIENCE):
            said = await _fed(process, source)
    except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
        said = None
    finally:
        await ended(process)
    if said is None:
        log.error("media.prober_broke", kind=kind, code=process.returncode, bytes=source.size)
        raise Invalid(TOO_HARD, code="too-hard")
    answer = msgspec.json.decode(said, type=Looked | Unusable)
    if isinstance(answer, Unusable):
        raise Invalid(answer.sentence, code=answer.code)
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
