"""Fixtures for pictures."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from social.backing import Backing
from social.media import installation, sweep
from social.media.benches import Benches
from social.media.documents import Media
from social.media.intake import take
from social.people.roles import Caller, Role
from tests.connecting import somebody
from tests.media.awkward import in_pieces

Take = Callable[..., Awaitable[Media]]


@pytest.fixture
def caller() -> Caller:
    """An author in a workspace of their own."""
    return somebody(Role.AUTHOR)


@pytest.fixture(scope="session")
async def benches() -> Benches:
    return Benches()


@pytest.fixture
def taken(backing: Backing, benches: Benches, caller: Caller) -> Take:
    """Takes a file in, as the API does."""

    async def take_in(file: bytes | AsyncIterator[bytes], name: str = "picture", **given: int) -> Media:
        chunks = in_pieces(file) if isinstance(file, bytes) else file
        return await take(caller, name, chunks, backing, benches, **given)

    return take_in


@pytest.fixture
def stored(backing: Backing) -> Callable[[str], Awaitable[bytes]]:
    """Reads a whole object back from the bucket."""

    async def read(key: str) -> bytes:
        async with backing.bucket.reading(key) as pieces:
            return b"".join([piece async for piece in pieces])

    return read


@pytest.fixture
def left(
    backing: Backing, caller: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Awaitable[list[str]]]:
    """What there is of the caller's workspace in the bucket, the database and the folder for temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mine = {"workspace_id": caller.workspace_id}

    async def everything() -> list[str]:
        answer = await backing.bucket._client.list_objects_v2(
            Bucket=backing.settings.s3_bucket, Prefix=f"w/{caller.workspace_id}/"
        )
        found = [each["Key"] for each in answer.get("Contents", ())]
        for name in ("media", "outbox"):
            found += [f"{name} {each['_id']}" async for each in backing.db[name].find(mine)]
        return found + [path.name for path in tmp_path.iterdir()]

    return everything


@pytest.fixture
async def mark(backing: Backing, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """Where it stands whose the bucket is: a place of this test's own, for the bucket is every test's."""
    key = f"marks/{caller.workspace_id}"
    monkeypatch.setattr(installation, "MARK", key)
    yield key
    await backing.bucket.delete([key])


@pytest.fixture
def old(caller: Caller, mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything of the caller's workspace is as old as it takes; the rest of the bucket is other tests'."""
    monkeypatch.setattr(sweep, "GRACE", timedelta(seconds=-60))
    monkeypatch.setattr(sweep, "FILES", f"w/{caller.workspace_id}/")
