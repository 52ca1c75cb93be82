"""A large file comes in: announced, sent in parts through us or straight to the bucket, gone on with, given up.

Nothing of a part is held here but the piece that just came. The last piece of a part goes on to the bucket only when
all before it was right, so that what is wrong never becomes a part.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import PyMongoError

from social.backing import Backing
from social.backing.parts import Part
from social.backing.s3 import BucketError
from social.errors import Conflict, Invalid, NotFound, Refused, TooLarge, Wrong
from social.media.arriving import Stopped, steady, tidy
from social.media.keys import new_key
from social.media.kinds import ENOUGH
from social.media.storage import make_room
from social.media.taken import expected
from social.media.uploads import KEPT, LARGEST, Upload, part_bytes
from social.moments import now
from social.people.roles import Caller

log = structlog.get_logger()

OPEN_MOST = 50  # uploads of one person that may be open at once


async def begin(
    caller: Caller, name: str, size: int, backing: Backing, *, modified_at: datetime | None = None
) -> Upload:
    """Room for a file of `size` bytes. TooLarge, or Conflict if the caller has too many open."""
    if size > LARGEST:
        raise TooLarge(f"This file is too large: at most {LARGEST // 2**30} GB are taken.", most=LARGEST)
    if len(await Upload.all_mine(caller, most=OPEN_MOST)) >= OPEN_MOST:
        raise Conflict(f"You have {OPEN_MOST} uploads open. Finish some or cancel them first.")
    key = new_key(caller.workspace_id)
    parts_id = await backing.bucket.parts.begin(key)
    upload = Upload(
        workspace_id=caller.workspace_id,
        name=tidy(name),
        bytes=size,
        modified_at=modified_at,
        part_bytes=part_bytes(size),
        key=key,
        parts_id=parts_id,
        clean_key=new_key(caller.workspace_id),
        thumbnail_key=new_key(caller.workspace_id),
        begun_by=caller.user_id,
        expires_at=now() + KEPT,
    )

    async def body(session: AsyncClientSession) -> None:
        await make_room(caller.workspace_id, size, backing, session)
        await upload.insert(session=session)

    try:
        await backing.transaction(body)
    except Refused:
        await backing.bucket.parts.give_up(key, parts_id)
        raise
    log.info("upload.begun", upload=str(upload.id), bytes=size, parts=upload.part_count)
    return upload


async def parts_there(upload: Upload, backing: Backing) -> list[Part]:
    """The parts that have arrived as they should be; one of another size counts as missing."""
    if upload.source is not None:
        return []
    try:
        found = await backing.bucket.parts.there(upload.key, upload.parts_id, upload.last)
    except NotFound:  # it was put together already, by one who did not come to tell
        if await backing.bucket.stat(upload.key) is None:
            return []
        return [Part(number=number, bytes=upload.size(number), etag="") for number in range(1, upload.part_count + 1)]
    return [part for part in found if part.number <= upload.part_count and part.bytes == upload.size(part.number)]


async def take_part(
    upload: Upload,
    number: int,
    pieces: AsyncIterator[bytes],
    backing: Backing,
    *,
    announced: int | None = None,
    sha256: bytes | None = None,
) -> None:
    """Puts a part into the bucket as it comes. It may be sent again, and then the last one counts.

    Invalid where it is longer than announced, or another than `sha256` says; UnsupportedType where the file begins as
    none that is taken does; Stopped or BucketError. Then there is no such part, or still the one that was there.
    """
    not_fetched(upload)
    size = _size(upload, number)
    if announced is not None and announced != size:
        raise _not_this_long(number, size, announced)
    arriving = Arriving(pieces, number=number, size=size, sha256=sha256)
    try:
        etag = await backing.bucket.parts.put(upload.key, upload.parts_id, number, arriving.pieces(), size=size)
    except BucketError:
        if arriving.refused is not None:
            raise arriving.refused from None
        raise
    except NotFound:
        raise Conflict("This upload is whole already, or was given up.") from None
    if len(etag) == len(arriving.md5) and etag != arriving.md5:
        raise BucketError("The file storage has another part than was sent. Please send it again.")
    with suppress(PyMongoError):  # the part is there all the same
        await upload.part_came(number, etag)


async def addresses(upload: Upload, numbers: Sequence[int], backing: Backing) -> list[str]:
    """Where the client may put these parts itself within the hour. Conflict where they go through us."""
    not_fetched(upload)
    if not backing.bucket.parts.direct:
        raise Conflict("Here, parts are sent to this server and not to the file storage.")
    sizes = [_size(upload, number) for number in numbers]
    await upload.touch()
    return await asyncio.gather(
        *(
            backing.bucket.parts.address(upload.key, upload.parts_id, number, size=size)
            for number, size in zip(numbers, sizes, strict=True)
        )
    )


def not_fetched(upload: Upload) -> None:
    """Conflict if it comes from an address by itself."""
    if upload.source is not None:
        raise Conflict("This file is fetched from its address; nothing of it is to be sent.")


async def give_up(upload: Upload, backing: Backing) -> None:
    """Removes it and everything that has come of it; nothing where it was finished, or given up, just before."""
    if not await upload.forget():
        return
    await backing.bucket.parts.give_up(upload.key, upload.parts_id)
    await backing.bucket.delete([upload.key, upload.clean_key, upload.thumbnail_key])
    log.info("upload.given_up", upload=str(upload.id))


class Arriving:
    """A part on its way through us. `md5` (hexadecimal) of what has come; `refused`: why it did not go on."""

    def __init__(self, pieces: AsyncIterator[bytes], *, number: int, size: int, sha256: bytes | None) -> None:
        self._pieces = pieces
        self._number = number
        self._size = size
        self._asked = sha256
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._head = b""
        self.refused: Refused | None = None

    @property
    def md5(self) -> str:
        """Of all that has come so far."""
        return self._md5.hexdigest()

    async def pieces(self) -> AsyncIterator[bytes]:
        """What has come, a piece behind. Who reads this only sees that it broke off; `refused` says why."""
        try:
            held, came = b"", 0
            async for piece in steady(self._pieces):
                came += len(piece)
                self._look_at(piece, came)
                if held:
                    yield held
                held = piece
            self._see_that_it_is_whole(came)
            yield held
        except Refused as refused:
            self.refused = refused
            raise

    def _look_at(self, piece: bytes, came: int) -> None:
        if came > self._size:
            raise _not_this_long(self._number, self._size, came)
        self._sha256.update(piece)
        self._md5.update(piece)
        if self._number == 1 and len(self._head) < ENOUGH:
            self._head += piece[:ENOUGH]
            if len(self._head) >= min(ENOUGH, self._size):
                expected(self._head)

    def _see_that_it_is_whole(self, came: int) -> None:
        if came < self._size:
            raise Stopped("The upload stopped before the whole part was here. Please send it again.")
        if self._asked is not None and self._sha256.digest() != self._asked:
            sentence = "This part is not what was sent: something changed it on its way. Please send it again."
            raise Invalid(sentence, [Wrong("/content-digest", sentence, "digest")])


def _size(upload: Upload, number: int) -> int:
    if not 1 <= number <= upload.part_count:
        raise Invalid(
            f"This upload has the parts 1 to {upload.part_count}.",
            [Wrong("/number", "There is no such part.", "range")],
        )
    return upload.size(number)


def _not_this_long(number: int, size: int, is_: int) -> Invalid:
    sentence = f"Part {number} of this upload has {size} bytes, and not {is_}."
    return Invalid(sentence, [Wrong("", sentence, "size")])
