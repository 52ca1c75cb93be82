"""What a newer version has written, and this one cannot read, waits for that one and keeps back nobody else."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from social.accounts.documents import Account
from social.backing import Backing
from social.errors import Newer
from social.moments import now
from social.people.roles import Caller
from social.posts.documents import Post
from social.publishing.documents import Publication
from social.publishing.facts import EPOCH
from social.publishing.holds import Hold, hold, keep_holding, resume
from social.publishing.lanes import Lane
from social.publishing.late import TOGETHER, pass_by
from social.publishing.prepare import prepare_due
from social.publishing.reconnect import account_lost, all_back
from social.publishing.send import send_due
from social.publishing.settle import settle_due
from social.publishing.states import DEATHS, State
from social.publishing.tellings import Telling, tell_for_the_dead
from tests.publishing.conftest import Connect, Planned, of, past, somebody
from tests.servers.sandbox import Sandbox

Json = dict[str, Any]


async def stored(post: Post) -> Json:
    """The only publication of a post, as it is stored."""
    found = await Publication.engine().find_one({"post_id": post.id})
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("of_the_publication", "of_the_account"),
    [
        ({"platform": "myspace"}, {"platform": "myspace"}),
        ({}, {"way": "by carrier pigeon"}),
        ({}, {"limits": {"text": 500, "counted_as": "syllables"}}),
        ({"content.text": ["so", "many", "pieces"]}, {}),
    ],
)
async def test_other_accounts_go_on(
    of_the_publication: Json,
    of_the_account: Json,
    planned: Planned,
    account: Account,
    connect: Connect,
    backing: Backing,
    sandbox: Sandbox,
) -> None:
    newer, other = await planned("newer"), await planned("other", on=(await connect("bert"),))
    await Publication.engine().update_one({"post_id": newer.id}, {"$set": of_the_publication | {"note": "newer"}})
    await Account.get_pymongo_collection().update_one({"_id": account.id}, {"$set": of_the_account | {"note": "newer"}})

    await send_due(backing.now() + timedelta(seconds=1), backing)

    assert (await of(other)).state is State.ONLINE
    left = await stored(newer)
    assert (left["state"], left["token"], left["attempt_no"]) == (State.PLANNED, None, 0)
    assert sandbox.texts() == ["other"]


async def test_others_on_the_same_account_go_on(planned: Planned, backing: Backing, sandbox: Sandbox) -> None:
    newer, other = await planned("newer", due_at=now() - timedelta(seconds=1)), await planned("other")
    await Publication.engine().update_one({"post_id": newer.id}, {"$set": {"content.text": ["many", "pieces"]}})

    await send_due(backing.now() + timedelta(seconds=1), backing)

    assert (await of(other)).state is State.ONLINE
    assert sandbox.texts() == ["other"]


async def test_others_are_looked_for(planned: Planned, connect: Connect, backing: Backing) -> None:
    newer, other = await planned("newer"), await planned("other", on=(await connect("bert"),))
    doubted = {"state": State.UNCONFIRMED, "ambiguous": True, "next_at": past(), "sent_at": now(), "attempt_no": 1}
    await Publication.engine().update_many({}, {"$set": doubted})
    await Publication.engine().update_one({"post_id": newer.id}, {"$set": {"content.text": ["many", "pieces"]}})

    await settle_due(backing)

    assert (await stored(other))["looks"] == 1


async def test_what_others_were_sending_when_their_process_died_is_doubted(
    planned: Planned, connect: Connect, backing: Backing
) -> None:
    newer, other = await planned("newer"), await planned("other", on=(await connect("bert"),))
    armed = {"state": State.SENDING, "token": "of the dead", "sent_at": now() - timedelta(minutes=5), "attempt_no": 1}
    await Publication.engine().update_many({}, {"$set": armed})
    await Lane.engine().update_many({}, {"$set": {"token": "of the dead", "lease_until": EPOCH}})
    await _written_by_a_newer_version(newer)

    await send_due(backing.now() + timedelta(seconds=1), backing)

    assert [(await stored(each))["state"] for each in (newer, other)] == [State.SENDING, State.UNCONFIRMED]


async def test_others_that_are_too_late_are_given_up(planned: Planned, backing: Backing) -> None:
    newer, other = await planned("newer"), await planned("other")
    await Publication.engine().update_many({}, {"$set": {"deadline": now() - timedelta(minutes=1)}})
    await _written_by_a_newer_version(newer)

    await pass_by(backing)

    assert [(await stored(each))["state"] for each in (newer, other)] == [State.PLANNED, State.HELD]


async def test_however_many_are_too_late_others_are_given_up(planned: Planned, backing: Backing) -> None:
    newer, other = await planned("newer"), await planned("other")
    await Publication.engine().update_many({}, {"$set": {"deadline": now() - timedelta(minutes=1)}})
    await _written_by_a_newer_version(newer)
    one = await stored(newer) | {"deadline": now() - timedelta(hours=1)}
    many = [one | {"_id": ObjectId(), "post_id": ObjectId()} for _ in range(2 * TOGETHER)]
    await Publication.engine().insert_many(many)

    await pass_by(backing)

    assert (await of(other)).state is State.HELD
    assert await Publication.engine().count_documents({"state": State.PLANNED}) == len(many) + 1


async def test_others_are_held_and_go_on_when_the_hold_ends(planned: Planned, caller: Caller, backing: Backing) -> None:
    ahead = now() + timedelta(hours=1)
    newer, other = await planned("newer", due_at=ahead), await planned("other", due_at=ahead)
    await _written_by_a_newer_version(newer)

    made = (await hold(caller, "workspace", backing)).hold
    held = [(await stored(each))["state"] for each in (newer, other)]
    await resume(caller, str(made.id), backing)
    await keep_holding(backing)

    assert held == [State.HELD] * 2
    assert [(await stored(each))["state"] for each in (newer, other)] == [State.HELD, State.PLANNED]


async def test_others_of_whom_a_dead_process_did_not_tell_are_told_of(planned: Planned, backing: Backing) -> None:
    newer, other = await planned("newer"), await planned("other")
    await _written_by_a_newer_version(newer)
    for name, post in (("first", newer), ("second", other)):
        ids = [(await stored(post))["_id"]]
        await Telling.begin(name, ids, owner=backing.owner, at=now() - timedelta(hours=1))

    await tell_for_the_dead(backing)

    assert await Telling.find({}).count() == 0


async def test_another_on_the_same_profile_is_looked_for(planned: Planned, backing: Backing) -> None:
    newer, other = await planned("newer"), await planned("other")
    await send_due(backing.now() + timedelta(seconds=1), backing)
    doubted = {"state": State.UNCONFIRMED, "ambiguous": True, "next_at": past(), "receipts": [], "answered_at": None}
    await Publication.engine().update_one({"post_id": other.id}, {"$set": doubted})
    await Publication.engine().update_one({"post_id": newer.id}, {"$set": doubted | {"next_at": ahead()}})
    await _written_by_a_newer_version(newer)

    await settle_due(backing)

    assert (await of(other)).state is State.ONLINE


@pytest.mark.parametrize("of_it", [{"content.text": ["many", "pieces"]}, {"platform": "myspace"}])
async def test_to_have_taken_it_and_not_understood_it_is_no_death_of_a_process(
    of_it: Json, planned: Planned, backing: Backing
) -> None:
    prepared, doubted = await planned("newer", due_at=ahead()), await planned("newer and in doubt")
    await Publication.engine().update_one({"post_id": prepared.id}, {"$set": {"prepare_at": past()} | of_it})
    doubt = {"state": State.UNCONFIRMED, "ambiguous": True, "next_at": past(), "sent_at": now(), "attempt_no": 1}
    await Publication.engine().update_one({"post_id": doubted.id}, {"$set": doubt | of_it})

    for _ in range(DEATHS + 1):
        await prepare_due(backing)
        await settle_due(backing)
        long_ago = {"work.lease_until": EPOCH}
        await Publication.engine().update_many({"work": {"$type": "object"}}, {"$set": long_ago})
        await Publication.engine().update_one({"post_id": prepared.id}, {"$set": {"prepare_at": past()}})
        await Publication.engine().update_one({"post_id": doubted.id}, {"$set": {"next_at": past()}})

    assert [(await stored(each))["deaths"] for each in (prepared, doubted)] == [0, 0]


async def test_nor_is_it_one_where_its_account_is_not_understood(
    planned: Planned, account: Account, backing: Backing
) -> None:
    prepared, doubted = await planned("to prepare", due_at=ahead()), await planned("in doubt")
    await Publication.engine().update_one({"post_id": prepared.id}, {"$set": {"prepare_at": past()}})
    doubt = {"state": State.UNCONFIRMED, "ambiguous": True, "next_at": past(), "sent_at": now(), "attempt_no": 1}
    await Publication.engine().update_one({"post_id": doubted.id}, {"$set": doubt})
    await Account.get_pymongo_collection().update_one({"_id": account.id}, {"$set": {"way": "by carrier pigeon"}})

    await prepare_due(backing)
    await settle_due(backing)

    left = [await of(post) for post in (prepared, doubted)]
    assert [(each.state, each.work, each.tries) for each in left] == [
        (State.WAITING, None, 0),
        (State.UNCONFIRMED, None, 0),
    ]


async def test_what_was_not_understood_is_asked_for_again_after_a_while(planned: Planned, backing: Backing) -> None:
    post = await planned("newer", due_at=ahead())
    await Publication.engine().update_one({"post_id": post.id}, {"$set": {"prepare_at": past()}})
    await _written_by_a_newer_version(post)

    await prepare_due(backing)
    soon, later = backing.now(), backing.now() + timedelta(seconds=2 * backing.settings.times.lease)

    assert await _how_many_may_be_prepared(soon) == 0
    assert await _how_many_may_be_prepared(later) == 1


async def test_a_hold_that_is_not_understood_goes_on_holding_and_others_are_kept(
    planned: Planned, connect: Connect, caller: Caller, backing: Backing
) -> None:
    newer = (await hold(caller, "platform", backing, platform="mastodon")).hold
    whole = (await hold(stranger := await somebody("Bert"), "workspace", backing)).hold
    await Hold.engine().update_one({"_id": newer.id}, {"$set": {"note": ["many", "words"]}})
    theirs = await connect("bert", of=stranger)

    post = await planned("held", on=(await connect("carla"),), due_at=ahead())
    await keep_holding(backing)

    assert (await of(post)).state is State.HELD
    assert [each["holds"] async for each in Lane.engine().find({"_id": theirs.id})] == [[whole.id]]
    with pytest.raises(Newer):
        await resume(caller, str(newer.id), backing)
    assert await Hold.engine().count_documents({"_id": newer.id}) == 1


async def test_a_hold_of_a_kind_that_is_not_known_holds_what_it_has_held(
    planned: Planned, account: Account, caller: Caller, backing: Backing
) -> None:
    before = await planned("held", due_at=ahead())
    made = (await hold(caller, "account", backing, account_id=str(account.id))).hold
    await Hold.engine().update_one({"_id": made.id}, {"$set": {"scope": "campaign"}})

    after = await planned("planned under it", due_at=ahead())
    await keep_holding(backing)

    assert [(await of(post)).state for post in (before, after)] == [State.HELD] * 2


async def test_others_whose_account_came_back_go_on(
    planned: Planned, account: Account, connect: Connect, backing: Backing
) -> None:
    other = await connect("bert")
    post = await planned("other", on=(other,), due_at=ahead())
    await account_lost(other, backing)
    await Account.get_pymongo_collection().update_one({"_id": account.id}, {"$set": {"way": "by carrier pigeon"}})

    await all_back(backing)

    assert (await of(post)).state is State.PLANNED


async def test_others_profiles_are_read(account: Account, connect: Connect, backing: Backing) -> None:
    other = await connect("bert")
    await Account.get_pymongo_collection().update_many({}, {"$set": {"limits_read_at": EPOCH}})
    await Account.get_pymongo_collection().update_one({"_id": account.id}, {"$set": {"way": "by carrier pigeon"}})

    stale = await Account.take_stale(now() - timedelta(hours=1))

    assert stale is not None
    assert stale.id == other.id


async def test_what_was_made_for_it_is_kept(planned: Planned, backing: Backing) -> None:
    post = await planned("newer", due_at=ahead())
    file = {"media_id": "m", "rendition": "made for it"}
    await Publication.engine().update_one(
        {}, {"$set": {"content.media": [file], "content.thread": [{"media": [file]}]}}
    )
    await _written_by_a_newer_version(post)

    assert await Publication.renditions_shown(["made for it"], since=now()) == {"made for it"}
    assert await Publication.needed(post.workspace_id, ["made for it"]) == {"made for it"}


async def _how_many_may_be_prepared(at: datetime) -> int:
    return await Publication.engine().count_documents({"prepare_at": {"$lte": at}, "work": None})


def ahead() -> datetime:
    """A time to come."""
    return now() + timedelta(hours=1)


async def _written_by_a_newer_version(post: Post) -> None:
    await Publication.engine().update_one({"post_id": post.id}, {"$set": {"content.text": ["many", "pieces"]}})
