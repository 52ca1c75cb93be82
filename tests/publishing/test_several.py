"""One word for many publications: each is decided by itself, and the answer says what came of each."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from beanie import PydanticObjectId
from bson import ObjectId

from social.accounts.documents import Account
from social.backing import Backing
from social.backing.mongo import as_bson
from social.jobs.running import Running
from social.moments import now
from social.people.roles import Caller, Role
from social.platforms import PLATFORMS
from social.platforms.contract import MediaItem, Prepared
from social.posts.documents import Post
from social.publishing import holds, several, single
from social.publishing.documents import Publication
from social.publishing.prepare import prepare_due
from social.publishing.several import Decided
from social.publishing.states import State
from tests.publishing.conftest import Connect, Planned, of, somebody, until
from tests.servers.sandbox import Sandbox

Kept = tuple[list[Publication], list[str]]


@pytest.fixture
async def late(backing: Backing, caller: Caller, connect: Connect, planned: Planned) -> Kept:
    """Six publications on two accounts whose time passed while everything was held, the latest planned first."""
    two = [await connect("anna"), await connect("bert")]
    began = now()
    held = (await holds.hold(caller, "workspace", backing)).hold
    posts = [await planned(f"late {n}", on=(two[n % 2],), due_at=began + timedelta(seconds=6 - n)) for n in range(6)]
    past = {"due_at": began - timedelta(hours=1)}
    for n, post in enumerate(posts):
        its = past | {"due_at": past["due_at"] - timedelta(minutes=n)}
        await Publication.engine().update_many({"post_id": post.id}, {"$set": its})
    assert (await holds.resume(caller, str(held.id), backing)).late == 6
    found = [await of(post) for post in posts]
    return found, [str(each.id) for each in found]


def outcomes(decided: Sequence[Decided]) -> list[str]:
    return [each.outcome for each in decided]


async def test_what_a_stop_kept_back_goes_out_on_one_word_in_due_order_and_not_as_a_burst(
    backing: Backing, caller: Caller, late: Kept, sandbox: Sandbox, engine: Running
) -> None:
    publications, ids = late
    spaced = msgspec.structs.replace(backing.settings.times, spacing=1.5)
    own = replace(backing, settings=msgspec.structs.replace(backing.settings, times=spaced))

    decided = await several.send_now(caller, ids, own)
    repeated = await several.send_now(caller, ids, own)

    assert [each.id for each in decided] == ids
    assert outcomes(decided) == ["done"] * 6
    assert outcomes(repeated) == ["already"] * 6
    for each in publications:
        async with asyncio.timeout(20):
            while (await Publication.get(each.id)).state is not State.ONLINE:  # type: ignore[union-attr]
                await asyncio.sleep(0.05)
    assert sorted(sandbox.texts()) == [f"late {n}" for n in range(6)]
    for account in {each.account_id for each in publications}:
        its = await Publication.find({"account_id": account}).sort("due_at").to_list()
        sent = [each.sent_at for each in its if each.sent_at]
        gaps = [(after - before).total_seconds() for before, after in pairwise(sent)]
        assert all(gap > 1.2 for gap in gaps), gaps


async def test_what_is_let_go_by_several_words_goes_out_one_by_one_too(
    backing: Backing, caller: Caller, late: Kept
) -> None:
    publications, ids = late

    for some in (ids[:4], ids[4:]):  # as a browser does it that lets many go
        assert outcomes(await several.send_now(caller, some, backing)) == ["done"] * len(some)

    for account in {each.account_id for each in publications}:
        line = await Publication.find({"account_id": account}).sort("next_at").to_list()
        places = [each.next_at for each in line if each.next_at]
        gaps = [after - before for before, after in pairwise(places)]
        assert all(gap > backing.settings.times.timedelta("spacing") * 0.9 for gap in gaps), gaps


async def test_what_must_be_prepared_first_keeps_its_place_in_line(
    backing: Backing, caller: Caller, late: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(*given: Any) -> Prepared:
        return Prepared()

    platform = replace(PLATFORMS["mastodon"], prepare=at_once, ready=at_once)
    monkeypatch.setitem(PLATFORMS, "mastodon", platform)
    publications, ids = late
    picture = as_bson(MediaItem(media_id="m", key="k", mime="image/png", bytes=1, width=1, height=1))
    await Publication.engine().update_many({}, {"$set": {"content.media": [picture]}})

    assert outcomes(await several.send_now(caller, ids, backing)) == ["done"] * 6
    await prepare_due(backing)

    for account in {each.account_id for each in publications}:
        line = await Publication.find({"account_id": account}).sort("due_at").to_list()
        assert [each.state for each in line] == [State.PREPARED] * 3
        places = [each.next_at for each in line[1:] if each.next_at]
        assert places[0] > now()
        assert places[1] - places[0] > backing.settings.times.timedelta("spacing") * 0.9


async def test_each_is_told_what_came_of_it_and_why(
    backing: Backing, caller: Caller, account: Account, planned: Planned, late: Kept
) -> None:
    _, ids = late
    later = await of(await planned("tomorrow", due_at=now() + timedelta(days=1)))
    strangers = await of(await planned("another's"))
    other = await somebody("Bob")
    await Publication.engine().update_one({"_id": strangers.id}, {"$set": {"workspace_id": other.workspace_id}})
    await several.send_now(caller, ids[:1], backing)

    asked = [ids[0], ids[1], ids[1], str(later.id), str(strangers.id), str(ObjectId()), "nonsense"]
    decided = await several.send_now(caller, asked, backing)

    assert [(each.id, each.outcome, each.refusal.kind if each.refusal else None) for each in decided] == [
        (ids[0], "already", None),
        (ids[1], "done", None),
        (str(later.id), "refused", "conflict"),
        (str(strangers.id), "refused", "not-found"),
        (asked[5], "refused", "not-found"),
        ("nonsense", "refused", "not-found"),
    ]
    assert all(each.refusal is None or each.refusal.sentence for each in decided)
    assert (await of_id(later)).state is State.PLANNED


async def test_an_author_decides_about_their_own_alone(backing: Backing, caller: Caller, late: Kept) -> None:
    publications, ids = late
    author = msgspec.structs.replace(caller, user_id=PydanticObjectId(), role=Role.AUTHOR)
    await Post.get_pymongo_collection().update_one(
        {"_id": publications[2].post_id}, {"$set": {"author_id": author.user_id}}
    )

    decided = await several.cancel(author, ids, backing)

    assert outcomes(decided) == ["refused", "refused", "done", "refused", "refused", "refused"]
    assert {each.refusal.kind for each in decided if each.refusal} == {"forbidden"}


async def test_cancelled_together_a_post_becomes_a_draft_again_and_twice_is_once(
    backing: Backing, caller: Caller, connect: Connect, planned: Planned
) -> None:
    three = [await connect(name) for name in ("anna", "bert", "cleo")]
    post = await planned("everywhere", on=tuple(three), due_at=now() + timedelta(hours=1))
    ids = [str(each.id) for each in await Publication.of_post(caller, post.id)]

    first = await several.cancel(caller, ids, backing)
    second = await several.cancel(caller, ids, backing)

    assert (outcomes(first), outcomes(second)) == (["done"] * 3, ["already"] * 3)
    assert (await Post.found(caller, str(post.id))).draft


async def test_what_is_out_or_on_its_way_is_not_cancelled_with_the_rest(
    backing: Backing, caller: Caller, planned: Planned, engine: Running, sandbox: Sandbox
) -> None:
    out = await until(await planned("out"), State.ONLINE)
    later = await of(await planned("later", due_at=now() + timedelta(hours=1)))

    decided = await several.cancel(caller, [str(out.id), str(later.id)], backing)

    assert outcomes(decided) == ["refused", "done"]
    assert (await of_id(out)).state is State.ONLINE


async def test_two_who_cancel_the_last_two_of_a_post_at_once_make_it_a_draft(
    backing: Backing, caller: Caller, connect: Connect, planned: Planned
) -> None:
    two = [await connect(name) for name in ("anna", "bert")]
    for n in range(3):
        post = await planned(f"race {n}", on=tuple(two), due_at=now() + timedelta(hours=1))
        ids = [str(each.id) for each in await Publication.of_post(caller, post.id)]

        await asyncio.gather(*(single.cancel(caller, id, backing) for id in ids))

        assert (await Post.found(caller, str(post.id))).draft


async def of_id(publication: Publication) -> Publication:
    found = await Publication.get(publication.id)
    assert found is not None
    return found
