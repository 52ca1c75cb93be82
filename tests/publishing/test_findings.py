"""Posts of the same words on one account: which one a look has found, so that none stands for two."""

import asyncio
import dataclasses
from datetime import timedelta
from uuid import uuid4

import pytest

from social.accounts.documents import Account
from social.backing import Backing
from social.backing.mongo import as_bson
from social.errors import Conflict, RetryLater
from social.jobs.running import Running
from social.moments import now
from social.people.lateness import Lateness
from social.people.roles import Caller
from social.platforms import PLATFORMS
from social.platforms.calls import Call
from social.platforms.contract import Receipt, Sought, Turn
from social.posts.documents import Post, Written
from social.posts.when import at_the_instant
from social.publishing import plan, settle, single
from social.publishing.attempts import Attempt, written
from social.publishing.documents import Publication
from social.publishing.facts import Json
from social.publishing.findings import Finding
from social.publishing.late import pass_by
from social.publishing.prepare import taken
from social.publishing.send import send_due
from social.publishing.settle import settle_due
from social.publishing.states import State
from tests.publishing.conftest import Connect, Planned, of, past, somebody, until
from tests.servers.sandbox import Sandbox

PROOF = as_bson(Receipt(id="p1", evidence="lookup"))


async def test_two_posts_of_the_same_words_are_told_apart(planned: Planned, engine: Running, sandbox: Sandbox) -> None:
    sandbox.trouble(publish=[{"hang_up": "before", "count": 1}, {"hang_up": "after", "count": 1}])
    first, second = await planned("the same"), await planned("the same")

    receipts = [(await until(post, State.ONLINE)).receipt for post in (first, second)]

    assert sandbox.texts() == ["the same"] * 2
    assert len({receipt.id for receipt in receipts if receipt}) == 2


async def test_two_looks_at_once_never_take_one_post_for_two_of_the_same_words(
    planned: Planned, backing: Backing, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts = [await planned("the same") for _ in range(2)]
    await send_due(now() + timedelta(seconds=1), backing)
    doubt = {"state": State.UNCONFIRMED, "ambiguous": True, "answered_at": None, "receipts": [], "next_at": past()}
    their_keys_are_dead = {"first_sent_at": now() - timedelta(hours=2)}
    await Publication.engine().update_many({}, {"$set": doubt | their_keys_are_dead})
    both_have_looked, find = asyncio.Barrier(2), PLATFORMS["mastodon"].find
    first_questions = iter(posts)

    async def found(call: Call, sought: Sought) -> Receipt | None:
        is_first = next(first_questions, None) is not None  # who comes too late to note what it found asks once more
        try:
            return await find(call, sought)
        finally:
            if is_first:
                await both_have_looked.wait()

    async def look(post: Post) -> None:  # as an instance that took it in the same moment as another one the other
        work = taken(backing)
        await Publication.engine().update_one({"post_id": post.id}, {"$set": {"work": as_bson(work)}})
        await settle._settle(await of(post), work, backing)

    with monkeypatch.context() as patch:
        patch.setitem(PLATFORMS, "mastodon", dataclasses.replace(PLATFORMS["mastodon"], find=found))
        await asyncio.gather(*map(look, posts))
    once = [receipt.id for post in posts for receipt in (await of(post)).receipts]
    await Publication.engine().update_many({"state": State.UNCONFIRMED}, {"$set": {"next_at": past()}})
    await settle_due(backing)

    left = [await of(post) for post in posts]
    assert len(set(once)) == len(once) >= 1
    assert [each.state for each in left] == [State.ONLINE] * 2
    assert {receipt.id for each in left for receipt in each.receipts} == {each["id"] for each in sandbox.statuses()}


async def test_a_receipt_that_comes_when_its_post_was_taken_for_another_of_the_same_words_is_not_that_one_s_too(
    planned: Planned, backing: Backing, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.trouble(publish={"hang_up": "before", "count": 1})
    lost = await planned("the same")
    await send_due(now() + timedelta(seconds=1), backing)
    late = await planned("the same")
    answered, goes_on, publish = asyncio.Event(), asyncio.Event(), PLATFORMS["mastodon"].publish

    async def published(call: Call, turn: Turn) -> Receipt:
        receipt = await publish(call, turn)
        answered.set()
        await goes_on.wait()
        return receipt

    with monkeypatch.context() as patch:  # its process stands still with the answer in hand
        patch.setitem(PLATFORMS, "mastodon", dataclasses.replace(PLATFORMS["mastodon"], publish=published))
        stands_still = asyncio.create_task(send_due(now() + timedelta(seconds=1), backing))
        await answered.wait()
        await _in_doubt_and_their_keys_are_dead(lost, late)
        await settle_due(backing)
        goes_on.set()
        await stands_still
    taken_for, left = await of(lost), await of(late)
    assert (taken_for.state, left.state, left.receipts) == (State.ONLINE, State.UNCONFIRMED, [])
    said = [attempt.receipt.id for attempt in await Attempt.history(left) if attempt.receipt]  # it stays known
    assert said == [receipt.id for receipt in taken_for.receipts]

    forgotten = {"sent_at": now() - timedelta(hours=2), "key": str(uuid4())}  # by the platform, after so long
    await _in_doubt_and_their_keys_are_dead(late, **forgotten)
    await settle_due(backing)  # it is not there
    await send_due(now() + timedelta(seconds=1), backing)

    online = [await of(lost), await of(late)]
    assert {receipt.id for each in online for receipt in each.receipts} == {each["id"] for each in sandbox.statuses()}
    assert sandbox.texts() == ["the same"] * 2


async def test_a_receipt_written_down_says_nothing_of_the_words_if_its_post_was_taken_for_another(
    planned: Planned, account: Account, backing: Backing, caller: Caller, sandbox: Sandbox
) -> None:
    first, second = [await of(await planned("the same")) for _ in range(2)]
    await Attempt.note([written(first, Receipt(id="p1"), now())])
    assert await Finding.stands_for(second, "p1", account.origin, at=backing.now())
    held = {"state": State.HELD, "ambiguous": True, "next_at": None}
    await Publication.engine().update_one({"_id": first.id}, {"$set": held})

    with pytest.raises(Conflict, match="still checking"):  # it is open whether the second one gets it
        await single.verdict(caller, str(first.id), is_there=False, url=None, backing=backing)
    await Publication.engine().update_one({"_id": second.id}, {"$set": {"receipts": [PROOF], "state": State.ONLINE}})
    again = await single.verdict(caller, str(first.id), is_there=False, url=None, backing=backing)

    assert (again.state, again.receipts, again.rev) == (State.PLANNED, [], 2)


async def test_what_is_online_in_another_workspace_is_not_taken_for_the_same_words_of_this_one(
    planned: Planned, connect: Connect, backing: Backing, sandbox: Sandbox
) -> None:
    await planned("the same", on=(await connect("grace"),))
    await send_due(now() + timedelta(seconds=1), backing)
    sandbox.trouble(publish={"hang_up": "before", "count": 1})
    bob = await somebody("Bob")
    words = Written(text="the same", accounts=(str((await connect("grace", of=bob)).id),))
    his = await plan.create(bob, words, backing)
    await plan.plan(bob, str(his.id), his.revision, at_the_instant(now(), "UTC"), backing)
    await send_due(now() + timedelta(seconds=1), backing)

    await _in_doubt_and_their_keys_are_dead(his, sent_at=now() - timedelta(hours=1))
    await settle_due(backing)
    await send_due(now() + timedelta(seconds=1), backing)

    assert (await of(his)).state is State.ONLINE
    assert sandbox.texts() == ["the same"] * 2


async def test_what_stands_for_the_same_words_of_another_workspace_is_left_to_it(
    planned: Planned, connect: Connect, backing: Backing, sandbox: Sandbox
) -> None:
    sandbox.trouble(publish=[{"hang_up": "after", "count": 1}, {"hang_up": "before", "count": 1}])
    mine = await planned("the same", on=(await connect("grace"),))
    await send_due(now() + timedelta(seconds=1), backing)
    bob = await somebody("Bob")
    words = Written(text="the same", accounts=(str((await connect("grace", of=bob)).id),))
    his = await plan.create(bob, words, backing)
    await plan.plan(bob, str(his.id), his.revision, at_the_instant(now(), "UTC"), backing)
    await send_due(now() + timedelta(seconds=1), backing)
    assert sandbox.texts() == ["the same"]
    await _in_doubt_and_their_keys_are_dead(mine, his, next_at=now() + timedelta(hours=1))
    for post in (mine, his):  # one after the other
        await Publication.engine().update_one({"post_id": post.id}, {"$set": {"next_at": past()}})
        await settle_due(backing)

    assert ((await of(mine)).state, (await of(his)).receipts) == (State.ONLINE, [])


async def test_a_look_does_not_take_what_the_key_of_another_of_the_same_words_will_bring(
    planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    sandbox.trouble(publish={"hang_up": "before", "count": 1})
    lost, there = await planned("the same"), await planned("the same")
    await send_due(now() + timedelta(seconds=1), backing)
    assert ((await of(lost)).state, (await of(there)).state) == (State.UNCONFIRMED, State.ONLINE)
    doubt = {"state": State.UNCONFIRMED, "ambiguous": True, "answered_at": None, "receipts": []}
    await Publication.engine().update_many({}, {"$set": doubt | {"next_at": now() + timedelta(hours=1)}})
    its_key_is_dead = {"first_sent_at": now() - timedelta(hours=2), "next_at": past()}
    await Publication.engine().update_one({"post_id": lost.id}, {"$set": its_key_is_dead})

    await settle_due(backing)

    left = await of(lost)
    assert (left.state, left.receipts) == (State.UNCONFIRMED, [])  # it is looked for again when the other is known


async def test_what_was_found_for_one_that_has_ended_without_it_may_be_another_s(
    planned: Planned, account: Account, backing: Backing
) -> None:
    first, second = [await of(await planned("the same")) for _ in range(2)]

    async def stands_for(publication: Publication) -> bool:
        return await Finding.stands_for(publication, "p1", account.origin, at=backing.now())

    async def ends(publication: Publication, receipt: Json) -> None:
        online = {"state": State.ONLINE, "receipts": [receipt]}
        await Publication.engine().update_one({"_id": publication.id}, {"$set": online})

    assert await stands_for(first)
    assert await stands_for(first)
    with pytest.raises(RetryLater):  # it is open whether the first one gets it
        await stands_for(second)
    await ends(first, PROOF)
    assert not await stands_for(second)
    await ends(first, PROOF | {"id": "p2"})
    assert await stands_for(second)
    await ends(second, PROOF)
    assert not await stands_for(first)


async def test_a_look_does_not_take_what_another_of_the_same_words_is_just_sending(
    planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    lost, sending = await planned("the same"), await planned("the same")
    await send_due(now() + timedelta(seconds=1), backing)  # both are there ...
    sent = now() - timedelta(seconds=10)
    doubt = {"ambiguous": True, "next_at": sent, "first_sent_at": sent, "sent_at": sent, "receipts": []}
    await Publication.engine().update_one({"post_id": lost.id}, {"$set": doubt | {"state": State.UNCONFIRMED}})
    await Attempt.find({}).delete()
    mine = {"state": State.SENDING, "token": "held", "receipts": []}  # ... but one of them is not heard of yet
    await Publication.engine().update_one({"post_id": sending.id}, {"$set": mine})

    await settle_due(backing)

    left = await of(lost)
    assert (left.state, left.receipts) == (State.WAITING, [])  # its own key will tell


@pytest.mark.parametrize("as_well", ["two\nlines", "two  lines"])
async def test_nor_what_another_is_just_sending_whose_words_the_platform_may_not_tell_from_its_own(
    as_well: str, planned: Planned, connect: Connect, backing: Backing, sandbox: Sandbox
) -> None:
    account = await connect("grace", platform="x")
    lost, sending = await planned("two lines", on=(account,)), await planned(as_well, on=(account,))
    await Publication.engine().update_one({"post_id": lost.id}, {"$set": {"next_at": now() + timedelta(hours=1)}})
    await send_due(backing.now() + timedelta(seconds=1), backing)
    assert sandbox.texts() == [as_well]
    sent = now() - timedelta(seconds=10)
    doubt = {"ambiguous": True, "next_at": sent, "first_sent_at": sent, "sent_at": sent, "attempt_no": 1}
    await Publication.engine().update_one({"post_id": lost.id}, {"$set": doubt | {"state": State.UNCONFIRMED}})
    unheard = {"state": State.SENDING, "token": "held", "receipts": [], "answered_at": None}
    await Publication.engine().update_one({"post_id": sending.id}, {"$set": unheard})

    await settle_due(backing)

    left = await of(lost)
    assert (left.state, left.receipts) == (State.UNCONFIRMED, [])


async def test_what_may_be_another_s_and_is_too_late_to_be_sent_again_is_not_called_missed(
    planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    sandbox.trouble(publish=[{"hang_up": "before", "count": 1}, {"hang_up": "after", "count": 1}])
    lost, there = await planned("the same"), await planned("the same")
    await send_due(backing.now() + timedelta(seconds=1), backing)
    assert sandbox.texts() == ["the same"]
    sent = now() - timedelta(minutes=40)  # longer than one looks, and not so long that a key dies
    doubt = {"state": State.UNCONFIRMED, "ambiguous": True, "sent_at": sent, "first_sent_at": sent, "next_at": sent}
    await Publication.engine().update_many({}, {"$set": doubt | {"token": None}})
    too_late = {"deadline": sent, "lateness": as_bson(Lateness(minutes=10, then="miss"))}
    later = {"sent_at": sent + timedelta(seconds=1)}
    await Publication.engine().update_one({"post_id": there.id}, {"$set": too_late | later})

    await settle_due(backing)
    await pass_by(backing)
    await send_due(backing.now() + timedelta(seconds=1), backing)  # the key of the first one has told
    await Publication.engine().update_one({"post_id": there.id}, {"$set": {"next_at": past()}})
    await settle_due(backing)

    online = [await of(lost), await of(there)]
    assert [each.state for each in online] == [State.ONLINE] * 2
    assert {receipt.id for each in online for receipt in each.receipts} == {each["id"] for each in sandbox.statuses()}


@pytest.mark.parametrize("with_its_address", [False, True])
async def test_what_a_person_said_is_there_is_not_taken_for_another_of_the_same_words(
    with_its_address: bool, planned: Planned, connect: Connect, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    account = await connect("grace", platform="x")
    seen, lost = await planned("the same", on=(account,)), await planned("the same", on=(account,))
    await Publication.engine().update_one({"post_id": lost.id}, {"$set": {"next_at": now() + timedelta(hours=1)}})
    await send_due(backing.now() + timedelta(seconds=1), backing)
    there = await of(seen)
    assert there.receipt is not None
    unheard = {"state": State.HELD, "ambiguous": True, "receipts": [], "answered_at": None}
    await Publication.engine().update_one({"post_id": seen.id}, {"$set": unheard})
    address = there.receipt.url if with_its_address else None
    await single.verdict(caller, str(there.id), is_there=True, url=address, backing=backing)
    doubt = {"state": State.UNCONFIRMED, "ambiguous": True, "sent_at": there.sent_at, "first_sent_at": there.sent_at}
    await Publication.engine().update_one({"post_id": lost.id}, {"$set": doubt | {"next_at": past(), "attempt_no": 1}})

    await settle_due(backing)

    left = await of(lost)
    assert (left.state, left.receipts) == (State.UNCONFIRMED if with_its_address else State.HELD, [])
    assert left.ambiguous


async def _in_doubt_and_their_keys_are_dead(*posts: Post, **given: object) -> None:
    """Each may be online, and it is time to look whether it is."""
    doubt = {"state": State.UNCONFIRMED, "ambiguous": True, "answered_at": None, "token": None, "next_at": past()}
    doubt |= {"first_sent_at": now() - timedelta(hours=2)} | given
    await Publication.engine().update_many({"post_id": {"$in": [post.id for post in posts]}}, {"$set": doubt})
