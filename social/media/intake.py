"""A picture comes in: streamed to disk, told by its content, made ready in a child process, stored, announced.

Nothing is whole in memory here, whatever its size. The files on the way have no names, so that the system takes them
away whenever and however this process ends.
"""

import asyncio
import errno
import hashlib
import re
import secrets
import tempfile
import time
import unicodedata
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from typing import IO

import structlog
from beanie import PydanticObjectId
from pymongo.errors import PyMongoError

from social.backing import Backing
from social.backing.bucket import BucketError
from social.errors import Invalid, Refused, TooLarge, Unavailable, UnsupportedType
from social.media.benches import NO_ROOM, Benches
from social.media.documents import Media
from social.media.kinds import ENOUGH, TAKEN, Kind, called, kind_of
from social.media.outcomes import Made
from social.people.roles import Caller

log = structlog.get_logger()

MOST = 20 * 2**20  # bytes
SILENCE = 30.0  # seconds without a byte, after which the sender is taken for gone
LONGEST = 1800.0  # seconds for one upload: 20 MB at 12 KB/s
NAME_MOST = 200  # characters
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
MAY_BE_COMMITTED = "UnknownTransactionCommitResult"
INVISIBLE = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})  # Unicode's categories
TURNERS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # turn the writing: "gpj.exe" reads as "exe.jpg"


class Stopped(Refused):
    """The upload ended before the file did."""

    status, kind, title = 408, "invalid", "The upload stopped"


async def take(
    caller: Caller,
    name: str,
    chunks: AsyncIterator[bytes],
    backing: Backing,
    benches: Benches,
    *,
    announced: int | None = None,
) -> Media:
    """The picture that `chunks` carry, now in the caller's workspace. `announced`: the length its sender told, if any.

    TooLarge (as soon as that shows), UnsupportedType, Invalid, Stopped or Unavailable; then nothing of it is left
    anywhere. The same file twice makes two pictures that share nothing.
    """
    if announced is not None and announced > MOST:
        raise _too_large()
    with _disk(), ExitStack() as files:
        source, clean, thumbnail = [files.enter_context(await asyncio.to_thread(_nameless)) for _ in range(3)]
        kind, sha256 = await _received(chunks, source)
        made = await benches.work(kind, source, clean, thumbnail)
        media = _media(caller, name, made, sha256=sha256, size=clean.seek(0, 2))
        await _store(media, clean, thumbnail, backing)
    log.info("media.added", media=str(media.id), kind=kind, bytes=media.bytes)
    return media


async def _received(chunks: AsyncIterator[bytes], source: IO[bytes]) -> tuple[Kind, str]:
    """Writes what comes into `source`, and answers what it is and its SHA-256. A wrong kind is refused at once."""
    digest, head, size = hashlib.sha256(), b"", 0
    async for chunk in _steady(chunks):
        size += len(chunk)
        if size > MOST:
            raise _too_large()
        if len(head) < ENOUGH:
            head += chunk[:ENOUGH]
            if len(head) >= ENOUGH:
                _taken(head)
        digest.update(chunk)
        await asyncio.to_thread(source.write, chunk)
    if not size:
        raise Invalid("This file is empty.", code="empty")
    await asyncio.to_thread(source.seek, 0)  # which also writes what was buffered
    return _taken(head), digest.hexdigest()


async def _steady(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """`chunks`, as long as they keep coming. Stopped."""
    end = time.monotonic() + LONGEST
    while True:
        try:
            async with asyncio.timeout(min(SILENCE, end - time.monotonic())):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise Stopped("The upload stopped before the whole file was here. Please try again.") from None
        if chunk is None:
            return
        yield chunk


def _taken(head: bytes) -> Kind:
    kind = kind_of(head)
    if kind is None:
        raise UnsupportedType(f"This is {called(head)}. Pictures can be {TAKEN}.", taken=TAKEN)
    return kind


def _media(caller: Caller, name: str, made: Made, *, sha256: str, size: int) -> Media:
    return Media(
        id=PydanticObjectId(),
        workspace_id=caller.workspace_id,
        name=_tidy(name),
        mime=made.mime,
        bytes=size,
        width=made.width,
        height=made.height,
        animated=made.animated,
        key=_key(caller),
        thumbnail_key=_key(caller),
        thumbnail_mime=made.thumbnail_mime,
        placeholder=made.placeholder,
        sha256=sha256,
        probe=made.probe,
        uploaded_by=caller.user_id,
    )


def _key(caller: Caller) -> str:
    return f"w/{caller.workspace_id}/m/{secrets.token_hex(16)}"


def _tidy(name: str) -> str:
    """What can be shown of a file's name: no folders, nothing invisible, nothing that turns the writing around."""
    last = re.split(r"[/\\]", name)[-1]
    seen = "".join(sign for sign in unicodedata.normalize("NFC", last) if unicodedata.category(sign) not in INVISIBLE)
    return TURNERS.sub("", seen).strip(" .")[:NAME_MOST] or "picture"


async def _store(media: Media, clean: IO[bytes], thumbnail: IO[bytes], backing: Backing) -> None:
    """Files first, then the document: nobody sees a picture whose file is not there."""
    async with AsyncExitStack() as undo:
        undo.push_async_callback(_withdraw, media, backing)
        await backing.bucket.put(media.key, clean, mime=media.mime, size=media.bytes)
        small = thumbnail.seek(0, 2)
        await backing.bucket.put(media.thumbnail_key, thumbnail, mime=media.thumbnail_mime, size=small)
        try:
            await media.add(backing)
        except PyMongoError as error:
            if error.has_error_label(MAY_BE_COMMITTED):
                undo.pop_all()  # better a file without a picture than a picture without its file
            raise
        undo.pop_all()


async def _withdraw(media: Media, backing: Backing) -> None:
    """Removes the files of a picture that did not come to be. Where that cannot be told, they stay."""
    try:
        if not await media.exists():
            await backing.bucket.delete([media.key, media.thumbnail_key])
    except (PyMongoError, BucketError) as error:
        log.warning("media.files_left", key=media.key, thumbnail=media.thumbnail_key, error=type(error).__name__)


@contextmanager
def _disk() -> Iterator[None]:
    """A full disk, in words."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise Unavailable(NO_ROOM, retry_after=60) from error
        raise


def _nameless() -> IO[bytes]:
    return tempfile.TemporaryFile()


def _too_large() -> TooLarge:
    return TooLarge(
        f"This file is too large: at most {MOST // 2**20} MB are taken. Save it smaller and try again.", most=MOST
    )
