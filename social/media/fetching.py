"""A file is fetched from an address that somebody gave: guarded, counted, part by part into the bucket.

Where the instance that was at it dies, another begins anew. Nothing of the file is held but the piece that just came;
a part waits on disk until it is whole, since its length must be told before it is sent.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from functools import partial
from typing import IO

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession

from social.backing import Backing
from social.backing.outbound import Coming, checked
from social.backing.parts import Part
from social.backing.s3 import BucketError
from social.errors import Conflict, Invalid, NotFound, Refused, TooLarge
from social.media.arriving import tidy
from social.media.benches import Benches
from social.media.finishing import looked_at
from social.media.keys import new_key
from social.media.kinds import ENOUGH
from social.media.sending import OPEN_MOST
from social.media.storage import make_room
from social.media.taken import expected
from social.media.uploads import KEPT, LARGEST, BeingFinished, Upload, part_bytes
from social.moments import now
from social.people.roles import Caller

log = structlog.get_logger()

PIECE = 128 * 1024
AT_ONCE = 20
STOPPED = "It was not fetched to its end. Please try again."


class GivenUp(Exception):
    """Somebody gave it up, or another instance is at it."""


async def begin(caller: Caller, url: str, backing: Backing) -> Upload:
    """Notes what is to be fetched; `fetch` does it. Invalid for an address that is none we go to."""
    name = checked(url).name
    if len(await Upload.all_mine(caller, most=OPEN_MOST)) >= OPEN_MOST:
        raise Conflict(f"You have {OPEN_MOST} uploads open. Finish some or cancel them first.")
    upload = Upload(
        workspace_id=caller.workspace_id,
        name=tidy(name),
        bytes=0,
        part_bytes=part_bytes(LARGEST),
        key=new_key(caller.workspace_id),
        parts_id="",  # each time it is begun to be fetched it gets one
        clean_key=new_key(caller.workspace_id),
        thumbnail_key=new_key(caller.workspace_id),
        begun_by=caller.user_id,
        expires_at=now() + KEPT,
        source=url,
    )
    await upload.insert()
    log.info("upload.to_be_fetched", upload=str(upload.id))
    return upload


async def fetch(upload: Upload, backing: Backing, benches: Benches) -> None:
    """Brings it into the library; where that cannot be, says in the upload why. Twice at once is once."""
    try:
        token = await upload.finish(backing)
    except (BeingFinished, NotFound):
        return
    try:
        async with backing.outbound.streamed(upload.source or "") as coming:
            await _copied(upload, token, coming, backing)
        await looked_at(upload, backing, benches)
    except GivenUp:
        return
    except BucketError as error:
        log.warning("upload.bucket_away", upload=str(upload.id), code=error.facts.get("code"))
        await upload.let_go(token)
    except Refused as refused:
        await _failed(upload, token, refused.sentence, backing)
    except BaseException:
        await asyncio.shield(upload.let_go(token))
        raise
    else:
        log.info("upload.fetched", upload=str(upload.id), bytes=upload.bytes)


async def take_over(backing: Backing, benches: Benches) -> None:
    """Goes on with what instances that died have left."""
    for upload in await Upload.left_off(now(), most=AT_ONCE):
        await fetch(upload, backing, benches)


async def _copied(upload: Upload, token: str, coming: Coming, backing: Backing) -> None:
    """The object under the upload's key, whole. Invalid, TooLarge, UnsupportedType; GivenUp."""
    await backing.bucket.parts.give_up(upload.key, upload.parts_id)
    if not await upload.fetched(token, parts_id=await backing.bucket.parts.begin(upload.key), came=0):
        raise GivenUp
    if coming.announced is not None:
        await _fits(upload, token, coming.announced, backing)
    parts: list[Part] = []
    came = 0
    async for file, size in _in_parts(coming.pieces, upload.part_bytes):
        came += size
        if coming.announced is None or came > coming.announced:
            await _fits(upload, token, came, backing)
        if not parts:
            await _is_expected(file)
        number = len(parts) + 1
        etag = await backing.bucket.parts.put(upload.key, upload.parts_id, number, _read(file), size=size)
        parts.append(Part(number=number, bytes=size, etag=etag))
        if not await upload.fetched(token, came=came):
            raise GivenUp
    if not parts:
        raise Invalid("There is an empty file at this address.", code="empty")
    if coming.announced is not None and came < coming.announced:
        raise Invalid(STOPPED, code="stopped")
    await backing.bucket.parts.join(upload.key, upload.parts_id, parts)


async def _fits(upload: Upload, token: str, size: int, backing: Backing) -> None:
    """Sees that there is room for `size` bytes, and takes it. TooLarge, GivenUp."""
    if size > LARGEST:
        raise TooLarge(f"This file is too large: at most {LARGEST // 2**30} GB are taken.", most=LARGEST)

    async def body(session: AsyncClientSession) -> None:
        await make_room(upload.workspace_id, size - upload.bytes, backing, session)

    await backing.transaction(body)
    if not await upload.fetched(token, bytes=size):
        raise GivenUp


async def _in_parts(pieces: AsyncIterator[bytes], size: int) -> AsyncIterator[tuple[IO[bytes], int]]:
    """What comes, in files of `size` bytes and a last one with the rest; each is gone when the next is asked for."""
    held = b""
    ended = False
    while not ended:
        with await asyncio.to_thread(tempfile.TemporaryFile) as file:
            filled = len(held)
            await asyncio.to_thread(file.write, held)
            held = b""
            while filled < size:
                piece = await anext(pieces, None)
                if piece is None:
                    ended = True
                    break
                fits, held = piece[: size - filled], piece[size - filled :]
                filled += len(fits)
                await asyncio.to_thread(file.write, fits)
            if filled:
                await asyncio.to_thread(file.seek, 0)
                yield file, filled


async def _is_expected(file: IO[bytes]) -> None:
    """UnsupportedType if it begins as none that is taken does."""
    expected(await asyncio.to_thread(file.read, ENOUGH))
    await asyncio.to_thread(file.seek, 0)


async def _read(file: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(partial(file.read, PIECE)):
        yield piece


async def _failed(upload: Upload, token: str, sentence: str, backing: Backing) -> None:
    """It stays, with why, until whoever asked for it has read that."""
    await upload.fetched(token, problem=sentence, bytes=0, came=0)
    await backing.bucket.parts.give_up(upload.key, upload.parts_id)
    await backing.bucket.delete([upload.key, upload.clean_key, upload.thumbnail_key])
    log.info("upload.not_fetched", upload=str(upload.id), problem=sentence)
