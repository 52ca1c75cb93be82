"""What is swept out of the bucket, and what never is."""

import secrets
from datetime import timedelta

import pytest

from social.backing import Backing
from social.media import sending, sweep
from social.media.clips import Clip, Unclipped
from social.media.installation import Installation, bucket_is_ours
from social.moments import now
from social.people.roles import Caller
from tests.media import awkward
from tests.media.conftest import Take
from tests.media.test_renditions import want


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
    media = await taken(awkward.png())
    upload = await sending.begin(caller, "film.mp4", 1000, backing)
    kept = {media.key, media.thumbnail_key}
    for key in (upload.key, upload.clean_key, upload.thumbnail_key):
        kept.add(await put(backing, key))  # finished, and not yet told
    rendition = await want(media, backing)
    kept.add(await put(backing, rendition.key))  # put there, and not yet told
    film = Unclipped(fingerprint="of a film", key=media.key, probe=media.facts)
    await Clip.want(caller.workspace_id, [film], backing.now())
    [clip] = await Clip.of(caller).to_list()
    kept.add(await put(backing, clip.key))
    kept.add(await put(backing, f"{folder}/m/notes.txt"))  # no key of ours
    orphans = {await put(backing, f"{folder}/{part}/{secrets.token_hex(16)}") for part in "mr" for _ in range(3)}
    assert await there(backing, caller) == kept | orphans

    await sweep.files_of_nothing(backing)

    assert await there(backing, caller) == kept
    await backing.bucket.delete(kept)
    await Clip.forget(caller.workspace_id, "of a film", backing)


async def test_what_may_still_be_in_the_making_is_left(backing: Backing, caller: Caller, mark: str) -> None:
    key = await put(backing, f"w/{caller.workspace_id}/m/{secrets.token_hex(16)}")

    await sweep.sweep(backing)

    assert await there(backing, caller) == {key}
    await backing.bucket.delete([key])


async def test_files_are_swept_once_a_day_by_whoever_comes_first(backing: Backing, caller: Caller, old: None) -> None:
    key = f"w/{caller.workspace_id}/m/{secrets.token_hex(16)}"
    await put(backing, key)
    await sweep.sweep(backing)
    assert await backing.bucket.stat(key) is None

    await put(backing, key)
    await sweep.sweep(backing)

    assert await backing.bucket.stat(key) is not None
    await backing.bucket.delete([key])


async def test_nothing_is_swept_out_of_a_bucket_that_is_another_installations(
    backing: Backing, caller: Caller, mark: str, old: None, capsys: pytest.CaptureFixture[str]
) -> None:
    key = await put(backing, f"w/{caller.workspace_id}/m/{secrets.token_hex(16)}")
    begun = await backing.bucket.parts.begin(key)
    await backing.bucket.put(mark, b"somebody else", mime="text/plain", size=13)

    await sweep.sweep(backing)

    assert await there(backing, caller) == {key}
    assert [each.id async for each in backing.bucket.parts.unfinished(key)] == [begun]
    assert "Give each its own (SOCIAL_S3_BUCKET)" in capsys.readouterr().out
    await backing.bucket.parts.give_up(key, begun)
    await backing.bucket.delete([key])


async def test_uploads_of_ours_that_were_abandoned_go_whosever_the_bucket_is(
    backing: Backing, caller: Caller, mark: str, old: None
) -> None:
    await backing.bucket.put(mark, b"somebody else", mime="text/plain", size=13)
    upload = await sending.begin(caller, "film.mp4", 1000, backing)
    await upload.set({"expires_at": now() - timedelta(seconds=1)})

    await sweep.sweep(backing)

    assert await type(upload).get(upload.id) is None
    assert [each async for each in backing.bucket.parts.unfinished(upload.key)] == []


async def test_a_bucket_belongs_to_the_first_that_asks_and_to_no_other(backing: Backing, mark: str) -> None:
    assert await bucket_is_ours(backing)
    assert await bucket_is_ours(backing), "and it still does"

    await Installation.get_pymongo_collection().delete_many({})  # as in a new database
    assert not await bucket_is_ours(backing)

    await backing.bucket.delete([mark])
    assert await bucket_is_ours(backing)
