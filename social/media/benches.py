"""Where pictures are worked on: child processes, a few at a time, that cannot take this one with them."""

import asyncio
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from typing import IO

import msgspec
import structlog

from social.errors import Invalid, Unavailable
from social.files import Probe
from social.media import probing
from social.media.children import BUSY, ENVIRONMENT, ROOT, check_not_killed, ended
from social.media.kinds import Kind
from social.media.outcomes import DISK_IS_FULL, Looked, Made, Unusable
from social.media.scratch import NO_ROOM
from social.media.sources import Source

log = structlog.get_logger()

AT_ONCE = 2
PATIENCE = 120.0  # seconds for one picture; it takes 0.3 to 7, and several times that on a machine with other work
TOO_HARD = "This picture could not be read: it takes more work than is given to one. Save it anew or smaller."


class Benches:
    """One per process. Whoever comes when all are taken waits."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._free = asyncio.Semaphore(at_once)

    async def work(self, kind: Kind, source: IO[bytes], clean: IO[bytes], thumbnail: IO[bytes]) -> Made:
        """Has the picture in `source` made ready into the two other files (of this machine, each at its beginning).

        Invalid, in words, for one that is broken, too big or too hard; Unavailable when the disk is full or the machine
        has no time or no memory.
        """
        async with self._free:
            began = time.monotonic()
            code, said, complaint = await _ran(kind, [file.fileno() for file in (source, clean, thumbnail)])
            log.info("media.worked_on", kind=kind, seconds=round(time.monotonic() - began, 3), code=code)
        if code == DISK_IS_FULL:
            raise Unavailable(NO_ROOM, retry_after=60)
        check_not_killed(code)
        if code != 0:
            log.error(
                "media.workbench_broke", kind=kind, code=code, complaint=complaint[-2000:].decode(errors="replace")
            )
            raise Invalid(TOO_HARD, code="too-hard")
        answer = msgspec.json.decode(said, type=Made | Unusable)
        if isinstance(answer, Unusable):
            raise Invalid(answer.sentence, code=answer.code)
        return answer

    async def probe(self, source: Source) -> Probe:
        """What a file is, as `probing.probe` tells."""
        async with self._free:
            return await probing.probe(source)

    async def look(self, source: Source, thumbnail: IO[bytes]) -> Looked:
        """What a file is, with a small frame of a video, as `probing.look` tells."""
        async with self._free:
            return await probing.look(source, thumbnail)


async def _ran(kind: Kind, files: list[int]) -> tuple[int, bytes, bytes]:
    """Exit code (minus the signal, if one ended it), stdout and stderr of one workbench. Unavailable if it got no
    time: what it may work, it is held to by itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "social.media.workbench", kind, *map(str, files)),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        pass_fds=files,
        cwd=ROOT,
        env=ENVIRONMENT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            said, complaint = await process.communicate()
    except TimeoutError:
        log.warning("media.no_time", kind=kind)
        raise Unavailable(BUSY, retry_after=60) from None
    finally:
        await ended(process)
    code = process.returncode
    return -signal.SIGKILL if code is None else code, said, complaint
