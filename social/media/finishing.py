"""All parts of a file are there: it is put together, compared with what was announced, looked at, and shown.

It may be done over at any line: what is whole already is taken as it is, and what becomes of it has the upload's id.
"""

import asyncio
import hashlib
from contextlib import AsyncExitStack
from functools import partial

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession

from social.backing import Backing
from social.backing.bucket import Stored
from social.backing.parts import Part
from social.backing.s3 import BucketError
from social.errors import Conflict, Invalid, NotFound, TooLarge, Unavailable, UnsupportedType
from social.media import sending
from social.media.benches import Benches
from social.media.documents import Media
from social.media.intake import made_ready
from social.media.kinds import ENOUGH
from social.media.outcomes import STILL
from social.media.scratch import disk, nameless
from social.media.sources import InBucket
from social.media.taken import expected, is_video
from social.media.uploads import FINISHING, Upload
from social.people.roles import Caller

log = structlog.get_logger()

PICTURE_MOST = 64 * 2**20  # bytes; 50 megapixels, drawn without loss
NAMED = 50  # missing parts that a refusal names
MD5 = 32  # hexadecimal digits


async def finish(caller: Caller, upload_id: str, backing: Backing, benches: Benches) -> Media:
    """What the upload has become, now in the workspace; the same again to whoever asks again.

    Conflict while parts are missing; Invalid or UnsupportedType where the file is none we take, and then the upload is
    gone; Unavailable, and then it may be tried again.
    """
    if (media := await _made_already(caller, upload_id)) is not None:
        return media
    upload = await Upload.mine(caller, upload_id)
    sending.not_fetched(upload)
    token = await upload.finish(backing)
    try:
        async with asyncio.timeout(FINISHING.total_seconds() * 0.8):  # another may take it over afterwards
            await put_together(upload, backing)
            media = await looked_at(upload, backing, benches)
    except (Invalid, UnsupportedType, TooLarge):
        await sending.give_up(upload, backing)
        raise
    except TimeoutError:
        await upload.unfinish(token)
        raise Unavailable("The file storage takes too long with this file. Please try again.", retry_after=10) from None
    except BaseException:
        await asyncio.shield(upload.unfinish(token))
        raise
    log.info("upload.finished", media=str(media.id), mime=media.mime, bytes=media.bytes)
    return media


async def _made_already(caller: Caller, upload_id: str) -> Media | None:
    try:
        media = await Media.found(caller, upload_id)
    except NotFound:
        return None
    return media if media.uploaded_by == caller.user_id else None


async def put_together(upload: Upload, backing: Backing) -> None:
    """The object under the upload's key, whole. Conflict naming the parts that are missing; Invalid if it is another
    than was sent."""
    stored = await backing.bucket.stat(upload.key)
    if stored is None:
        parts = await sending.parts_there(upload, backing)
        missing = sorted(set(range(1, upload.part_count + 1)) - {part.number for part in parts})
        if missing:
            raise Conflict(
                f"{len(missing)} of {upload.part_count} parts are missing.", missing=missing[:NAMED], count=len(missing)
            )
        etag = await backing.bucket.parts.join(upload.key, upload.parts_id, parts)
        stored = await backing.bucket.stat(upload.key)
        if stored is None or not _is_made_of(parts, etag):
            raise _changed()
    if stored.bytes != upload.bytes:
        raise _changed()


def _is_made_of(parts: list[Part], etag: str) -> bool:
    """Whether the bucket's checksum of the whole is that of its parts, where it makes them as S3 does."""
    digest, _, count = etag.partition("-")
    if len(digest) != MD5 or not count or any(len(part.etag) != MD5 for part in parts):
        return True
    of_parts = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in parts), usedforsecurity=False)
    return (digest, count) == (of_parts.hexdigest(), str(len(parts)))


async def looked_at(upload: Upload, backing: Backing, benches: Benches) -> Media:
    """What the whole object is, now in the workspace in place of the upload. Refusals as of `finish`."""
    async with backing.bucket.reading(upload.key, 0, min(ENOUGH, upload.bytes)) as pieces:
        kind = expected(b"".join([piece async for piece in pieces]))
    if is_video(kind):
        return await _video(upload, backing, benches)
    return await _picture(upload, backing, benches)


async def _video(upload: Upload, backing: Backing, benches: Benches) -> Media:
    """A video as it came, with a frame of it to be known by."""
    stored = await backing.bucket.stat(upload.key)
    if stored is None:
        raise BucketError("The file storage has lost this file. Please try again.")
    with disk(), await asyncio.to_thread(nameless) as small:
        looked = await benches.look(InBucket(backing.bucket, upload.key, upload.bytes), small)
        media = Media(
            id=upload.id,
            workspace_id=upload.workspace_id,
            name=upload.name,
            mime=looked.probe.mime,
            bytes=upload.bytes,
            width=looked.probe.width,
            height=looked.probe.height,
            animated=False,
            kind="video",
            key=upload.key,
            thumbnail_key=upload.thumbnail_key,
            thumbnail_mime=STILL,
            placeholder=looked.placeholder,
            fingerprint=_fingerprint(upload, stored),
            probe=looked.probe,
            uploaded_by=upload.begun_by,
        )
        size = small.seek(0, 2)
        await backing.bucket.put(media.thumbnail_key, small, mime=media.thumbnail_mime, size=size)
    await _replace(upload, media, backing)
    return media


async def _picture(upload: Upload, backing: Backing, benches: Benches) -> Media:
    """A picture is made ready as any other; the file that came is not kept."""
    if upload.bytes > PICTURE_MOST:
        raise TooLarge(
            f"This picture is too large: at most {PICTURE_MOST // 2**20} MB are taken. Save it smaller and try again.",
            most=PICTURE_MOST,
        )
    async with AsyncExitStack() as stack:
        pieces = await stack.enter_async_context(backing.bucket.reading(upload.key))
        ready = await stack.enter_async_context(made_ready(pieces, benches, most=PICTURE_MOST))
        media = ready.media(
            upload.workspace_id,
            upload.begun_by,
            upload.name,
            id=upload.id,
            keys=(upload.clean_key, upload.thumbnail_key),
        )
        await ready.store(media, partial(_replace, upload, media, backing), backing)
    await backing.bucket.delete([upload.key])
    return media


async def _replace(upload: Upload, media: Media, backing: Backing) -> None:
    """The upload goes and the media comes, both or neither. NotFound if it was given up meanwhile."""

    async def going(session: AsyncClientSession) -> None:
        if not await upload.forget(session):
            raise NotFound("This upload was given up.")

    await media.add(backing, before=going)


def _fingerprint(upload: Upload, stored: Stored) -> str:
    return f"{upload.part_bytes}:{stored.etag}"


def _changed() -> Invalid:
    return Invalid(
        "This file is not what was sent: something changed it on its way. Please upload it anew.", code="changed"
    )
