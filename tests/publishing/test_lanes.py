"""Whose turn it is on an account: one claim wins, and what a lost one leaves is found."""

import asyncio
import dataclasses
from datetime import timedelta

import msgspec
import pytest
from beanie import PydanticObjectId

from social.accounts.documents import Account
from social.backing import Backing
from social.backing.mongo import NOW
from social.moments import now
from social.posts.documents import Written
from social.posts.when import at_the_instant
from social.publishing import arming, claims, plan
from social.publishing.documents import Publication
from social.publishing.lanes import Lane
from social.publishing.send import AT_ONE_LOOK, send_due
from social.publishing.states import State
from tests.publishing.conftest import Connect, Planned, of, past, somebody
from tests.servers.commands import Commands, examined
from tests.servers.sandbox import Sandbox


async def test_a_lane_that_is_held_is_not_taken(planned: Planned, backing: Backing, sandbox: Sandbox) -> None:
    await planned("mine")
    first = await claims.take(now() + timedelta(seconds=1), backing, most=10)

    second = await claims.take(now() + timedelta(seconds=1), backing, most=10)

    assert first is not None
    assert second is None


async def test_a_lane_taken_over_has_a_higher_fence_and_the_old_holder_writes_nothing_more(
    planned: Planned, backing: Backing
) -> None:
    post = await planned("twice owned")
    first = await claims.take(now() + timedelta(seconds=1), backing, most=10)
    assert first is not None
    await Lane.engine().update_many({}, {"$set": {"lease_until": now() - timedelta(seconds=1)}})

    second = await claims.take(now() + timedelta(seconds=1), backing, most=10)

    assert second is not None
    assert second.lanes[0].fence > first.lanes[0].fence
    publication = await of(post)
    assert await arming.arm([publication], token=first.token, at=NOW) == {}
    assert list(await arming.arm([publication], token=second.token, at=NOW)) == [publication.id]
    assert not await first.renew(first.lanes[0])


@pytest.mark.parametrize("edited", [0, 1], ids=["all", "but-one"])
async def test_what_an_arm_says_it_wrote_is_what_is_stored(
    planned: Planned, backing: Backing, connect: Connect, edited: int
) -> None:
    """Of several armed at once the instant alone is read back."""
    posts = [await planned(f"post {n}", on=(await connect(f"friend{n}"),)) for n in range(3)]
    claim = await claims.take(now() + timedelta(seconds=1), backing, most=10)
    assert claim is not None
    taken = [await of(post) for post in posts]
    for each in taken[:edited]:
        await Publication.engine().update_one({"_id": each.id}, {"$set": {"token": None, "state": State.PLANNED}})

    armed = await arming.arm(taken, token=claim.token, at=NOW)

    assert set(armed) == {each.id for each in taken[edited:]}
    for id, written in armed.items():
        stored = await Publication.engine().find_one({"_id": id})
        assert stored is not None
        assert {name: stored[name] for name in written} == written


async def test_two_instances_share_the_work_and_nothing_goes_out_twice(
    planned: Planned, connect: Connect, account: Account, backing: Backing, sandbox: Sandbox
) -> None:
    accounts = [account, *[await connect(f"friend{n}") for n in range(7)]]
    for n in range(3):
        await planned(f"post {n}", on=tuple(accounts))
    another = dataclasses.replace(backing, owner=msgspec.structs.replace(backing.owner, pid=1), in_hand={})

    for _ in range(4):
        await asyncio.gather(
            *(send_due(now() + timedelta(seconds=1), each) for each in (backing, another)),
        )

    sent = sandbox.texts()
    assert sorted(sent) == sorted(f"post {n}" for n in range(3) for _ in accounts)


async def test_what_a_holder_took_after_its_lane_was_lost_goes_out_all_the_same(
    planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    await planned("first")
    lost = await claims.take(now() + timedelta(seconds=1), backing, most=10)
    assert lost is not None
    await Lane.engine().update_many({}, {"$set": {"lease_until": now() - timedelta(seconds=1)}})
    await send_due(now() + timedelta(seconds=1), backing)
    post = await planned("second")
    assert not await lost.renew(lost.lanes[0])
    await lost.look_again(lost.lanes[0])  # as if it had not heard
    long_ago = now() - 3 * timedelta(seconds=backing.settings.times.lease)
    await Publication.engine().update_many(
        {"state": State.QUEUED}, {"$set": {"updated_at": long_ago, "next_at": long_ago}}
    )

    await send_due(now() + timedelta(seconds=1), backing)

    assert sandbox.texts() == ["first", "second"]
    assert (await of(post)).state is State.ONLINE


@pytest.mark.parametrize("state", [State.QUEUED, State.SENDING])
async def test_what_is_in_nobodys_lane_is_found(
    state: State, planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("nobody's")
    long_ago = now() - 3 * timedelta(seconds=backing.settings.times.lease)
    left = {"state": state, "token": "gone", "updated_at": long_ago, "sent_at": long_ago, "next_at": long_ago}
    await Publication.engine().update_one({"post_id": post.id}, {"$set": left})

    await send_due(now() + timedelta(seconds=1), backing)

    assert (await of(post)).state is (State.ONLINE if state is State.QUEUED else State.UNCONFIRMED)


async def test_the_first_account_of_every_workspace_comes_before_the_second_of_any(
    planned: Planned, backing: Backing, account: Account
) -> None:
    crowd, first, second = (PydanticObjectId() for _ in range(3))
    due = [(crowd, n) for n in range(5)] + [(first, 50), (second, 60)]
    structs = {"content": {"text": "due"}, "prepared": {}, "lateness": None}
    example = (await of(await planned("due"))).model_dump(by_alias=True) | structs
    waiting = [
        example
        | {"_id": PydanticObjectId(), "post_id": PydanticObjectId(), "workspace_id": workspace}
        | {"account_id": PydanticObjectId(), "next_at": now() - timedelta(seconds=100 - late)}
        for workspace, late in due
    ]
    await Publication.engine().delete_many({})
    await Publication.engine().insert_many(waiting)

    taken = await claims.due_accounts(now(), 4)

    whose = {each["account_id"]: each["workspace_id"] for each in waiting}
    assert [whose[account_id] for account_id in taken] == [crowd, first, second, crowd]


async def test_whose_turn_it_is_is_read_from_an_index_alone_and_leaves_out_what_is_still_prepared(
    planned: Planned, connect: Connect, account: Account, backing: Backing, commands: Commands
) -> None:
    friend = await connect("friend")
    await planned("due", on=(account, friend))
    await Publication.engine().update_one({"account_id": friend.id}, {"$set": {"prepare_at": past()}})

    commands.seen.clear()
    assert await claims.due_accounts(now() + timedelta(seconds=1), 4) == [account.id]
    commands.listening = False

    (command,) = commands.seen.values()
    assert examined(await backing.db.command("explain", command, verbosity="executionStats")) == 0


async def test_behind_all_that_a_busy_instance_holds_another_finds_what_is_free(
    planned: Planned, backing: Backing, commands: Commands
) -> None:
    structs = {"content": {"text": "due"}, "prepared": {}, "lateness": None}
    free = await of(await planned("due"))
    crowd = [
        free.model_dump(by_alias=True)
        | structs
        | {"_id": PydanticObjectId(), "post_id": PydanticObjectId(), "account_id": PydanticObjectId()}
        | {"next_at": now() - timedelta(seconds=100)}
        for _ in range(AT_ONE_LOOK)
    ]
    await Publication.engine().insert_many(crowd)
    held = {"token": "of the busy one", "fence": 1, "lease_until": now() + timedelta(minutes=1), "owner": None}
    await Lane.engine().insert_many([held | {"_id": each["account_id"]} for each in crowd])

    commands.seen.clear()
    claim = await claims.take(now() + timedelta(seconds=1), backing, most=AT_ONE_LOOK)
    commands.listening = False

    looks = [
        each for each in commands.seen.values() if each.get("aggregate") == "publications" and "$sort" in str(each)
    ]
    assert claim is not None
    assert [lane.account_id for lane in claim.lanes] == [free.account_id]
    assert [examined(await backing.db.command("explain", each, verbosity="executionStats")) for each in looks] == [0, 0]


@pytest.mark.rows("F41")
async def test_beside_a_crowd_of_one_workspace_the_one_post_of_another_goes_out_among_the_first(
    planned: Planned, connect: Connect, account: Account, backing: Backing, sandbox: Sandbox
) -> None:
    crowd = [account, *[await connect(f"friend{n}") for n in range(5)]]
    for n in range(6):
        await planned(f"crowd {n}", on=tuple(crowd))
    bob = await somebody("Bob")
    his = Written(text="the one", accounts=(str((await connect("bob", of=bob)).id),))
    draft = await plan.create(bob, his, backing)
    await plan.plan(bob, str(draft.id), draft.revision, at_the_instant(now(), "UTC"), backing)
    with_little_room = dataclasses.replace(backing, room=asyncio.Semaphore(2), in_hand={})

    await send_due(now() + timedelta(seconds=1), with_little_room)

    sent = sandbox.texts()
    assert len(sent) == len(crowd) * 6 + 1
    assert sent.index("the one") < 2 * len(crowd)  # about when each of the others had its first
