"""What could not go out in time is missed or asked about, as its post or its workspace wants, and never just sent."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from social.accounts.documents import Account
from social.backing import Backing
from social.backing.quotas import Quotas
from social.errors import Invalid
from social.moments import now
from social.outbox.documents import Row
from social.people.documents import Workspace
from social.people.lateness import USUAL, Lateness
from social.people.roles import Caller
from social.posts.documents import Post, Written
from social.posts.when import Plan, at_the_instant
from social.publishing import gate, plan, single
from social.publishing.documents import Publication
from social.publishing.due import look
from social.publishing.late import pass_by
from social.publishing.send import send_due
from social.publishing.states import Reason, State, too_late
from tests.publishing.conftest import Connect, Planned, of, somebody
from tests.servers.sandbox import Sandbox

MISS, ASK, SEND = Lateness(then="miss", minutes=30), Lateness(then="ask", minutes=30), Lateness(then="send")
Json = dict[str, Any]


def at(instant: datetime, lateness: Lateness | None = None) -> Plan:
    """A plan for `instant` that says how late it may be."""
    when = at_the_instant(instant, "UTC")
    return Plan(wall=when.wall, zone=when.zone, fold=when.fold, due_at=when.due_at, lateness=lateness)


async def replanned(post: Post, when: Plan, caller: Caller, backing: Backing) -> Publication:
    """The post's only publication after it got another plan."""
    present = await Post.found(caller, str(post.id))
    return await of(await plan.plan(caller, str(post.id), present.revision, when, backing))


async def overdue(post: Post, lateness: Lateness | None, **changes: Any) -> None:
    """Makes the post's publication one whose deadline has just passed."""
    passed: Json = {"deadline": now() - timedelta(seconds=1), "next_at": now() - timedelta(minutes=31)}
    stored = None if lateness is None else {"then": lateness.then, "minutes": lateness.minutes}
    await Publication.engine().update_one({"post_id": post.id}, {"$set": passed | {"lateness": stored} | changes})


@pytest.mark.parametrize(("lateness", "state"), [(MISS, State.MISSED), (ASK, State.HELD), (None, State.HELD)])
@pytest.mark.parametrize("before", [State.PLANNED, State.PREPARING, State.PREPARED, State.QUEUED, State.WAITING])
async def test_what_is_past_its_deadline_is_missed_or_asks_wherever_it_was(
    before: State, lateness: Lateness | None, state: State, planned: Planned, backing: Backing
) -> None:
    post = await planned("too late")
    await overdue(post, lateness, state=before, token="somebody's")

    await pass_by(backing)

    publication = await of(post)
    assert (publication.state, publication.reason and publication.reason.code) == (state, "late")
    assert (publication.token, publication.next_at, publication.prepare_at) == (None, None, None)
    told = await Row.find({"publication_id": str(publication.id)}).sort("-_id").first_or_none()
    assert told is not None
    assert (told.data["state"], told.data["reason"]["code"]) == (state, "late")


async def test_nobody_was_there_in_time_and_then_nothing_is_sent(
    planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("yesterday's news")
    await overdue(post, MISS)

    await look(backing)

    assert sandbox.texts() == []
    await pass_by(backing)
    assert (await of(post)).state is State.MISSED


async def test_what_is_too_late_takes_no_place_in_a_quota_nor_in_the_line(
    planned: Planned, account: Account, backing: Backing, sandbox: Sandbox
) -> None:
    fresh = replace(backing, quotas=Quotas(patience=5))
    for n in range(3):
        await overdue(await planned(f"yesterday's news {n}"), MISS)
    whenever = await planned("whenever")
    await overdue(whenever, SEND, deadline=None, next_at=now() - timedelta(minutes=30))

    await send_due(now() + timedelta(seconds=1), fresh)

    assert sandbox.texts() == ["whenever"]
    assert {each.used for each in await gate.standing(account, fresh)} == {1}


async def test_what_still_waits_for_a_quota_beyond_its_deadline_is_late_too(planned: Planned, backing: Backing) -> None:
    post = await planned("a quota too late")
    await overdue(post, ASK, state=State.WAITING, next_at=now() + timedelta(hours=3), tries=0)

    await pass_by(backing)

    assert (await of(post)).state is State.HELD


async def test_before_its_deadline_and_without_one_nothing_happens(planned: Planned, backing: Backing) -> None:
    ahead, whenever = await planned("ahead"), await planned("whenever")
    await overdue(ahead, ASK, deadline=now() + timedelta(minutes=1))
    await overdue(whenever, SEND, deadline=None)

    await pass_by(backing)

    assert {(await of(ahead)).state, (await of(whenever)).state} == {State.PLANNED}


async def test_what_may_be_online_is_not_called_missed(planned: Planned, backing: Backing) -> None:
    repeated, checking = await planned("in doubt"), await planned("looked for")
    await overdue(repeated, MISS, state=State.WAITING, ambiguous=True, next_at=now() + timedelta(minutes=5))
    await overdue(checking, MISS, state=State.UNCONFIRMED, ambiguous=True)

    await pass_by(backing)

    assert (await of(repeated)).state is State.WAITING
    assert (await of(checking)).state is State.UNCONFIRMED


async def test_a_thread_of_which_a_part_is_online_goes_on(planned: Planned, backing: Backing) -> None:
    post = await planned("one", "two")
    receipt: Json = {"id": "1", "url": None, "evidence": "reply", "notes": []}
    await overdue(post, MISS, state=State.WAITING, part=1, receipts=[receipt])

    await pass_by(backing)

    assert (await of(post)).state is State.WAITING


async def test_a_held_one_is_sent_on_a_persons_word_with_as_long_again(
    planned: Planned, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("better late")
    await overdue(post, ASK)
    await pass_by(backing)

    again = await single.again(caller, str((await of(post)).id), backing)
    await look(backing)

    assert again.deadline is not None
    assert timedelta(minutes=29) < again.deadline - now() <= timedelta(minutes=30)
    assert sandbox.texts() == ["better late"]


async def test_a_missed_one_can_be_sent_all_the_same(
    planned: Planned, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("after all")
    await overdue(post, MISS)
    await pass_by(backing)

    await single.again(caller, str((await of(post)).id), backing)
    await look(backing)

    assert sandbox.texts() == ["after all"]


async def test_a_held_one_can_be_cancelled(planned: Planned, caller: Caller, backing: Backing) -> None:
    post = await planned("never mind")
    await overdue(post, ASK)
    await pass_by(backing)

    assert (await single.cancel(caller, str((await of(post)).id), backing)).state is State.CANCELLED


async def test_a_post_has_its_own_lateness_or_its_workspaces(
    planned: Planned, caller: Caller, backing: Backing
) -> None:
    due = now().replace(microsecond=0) + timedelta(hours=1)
    post = await planned("as usual", due_at=due)
    assert ((await of(post)).lateness, (await of(post)).deadline) == (USUAL, due + timedelta(days=1))

    own = await replanned(post, at(due, MISS), caller, backing)
    assert (own.lateness, own.deadline, own.state) == (MISS, due + timedelta(minutes=30), State.PLANNED)

    await Workspace.set_lateness(caller.workspace_id, SEND)
    assert (await of(post)).lateness == MISS
    as_the_workspace = await replanned(post, at(due), caller, backing)
    assert (as_the_workspace.lateness, as_the_workspace.deadline) == (SEND, None)


async def test_one_workspaces_default_is_not_anothers(caller: Caller, backing: Backing) -> None:
    grace = await somebody("Grace")

    await Workspace.set_lateness(grace.workspace_id, MISS)

    assert await Workspace.lateness_of(caller.workspace_id) == USUAL


async def test_moved_it_has_a_deadline_of_its_new_time(planned: Planned, caller: Caller, backing: Backing) -> None:
    due = now().replace(microsecond=0) + timedelta(hours=1)
    post = await planned("moving", due_at=due)
    publication = await replanned(post, at(due, ASK), caller, backing)

    moved = await single.move(caller, str(publication.id), at(due + timedelta(hours=2)), backing)

    assert (moved.lateness, moved.deadline) == (ASK, due + timedelta(hours=2, minutes=30))


async def test_an_account_that_is_added_later_is_as_late_as_the_post(
    planned: Planned, connect: Connect, caller: Caller, backing: Backing
) -> None:
    due = now().replace(microsecond=0) + timedelta(hours=1)
    post = await planned("wider", due_at=due)
    first = await replanned(post, at(due, MISS), caller, backing)
    other = await connect("grace")
    present = await Post.found(caller, str(post.id))

    written = Written(text="wider", accounts=(str(first.account_id), str(other.id)))
    await plan.save(caller, str(post.id), present.revision, written, backing)

    assert {each.lateness for each in await Publication.of_post(caller, post.id)} == {MISS}


@pytest.mark.parametrize("wrong", [Lateness(then="ask"), Lateness(then="miss"), Lateness(then="send", minutes=5)])
async def test_minutes_go_with_what_is_to_happen_then(
    wrong: Lateness, planned: Planned, caller: Caller, backing: Backing
) -> None:
    post = await planned("unclear", due_at=now() + timedelta(hours=1))

    with pytest.raises(Invalid) as refused:
        await replanned(post, at(now() + timedelta(hours=1), wrong), caller, backing)

    assert [each.pointer for each in refused.value.wrong] == ["/lateness/minutes"]


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(1, "1 minute"), (90, "90 minutes"), (60, "1 hour"), (120, "2 hours"), (1440, "1 day"), (2880, "2 days")],
)
def test_it_says_how_late_in_words(minutes: int, words: str) -> None:
    reason = too_late(Lateness(then="ask", minutes=minutes)).reason

    assert reason == Reason(
        code="late", text=f"It could not go out within {words} of its time. Send it now, or cancel it."
    )
