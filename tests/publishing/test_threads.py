"""Parts of a thread: one after another, each once, whatever happens in between; and what becomes of half a thread."""

import asyncio
import dataclasses
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from social.accounts.documents import Account
from social.backing import Backing
from social.backing.mongo import NOW
from social.errors import Conflict, PlatformError, Rejected, RetryLater
from social.jobs.running import Running
from social.moments import now
from social.outbox.documents import Row
from social.people.roles import Caller
from social.platforms import PLATFORMS
from social.platforms.calls import Call
from social.platforms.contract import Receipt, Turn
from social.posts.when import at_the_instant
from social.publishing import arming, claims, plan, single
from social.publishing.attempts import Attempt, written
from social.publishing.documents import Publication
from social.publishing.reconnect import account_back, account_lost
from social.publishing.send import send_due, went_out
from social.publishing.settle import settle_due
from social.publishing.states import State
from tests.publishing.conftest import Planned, of, past, until
from tests.servers.sandbox import Sandbox

LOST = {"hang_up": "after", "count": 1}  # the post is made, its answer is not heard
FINE = {"delay_before": 0.001, "count": 1}
SOON = timedelta(seconds=1)


def in_a_chain(sandbox: Sandbox, *texts: str) -> None:
    """What is online is `texts`, in order, each a reply to the one before."""
    online = sandbox.statuses()
    assert [status["text"] for status in online] == list(texts)
    assert [status["in_reply_to_id"] for status in online] == [None, *(status["id"] for status in online[:-1])]


def answering(monkeypatch: pytest.MonkeyPatch, *, part: int, error: PlatformError, times: int = 99) -> None:
    """Makes the platform answer `error` to `part` instead of taking it, the first `times` times."""
    publish = PLATFORMS["mastodon"].publish
    answered: list[Turn] = []

    async def refusing(call: Call, turn: Turn) -> Receipt:
        if turn.part == part and len(answered) < times:
            answered.append(turn)
            raise error
        return await publish(call, turn)

    monkeypatch.setitem(PLATFORMS, "mastodon", dataclasses.replace(PLATFORMS["mastodon"], publish=refusing))


@pytest.fixture
async def half(planned: Planned, backing: Backing, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Publication:
    """A thread of three, of which the second part was refused."""
    with monkeypatch.context() as patch:
        answering(patch, part=1, error=Rejected("No such words."))
        post = await planned("one", "two", "three")
        await send_due(now() + SOON, backing)
    return await of(post)


async def everything_told(publication: Publication) -> list[Row]:
    """What was told of it up to its end, which comes a moment after it can be read."""
    async with asyncio.timeout(10):
        while True:
            told = await Row.find({"publication_id": str(publication.id)}).sort("_id").to_list()
            if told and told[-1].data["state"] == "online":
                return told
            await asyncio.sleep(0.02)


async def test_a_thread_goes_out_part_by_part_in_order(
    planned: Planned, backing: Backing, engine: Running, sandbox: Sandbox
) -> None:
    post = await planned("one", "two", "three")

    publication = await until(post, State.ONLINE)

    in_a_chain(sandbox, "one", "two", "three")
    ids = [status["id"] for status in sandbox.statuses()]
    assert [receipt.id for receipt in publication.receipts] == ids
    assert publication.receipt is not None
    assert publication.receipt.id == ids[0]
    attempts = await Attempt.history(publication)
    assert [(attempt.part, attempt.n, attempt.outcome) for attempt in attempts] == [
        (0, 1, "Receipt"),
        (1, 2, "Receipt"),
        (2, 3, "Receipt"),
    ]
    assert len({attempt.key for attempt in attempts}) == 3
    told = await everything_told(publication)
    assert [(row.data["parts_online"], row.data["state"]) for row in told][1:] == [
        (1, "queued"),
        (2, "queued"),
        (3, "online"),
    ]
    assert told[-1].data["parts"] == 3
    assert told[-1].data["part_urls"] == [receipt.url for receipt in publication.receipts]
    assert publication.begun_at is not None
    assert publication.sent_at is not None
    assert publication.begun_at < publication.sent_at


async def test_a_part_that_waits_keeps_back_the_rest_of_its_own_thread_alone(
    planned: Planned, backing: Backing, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = RetryLater("busy with this one", answered=False, until=now() + timedelta(seconds=2))
    answering(monkeypatch, part=1, error=busy, times=1)
    thread = await planned("one", "two", "three")
    other = await planned("another")

    await send_due(now() + SOON, backing)

    assert sandbox.texts() == ["one", "another"]
    waiting = await of(thread)
    assert (waiting.state, waiting.part, waiting.tries) == (State.WAITING, 1, 0)
    assert (await of(other)).state is State.ONLINE

    await send_due(now() + timedelta(seconds=3), backing)
    assert sandbox.texts() == ["one", "another", "two", "three"]


@pytest.mark.parametrize("part", [0, 1, 2])
async def test_a_lost_answer_about_a_part_is_looked_for_and_then_it_goes_on(
    part: int, planned: Planned, engine: Running, sandbox: Sandbox
) -> None:
    sandbox.trouble(publish=[*[FINE] * part, LOST])
    post = await planned("one", "two", "three")

    publication = await until(post, State.ONLINE)

    in_a_chain(sandbox, "one", "two", "three")
    evidence = ["lookup" if at == part else "reply" for at in range(3)]
    assert [receipt.evidence for receipt in publication.receipts] == evidence
    assert not publication.ambiguous


async def test_a_part_whose_request_got_lost_is_sent_again_with_its_own_key(
    planned: Planned, engine: Running, sandbox: Sandbox
) -> None:
    sandbox.trouble(publish=[FINE, {"hang_up": "before", "count": 1}])
    post = await planned("one", "two")

    publication = await until(post, State.ONLINE)

    in_a_chain(sandbox, "one", "two")
    attempts = await Attempt.history(publication)
    assert [(attempt.part, attempt.outcome) for attempt in attempts] == [
        (0, "Receipt"),
        (1, "OutcomeUnknown"),
        (1, "Receipt"),
    ]
    assert attempts[0].key != attempts[1].key == attempts[2].key


async def test_parts_of_the_same_words_are_told_apart(planned: Planned, engine: Running, sandbox: Sandbox) -> None:
    sandbox.trouble(publish=[FINE, LOST, {"hang_up": "before", "count": 1}])
    post = await planned("again", "again", "again")

    publication = await until(post, State.ONLINE)

    in_a_chain(sandbox, "again", "again", "again")
    assert [receipt.id for receipt in publication.receipts] == [status["id"] for status in sandbox.statuses()]


async def test_a_receipt_that_comes_after_a_takeover_passes_the_turn_on_once(
    planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("one", "two", "three")
    claim = await claims.take(now() + SOON, backing, most=10)
    assert claim is not None
    assert await arming.arm([await of(post)], token=claim.token, at=NOW)
    armed = await of(post)
    await Publication.engine().update_one({"_id": armed.id}, {"$set": {"token": "another", "state": State.UNCONFIRMED}})

    await went_out(armed, Receipt(id="42"), backing)
    passed = await of(post)
    await went_out(armed, Receipt(id="42"), backing)
    await went_out(armed, Receipt(id="43", evidence="lookup"), backing)

    assert await of(post) == passed
    assert (passed.state, passed.part, passed.token) == (State.WAITING, 1, None)
    assert [receipt.id for receipt in passed.receipts] == ["42"]
    assert (passed.key != armed.key, passed.first_sent_at, passed.ambiguous) == (True, None, False)


async def test_a_part_whose_receipt_is_written_down_is_not_asked_for(
    planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("one", "two")
    publication = await of(post)
    doubt = {"state": State.UNCONFIRMED, "ambiguous": True, "next_at": past(), "attempt_no": 1}
    await Publication.engine().update_one({"_id": publication.id}, {"$set": doubt})
    fact = written(publication, Receipt(id="42"), now())
    await Attempt.get_pymongo_collection().insert_one(fact)

    await settle_due(backing)

    passed = await of(post)
    assert (passed.state, passed.part, [receipt.id for receipt in passed.receipts]) == (State.WAITING, 1, ["42"])
    assert await Attempt.receipts_for(passed) == []  # of the next part there is none
    assert sandbox.requests() == []


@pytest.mark.parametrize("ahead", [SOON, timedelta()], ids=["looked ahead", "its time had come"])
async def test_a_stop_between_two_parts_leaves_the_rest_to_the_next_instance(
    ahead: timedelta, planned: Planned, backing: Backing, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = PLATFORMS["mastodon"].publish

    async def and_stop(call: Call, turn: Turn) -> Receipt:
        backing.stopping.set()
        return await publish(call, turn)

    post = await planned("one", "two", "three")
    with monkeypatch.context() as patch:
        patch.setitem(PLATFORMS, "mastodon", dataclasses.replace(PLATFORMS["mastodon"], publish=and_stop))
        await send_due(now() + ahead, backing)
    backing.stopping.clear()
    handed_back = await of(post)
    assert (handed_back.state, handed_back.part, handed_back.token) == (State.WAITING, 1, None)

    await send_due(now() + SOON, backing)

    in_a_chain(sandbox, "one", "two", "three")


async def test_a_lane_lost_between_two_parts_sends_no_more(
    planned: Planned, backing: Backing, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = PLATFORMS["mastodon"].publish

    async def while_it_is_lost(call: Call, turn: Turn) -> Receipt:
        receipt = await publish(call, turn)
        await Publication.engine().update_many({}, {"$set": {"token": "another", "state": State.UNCONFIRMED}})
        return receipt

    post = await planned("one", "two")
    with monkeypatch.context() as patch:
        patch.setitem(PLATFORMS, "mastodon", dataclasses.replace(PLATFORMS["mastodon"], publish=while_it_is_lost))
        await send_due(now() + SOON, backing)

    assert sandbox.texts() == ["one"]
    assert ((await of(post)).state, (await of(post)).part) == (State.WAITING, 1)
    await send_due(now() + SOON, backing)
    in_a_chain(sandbox, "one", "two")


async def test_half_a_thread_is_held_and_not_failed(half: Publication, sandbox: Sandbox) -> None:
    assert (half.state, half.part, half.next_at) == (State.HELD, 1, None)
    assert half.reason is not None
    words = "Part 1 of 3 is online; part 2 was refused: No such words. Try again, or leave it as it is."
    assert (half.reason.code, half.reason.text) == ("part", words)
    assert sandbox.texts() == ["one"]


async def test_half_a_thread_tried_again_goes_on_with_the_part_under_a_new_key(
    half: Publication, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    tried = await single.again(caller, str(half.id), backing)
    assert (tried.state, tried.part, tried.rev, tried.key != half.key) == (State.WAITING, 1, half.rev + 1, True)

    await send_due(now() + SOON, backing)

    in_a_chain(sandbox, "one", "two", "three")
    publication = await Publication.get(half.id)
    assert publication is not None
    assert (publication.state, len(publication.receipts)) == (State.ONLINE, 3)
    assert publication.due_at == half.due_at


@pytest.mark.parametrize("whole_post", [False, True])
async def test_half_a_thread_left_so_is_online_with_a_note(
    whole_post: bool, half: Publication, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    if whole_post:
        post = await plan.writable(caller, str(half.post_id))
        assert not (await plan.cancel(caller, str(post.id), post.revision, backing)).draft
    else:
        await single.cancel(caller, str(half.id), backing)

    stopped = await Publication.get(half.id)
    assert stopped is not None
    assert stopped.state is State.ONLINE
    assert stopped.receipt is not None
    assert stopped.receipt.notes == ("Stopped after part 1 of 3.",)
    await send_due(now() + SOON, backing)
    assert sandbox.texts() == ["one"]


async def test_half_a_thread_cannot_be_edited_moved_or_deleted_and_a_new_date_leaves_it(
    half: Publication, caller: Caller, backing: Backing
) -> None:
    post = await plan.writable(caller, str(half.post_id))
    later = at_the_instant(now() + timedelta(hours=1), "UTC")
    edited = msgspec.structs.replace(post.written, text="other words")

    with pytest.raises(Conflict, match="Part 1 of 3 is online"):
        await plan.save(caller, str(post.id), post.revision, edited, backing)
    with pytest.raises(Conflict, match="Part 1 of 3 is online"):
        await single.move(caller, str(half.id), later, backing)
    with pytest.raises(Conflict, match="online"):
        await plan.delete(caller, str(post.id), post.revision, backing)
    await plan.plan(caller, str(post.id), post.revision, later, backing)

    assert await Publication.get(half.id) == half


async def test_a_change_that_crosses_a_part_going_out_changes_nothing(
    planned: Planned, caller: Caller, backing: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = await planned("one", "two")
    read = await of(post)
    await went_out(read, Receipt(id="42"), backing)

    async def as_read(*_: Any, **__: Any) -> Publication:
        return read

    monkeypatch.setattr(Publication, "found", as_read)
    for changing in (
        single.move(caller, str(read.id), at_the_instant(now() + timedelta(hours=1), "UTC"), backing),
        single.cancel(caller, str(read.id), backing),
    ):
        with pytest.raises(Conflict):
            await changing

    assert ((await of(post)).state, (await of(post)).part) == (State.WAITING, 1)


async def test_a_login_lost_in_the_middle_of_a_thread_asks_the_person_when_it_is_back(
    planned: Planned, account: Account, caller: Caller, backing: Backing, sandbox: Sandbox, monkeypatch: Any
) -> None:
    with monkeypatch.context() as patch:
        answering(patch, part=1, error=RetryLater("busy"))
        post = await planned("one", "two")
        await send_due(now() + SOON, backing)
    await account_lost(account, backing)
    lost = await of(post)
    assert (lost.state, lost.part, lost.reason and lost.reason.code) == (State.HELD, 1, "disconnected")

    await account_back(account, backing)

    held = await of(post)
    assert (held.state, held.reason and held.reason.code) == (State.HELD, "part")
    await single.again(caller, str(held.id), backing)
    await send_due(now() + SOON, backing)
    in_a_chain(sandbox, "one", "two")


async def test_the_persons_word_is_about_the_part_in_doubt(
    planned: Planned, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("one", "two")
    await send_due(now() + SOON, backing)
    doubt = {"state": State.HELD, "ambiguous": True, "next_at": None, "part": 1, "reason": None}
    doubt["sent_at"] = now() - timedelta(minutes=1)
    first = await of(post)
    await Publication.engine().update_one({"_id": first.id}, {"$set": doubt, "$pop": {"receipts": 1}})
    await Attempt.find({"part": 1}).delete()

    sent_again = await single.verdict(caller, str(first.id), is_there=False, url=None, backing=backing)

    assert (sent_again.state, sent_again.part, sent_again.rev) == (State.WAITING, 1, 2)
    assert [receipt.id for receipt in sent_again.receipts] == [first.receipts[0].id]
    await Publication.engine().update_one({"_id": first.id}, {"$set": doubt})
    there = await single.verdict(caller, str(first.id), is_there=True, url="https://example.org/2", backing=backing)
    assert (there.state, len(there.receipts)) == (State.ONLINE, 2)
    assert there.receipts[1].url == "https://example.org/2"


async def test_after_a_part_that_only_a_person_has_seen_nothing_can_follow(
    planned: Planned, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("one", "two")
    publication = await of(post)
    doubt = {"state": State.HELD, "ambiguous": True, "next_at": None}
    await Publication.engine().update_one({"_id": publication.id}, {"$set": doubt})

    held = await single.verdict(caller, str(publication.id), is_there=True, url=None, backing=backing)

    assert (held.state, held.reason and held.reason.code, held.ambiguous) == (State.HELD, "part", False)
    with pytest.raises(Conflict, match="cannot be attached"):
        await single.again(caller, str(publication.id), backing)
    assert (await single.cancel(caller, str(publication.id), backing)).state is State.ONLINE


async def test_two_workers_send_each_part_once(planned: Planned, backing: Backing, sandbox: Sandbox) -> None:
    another = dataclasses.replace(backing, owner=msgspec.structs.replace(backing.owner, pid=1), in_hand={})
    await planned("one", "two", "three")

    await asyncio.gather(*(send_due(now() + SOON, each) for each in (backing, another, backing, another)))

    in_a_chain(sandbox, "one", "two", "three")
