"""What is held does not go out, however many work on it; and what has passed meanwhile asks first."""

import asyncio
import dataclasses
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest
from beanie import PydanticObjectId

from social.accounts.documents import Account
from social.backing import Backing
from social.errors import Conflict, Invalid, NotFound
from social.jobs.running import Running
from social.moments import now
from social.people.roles import Caller
from social.publishing import arming, claims, holds, single
from social.publishing.documents import Publication
from social.publishing.due import look
from social.publishing.holds import Hold, Resumed, hold, keep_holding, resume
from social.publishing.lanes import Lane
from social.publishing.send import send_due
from social.publishing.states import State
from tests.publishing.conftest import Connect, Planned, of, somebody, until
from tests.servers.sandbox import Sandbox

SOON = timedelta(seconds=1)


async def test_what_is_held_does_not_go_out_and_says_why(
    planned: Planned, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    due, later = await planned("due"), await planned("later", due_at=now() + timedelta(hours=1))

    held = await hold(caller, "workspace", backing)
    await send_due(now() + SOON, backing)

    assert (held.held, held.going_out) == (2, [])
    for post in (due, later):
        publication = await of(post)
        assert (publication.state, publication.reason and publication.reason.code) == (State.HELD, "hold")
    assert sandbox.texts() == []


async def test_when_it_ends_what_lies_ahead_is_planned_and_what_has_passed_asks(
    planned: Planned, caller: Caller, backing: Backing, engine: Running, sandbox: Sandbox
) -> None:
    passed, later = await planned("passed", due_at=now() + SOON), await planned("later", due_at=now() + 4 * SOON)
    held = await hold(caller, "workspace", backing)
    await asyncio.sleep(1.2)

    assert await resume(caller, str(held.hold.id), backing) == Resumed(planned=1, late=1)

    asking = await of(passed)
    assert (asking.state, asking.reason and asking.reason.code) == (State.HELD, "late")
    await until(later, State.ONLINE)
    assert sandbox.texts() == ["later"]
    await single.again(caller, str(asking.id), backing)
    await until(passed, State.ONLINE)
    assert sandbox.texts() == ["later", "passed"]


async def test_after_the_word_that_all_is_held_nothing_reaches_the_platform(
    planned: Planned, connect: Connect, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    accounts = tuple([await connect(f"friend{n}") for n in range(8)])
    for n in range(6):
        await planned(f"post {n}", on=accounts, due_at=now() + timedelta(milliseconds=900 + 40 * n))
    sandbox.trouble(publish={"delay_before": 0.05})
    owners = [msgspec.structs.replace(backing.owner, pid=pid) for pid in (1, 2, 3)]
    ended = asyncio.Event()
    instances = [dataclasses.replace(backing, owner=owner, in_hand={}, stopping=ended) for owner in owners]
    sending = [asyncio.create_task(_working(each)) for each in instances]
    await sandbox.until(lambda: len(sandbox.texts()) >= 5)

    held = await hold(caller, "workspace", backing)
    reached = len(sandbox.requests("POST", "/api/v1/statuses"))
    await asyncio.sleep(1.5)
    ended.set()
    await asyncio.gather(*sending)

    assert len(sandbox.requests("POST", "/api/v1/statuses")) == reached
    states = [each.state for each in await Publication.find({}).to_list()]
    assert (states.count(State.ONLINE), states.count(State.HELD)) == (len(sandbox.texts()), held.held)
    assert {each.state for each in held.going_out} <= {State.ONLINE}
    assert held.held > 0


async def _working(backing: Backing) -> None:
    while not backing.stopping.is_set():
        await send_due(backing.now() + SOON, backing)
        await asyncio.sleep(0.02)


async def test_what_is_going_out_is_waited_for_and_named(
    planned: Planned, caller: Caller, backing: Backing, engine: Running, sandbox: Sandbox
) -> None:
    sandbox.trouble(publish={"delay_before": 0.6})
    post = await planned("in the air")
    await until(post, State.SENDING)

    held = await hold(caller, "workspace", backing)

    assert [(each.post_id, each.state) for each in held.going_out] == [(post.id, State.ONLINE)]
    assert held.held == 0


async def test_what_is_planned_or_tried_again_under_a_hold_is_held_too(
    planned: Planned, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    first = await planned("first")
    await hold(caller, "workspace", backing)
    await single.again(caller, str((await of(first)).id), backing)
    second = await planned("second")

    await look(backing)

    for post in (first, second):
        publication = await of(post)
        assert (publication.state, publication.reason and publication.reason.code) == (State.HELD, "hold")
    assert sandbox.texts() == []


async def test_a_lane_that_was_just_taken_is_lost_to_a_hold(
    planned: Planned, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("claimed")
    claim = await claims.take(now() + SOON, backing, most=10)
    assert claim is not None

    await hold(caller, "workspace", backing)

    assert not await claim.renew(claim.lanes[0])
    assert await arming.arm([await of(post)], token=claim.token, at=now() + SOON) == {}
    assert await claims.take(now() + SOON, backing, most=10) is None


@pytest.mark.parametrize("scope", ["account", "platform"])
async def test_a_narrower_hold_leaves_the_rest_alone(
    scope: str, planned: Planned, connect: Connect, account: Account, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    other = await connect("grace", platform="x" if scope == "platform" else "mastodon")
    if scope == "platform":
        await hold(caller, "platform", backing, platform="mastodon")
    else:
        await hold(caller, "account", backing, account_id=str(account.id))
    await planned("held", on=(account,))
    await planned("free", on=(other,))

    await look(backing)

    assert sandbox.texts() == ["free"]


async def test_another_workspace_goes_on(
    planned: Planned, connect: Connect, account: Account, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    grace = await somebody("Grace")
    held = await hold(grace, "workspace", backing)
    await planned("not hers")

    await look(backing)

    assert sandbox.texts() == ["not hers"]
    with pytest.raises(NotFound):
        await resume(caller, str(held.hold.id), backing)
    with pytest.raises(NotFound):
        await hold(grace, "account", backing, account_id=str(account.id))


async def test_of_two_holds_the_last_one_that_ends_lets_go(
    planned: Planned, account: Account, caller: Caller, backing: Backing
) -> None:
    post = await planned("twice held", due_at=now() + timedelta(hours=1))
    everything = await hold(caller, "workspace", backing)
    one = await hold(caller, "account", backing, account_id=str(account.id))

    assert await resume(caller, str(everything.hold.id), backing) == Resumed(held=1)
    assert (await of(post)).state is State.HELD
    assert await resume(caller, str(one.hold.id), backing) == Resumed(planned=1)

    assert (await of(post)).state is State.PLANNED
    assert await Hold.count() == 0


async def test_the_same_hold_twice_is_told_so_and_so_is_one_of_nothing(
    account: Account, caller: Caller, backing: Backing
) -> None:
    await hold(caller, "workspace", backing)

    with pytest.raises(Conflict):
        await hold(caller, "workspace", backing)
    with pytest.raises(Invalid):
        await hold(caller, "platform", backing, platform="myspace")


async def test_two_who_hold_the_same_at_once_make_one_hold(caller: Caller, backing: Backing, account: Account) -> None:
    said = await asyncio.gather(*(hold(caller, "workspace", backing) for _ in range(5)), return_exceptions=True)

    assert sum(isinstance(each, Conflict) for each in said) == 4
    assert await Hold.of(caller).count() == 1
    elsewhere = await somebody("Bob")
    assert (await hold(elsewhere, "workspace", backing)).held == 0


async def test_what_may_be_online_is_looked_for_when_the_hold_ends(
    planned: Planned, caller: Caller, backing: Backing
) -> None:
    post = await planned("in doubt")
    doubt = {"state": State.WAITING, "ambiguous": True, "attempt_no": 1, "first_sent_at": now(), "sent_at": now()}
    await Publication.engine().update_one({"post_id": post.id}, {"$set": doubt})
    held = await hold(caller, "workspace", backing)

    assert await resume(caller, str(held.hold.id), backing) == Resumed(checking=1)

    assert (await of(post)).state is State.UNCONFIRMED


async def test_what_a_resume_that_died_left_half_done_is_mended(
    planned: Planned, caller: Caller, backing: Backing
) -> None:
    post = await planned("half resumed", due_at=now() + timedelta(hours=1))
    held = await hold(caller, "workspace", backing)
    await Hold.get_pymongo_collection().delete_one({"_id": held.hold.id})  # and then it died

    await keep_holding(backing)
    await keep_holding(backing)

    assert (await Lane.find_one({})).holds == []  # type: ignore[union-attr]
    assert (await of(post)).state is State.PLANNED


async def test_who_dies_while_it_mends_that_leaves_nothing_held_for_ever(
    planned: Planned, caller: Caller, backing: Backing, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = await planned("later", due_at=now() + timedelta(hours=1))
    await hold(caller, "workspace", backing)
    await Hold.get_pymongo_collection().delete_many({})
    let_go = holds._let_go

    async def dies_once_nothing_is_marked(accounts: Sequence[PydanticObjectId], backing: Backing) -> Resumed:
        if await Lane.engine().find_one({"_id": account.id, "holds": []}):
            raise ConnectionError
        return await let_go(accounts, backing)

    with monkeypatch.context() as patch:
        patch.setattr(holds, "_let_go", dies_once_nothing_is_marked)
        with pytest.raises(ConnectionError):
            await keep_holding(backing)
    await keep_holding(backing)

    assert (await of(post)).state is State.PLANNED


async def test_a_thread_that_is_half_out_stops_before_its_next_part(
    planned: Planned, caller: Caller, backing: Backing, engine: Running, sandbox: Sandbox
) -> None:
    sandbox.trouble(publish={"delay_before": 0.4})
    post = await planned("one", "two", "three")
    await sandbox.until(lambda: sandbox.texts() == ["one"])

    held = await hold(caller, "workspace", backing)
    out = sandbox.texts()
    await asyncio.sleep(1)

    assert sandbox.texts() == out
    half = await of(post)
    assert (half.state, half.reason and half.reason.code, len(half.receipts)) == (State.HELD, "hold", len(out))
    assert await resume(caller, str(held.hold.id), backing) == Resumed(late=1)
    sandbox.trouble()
    await single.again(caller, str(half.id), backing)
    await until(post, State.ONLINE)
    assert sandbox.texts() == ["one", "two", "three"]


async def test_an_account_that_is_connected_under_a_hold_is_held_from_its_first_post_on(
    planned: Planned, connect: Connect, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    await hold(caller, "workspace", backing)
    newcomer = await connect("newcomer")

    post = await planned("too eager", on=(newcomer,))
    await send_due(now() + SOON, backing)
    assert sandbox.texts() == []

    await keep_holding(backing)
    assert (await of(post)).state is State.HELD


async def test_what_ended_with_its_process_under_a_hold_is_looked_for(
    planned: Planned, caller: Caller, backing: Backing
) -> None:
    post = await planned("interrupted")
    await hold(caller, "workspace", backing)
    long_ago = now() - timedelta(seconds=2 * backing.settings.times.lease)
    left = {"state": State.SENDING, "token": "of the dead", "sent_at": long_ago, "next_at": long_ago, "reason": None}
    await Publication.engine().update_one({"post_id": post.id}, {"$set": left | {"first_sent_at": long_ago}})

    await keep_holding(backing)

    doubted = await of(post)
    assert (doubted.state, doubted.ambiguous, doubted.deaths) == (State.UNCONFIRMED, True, 1)
