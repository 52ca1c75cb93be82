"""From due to online, once, whatever the platform answers and whoever else tries."""

import asyncio
import dataclasses
from datetime import timedelta

import msgspec
import pytest

from social.accounts.documents import Account
from social.backing import Backing
from social.errors import Conflict
from social.jobs.running import Running
from social.moments import now
from social.people.roles import Caller
from social.platforms.contract import Receipt
from social.posts.when import at_the_instant
from social.publishing import plan
from social.publishing.documents import Attempt, Publication
from social.publishing.lanes import Lane
from social.publishing.reconnect import account_back
from social.publishing.send import send_due, went_out
from social.publishing.settle import settle_due
from social.publishing.states import State
from tests.publishing.conftest import Connect, Planned, of, takes_more_than_its_server, until
from tests.servers.sandbox import Sandbox


async def test_what_is_due_goes_out_with_its_stamps_and_its_receipt(
    planned: Planned, engine: Running, sandbox: Sandbox
) -> None:
    post = await planned("hello")

    publication = await until(post, State.ONLINE)

    status = sandbox.statuses()[0]
    assert (status["text"], status["id"]) == ("hello", publication.receipt and publication.receipt.id)
    assert publication.receipt is not None
    assert publication.receipt.evidence == "reply"
    assert publication.started_at is not None
    assert publication.sent_at is not None
    assert publication.answered_at is not None
    assert publication.due_at <= publication.sent_at <= publication.answered_at
    assert (publication.token, publication.next_at, publication.reason) == (None, None, None)


async def test_a_publication_taken_by_five_workers_goes_out_once(
    planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    await planned("once")

    await asyncio.gather(*(send_due(now() + timedelta(seconds=1), backing) for _ in range(5)))

    assert sandbox.texts() == ["once"]


async def test_it_goes_out_at_its_instant_and_not_before(planned: Planned, engine: Running, sandbox: Sandbox) -> None:
    post = await planned("punctual", due_at=now() + timedelta(seconds=1.5))

    publication = await until(post, State.ONLINE)

    assert publication.sent_at is not None
    late = (publication.sent_at - publication.due_at).total_seconds()
    assert 0 <= late < 0.5


async def test_publications_of_one_account_go_out_in_due_order(
    planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    soon = now() + timedelta(milliseconds=600)
    await planned("third", due_at=soon + timedelta(milliseconds=200))
    await planned("second", due_at=soon + timedelta(milliseconds=100))
    await planned("first", due_at=soon)

    await send_due(now() + timedelta(seconds=5), backing)

    assert sandbox.texts() == ["first", "second", "third"]


async def test_accounts_do_not_wait_for_one_another(
    planned: Planned, connect: Connect, account: Account, backing: Backing, sandbox: Sandbox
) -> None:
    others = [await connect(f"friend{n}") for n in range(5)]
    sandbox.trouble(publish={"delay_before": 0.7})
    await planned("all at once", on=(account, *others))

    begun = asyncio.get_running_loop().time()
    await send_due(now() + timedelta(seconds=1), backing)

    assert asyncio.get_running_loop().time() - begun < 6 * 0.7
    assert sandbox.texts() == ["all at once"] * 6


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


async def test_a_quota_is_waited_for_and_costs_no_try(planned: Planned, engine: Running, sandbox: Sandbox) -> None:
    sandbox.trouble(publish={"status": 429, "count": 1})
    post = await planned("patience")

    publication = await until(post, State.WAITING)

    assert (publication.tries, publication.reason and publication.reason.code) == (0, "quota")
    assert publication.next_at is not None
    assert publication.next_at > now()


async def test_what_the_platform_refuses_for_good_fails_with_its_words(
    planned: Planned, account: Account, engine: Running, sandbox: Sandbox
) -> None:
    await takes_more_than_its_server(account)
    post = await planned("x" * 600)

    publication = await until(post, State.FAILED)

    assert publication.reason is not None
    assert publication.reason.text
    assert sandbox.texts() == []


async def test_a_dead_token_holds_all_of_the_account_until_it_is_back(
    planned: Planned, account: Account, backing: Backing, engine: Running, sandbox: Sandbox
) -> None:
    later = await planned("later", due_at=now() + timedelta(hours=1))
    sandbox.trouble(publish={"dead_token": True})
    post = await planned("now")

    held = await until(post, State.HELD)
    await until(later, State.HELD)

    assert held.reason is not None
    assert held.reason.code == "disconnected"
    found = await Account.get(account.id)
    assert found is not None
    assert found.state == "disconnected"

    sandbox.trouble()
    await Account.get_pymongo_collection().update_one(
        {"_id": account.id}, {"$set": {"state": "connected", "reason": None}}
    )
    found.state = "connected"
    await account_back(found, backing)
    assert (await of(later)).state is State.PLANNED
    passed = await of(post)
    assert (passed.state, passed.reason and passed.reason.code) == (State.HELD, "late")


async def test_what_an_owner_left_in_the_air_is_settled_by_the_next(
    planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("left behind")
    times = backing.settings.times
    claim = await Lane.claim(now() + timedelta(seconds=1), owner=backing.owner, times=times, most=10)
    assert claim is not None
    armed = await Publication.arm([(await of(post)).id], token=claim.token)
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


async def test_a_lane_that_is_held_is_not_taken(planned: Planned, backing: Backing, sandbox: Sandbox) -> None:
    await planned("mine")
    times = backing.settings.times
    first = await Lane.claim(now() + timedelta(seconds=1), owner=backing.owner, times=times, most=10)

    second = await Lane.claim(now() + timedelta(seconds=1), owner=backing.owner, times=times, most=10)

    assert first is not None
    assert second is None


async def test_a_lane_taken_over_has_a_higher_fence_and_the_old_holder_writes_nothing_more(
    planned: Planned, backing: Backing
) -> None:
    post = await planned("twice owned")
    times = backing.settings.times
    first = await Lane.claim(now() + timedelta(seconds=1), owner=backing.owner, times=times, most=10)
    assert first is not None
    await Lane.engine().update_many({}, {"$set": {"lease_until": now() - timedelta(seconds=1)}})

    second = await Lane.claim(now() + timedelta(seconds=1), owner=backing.owner, times=times, most=10)

    assert second is not None
    assert min(second.fences.values()) > max(first.fences.values())
    id = (await of(post)).id
    assert await Publication.arm([id], token=first.token) == {}
    assert list(await Publication.arm([id], token=second.token)) == [id]
    assert not await Lane.renew(first.lanes[0], times)


async def test_a_receipt_that_comes_late_is_a_fact_whoever_holds_the_lane(planned: Planned, backing: Backing) -> None:
    post = await planned("late but true")
    times = backing.settings.times
    claim = await Lane.claim(now() + timedelta(seconds=1), owner=backing.owner, times=times, most=10)
    assert claim is not None
    publication = await of(post)
    armed = (await Publication.arm([publication.id], token=claim.token))[publication.id]
    await Publication.engine().update_one(
        {"_id": publication.id}, {"$set": {"token": "another", "state": State.UNCONFIRMED}}
    )

    await went_out(armed, Receipt(id="42"), backing)

    seen = await of(post)
    assert (seen.state, seen.receipt and seen.receipt.id) == (State.ONLINE, "42")


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
    ).note()

    await settle_due(backing)

    seen = await of(post)
    assert (seen.state, seen.receipt and seen.receipt.id) == (State.ONLINE, "42")
    assert sandbox.statuses() == []


async def test_cancelled_before_it_is_armed_it_is_never_sent(
    planned: Planned, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("never", due_at=now() + timedelta(seconds=1))
    sending = asyncio.create_task(send_due(now() + timedelta(seconds=5), backing))
    while (await of(post)).state is not State.QUEUED:
        await asyncio.sleep(0.01)

    await plan.cancel(caller, str(post.id), post.revision, backing)
    await sending

    assert (await of(post)).state is State.CANCELLED
    assert sandbox.texts() == []


async def test_an_edit_after_the_claim_goes_out_as_edited_and_once(
    planned: Planned, caller: Caller, backing: Backing, engine: Running, sandbox: Sandbox
) -> None:
    post = await planned("frist", due_at=now() + timedelta(seconds=1))
    while (await of(post)).state is not State.QUEUED:
        await asyncio.sleep(0.01)

    await plan.save(caller, str(post.id), post.revision, msgspec.structs.replace(post.written, text="first"), backing)
    await until(post, State.ONLINE)

    assert sandbox.texts() == ["first"]


async def test_a_move_after_the_claim_moves_it(
    planned: Planned, caller: Caller, backing: Backing, engine: Running, sandbox: Sandbox
) -> None:
    post = await planned("later", due_at=now() + timedelta(seconds=1))
    while (await of(post)).state is not State.QUEUED:
        await asyncio.sleep(0.01)
    moved_to = now() + timedelta(seconds=2.5)

    await plan.move(caller, str((await of(post)).id), at_the_instant(moved_to, "UTC"), backing)
    publication = await until(post, State.ONLINE)

    assert publication.sent_at is not None
    assert publication.sent_at >= publication.due_at >= moved_to - timedelta(milliseconds=1)
    assert publication.rev == 1


async def test_while_it_is_going_out_nothing_about_it_can_be_changed(
    planned: Planned, caller: Caller, backing: Backing, engine: Running, sandbox: Sandbox
) -> None:
    sandbox.trouble(publish={"delay_before": 1, "count": 1})
    post = await planned("too late")
    await until(post, State.SENDING)

    with pytest.raises(Conflict):
        await plan.cancel(caller, str(post.id), post.revision, backing)
    with pytest.raises(Conflict):
        await plan.save(caller, str(post.id), post.revision, msgspec.structs.replace(post.written, text="x"), backing)
    with pytest.raises(Conflict):
        await plan.delete(caller, str(post.id), post.revision, backing)
    await until(post, State.ONLINE)
    assert sandbox.texts() == ["too late"]


async def test_two_instances_share_the_work_and_nothing_goes_out_twice(
    planned: Planned, connect: Connect, account: Account, backing: Backing, sandbox: Sandbox
) -> None:
    accounts = [account, *[await connect(f"friend{n}") for n in range(7)]]
    for n in range(3):
        await planned(f"post {n}", on=tuple(accounts))
    another = dataclasses.replace(backing, owner=msgspec.structs.replace(backing.owner, pid=1))

    for _ in range(4):
        await asyncio.gather(
            *(send_due(now() + timedelta(seconds=1), each) for each in (backing, another)),
        )

    sent = sandbox.texts()
    assert sorted(sent) == sorted(f"post {n}" for n in range(3) for _ in accounts)


async def test_what_is_held_for_a_person_stays_held_when_it_is_edited(
    planned: Planned, account: Account, caller: Caller, backing: Backing, engine: Running, sandbox: Sandbox
) -> None:
    post = await planned("held", due_at=now() + timedelta(seconds=3))
    held = {"state": State.HELD, "next_at": None, "reason": {"code": "late", "text": "passed"}}
    await Publication.engine().update_one({"post_id": post.id}, {"$set": held})

    edited = msgspec.structs.replace(post.written, text="held, edited")
    await plan.save(caller, str(post.id), post.revision, edited, backing)
    await asyncio.sleep(3 + 3 * backing.settings.times.tick)  # past its time

    publication = await of(post)
    assert (publication.state, publication.content.text) == (State.HELD, "held, edited")
    assert sandbox.texts() == []

    await plan.again(caller, str(publication.id), backing)
    await until(post, State.ONLINE)
    assert sandbox.texts() == ["held, edited"]
