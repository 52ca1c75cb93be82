"""What is swept out of the bucket, and what never is."""

import secrets
from datetime import timedelta

import pytest
from beanie import PydanticObjectId

from social.backing import Backing
from social.media import sending, sweep
from social.people.roles import Caller
from tests.media import awkward
from tests.media.conftest import Take


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything in the bucket is as old as it takes."""
    monkeypatch.setattr(sweep, "GRACE", timedelta(seconds=-60))


async def put(backing: Backing, key: str) -> str:
    await backing.bucket.put(key, b"x", mime="image/gif", size=1)
    return key


async def there(backing: Backing, caller: Caller) -> set[str]:
    return {each.key async for each in backing.bucket.listed(f"w/{caller.workspace_id}/")}


async def test_only_files_that_nothing_refers_to_are_swept(
    backing: Backing, caller: Caller, taken: Take, old: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "AT_ONCE", 2)
    folder = f"w/{caller.workspace_id}"
    media = await taken(awkward.jpeg())
    upload = await sending.begin(caller, "film.mp4", 1000, backing)
    kept = {media.key, media.thumbnail_key}
    for key in (upload.key, upload.clean_key, upload.thumbnail_key):
        kept.add(await put(backing, key))  # finished, and not yet told
    for other in (f"{folder}/r/{secrets.token_hex(16)}", f"{folder}/m/notes.txt"):
        kept.add(await put(backing, other))  # whoever stores elsewhere sweeps there
    orphans = {await put(backing, f"{folder}/m/{secrets.token_hex(16)}") for _ in range(5)}
    assert await there(backing, caller) == kept | orphans

    await sweep.files_of_nothing(backing)

    assert await there(backing, caller) == kept
    await backing.bucket.delete(kept)


async def test_what_may_still_be_in_the_making_is_left(backing: Backing, caller: Caller) -> None:
    key = await put(backing, f"w/{caller.workspace_id}/m/{secrets.token_hex(16)}")

    await sweep.sweep(backing)

    assert await there(backing, caller) == {key}
    await backing.bucket.delete([key])


async def test_files_are_swept_once_a_day_by_whoever_comes_first(backing: Backing, caller: Caller, old: None) -> None:
    key = f"w/{PydanticObjectId()}/m/{secrets.token_hex(16)}"
    await put(backing, key)
    await sweep.sweep(backing)
    assert await backing.bucket.stat(key) is None

    await put(backing, key)
    await sweep.sweep(backing)

    assert await backing.bucket.stat(key) is not None
    await backing.bucket.delete([key])
