"""Renditions: made once for each file and plan, by whoever has a hand free, and again by another who does not die."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from social.backing import Backing
from social.errors import Unavailable
from social.files import Choice
from social.media import renditions
from social.media.documents import Media
from social.media.fit import fit
from social.media.plans import Converts
from social.media.renditions import Rendition, Wanted, make_wanted
from social.people.roles import Caller
from tests.media import awkward
from tests.media.children import memory_runs_out
from tests.media.conftest import Take
from tests.media.test_fit import KINDS, kind

Stored = Callable[[str], Awaitable[bytes]]
Left = Callable[[], Awaitable[list[str]]]


def wanted(media: Media, platform: str = "instagram", name: str = "picture", **choice: str) -> Wanted:
    """What a kind of post wants of a file."""
    verdict = fit(media.facts, kind(platform, name), KINDS[platform][0], Choice(**choice))  # type: ignore[arg-type]
    assert isinstance(verdict, Converts)
    return Wanted(
        media_id=str(media.id), fingerprint=media.fingerprint, key=media.key, probe=media.facts, plan=verdict.plan
    )


async def want(media: Media, backing: Backing, **given: str) -> Rendition:
    return await Rendition.want(media.workspace_id, wanted(media, **given), backing.now(), backing)


async def known(rendition: Rendition) -> Rendition:
    found = await Rendition.get(rendition.id)
    assert found is not None
    return found


async def due(rendition: Rendition, backing: Backing) -> None:
    """Whoever held it has let its time run out."""
    past = {"next_at": backing.now() - timedelta(seconds=1)}
    await Rendition.get_pymongo_collection().update_one({"_id": rendition.id}, {"$set": past})


@pytest.fixture
async def media(taken: Take) -> Media:
    """A picture in the library."""
    return await taken(awkward.png())


@pytest.fixture
async def rendition(media: Media, backing: Backing) -> Rendition:
    """What is wanted of it."""
    return await want(media, backing)


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set when somebody has begun to make one; they never end."""
    begun = asyncio.Event()

    async def rendered(*_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(renditions, "rendered", rendered)
    return begun


async def test_what_is_wanted_is_made_and_lies_where_it_was_said(taken: Take, backing: Backing, stored: Stored) -> None:
    media = await taken(awkward.png(awkward.corners(200, 400)))
    rendition = await want(media, backing)

    await make_wanted(backing)

    made = await known(rendition)
    assert (made.state, made.key, made.next_at) == ("ready", rendition.key, None)
    assert made.probe is not None
    file = awkward.read(await stored(rendition.key))
    assert (file.format, file.size) == ("JPEG", (320, 400))
    assert (made.probe.width, made.probe.height, made.probe.mime) == (320, 400, "image/jpeg")


async def test_ten_accounts_share_one_rendition_and_another_plan_has_its_own(taken: Take, backing: Backing) -> None:
    media = await taken(awkward.png(awkward.corners(200, 400)))

    same = await asyncio.gather(*(want(media, backing) for _ in range(10)))
    other = await want(media, backing, shape="crop")

    assert len({each.id for each in same}) == 1
    assert other.id != same[0].id
    assert await Rendition.find({"workspace_id": media.workspace_id}).count() == 2


async def test_two_instances_never_make_the_same_one(rendition: Rendition, backing: Backing) -> None:
    first, second = await asyncio.gather(Rendition.take(backing), Rendition.take(backing))

    assert [each is None for each in (first, second)].count(True) == 1
    assert (await known(rendition)).tries == 1


async def test_one_whose_maker_died_is_made_by_another(rendition: Rendition, backing: Backing) -> None:
    assert await Rendition.take(backing) is not None  # and is never heard of again

    await make_wanted(backing)
    assert (await known(rendition)).state == "wanted"
    await due(rendition, backing)
    await make_wanted(backing)

    assert (await known(rendition)).state == "ready"


async def test_one_that_is_given_up_is_there_for_the_next(
    rendition: Rendition, backing: Backing, endless: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = asyncio.create_task(make_wanted(backing))
    await endless.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    monkeypatch.undo()

    await make_wanted(backing)
    assert (await known(rendition)).state == "ready"


async def test_an_instance_that_stops_gives_back_what_it_was_making(
    rendition: Rendition, backing: Backing, endless: asyncio.Event
) -> None:
    task = asyncio.create_task(make_wanted(backing))
    await endless.wait()
    backing.stopping.set()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)
    backing.stopping.clear()

    given_back = await known(rendition)
    assert (given_back.token, given_back.tries) == (None, 0)


async def test_one_that_kills_its_makers_is_given_up(rendition: Rendition, backing: Backing) -> None:
    await Rendition.get_pymongo_collection().update_one(
        {"_id": rendition.id}, {"$set": {"tries": Rendition.tries_most}}
    )

    await make_wanted(backing)

    assert (await known(rendition)).state == "failed"


async def test_one_whose_work_the_system_ends_is_tried_again_and_given_up_after_its_tries_in_words_that_say_so(
    media: Media, rendition: Rendition, backing: Backing
) -> None:
    for tries in range(1, Rendition.tries_most + 1):
        killing = asyncio.create_task(memory_runs_out("social.media.redraw"))
        await make_wanted(backing)
        await killing
        put_off = await known(rendition)
        assert (put_off.tries, put_off.token) == (tries, None)
        if tries < Rendition.tries_most:
            assert (put_off.state, put_off.sentence) == ("wanted", "")
            assert put_off.next_at is not None
            assert put_off.next_at > backing.now()
            await due(rendition, backing)

    assert (put_off.state, put_off.next_at) == ("failed", None)
    assert "tried several times, and the server ended the work" in put_off.sentence

    await want(media, backing)
    await make_wanted(backing)
    assert (await known(rendition)).state == "ready"


async def test_a_disk_without_room_puts_it_off_and_a_bad_file_ends_it(
    media: Media, rendition: Rendition, backing: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise Unavailable("no room", retry_after=60)

    monkeypatch.setattr(renditions, "rendered", full)
    await make_wanted(backing)
    monkeypatch.undo()
    put_off = await known(rendition)
    assert (put_off.state, put_off.tries) == ("wanted", 1)
    assert put_off.next_at is not None

    broken = awkward.png()[:100]
    await backing.bucket.put(media.key, broken, mime="image/png", size=len(broken))
    await due(rendition, backing)
    await make_wanted(backing)
    failed = await known(rendition)
    assert failed.state == "failed"
    assert failed.sentence.endswith(".")


async def test_a_file_that_is_gone_ends_it_in_words(media: Media, rendition: Rendition, backing: Backing) -> None:
    await backing.bucket.delete([media.key])

    await make_wanted(backing)

    assert (await known(rendition)).sentence == "The file is no longer in storage. Attach it again."


async def test_with_a_picture_all_that_was_made_of_it_goes(
    media: Media, rendition: Rendition, backing: Backing, left: Left
) -> None:
    await make_wanted(backing)

    await media.remove(backing)

    assert [each for each in await left() if not each.startswith("outbox")] == []
    assert await Rendition.find({"workspace_id": media.workspace_id}).count() == 0


async def test_what_was_made_stays_while_the_same_file_is_there_under_another_name(
    taken: Take, backing: Backing, caller: Caller
) -> None:
    first, second = await taken(awkward.png()), await taken(awkward.png())
    rendition = await want(first, backing)

    await first.remove(backing)
    await make_wanted(backing)

    made = await known(rendition)
    assert (made.state, made.source_key) == ("ready", second.key)


async def test_what_failed_for_want_of_its_file_is_made_of_the_same_file_that_came_anew(
    taken: Take, backing: Backing
) -> None:
    first = await taken(awkward.png())
    rendition = await want(first, backing)
    await first.drop_original(backing)
    await make_wanted(backing)
    assert (await known(rendition)).state == "failed"

    second = await taken(awkward.png())
    assert (await want(second, backing)).id == rendition.id
    await make_wanted(backing)

    made = await known(rendition)
    assert (made.state, made.source_key, made.media_id) == ("ready", second.key, second.id)


async def test_without_room_on_the_disk_a_file_is_not_even_fetched(
    taken: Take, backing: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendition = await want(await taken(awkward.png()), backing)
    free, fetched = shutil.disk_usage(tempfile.gettempdir()).free, list[str]()
    reading = type(backing.bucket).reading
    monkeypatch.setattr(type(backing.bucket), "reading", lambda *at: fetched.append(at[1]) or reading(*at))
    large = {"source.bytes": free, "needed_at": backing.now()}
    await Rendition.get_pymongo_collection().update_one({"_id": rendition.id}, {"$set": large})
    monkeypatch.setattr(renditions, "LARGEST_SOURCE", 2 * free)

    await make_wanted(backing)

    put_off = await known(rendition)
    assert (put_off.state, put_off.tries, fetched) == ("wanted", 1, [])


async def test_the_soonest_needed_is_made_first(taken: Take, backing: Backing) -> None:
    later, sooner = await taken(awkward.png()), await taken(awkward.webp())
    far = backing.now() + timedelta(days=3)
    await Rendition.want(later.workspace_id, wanted(later), far, backing)
    soon = await Rendition.want(sooner.workspace_id, wanted(sooner), backing.now() + timedelta(hours=1), backing)

    first = await Rendition.take(backing)

    assert first is not None
    assert first.id == soon.id


async def test_a_temporary_file_has_no_name(
    rendition: Rendition, backing: Backing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    began = time.monotonic()

    await make_wanted(backing)

    assert list(tmp_path.iterdir()) == []
    assert time.monotonic() - began < 60
