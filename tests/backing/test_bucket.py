"""The bucket, held against a real S3 server, and against servers that break off."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from social.backing import Backing
from social.backing.bucket import CHUNK, Bucket, Stored
from social.backing.s3 import BucketError
from social.errors import NotFound, Unavailable
from social.settings import BadSettings, Settings

MEGABYTE = 1_000_000


@pytest.fixture
async def bucket(session_backing: Backing) -> Bucket:
    return session_backing.bucket


@pytest.fixture
async def key(bucket: Bucket) -> AsyncIterator[str]:
    """A key of this test alone."""
    name = f"tests/{uuid.uuid4().hex}"
    yield name
    await bucket.delete([name])


async def whole(bucket: Bucket, key: str, *part: int) -> bytes:
    async with bucket.reading(key, *part) as pieces:
        return b"".join([piece async for piece in pieces])


def as_bytes(content: bytes, _: Path) -> Any:
    return content


def as_path(content: bytes, folder: Path) -> Any:
    (folder / "file").write_bytes(content)
    return folder / "file"


def as_stream(content: bytes, _: Path) -> Any:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 70_000):
            yield content[start : start + 70_000]

    return pieces()


@pytest.mark.parametrize("form", [as_bytes, as_path, as_stream])
async def test_what_is_put_is_what_is_read(
    form: Callable[[bytes, Path], Any], bucket: Bucket, key: str, tmp_path: Path
) -> None:
    content = bytes(range(256)) * 10_000

    await bucket.put(key, form(content, tmp_path), mime="image/png", size=len(content))

    stored = await bucket.stat(key)
    assert stored == Stored(bytes=len(content), mime="image/png", etag=stored.etag if stored else "")
    assert await whole(bucket, key) == content


async def test_an_open_file_is_put_from_its_beginning_and_stays_open(bucket: Bucket, key: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"hello")
    with (tmp_path / "file").open("rb") as file:
        file.read()
        await bucket.put(key, file, mime="text/plain", size=5)
        assert not file.closed

    assert await whole(bucket, key) == b"hello"


@pytest.mark.parametrize(
    ("part", "bytes_read"),
    [((0, 4), b"0123"), ((3,), b"3456789"), ((3, 5), b"34"), ((9, 10), b"9"), ((5, 99), b"56789")],
)
async def test_a_part_is_read_from_its_start_up_to_its_end(
    part: tuple[int, ...], bytes_read: bytes, bucket: Bucket, key: str
) -> None:
    await bucket.put(key, b"0123456789", mime="text/plain", size=10)

    assert await whole(bucket, key, *part) == bytes_read


async def test_pieces_are_small_and_reading_may_stop_anywhere(bucket: Bucket, key: str) -> None:
    await bucket.put(key, bytes(3 * MEGABYTE), mime="image/png", size=3 * MEGABYTE)

    for _ in range(60):  # more often than there are connections
        async with bucket.reading(key) as pieces:
            assert 0 < len(await anext(pieces)) <= CHUNK


async def test_what_is_not_there_is_none_and_not_found_and_as_good_as_deleted(bucket: Bucket, key: str) -> None:
    assert await bucket.stat(key) is None
    with pytest.raises(NotFound, match="no longer in the file storage"):
        await whole(bucket, key)
    await bucket.delete([key, f"{key}/other"])
    await bucket.delete([])


async def test_many_are_deleted_at_once(bucket: Bucket, key: str) -> None:
    keys = [f"{key}/{n}" for n in range(5)]
    await asyncio.gather(*(bucket.put(each, b"x", mime="text/plain", size=1) for each in keys))

    await bucket.delete(keys)

    assert [await bucket.stat(each) for each in keys] == [None] * 5


async def test_a_stream_that_breaks_off_stores_nothing(bucket: Bucket, key: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield bytes(100_000)
        raise BucketError("the source broke")

    with pytest.raises(BucketError):
        await asyncio.wait_for(bucket.put(key, pieces(), mime="image/png", size=MEGABYTE), timeout=15)

    assert await bucket.stat(key) is None


async def test_large_files_go_through_without_being_held(bucket: Bucket, key: str, tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(64 * MEGABYTE)
    await bucket.put(key, tmp_path / "large", mime="image/png", size=64 * MEGABYTE)
    before = psutil.Process().memory_info().rss

    await bucket.put(key, tmp_path / "large", mime="image/png", size=64 * MEGABYTE)
    read = 0
    async with bucket.reading(key) as pieces:
        async for piece in pieces:
            read += len(piece)

    assert read == 64 * MEGABYTE
    assert psutil.Process().memory_info().rss - before < 20 * MEGABYTE


async def test_a_server_that_is_there_answers(bucket: Bucket) -> None:
    await bucket.wait()
    assert await bucket.reachable()


async def test_a_server_that_is_away_is_unavailable_and_named_to_nobody(settings: Settings, key: str) -> None:
    async with Bucket.opened(msgspec.structs.replace(settings, s3_endpoint="http://127.0.0.1:1")) as bucket:
        for call in (
            bucket.wait(),
            bucket.put(key, b"x", mime="text/plain", size=1),
            bucket.stat(key),
            whole(bucket, key),
            bucket.delete([key]),
        ):
            with pytest.raises(Unavailable) as refusal:
                await call
            assert "127.0.0.1" not in refusal.value.sentence
        assert not await bucket.reachable()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"s3_bucket": "no-such-bucket"}, r"no bucket called no-such-bucket.*SOCIAL_S3_BUCKET"),
        ({"s3_secret_key": "not-the-secret-key"}, r"refuses our keys.*SOCIAL_S3_ACCESS_KEY"),
        ({"s3_access_key": "nobody-we-know-of"}, r"refuses our keys.*SOCIAL_S3_SECRET_KEY"),
    ],
    ids=["bucket", "secret", "key"],
)
async def test_what_the_operator_got_wrong_is_said_in_a_sentence(
    change: dict[str, str], words: str, settings: Settings, key: str
) -> None:
    async with Bucket.opened(msgspec.structs.replace(settings, **change)) as bucket:
        with pytest.raises(BadSettings, match=words):
            await bucket.wait()
        assert not await bucket.reachable()
        if "s3_bucket" not in change:  # SeaweedFS makes a bucket that it is asked to write to
            with pytest.raises(BucketError):
                await bucket.put(key, b"x", mime="text/plain", size=1)


async def test_the_profile_of_the_person_who_starts_us_is_none_of_ours(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "somebody-else")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    async with Bucket.opened(settings) as bucket:
        assert await bucket.reachable()


async def test_an_answer_that_breaks_off_is_an_error_and_never_a_short_file(settings: Settings) -> None:
    async def hang_up_half_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nContent-Type: image/png\r\n\r\n" + bytes(400))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(hang_up_half_way, "127.0.0.1", 0) as server:
        endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with Bucket.opened(msgspec.structs.replace(settings, s3_endpoint=endpoint)) as bucket:
            with pytest.raises(BucketError):
                await whole(bucket, "any")
