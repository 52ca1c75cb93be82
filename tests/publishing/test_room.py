"""What is not being sent takes no room from what is: neither what is prepared ahead nor what is looked for."""

import asyncio
import dataclasses
from datetime import timedelta

import msgspec
import pytest

from social.backing import Backing
from social.backing.mongo import as_bson
from social.backing.places import Places
from social.moments import now
from social.platforms import PLATFORMS
from social.platforms.calls import Call
from social.platforms.contract import Content, MediaItem, Prepared, Receipt, Save, Sought
from social.posts.documents import Post
from social.publishing.documents import Publication
from social.publishing.prepare import prepare_due
from social.publishing.send import send_due
from social.publishing.settle import settle_due
from social.publishing.states import State
from tests.publishing.conftest import Connect, Planned, of, past
from tests.servers.sandbox import Sandbox

PICTURE = MediaItem(media_id="m", key="k", mime="image/jpeg", bytes=1, width=1, height=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def uploads(monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[asyncio.Event]:
    """A platform that has whatever is uploaded only when the test says so: each upload that has begun."""
    begun = asyncio.Queue[asyncio.Event]()

    async def upload(call: Call, content: Content, prepared: Prepared, save: Save) -> Prepared:
        await begun.put(done := asyncio.Event())
        await done.wait()
        return Prepared(media=())

    async def at_once(call: Call, prepared: Prepared) -> Prepared:
        return prepared

    changed = dataclasses.replace(PLATFORMS["mastodon"], prepare=upload, ready=at_once)
    monkeypatch.setitem(PLATFORMS, "mastodon", changed)
    return begun


async def pictured(post: Post) -> None:
    """There is something to be prepared of it, now."""
    wanted = {"content.media": [as_bson(PICTURE)], "prepare_at": now() - timedelta(seconds=1)}
    await Publication.engine().update_one({"post_id": post.id}, {"$set": wanted})


async def test_however_much_is_being_prepared_what_is_due_goes_out(
    planned: Planned, connect: Connect, backing: Backing, sandbox: Sandbox, uploads: asyncio.Queue[asyncio.Event]
) -> None:
    small = dataclasses.replace(backing, room=asyncio.Semaphore(2))
    for n in range(3):
        await pictured(await planned(f"pictured {n}", due_at=now() + HOUR))
    preparing = asyncio.create_task(prepare_due(small))
    under_way = [await uploads.get() for _ in range(2)]
    due = await planned("due", on=(await connect("bert"),))

    async with asyncio.timeout(3):
        await send_due(small.now() + timedelta(seconds=1), small)

    assert (await of(due)).state is State.ONLINE
    for each in [*under_way, await uploads.get()]:
        each.set()
    await preparing


async def test_what_there_is_no_room_for_is_left_to_others_and_is_not_taken_for_what_somebody_died_of(
    planned: Planned, backing: Backing, uploads: asyncio.Queue[asyncio.Event]
) -> None:
    times = msgspec.structs.replace(backing.settings.times, lease=0.3)
    settings = msgspec.structs.replace(backing.settings, times=times)
    small = dataclasses.replace(backing, settings=settings, room=asyncio.Semaphore(1), preparing=Places(1))
    posts = [await planned(f"pictured {n}", due_at=now() + HOUR) for n in range(2)]
    for post in posts:
        await pictured(post)
    first = asyncio.create_task(prepare_due(small))
    upload = await uploads.get()
    looks = []
    for _ in range(4):  # each after the lease of what waits since the one before
        looks.append(asyncio.create_task(prepare_due(small)))
        await asyncio.sleep(0.4)

    assert [(await of(post)).deaths for post in posts] == [0, 0]
    upload.set()
    await asyncio.gather(first, *looks)
    second = asyncio.create_task(prepare_due(small))
    (await uploads.get()).set()
    await second
    assert [(await of(post)).state for post in posts] == [State.PREPARED] * 2


async def test_however_long_a_platform_is_looked_at_what_is_due_goes_out(
    planned: Planned, connect: Connect, backing: Backing, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, answered = asyncio.Event(), asyncio.Event()

    async def silently(call: Call, sought: Sought) -> Receipt | None:
        looking.set()
        await answered.wait()
        return None

    monkeypatch.setitem(PLATFORMS, "mastodon", dataclasses.replace(PLATFORMS["mastodon"], find=silently))
    small = dataclasses.replace(backing, room=asyncio.Semaphore(1))
    doubted = {"state": State.UNCONFIRMED, "ambiguous": True, "next_at": past(), "sent_at": now(), "attempt_no": 1}
    await Publication.engine().update_one({"post_id": (await planned("doubted")).id}, {"$set": doubted})
    settling = asyncio.create_task(settle_due(small))
    await looking.wait()
    due = await planned("due", on=(await connect("bert"),))

    async with asyncio.timeout(3):
        await send_due(small.now() + timedelta(seconds=1), small)

    assert (await of(due)).state is State.ONLINE
    answered.set()
    await settling
