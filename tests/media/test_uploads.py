"""Large files: sent in parts in any order, gone on with after anything, and never half there."""

import asyncio
import dataclasses
import hashlib
import io
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import aiohttp
import msgspec
import pytest
from beanie import PydanticObjectId

from social.backing import Backing
from social.backing.bucket import Bucket
from social.backing.owner import Owner
from social.backing.s3 import BucketError
from social.errors import Conflict, Invalid, NotFound, TooLarge, UnsupportedType
from social.media import finishing, sending, sweep
from social.media.arriving import Stopped
from social.media.benches import Benches
from social.media.documents import Media
from social.media.storage import storage
from social.media.uploads import KEPT, LARGEST, MOST_PARTS, BeingFinished, Upload, part_bytes
from social.moments import now
from social.people.documents import Workspace
from social.people.roles import Caller
from tests.media import awkward, films
from tests.media.awkward import in_pieces
from tests.media.conftest import Take

Stored = Callable[[str], Awaitable[bytes]]
Left = Callable[[], Awaitable[list[str]]]
PART = 8 * 2**20


def film(size: int = 2 * PART + 1_000_003) -> bytes:
    """A film of so many bytes."""
    return films.of_size(size)


def parts_of(file: bytes, upload: Upload) -> dict[int, bytes]:
    return {
        number: file[(number - 1) * upload.part_bytes :][: upload.size(number)]
        for number in range(1, upload.part_count + 1)
    }


@pytest.fixture
def send(backing: Backing) -> Callable[..., Awaitable[None]]:
    """Sends a part, as the API does."""

    async def send_part(upload: Upload, number: int, part: bytes | AsyncIterator[bytes], **given: Any) -> None:
        pieces = in_pieces(part) if isinstance(part, bytes) else part
        await sending.take_part(upload, number, pieces, backing, **given)

    return send_part


Send = Callable[..., Awaitable[None]]


async def unfinished(backing: Backing, caller: Caller) -> list[str]:
    return [each.key async for each in backing.bucket.parts.unfinished(f"w/{caller.workspace_id}/")]


async def test_parts_sent_side_by_side_in_any_order_are_the_file_that_was_sent(
    backing: Backing, benches: Benches, caller: Caller, send: Send, stored: Stored
) -> None:
    file = film()
    upload = await sending.begin(caller, "C:\\films\\Cat.MP4", len(file), backing)

    await asyncio.gather(*(send(upload, number, part) for number, part in reversed(parts_of(file, upload).items())))
    media = await finishing.finish(caller, str(upload.id), backing, benches)

    assert await stored(media.key) == file
    assert (media.id, media.name, media.mime, media.bytes) == (upload.id, "Cat.MP4", "video/mp4", len(file))
    assert await Upload.all_mine(caller, most=10) == []
    told = await backing.db["outbox"].find({"workspace_id": caller.workspace_id}).to_list()
    assert [(each["type"], each["data"]) for each in told] == [("media.added", {"id": str(media.id)})]


async def test_a_picture_in_parts_is_made_ready_as_any_other_and_what_came_is_not_kept(
    backing: Backing, benches: Benches, caller: Caller, send: Send, taken: Take, left: Left
) -> None:
    file = awkward.jpeg(orientation=6)
    upload = await sending.begin(caller, "cat.jpg", len(file), backing)
    await send(upload, 1, file)

    media = await finishing.finish(caller, str(upload.id), backing, benches)

    assert (media.mime, media.width, media.height) == ("image/jpeg", 64, 96)
    assert media.thumbnail_key
    assert media.fingerprint == (await taken(file)).fingerprint
    assert upload.key not in await left()
    assert {media.key, media.thumbnail_key} <= set(await left())


async def test_what_is_there_is_known_and_need_not_be_sent_again(
    backing: Backing, benches: Benches, caller: Caller, send: Send, stored: Stored
) -> None:
    file = film()
    begun = await sending.begin(caller, "film.mp4", len(file), backing, modified_at=now())
    parts = parts_of(file, begun)
    await send(begun, 2, parts[2])

    [upload] = await Upload.all_mine(caller, most=10)  # days later, another tab

    assert [part.number for part in await sending.parts_there(upload, backing)] == [2]
    with pytest.raises(Conflict) as refused:
        await finishing.finish(caller, str(upload.id), backing, benches)
    assert refused.value.facts["missing"] == [1, 3]
    await send(upload, 1, parts[1])
    await send(upload, 3, parts[3])
    media = await finishing.finish(caller, str(upload.id), backing, benches)
    assert await stored(media.key) == file


async def test_of_a_part_that_is_sent_again_the_last_counts(
    backing: Backing, benches: Benches, caller: Caller, send: Send, stored: Stored
) -> None:
    file = film(PART + 1_000_000)
    upload = await sending.begin(caller, "film.mp4", len(file), backing)
    parts = parts_of(file, upload)
    await send(upload, 1, film(PART))

    await asyncio.gather(*(send(upload, 2, parts[2]) for _ in range(3)), send(upload, 1, parts[1]))

    assert [part.number for part in await sending.parts_there(upload, backing)] == [1, 2]
    media = await finishing.finish(caller, str(upload.id), backing, benches)
    assert await stored(media.key) == file


async def test_what_is_wrong_never_becomes_a_part(backing: Backing, caller: Caller, send: Send) -> None:
    file = film()
    upload = await sending.begin(caller, "film.mp4", len(file), backing)
    parts = parts_of(file, upload)
    right = hashlib.sha256(parts[2]).digest()
    changed = parts[2][:-1] + bytes([parts[2][-1] ^ 1])

    async def hangs_up() -> AsyncIterator[bytes]:
        yield parts[2][:1_000_000]
        raise Stopped("gone")

    for wrong, error in (
        (send(upload, 2, changed, sha256=right), Invalid),
        (send(upload, 2, parts[2] + b"x"), Invalid),
        (send(upload, 2, parts[2][:-1]), Stopped),
        (send(upload, 2, hangs_up()), Stopped),
        (send(upload, 2, parts[2], announced=PART + 1), Invalid),
        (send(upload, 0, parts[2]), Invalid),
        (send(upload, 4, parts[3]), Invalid),
        (send(upload, 1, os.urandom(PART)), UnsupportedType),
    ):
        with pytest.raises(error):
            await wrong
        assert await sending.parts_there(upload, backing) == []

    await send(upload, 2, parts[2], sha256=right)
    assert [part.number for part in await sending.parts_there(upload, backing)] == [2]
    with pytest.raises(Invalid, match="something changed it"):  # and a good part is not replaced by a bad one
        await send(upload, 2, changed, sha256=right)
    [part] = await sending.parts_there(upload, backing)
    assert part.etag == hashlib.md5(parts[2]).hexdigest()
    await sending.give_up(upload, backing)


async def test_a_file_that_is_none_we_take_is_thrown_away_when_that_shows(
    backing: Backing, benches: Benches, caller: Caller, left: Left
) -> None:
    file = b"%PDF-1.7\n" + bytes(100)
    upload = await sending.begin(caller, "film.mp4", len(file), backing)
    await backing.bucket.parts.put(upload.key, upload.parts_id, 1, in_pieces(file), size=len(file))  # straight there

    with pytest.raises(UnsupportedType, match="a PDF document"):
        await finishing.finish(caller, str(upload.id), backing, benches)

    assert await left() == []
    assert await Upload.all_mine(caller, most=10) == []


async def test_asked_twice_or_at_once_it_is_finished_once(
    backing: Backing, benches: Benches, caller: Caller, send: Send
) -> None:
    file = awkward.png(awkward.noise(400, 300))
    upload = await sending.begin(caller, "cat.png", len(file), backing)
    await send(upload, 1, file)

    ended = await asyncio.gather(
        *(finishing.finish(caller, str(upload.id), backing, benches) for _ in range(3)), return_exceptions=True
    )
    again = await finishing.finish(caller, str(upload.id), backing, benches)

    assert [each.id for each in ended if isinstance(each, Media)] == [upload.id]
    assert sum(isinstance(each, BeingFinished) for each in ended) == 2
    assert again.id == upload.id
    assert await Media.of(caller).count() == 1


async def test_one_who_died_half_way_through_the_end_is_followed_by_another(
    backing: Backing, benches: Benches, caller: Caller, send: Send, stored: Stored
) -> None:
    file = film(PART + 1)
    upload = await sending.begin(caller, "film.mp4", len(file), backing)
    for number, part in parts_of(file, upload).items():
        await send(upload, number, part)
    gone = dataclasses.replace(backing, owner=msgspec.structs.replace(Owner.of_this_process(), started=1))
    await upload.finish(gone)
    await finishing.put_together(upload, gone)  # and there it ended

    assert [part.number for part in await sending.parts_there(upload, backing)] == [1, 2]
    media = await finishing.finish(caller, str(upload.id), backing, benches)

    assert await stored(media.key) == file


async def test_with_the_bucket_away_at_the_end_it_can_be_finished_later(
    backing: Backing, benches: Benches, caller: Caller, send: Send
) -> None:
    file = film(5000)
    upload = await sending.begin(caller, "film.mp4", len(file), backing)
    await send(upload, 1, file)
    async with Bucket.opened(msgspec.structs.replace(backing.settings, s3_endpoint="http://127.0.0.1:1")) as nowhere:
        with pytest.raises(BucketError):
            await finishing.finish(caller, str(upload.id), dataclasses.replace(backing, bucket=nowhere), benches)

    assert (await finishing.finish(caller, str(upload.id), backing, benches)).bytes == 5000


async def test_what_is_given_up_leaves_nothing(
    backing: Backing, benches: Benches, caller: Caller, send: Send, left: Left
) -> None:
    file = film()
    upload = await sending.begin(caller, "film.mp4", len(file), backing)
    await send(upload, 1, parts_of(file, upload)[1])

    await sending.give_up(upload, backing)

    assert (await left(), await unfinished(backing, caller)) == ([], [])
    with pytest.raises(Conflict):
        await send(upload, 2, parts_of(file, upload)[2])
    with pytest.raises(NotFound):
        await finishing.finish(caller, str(upload.id), backing, benches)


async def test_who_gives_up_what_was_just_finished_takes_nothing_away(
    backing: Backing, benches: Benches, caller: Caller, send: Send, stored: Stored
) -> None:
    file = film(5000)
    upload = await sending.begin(caller, "film.mp4", len(file), backing)
    await send(upload, 1, file)
    media = await finishing.finish(caller, str(upload.id), backing, benches)

    await sending.give_up(upload, backing)  # as it was read before

    assert await stored(media.key) == file


async def test_it_is_its_beginners_own(backing: Backing, benches: Benches, caller: Caller) -> None:
    upload = await sending.begin(caller, "film.mp4", 1000, backing)
    colleague = msgspec.structs.replace(caller, user_id=PydanticObjectId())

    assert await Upload.all_mine(colleague, most=10) == []
    with pytest.raises(NotFound):
        await Upload.mine(colleague, str(upload.id))
    with pytest.raises(NotFound):
        await finishing.finish(colleague, str(upload.id), backing, benches)


async def test_a_workspace_has_only_so_much_room_however_many_ask_at_once(
    backing: Backing, caller: Caller, taken: Take
) -> None:
    await Workspace(id=caller.workspace_id, name="Works", created_at=now()).insert()
    small = dataclasses.replace(backing, settings=msgspec.structs.replace(backing.settings, workspace_gb=0.03))
    picture = await taken(awkward.jpeg())

    begun = await asyncio.gather(
        *(sending.begin(caller, "film.mp4", 12_000_000, small) for _ in range(4)), return_exceptions=True
    )

    assert sum(isinstance(each, Upload) for each in begun) == 2
    assert sum(isinstance(each, TooLarge) and "no room" in str(each) for each in begun) == 2
    assert len(await unfinished(backing, caller)) == 2
    stands = await storage(caller.workspace_id, small)
    assert (stands.used, stands.coming, stands.room) == (picture.bytes, 24_000_000, 30_000_000)
    for upload in await Upload.all_mine(caller, most=10):
        await sending.give_up(upload, backing)
    assert (await storage(caller.workspace_id, small)).coming == 0


async def test_one_that_is_abandoned_is_swept_and_one_that_is_not_is_left(
    backing: Backing, caller: Caller, send: Send, old: None
) -> None:
    file = film(PART + 5)
    abandoned = await sending.begin(caller, "old.mp4", len(file), backing)
    going_on = await sending.begin(caller, "new.mp4", len(file), backing)
    for upload in (abandoned, going_on):
        long_ago = {"expires_at": now() - timedelta(seconds=1)}
        await Upload.get_pymongo_collection().update_one({"_id": upload.id}, {"$set": long_ago})
    await send(await Upload.mine(caller, str(going_on.id)), 1, parts_of(file, going_on)[1])
    nobodys = await backing.bucket.parts.begin(f"w/{caller.workspace_id}/m/nobody")

    await sweep.sweep(backing)

    assert nobodys
    assert [each.id for each in await Upload.all_mine(caller, most=10)] == [going_on.id]
    assert await unfinished(backing, caller) == [going_on.key]
    assert (await Upload.mine(caller, str(going_on.id))).expires_at > now() + KEPT / 2
    await sending.give_up(going_on, backing)


async def test_where_browsers_reach_the_bucket_parts_go_straight_there(
    backing: Backing, benches: Benches, caller: Caller, stored: Stored, session: aiohttp.ClientSession
) -> None:
    settings = msgspec.structs.replace(backing.settings, s3_public_url=backing.settings.s3_endpoint)
    async with Bucket.opened(settings) as bucket:
        direct = dataclasses.replace(backing, settings=settings, bucket=bucket)
        await bucket.parts.open_to("https://social.example.org")
        file = film(PART + 77)
        upload = await sending.begin(caller, "film.mp4", len(file), direct)

        for (number, part), url in zip(
            parts_of(file, upload).items(), await sending.addresses(upload, [1, 2], direct), strict=True
        ):
            for other in (part + b"x", part[:-1]):
                async with session.put(url, data=io.BytesIO(other)) as answer:
                    assert answer.status == 403, "another size was taken"
            async with session.put(
                url, data=io.BytesIO(part), headers={"Origin": "https://social.example.org"}
            ) as answer:
                assert answer.status == 200, number
                assert answer.headers["Access-Control-Allow-Origin"] == "https://social.example.org"
        media = await finishing.finish(caller, str(upload.id), direct, benches)

    assert await stored(media.key) == file
    with pytest.raises(Conflict, match="sent to this server"):
        await sending.addresses(upload, [1], backing)


@pytest.mark.parametrize("size", [1, PART - 1, PART, PART + 1, 10**9, LARGEST - 1, LARGEST])
def test_parts_are_large_enough_for_the_bucket_and_few_enough_for_one_list(size: int) -> None:
    each = part_bytes(size)

    assert each >= PART
    assert each % 2**20 == 0
    assert -(-size // each) <= MOST_PARTS


async def test_more_than_is_taken_is_refused_before_anything_is_begun(backing: Backing, caller: Caller) -> None:
    with pytest.raises(TooLarge):
        await sending.begin(caller, "film.mp4", LARGEST + 1, backing)

    assert await unfinished(backing, caller) == []
