"""A picture comes in: streamed to disk, told by its content, made ready in a child process, stored, announced.

Nothing is whole in memory here, whatever its size. The files on the way have no names, so that the system takes them
away whenever and however this process ends.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO

import structlog
from beanie import PydanticObjectId
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import PyMongoError

from social.backing import Backing
from social.backing.s3 import BucketError
from social.errors import Invalid, TooLarge, UnsupportedType
from social.media.arriving import steady, tidy
from social.media.benches import Benches
from social.media.documents import Media
from social.media.keys import new_key
from social.media.kinds import ENOUGH, Kind
from social.media.outcomes import Made
from social.media.scratch import disk, nameless
from social.media.storage import make_room
from social.media.taken import expected, is_video
from social.people.roles import Caller

log = structlog.get_logger()

MOST = 20 * 2**20  # bytes
MAY_BE_COMMITTED = "UnknownTransactionCommitResult"


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
        raise _too_large(MOST)
    async with made_ready(chunks, benches, most=MOST) as ready:
        media = ready.media(caller.workspace_id, caller.user_id, name)

        async def fits(session: AsyncClientSession) -> None:
            await make_room(caller.workspace_id, media.bytes, backing, session)

        await ready.store(media, partial(media.add, backing, before=fits), backing)
    log.info("media.added", media=str(media.id), kind=ready.kind, bytes=media.bytes)
    return media


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A picture that can go out, in files of this machine that are there until the block around it ends."""

    kind: Kind
    sha256: str  # of what came
    made: Made
    clean: IO[bytes]
    thumbnail: IO[bytes]

    def media(
        self,
        workspace_id: PydanticObjectId,
        uploaded_by: PydanticObjectId,
        name: str,
        *,
        id: PydanticObjectId | None = None,
        keys: tuple[str, str] | None = None,
    ) -> Media:
        """It as a document of the workspace. `keys`: where it and its thumbnail are to be, if that is settled."""
        key, thumbnail_key = keys or (new_key(workspace_id), new_key(workspace_id))
        return Media(
            id=id or PydanticObjectId(),
            workspace_id=workspace_id,
            name=tidy(name),
            mime=self.made.mime,
            bytes=self.clean.seek(0, 2),
            width=self.made.width,
            height=self.made.height,
            animated=self.made.animated,
            kind="animation" if self.made.animated else "picture",
            key=key,
            thumbnail_key=thumbnail_key,
            thumbnail_mime=self.made.thumbnail_mime,
            placeholder=self.made.placeholder,
            fingerprint=self.sha256,
            probe=self.made.probe,
            uploaded_by=uploaded_by,
        )

    async def store(self, media: Media, add: Callable[[], Awaitable[None]], backing: Backing) -> None:
        """Files first, then the document with `add`: nobody sees a picture whose file is not there."""
        async with AsyncExitStack() as undo:
            undo.push_async_callback(_withdraw, media, backing)
            await backing.bucket.put(media.key, self.clean, mime=media.mime, size=media.bytes)
            small = self.thumbnail.seek(0, 2)
            await backing.bucket.put(media.thumbnail_key, self.thumbnail, mime=media.thumbnail_mime, size=small)
            try:
                await add()
            except PyMongoError as error:
                if error.has_error_label(MAY_BE_COMMITTED):
                    undo.pop_all()  # better a file without a picture than a picture without its file
                raise
            undo.pop_all()


@asynccontextmanager
async def made_ready(chunks: AsyncIterator[bytes], benches: Benches, *, most: int) -> AsyncIterator[Ready]:
    """The picture that `chunks` carry, of at most `most` bytes, as it goes out. Refusals as of `take`."""
    with disk(), ExitStack() as files:
        source, clean, thumbnail = [files.enter_context(await asyncio.to_thread(nameless)) for _ in range(3)]
        kind, sha256 = await _received(chunks, source, most)
        made = await benches.work(kind, source, clean, thumbnail)
        yield Ready(kind=kind, sha256=sha256, made=made, clean=clean, thumbnail=thumbnail)


async def _received(chunks: AsyncIterator[bytes], source: IO[bytes], most: int) -> tuple[Kind, str]:
    """Writes what comes into `source`, and answers what it is and its SHA-256. A wrong kind is refused at once."""
    digest, head, size = hashlib.sha256(), b"", 0
    async for chunk in steady(chunks):
        size += len(chunk)
        if size > most:
            raise _too_large(most)
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


def _taken(head: bytes) -> Kind:
    kind = expected(head)
    if is_video(kind):
        raise UnsupportedType("This is a video, and videos come in parts: begin with POST /api/v1/uploads.")
    return kind


async def _withdraw(media: Media, backing: Backing) -> None:
    """Removes the files of a picture that did not come to be. Where that cannot be told, they stay."""
    try:
        if not await media.exists():
            await backing.bucket.delete([media.key, media.thumbnail_key])
    except (PyMongoError, BucketError) as error:
        log.warning("media.files_left", key=media.key, thumbnail=media.thumbnail_key, error=type(error).__name__)


def _too_large(most: int) -> TooLarge:
    return TooLarge(
        f"This file is too large: at most {most // 2**20} MB are taken. Save it smaller and try again.", most=most
    )
