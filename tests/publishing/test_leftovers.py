"""What was made of files goes once nothing shows it any more that may still go out, and never before."""

from datetime import timedelta
from typing import Any

import pytest

from social.accounts.documents import Account
from social.backing import Backing
from social.media.benches import Benches
from social.media.documents import Media
from social.media.intake import take
from social.media.renditions import Rendition
from social.moments import now
from social.people.roles import Caller
from social.posts.documents import Attached, PartWritten
from social.publishing.documents import Publication
from social.publishing.leftovers import KEPT, drop_renditions, drop_unneeded
from social.publishing.states import State
from tests.media import awkward
from tests.publishing.conftest import Planned, of

LONG_AGO = timedelta(days=400)


@pytest.fixture
async def media(backing: Backing, caller: Caller) -> Media:
    """A picture that moves, and that Mastodon takes as a video alone."""
    return await take(caller, "moving.webp", awkward.in_pieces(awkward.moving_webp()), backing, Benches())


@pytest.fixture
async def made(media: Media, account: Account, planned: Planned, backing: Backing) -> tuple[Publication, Rendition]:
    """A planned publication, and the rendition that it shows, made and wanted long ago."""
    post = await planned(media=(Attached(id=str(media.id)),), due_at=now() + timedelta(days=1))
    return await of(post), await put(backing)


async def put(backing: Backing) -> Rendition:
    """The only rendition, as if it were ready and old."""
    (rendition,) = await Rendition.find_all().to_list()
    await backing.bucket.put(rendition.key, b"x", mime="video/mp4", size=1)
    await rendition.set({"wanted_at": now() - LONG_AGO, "state": "ready"})
    return rendition


async def is_there(rendition: Rendition, backing: Backing) -> bool:
    """Whether it is, in the database and in the bucket or in neither."""
    stored = await backing.bucket.stat(rendition.key) is not None
    assert (await Rendition.get(rendition.id) is not None) == stored
    return stored


async def ended(publication: Publication, **changes: Any) -> None:
    await Publication.engine().update_one({"_id": publication.id}, {"$set": changes})


async def test_it_stays_while_it_is_shown_by_what_may_still_go_out(
    made: tuple[Publication, Rendition], backing: Backing
) -> None:
    publication, rendition = made
    for state in (each for each in State if each is not State.ONLINE):
        await ended(publication, state=state, updated_at=now() - LONG_AGO)

        await drop_unneeded(now(), backing)

        assert await is_there(rendition, backing), state
    await backing.bucket.delete([rendition.key])


async def test_it_goes_some_days_after_all_that_shows_it_is_online(
    made: tuple[Publication, Rendition], backing: Backing
) -> None:
    publication, rendition = made
    await ended(publication, state=State.ONLINE, updated_at=now() - KEPT + timedelta(minutes=1))
    await drop_unneeded(now() - KEPT, backing)
    assert await is_there(rendition, backing)

    await ended(publication, updated_at=now() - KEPT - timedelta(minutes=1))
    await drop_unneeded(now() - KEPT, backing)

    assert not await is_there(rendition, backing)


async def test_a_later_part_of_a_thread_keeps_it_too(
    media: Media, account: Account, planned: Planned, backing: Backing
) -> None:
    part = PartWritten(text="and look", media=(Attached(id=str(media.id)),))
    post = await planned(thread=(part,), due_at=now() + timedelta(days=1))
    rendition = await put(backing)

    await drop_unneeded(now(), backing)
    assert await is_there(rendition, backing)

    await ended(await of(post), state=State.ONLINE, updated_at=now() - LONG_AGO)
    await drop_unneeded(now(), backing)
    assert not await is_there(rendition, backing)


async def test_one_that_somebody_wants_again_at_that_moment_stays(
    made: tuple[Publication, Rendition], planned: Planned, media: Media, backing: Backing
) -> None:
    publication, rendition = made
    await ended(publication, state=State.ONLINE, updated_at=now() - LONG_AGO)
    before = now() - KEPT

    await planned("once more", media=(Attached(id=str(media.id)),), due_at=now() + timedelta(days=1))

    assert not await rendition.drop(before, backing)
    assert await is_there(rendition, backing)
    await backing.bucket.delete([rendition.key])


async def test_they_are_looked_through_once_a_day(made: tuple[Publication, Rendition], backing: Backing) -> None:
    publication, rendition = made
    await drop_renditions(backing)
    await ended(publication, state=State.ONLINE, updated_at=now() - LONG_AGO)

    await drop_renditions(backing)

    assert await is_there(rendition, backing)
    await backing.bucket.delete([rendition.key])
