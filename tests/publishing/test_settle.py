"""What may be online although nobody heard so: looked for, believed when it is proven, never sent blindly again."""

import asyncio
import dataclasses
from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest

from social.accounts.documents import Account
from social.backing import Backing
from social.backing.mongo import NOW, as_bson
from social.errors import Conflict, Rejected, RetryLater
from social.jobs.running import Running
from social.moments import now
from social.people.lateness import Lateness
from social.people.roles import Caller
from social.platforms import PLATFORMS, mastodon
from social.platforms.calls import Call
from social.platforms.contract import Receipt, Sought, Turn
from social.platforms.x import search
from social.posts.documents import Post, Written
from social.posts.when import at_the_instant
from social.publishing import arming, claims, plan, settle, single
from social.publishing.attempts import Attempt, written
from social.publishing.documents import Publication
from social.publishing.facts import Json
from social.publishing.findings import Finding
from social.publishing.lanes import Lane
from social.publishing.late import pass_by
from social.publishing.prepare import taken
from social.publishing.reconnect import account_back
from social.publishing.send import send_due, went_out
from social.publishing.settle import settle_due
from social.publishing.states import State
from tests.publishing.conftest import Connect, Planned, of, somebody, until
from tests.servers.sandbox import Sandbox

LONG_AGO = now() - timedelta(hours=1)
PROOF = as_bson(Receipt(id="p1", evidence="lookup"))


@pytest.mark.parametrize(
    "trouble", [{"status_after": 503}, {"hang_up": "after"}, {"truncated": True}, {"garbage": True}]
)
async def test_a_lost_answer_is_looked_for_and_never_sent_twice(
    trouble: dict[str, object], planned: Planned, engine: Running, sandbox: Sandbox
) -> None:
    sandbox.trouble(publish={**trouble, "count": 1})
    post = await planned("heard once")

    publication = await until(post, State.ONLINE)

    assert sandbox.texts() == ["heard once"]
    assert publication.receipt is not None
    assert publication.receipt.evidence == "lookup"
    assert not publication.ambiguous


async def test_a_request_that_got_lost_is_sent_again_with_the_same_key(
    planned: Planned, engine: Running, sandbox: Sandbox
) -> None:
    sandbox.trouble(publish={"hang_up": "before", "count": 1})
    post = await planned("on the second try")

    publication = await until(post, State.ONLINE)

    assert sandbox.texts() == ["on the second try"]
    assert publication.attempt_no == 2
    attempts = await Attempt.history(publication)
    assert [attempt.outcome for attempt in attempts] == ["OutcomeUnknown", "Receipt"]
    assert len({attempt.key for attempt in attempts}) == 1


async def test_what_an_owner_left_in_the_air_is_settled_by_the_next(
    planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("left behind")
    claim = await claims.take(now() + timedelta(seconds=1), backing, most=10)
    assert claim is not None
    armed = await arming.arm([await of(post)], token=claim.token, at=NOW)
    assert len(armed) == 1
    dead = msgspec.structs.replace(backing.owner, started=1)
    await Lane.engine().update_many({}, {"$set": {"owner": msgspec.to_builtins(dead)}})
    await Publication.engine().update_many({}, {"$set": {"owner": msgspec.to_builtins(dead)}})

    assert await Lane.free_the_dead(backing.owner) == 1
    await send_due(now() + timedelta(seconds=1), backing)

    doubted = await of(post)
    assert (doubted.state, doubted.ambiguous) == (State.UNCONFIRMED, True)
    assert sandbox.texts() == []

    await settle_due(backing)
    await asyncio.sleep(0)
    assert (await of(post)).state in (State.UNCONFIRMED, State.WAITING)


async def test_what_was_left_in_the_air_is_found_behind_a_long_line_of_another_account(
    planned: Planned, connect: Connect, backing: Backing
) -> None:
    line, left = [await planned(f"in line {n}") for n in range(3)], await planned("left", on=(await connect("bert"),))
    ages_ago = now() - timedelta(hours=1)
    long_ago = {"next_at": ages_ago, "due_at": ages_ago, "updated_at": ages_ago, "token": "somebody"}
    await Publication.engine().update_many({}, {"$set": long_ago | {"state": State.QUEUED}})
    at_work = {"token": "somebody", "lease_until": now() + timedelta(minutes=1)}
    await Lane.engine().update_one({"_id": (await of(line[0])).account_id}, {"$set": at_work})
    sent = {"state": State.SENDING, "sent_at": ages_ago, "next_at": ages_ago + timedelta(seconds=1), "token": "nobody"}
    await Publication.engine().update_one({"post_id": left.id}, {"$set": sent})

    claim = await claims.take(now() + timedelta(seconds=1), backing, most=len(line))

    assert claim is not None
    assert [each.post_id for each in await claim.left_sending()] == [left.id]


async def test_a_receipt_that_comes_late_is_a_fact_whoever_holds_the_lane(planned: Planned, backing: Backing) -> None:
    post = await planned("late but true")
    claim = await claims.take(now() + timedelta(seconds=1), backing, most=10)
    assert claim is not None
    publication = await of(post)
    assert await arming.arm([publication], token=claim.token, at=NOW)
    armed = await of(post)
    await Publication.engine().update_one(
        {"_id": publication.id}, {"$set": {"token": "another", "state": State.UNCONFIRMED}}
    )

    await went_out(armed, Receipt(id="42"), backing)

    seen = await of(post)
    assert (seen.state, seen.receipt and seen.receipt.id) == (State.ONLINE, "42")


@pytest.mark.parametrize(("deaths", "looked_for"), [(3, True), (6, False)], ids=["of its sending", "of its looks"])
async def test_what_processes_died_of_is_looked_for_once_more_unless_they_die_of_the_look(
    deaths: int, looked_for: bool, planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("poison")
    doubt = {"state": State.UNCONFIRMED, "ambiguous": True, "next_at": now(), "attempt_no": 3, "deaths": deaths}
    await Publication.engine().update_one({"_id": (await of(post)).id}, {"$set": doubt | {"sent_at": now()}})
    asked = len(sandbox.requests("GET"))

    await settle_due(backing)

    parked = await of(post)
    assert (parked.state, parked.reason and parked.reason.code) == (State.HELD, "poison")
    assert parked.work is None
    assert (len(sandbox.requests("GET")) > asked) is looked_for


async def test_a_receipt_written_down_settles_without_asking_the_platform(
    planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("known already")
    publication = await of(post)
    doubt = {"state": State.UNCONFIRMED, "ambiguous": True, "next_at": now(), "attempt_no": 1}
    await Publication.engine().update_one({"_id": publication.id}, {"$set": doubt})
    await Attempt(
        workspace_id=publication.workspace_id,
        publication_id=publication.id,
        rev=1,
        n=1,
        fence=1,
        key=publication.key,
        sent_at=now(),
        answered_at=now(),
        outcome="Receipt",
        receipt=Receipt(id="42"),
    ).insert()

    await settle_due(backing)

    seen = await of(post)
    assert (seen.state, seen.receipt and seen.receipt.id) == (State.ONLINE, "42")
    assert sandbox.statuses() == []


async def test_a_repeat_that_waited_beyond_its_keys_life_is_looked_for_and_not_sent(
    planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("stopped in between")
    long_ago = now() - PLATFORMS["mastodon"].replay_for
    repeat = {"state": State.WAITING, "ambiguous": True, "first_sent_at": long_ago, "sent_at": long_ago}
    await Publication.engine().update_one({"post_id": post.id}, {"$set": repeat | {"attempt_no": 1}})

    await send_due(now() + timedelta(seconds=1), backing)

    publication = await of(post)
    assert sandbox.texts() == []
    assert (publication.state, publication.ambiguous, publication.attempt_no) == (State.UNCONFIRMED, True, 1)
    assert publication.next_at is not None


async def test_a_refusal_for_the_lost_login_is_not_believed_once_it_is_back(
    planned: Planned, account: Account, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("in doubt")
    sent = now() - timedelta(seconds=10)
    doubt = {
        "state": State.HELD,
        "reason": {"code": "disconnected", "text": "gone"},
        "next_at": None,
        "ambiguous": True,
        "attempt_no": 2,
        "sent_at": sent,
        "first_sent_at": sent,
        "refusal": {"kind": "Disconnected", "sentence": "gone"},
    }
    await Publication.engine().update_one({"post_id": post.id}, {"$set": doubt})

    await account_back(account, backing)
    await settle_due(backing)

    assert (await of(post)).state is State.WAITING


async def test_one_account_is_asked_a_few_things_at_a_time(
    planned: Planned, connect: Connect, account: Account, backing: Backing, sandbox: Sandbox
) -> None:
    other = await connect("other")
    posts = [await planned(f"post {n}") for n in range(8)]
    elsewhere = await planned("elsewhere", on=(other,))
    sent = now() - timedelta(seconds=1)
    doubt = {"state": State.UNCONFIRMED, "ambiguous": True, "next_at": sent, "sent_at": sent, "attempt_no": 1}
    await Publication.engine().update_many({}, {"$set": doubt | {"first_sent_at": sent}})

    begun = now()
    work = taken(backing)
    first = await Publication.take_to_settle(work, most=50, few=3, apart=timedelta(seconds=10), at=now())
    assert await Publication.take_to_settle(taken(backing), most=50, few=3, apart=timedelta(seconds=10), at=now()) == []

    assert sorted(str(each.account_id) for each in first) == sorted([str(account.id)] * 3 + [str(other.id)])
    assert (await of(elsewhere)).work is not None
    put_off = [each for each in [await of(post) for post in posts] if each.work is None]
    waits = sorted(round((each.next_at - begun).total_seconds()) for each in put_off if each.next_at)
    assert waits == [10, 10, 10, 20, 20]


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
    doubt = {"state": State.UNCONFIRMED, "ambiguous": True, "answered_at": None, "receipts": [], "next_at": now()}
    their_keys_are_dead = {"first_sent_at": now() - timedelta(hours=2)}
    await Publication.engine().update_many({}, {"$set": doubt | their_keys_are_dead})
    both_have_looked, find = asyncio.Barrier(2), PLATFORMS["mastodon"].find

    async def found(call: Call, sought: Sought) -> Receipt | None:
        there = await find(call, sought)
        await both_have_looked.wait()
        return there

    async def look(post: Post) -> None:  # as an instance that took it in the same moment as another one the other
        work = taken(backing)
        await Publication.engine().update_one({"post_id": post.id}, {"$set": {"work": as_bson(work)}})
        await settle._settle(await of(post), work, backing)

    with monkeypatch.context() as patch:
        patch.setitem(PLATFORMS, "mastodon", dataclasses.replace(PLATFORMS["mastodon"], find=found))
        await asyncio.gather(*map(look, posts))
    once = [receipt.id for post in posts for receipt in (await of(post)).receipts]
    await Publication.engine().update_many({"state": State.UNCONFIRMED}, {"$set": {"next_at": now()}})
    await settle_due(backing)

    left = [await of(post) for post in posts]
    assert len(once) == 1
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
        await Publication.engine().update_one({"post_id": post.id}, {"$set": {"next_at": now()}})
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
    its_key_is_dead = {"first_sent_at": now() - timedelta(hours=2), "next_at": now()}
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
    await Publication.engine().update_one({"post_id": there.id}, {"$set": {"next_at": now()}})
    await settle_due(backing)

    online = [await of(lost), await of(there)]
    assert [each.state for each in online] == [State.ONLINE] * 2
    assert {receipt.id for each in online for receipt in each.receipts} == {each["id"] for each in sandbox.statuses()}


async def test_what_the_platform_calls_a_duplicate_of_itself_asks_a_person(
    planned: Planned, connect: Connect, backing: Backing, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await connect("grace", platform="x")
    post = await planned("said twice", on=(account,))

    async def has_it(call: Call, turn: Turn) -> Receipt:
        raise Rejected("It is there already.", code="duplicate")

    monkeypatch.setitem(PLATFORMS, "x", dataclasses.replace(PLATFORMS["x"], publish=has_it))
    absent = {"attempt_no": 1, "tries": 1, "first_sent_at": now() - timedelta(minutes=1)}  # so the looks had it
    await Publication.engine().update_one({"post_id": post.id}, {"$set": absent})

    await send_due(now() + timedelta(seconds=1), backing)

    doubted = await of(post)
    assert (doubted.state, doubted.ambiguous) == (State.UNCONFIRMED, True)
    long_ago = now() - timedelta(minutes=1)
    await Publication.engine().update_one({"post_id": post.id}, {"$set": {"sent_at": long_ago, "next_at": long_ago}})
    await settle_due(backing)
    asking = await of(post)
    assert (asking.state, asking.ambiguous, asking.next_at) == (State.HELD, True, None)
    assert asking.reason is not None
    assert "has this already" in asking.reason.text


async def test_who_takes_it_for_a_look_does_not_set_the_time_of_its_last_change_back(
    planned: Planned, backing: Backing
) -> None:
    post, ahead = await planned("changed on a machine whose clock is fast"), now() + timedelta(hours=1)
    doubted = {"state": State.UNCONFIRMED, "ambiguous": True, "next_at": now(), "updated_at": ahead}
    await Publication.engine().update_one({"post_id": post.id}, {"$set": doubted})

    [looked_for] = await Publication.take_to_settle(
        taken(backing), most=1, few=1, apart=timedelta(), at=backing.now() + timedelta(seconds=1)
    )

    assert looked_for.updated_at > ahead  # browsers believe the latest


async def test_what_a_person_did_not_see_and_the_platform_has_already_is_not_called_failed(
    planned: Planned, connect: Connect, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("there after all", on=(await connect("ada", platform="x"),))
    await send_due(backing.now() + timedelta(seconds=1), backing)
    assert (await of(post)).state is State.ONLINE
    unheard = {"state": State.HELD, "ambiguous": True, "receipts": [], "answered_at": None, "sent_at": LONG_AGO}
    await Publication.engine().update_one({"post_id": post.id}, {"$set": unheard})

    await single.verdict(caller, str((await of(post)).id), is_there=False, url=None, backing=backing)
    await send_due(backing.now() + timedelta(seconds=1), backing)

    refused = await of(post)
    assert (refused.state, refused.ambiguous, refused.attempt_no) == (State.UNCONFIRMED, True, 2)
    assert sandbox.texts() == ["there after all"]


async def test_that_it_is_not_there_is_not_believed_while_the_first_one_may_still_arrive(
    planned: Planned, caller: Caller, backing: Backing
) -> None:
    publication = await of(await planned("on its way", due_at=now() + timedelta(hours=1)))
    held = {"state": State.HELD, "ambiguous": True, "next_at": None, "sent_at": backing.now()}
    await Publication.engine().update_one({"_id": publication.id}, {"$set": held})

    with pytest.raises(Conflict, match="may still arrive"):
        await single.verdict(caller, str(publication.id), is_there=False, url=None, backing=backing)
    a_while_ago = {"sent_at": backing.now() - timedelta(seconds=backing.settings.times.lease)}
    await Publication.engine().update_one({"_id": publication.id}, {"$set": a_while_ago})
    again = await single.verdict(caller, str(publication.id), is_there=False, url=None, backing=backing)

    assert (again.state, again.rev) == (State.PLANNED, 2)


async def test_what_processes_died_of_and_a_person_tries_again_is_looked_for_with_all_its_lives(
    planned: Planned, caller: Caller, backing: Backing
) -> None:
    publication = await of(await planned("left alone"))
    sent = {"attempt_no": 3, "first_sent_at": LONG_AGO, "sent_at": LONG_AGO, "next_at": None}
    parked = {"state": State.HELD, "ambiguous": True, "deaths": 3} | sent
    await Publication.engine().update_one({"_id": publication.id}, {"$set": parked})

    await single.again(caller, str(publication.id), backing)
    await settle_due(backing)

    tried = await Publication.get(publication.id)
    assert tried is not None
    assert (tried.state, tried.deaths) == (State.WAITING, 0)


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
    await Publication.engine().update_one({"post_id": lost.id}, {"$set": doubt | {"next_at": now(), "attempt_no": 1}})

    await settle_due(backing)

    left = await of(lost)
    assert (left.state, left.receipts) == (State.UNCONFIRMED if with_its_address else State.HELD, [])
    assert left.ambiguous


@pytest.mark.parametrize("platform", ["x", "mastodon"])
async def test_what_lies_behind_more_than_a_look_can_see_asks_a_person(
    platform: str, planned: Planned, connect: Connect, backing: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = await planned("long ago", on=(await connect("grace", platform=platform),))
    sent = now() - timedelta(hours=3)
    doubt = {"state": State.UNCONFIRMED, "ambiguous": True, "next_at": sent, "first_sent_at": sent, "sent_at": sent}
    await Publication.engine().update_one({"post_id": post.id}, {"$set": doubt})
    monkeypatch.setattr({"x": search, "mastodon": mastodon}[platform], "PAGES", 0)  # so much has been posted since

    await settle_due(backing)

    asking = await of(post)
    assert (asking.state, asking.ambiguous, asking.next_at) == (State.HELD, True, None)
    assert asking.reason is not None
    assert "is it there, or shall we send it again?" in asking.reason.text


async def _in_doubt_and_their_keys_are_dead(*posts: Post, **given: object) -> None:
    """Each may be online, and it is time to look whether it is."""
    doubt = {"state": State.UNCONFIRMED, "ambiguous": True, "answered_at": None, "token": None, "next_at": now()}
    doubt |= {"first_sent_at": now() - timedelta(hours=2)} | given
    await Publication.engine().update_many({"post_id": {"$in": [post.id for post in posts]}}, {"$set": doubt})
