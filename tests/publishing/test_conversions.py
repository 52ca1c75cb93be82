"""Whoever changes or cancels a post does not leave a conversion behind that nobody needs."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from beanie import PydanticObjectId

from social.accounts.documents import Account
from social.backing import Backing
from social.media.documents import Media
from social.media.probing import probe
from social.media.renditions import Rendition, make_wanted
from social.media.sources import InBucket
from social.moments import now
from social.people.roles import Caller
from social.posts.documents import Attached, Post, Written
from social.publishing import plan, prepare, single
from social.publishing.shown import shown
from social.publishing.states import State
from tests.media.films import film, looped
from tests.publishing.conftest import Planned, of

SOON = 10.0  # seconds
ODD = "-c:v libx264 -preset ultrafast -pix_fmt yuv444p"


@pytest.fixture
async def video(backing: Backing, caller: Caller, tmp_path: Path) -> Media:
    """A video in colours that nobody takes: it is converted for many seconds."""
    short = film(tmp_path / "short.mp4", size=(960, 540), seconds=1, video=ODD, audio=None)
    path = looped(tmp_path / "long.mp4", short, 90)
    content, key = path.read_bytes(), f"w/{caller.workspace_id}/m/long"
    await backing.bucket.put(key, content, mime="video/mp4", size=len(content))
    facts = await probe(InBucket(backing.bucket, key, len(content)))
    media = Media(
        id=PydanticObjectId(), workspace_id=caller.workspace_id, name="long.mp4", mime=facts.mime, bytes=facts.bytes,
        width=facts.width, height=facts.height, animated=False, key=key, fingerprint="long", probe=facts,
        uploaded_by=caller.user_id,
    )  # fmt: skip
    await media.insert()
    return media


@pytest.fixture
def with_video(planned: Planned, video: Media) -> Callable[..., object]:
    return lambda **given: planned("with a video", media=(Attached(id=str(video.id)),), **given)


async def converting(backing: Backing) -> asyncio.Task[None]:
    """Conversions, begun: an ffmpeg is at work."""
    task = asyncio.create_task(make_wanted(backing))
    await until(lambda: bool(ffmpegs()) or task.done())
    assert not task.done()
    return task


async def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON
    while not met():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def ffmpegs() -> list[str]:
    """The commands of the children that convert."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            found += [child.name()] if "ffmpeg" in child.name() else []
        except psutil.NoSuchProcess:
            continue
    return found


async def test_a_cancelled_post_stops_the_conversion_that_was_made_for_it(
    with_video: Planned, caller: Caller, backing: Backing
) -> None:
    post = await with_video()
    task = await converting(backing)

    await plan.cancel(caller, str(post.id), post.revision, backing)

    await asyncio.wait_for(task, SOON)
    assert ffmpegs() == []
    [rendition] = await Rendition.find_all().to_list()
    assert (rendition.state, rendition.next_at, rendition.token) == ("wanted", None, None)


async def test_a_changed_post_stops_it_and_another_that_needs_it_keeps_it(
    with_video: Planned, account: Account, caller: Caller, backing: Backing
) -> None:
    first, second = await with_video(), await with_video()
    task = await converting(backing)
    without = Written(text="without it", accounts=(str(account.id),))

    await plan.save(caller, str(first.id), first.revision, without, backing)
    saved, [rendition] = backing.now(), await Rendition.find_all().to_list()
    while rendition.next_at is None or rendition.next_at <= saved + Rendition.lease + timedelta(seconds=1):
        [rendition] = await Rendition.find_all().to_list()  # until its lease is renewed, which is when it would notice
        await asyncio.sleep(0.1)
    assert ffmpegs() != []
    await single.cancel(caller, str((await of(second)).id), backing)

    await asyncio.wait_for(task, SOON)
    assert ffmpegs() == []


async def test_a_deleted_post_has_it_never_begun_and_one_planned_anew_wants_it_again(
    with_video: Planned, caller: Caller, backing: Backing
) -> None:
    gone = await with_video()
    await plan.delete(caller, str(gone.id), gone.revision, backing)

    await make_wanted(backing)
    assert [each.state for each in await Rendition.find_all().to_list()] == ["wanted"]
    await with_video()

    [rendition] = await Rendition.find_all().to_list()
    assert rendition.next_at is not None


async def test_one_that_was_let_go_by_mistake_is_wanted_again_when_it_is_prepared_and_the_reason_is_said(
    with_video: Planned, backing: Backing
) -> None:
    post: Post = await with_video(due_at=now())
    publication = await of(post)
    [rendition] = await Rendition.find_all().to_list()
    await Rendition.let_go(post.workspace_id, [str(rendition.id)])

    preparing = asyncio.create_task(prepare.prepare_due(backing))
    waiting = publication
    while waiting.reason is None:
        await asyncio.sleep(0.05)
        waiting = await of(post)
    preparing.cancel()

    why = shown(waiting).why
    assert waiting.state is State.PREPARING
    assert why is not None
    assert (why.code, why.text) == ("converting", "Its file is being converted into what the platform takes.")
    assert shown(waiting).renditions == [str(rendition.id)]
    again = await Rendition.get(rendition.id)
    assert again is not None
    assert again.next_at is not None
