"""The watchdog sees each thing that must not be, says so once, and takes it back when it is gone."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from beanie import PydanticObjectId
from bson import ObjectId, Timestamp

from social.accounts.documents import Account
from social.backing import Backing
from social.backing.mongo import as_bson
from social.backing.owner import Owner
from social.backing.tally import Tally
from social.jobs import watch
from social.jobs.running import Running
from social.outbox.documents import Relay, Row
from social.people.roles import Caller
from social.platforms.contract import Content, Receipt
from social.publishing import lateness, watchdog
from social.publishing.attempts import Attempt
from social.publishing.documents import Publication
from social.publishing.facts import Work
from social.publishing.findings import Finding
from social.publishing.holds import Hold, hold, resume
from social.publishing.lanes import Lane
from social.publishing.states import State
from social.publishing.watchdog import Alarm, Beat
from tests.publishing.conftest import Planned, until
from tests.publishing.test_lateness import late
from tests.servers.commands import Commands, scans
from tests.servers.sandbox import Sandbox

HOUR = timedelta(hours=1)
OURS = Owner(host="elsewhere", boot="b", pid=1, started=1)
THEIRS = Owner(host="elsewhere as well", boot="b", pid=1, started=1)
Plant = Callable[[datetime], Awaitable[Any]]


async def planted(state: State, at: datetime, **given: Any) -> Publication:
    """A publication in Mongo that no engine has made."""
    facts: dict[str, Any] = {"due_at": at, "next_at": at, "content": Content(text="hello"), "updated_at": at} | given
    facts = {"workspace_id": PydanticObjectId(), "account_id": PydanticObjectId()} | facts
    return await Publication(
        post_id=PydanticObjectId(),
        platform="mastodon",
        realm="sandbox",
        key="key",
        wall="2026-11-22T09:30:00",
        zone="UTC",
        state=state,
        **facts,
    ).insert()


async def nobody_looks(at: datetime) -> None:
    await planted(State.UNCONFIRMED, at, next_at=None)


async def waiting_without_a_time(at: datetime) -> None:
    await planted(State.WAITING, at, next_at=None)


async def overdue(at: datetime) -> None:
    await planted(State.PLANNED, at - HOUR)


async def overdue_on_a_lapsed_lane(at: datetime) -> None:
    one = await planted(State.WAITING, at - HOUR)
    await _lane(one.account_id, token="a", lease_until=at - HOUR / 2)


async def never_prepared(at: datetime) -> None:
    dead = Work(token="w", lease_until=at - HOUR / 2, owner=OURS)
    await planted(State.PREPARING, at - HOUR, prepare_at=at - 2 * HOUR, work=dead)


async def never_concluded(at: datetime) -> None:
    await planted(State.SENDING, at - HOUR, sent_at=at - HOUR, begun_at=at - HOUR, first_sent_at=at - HOUR, token="t")


async def left_in_line(at: datetime) -> None:
    one = await planted(State.QUEUED, at - HOUR, token="lost")
    await _lane(one.account_id, token="other", lease_until=at + HOUR)


async def two_senders(at: datetime) -> None:
    account, workspace = PydanticObjectId(), PydanticObjectId()
    for token, owner in (("a", OURS), ("b", THEIRS)):
        await planted(
            State.SENDING,
            at,
            sent_at=at,
            token=token,
            owner=owner,
            account_id=account,
            workspace_id=workspace,
            due_at=at - HOUR,
        )


async def never_settled(at: datetime) -> None:
    await planted(State.UNCONFIRMED, at - HOUR, sent_at=at - HOUR)


async def unproven(at: datetime) -> None:
    await planted(State.ONLINE, at, next_at=None, answered_at=at)


async def too_many_receipts(at: datetime) -> None:
    twice = [Receipt(id="1"), Receipt(id="2")]
    await planted(State.ONLINE, at, next_at=None, answered_at=at, receipts=twice)


async def sent_twice(at: datetime) -> None:
    one = await planted(State.ONLINE, at, next_at=None, answered_at=at, receipts=[Receipt(id="2")])
    for n in (1, 2):
        await Attempt(
            workspace_id=one.workspace_id,
            publication_id=one.id,
            rev=1,
            n=n,
            fence=n,
            key="key",
            sent_at=at,
            answered_at=at,
            outcome="Receipt",
            receipt=Receipt(id=str(n)),
        ).insert()


async def past_its_deadline(at: datetime) -> None:
    await planted(State.WAITING, at + HOUR, due_at=at - 2 * HOUR, deadline=at - HOUR)


async def sent_too_early(at: datetime) -> None:
    await planted(State.SENDING, at, sent_at=at, due_at=at + HOUR)


async def sent_too_late(at: datetime) -> None:
    await planted(State.SENDING, at, sent_at=at, first_sent_at=at, due_at=at - HOUR, deadline=at - HOUR / 2)


async def sent_under_a_hold(at: datetime) -> None:
    one = await planted(State.SENDING, at, sent_at=at)
    made = await Hold(
        workspace_id=one.workspace_id, scope="workspace", by_id=PydanticObjectId(), by_name="Ada", at=at - HOUR
    ).insert()
    await _lane(one.account_id, holds=[made.id])


async def a_held_lane_is_taken(at: datetime) -> None:
    await _lane(PydanticObjectId(), token="t", holds=[PydanticObjectId()], lease_until=at + HOUR)


async def events_wait(at: datetime) -> None:
    await _row(at, PydanticObjectId(), unnumbered=Timestamp(int((at - HOUR).timestamp()), 1))


async def an_event_is_lost(at: datetime) -> None:
    workspace = PydanticObjectId()
    for seq in (4, 5, 7):
        await _row(at, workspace, seq=seq)
    await Relay.get_pymongo_collection().insert_one({"_id": workspace, "last_seq": 7})


async def a_loop_is_blocked(at: datetime) -> None:
    await Beat.get_pymongo_collection().insert_one(
        {"_id": "another", "owner": as_bson(OURS), "at": at, "lag": 5.0, "lanes": 0, "tasks": []}
    )


PLANTS: dict[str, tuple[Plant, str]] = {
    plant.__name__: (plant, name)
    for plant, name in (
        (nobody_looks, "nobody_looks"),
        (waiting_without_a_time, "nobody_looks"),
        (overdue, "overdue"),
        (overdue_on_a_lapsed_lane, "overdue"),
        (never_prepared, "never_prepared"),
        (never_concluded, "never_concluded"),
        (left_in_line, "left_in_line"),
        (two_senders, "two_senders"),
        (never_settled, "never_settled"),
        (unproven, "unproven"),
        (too_many_receipts, "too_many_receipts"),
        (sent_twice, "sent_twice"),
        (past_its_deadline, "past_its_deadline"),
        (sent_too_early, "sent_out_of_time"),
        (sent_too_late, "sent_out_of_time"),
        (sent_under_a_hold, "hold_broken"),
        (a_held_lane_is_taken, "hold_broken"),
        (events_wait, "events_waiting"),
        (an_event_is_lost, "events_lost"),
        (a_loop_is_blocked, "loop_blocked"),
    )
}


async def _lane(account: ObjectId, **given: Any) -> None:
    free: dict[str, Any] = {"token": None, "fence": 1, "lease_until": datetime(1970, 1, 1), "owner": None}  # noqa: DTZ001
    await Lane.engine().insert_one({"_id": account} | free | given)


async def _row(at: datetime, workspace: ObjectId, **given: Any) -> None:
    event = {"workspace_id": workspace, "at": at, "type": "publication.changed", "data": {}}
    await Row.get_pymongo_collection().insert_one(event | given)


@pytest.fixture
def fresh(backing: Backing) -> Backing:
    """This process as an instance that has counted nothing yet."""
    return dataclasses.replace(backing, tally=Tally())


@pytest.mark.parametrize(("plant", "name"), PLANTS.values(), ids=PLANTS)
async def test_what_must_not_be_is_reported_once_and_taken_back_when_it_is_gone(
    fresh: Backing, plant: Plant, name: str
) -> None:
    await plant(fresh.now())

    for _ in range(3):
        await watchdog.look(fresh)

    (alarm,) = await Alarm.find({}).to_list()
    (told,) = await watchdog.alarms()
    rows = await Row.find({"type": "alarm.raised"}).to_list()
    assert (alarm.invariant, told.name, told.count) == (name, name, 1)
    assert told.text.endswith((".", "?"))
    assert fresh.tally.counts == {("alarms", name): 1}
    assert [row.workspace_id for row in rows] == [alarm.workspace_id] * (alarm.workspace_id is not None)

    for document in (Publication, Lane, Attempt, Beat):
        await document.get_pymongo_collection().delete_many({})
    await Row.get_pymongo_collection().delete_many({"type": "publication.changed"})
    await watchdog.look(fresh)

    assert await watchdog.alarms() == []
    assert len(await Row.find({"type": "alarm.cleared"}).to_list()) == len(rows)
    assert fresh.tally.counts == {("alarms", name): 1}


async def test_of_two_that_have_changed_places_neither_was_sent_twice(fresh: Backing, account: Account) -> None:
    at = fresh.now()
    await sent_twice(at)
    (one,) = await Publication.find_all().to_list()
    other = await planted(State.UNCONFIRMED, at + HOUR)
    await Publication.engine().update_many({}, {"$set": {"account_id": account.id}})
    assert await Finding.stands_for(other, "1", account.origin, at=at)
    assert await Finding.stands_for(one, "2", account.origin, at=at)

    await watchdog.look(fresh)

    assert await watchdog.alarms() == []


async def test_two_instances_report_it_once(fresh: Backing, backing: Backing) -> None:
    other = dataclasses.replace(backing, tally=Tally())
    await overdue(fresh.now())

    await asyncio.gather(*(watchdog.look(each) for each in (fresh, other) for _ in range(3)))

    assert len(await Row.find({"type": "alarm.raised"}).to_list()) == 1
    assert fresh.tally.counts.get(("alarms", "overdue"), 0) + other.tally.counts.get(("alarms", "overdue"), 0) == 1


async def test_one_instance_looks_at_a_time(fresh: Backing) -> None:
    await overdue(fresh.now())
    await asyncio.gather(*(watchdog.watch(fresh) for _ in range(5)))
    await Alarm.get_pymongo_collection().delete_many({})

    await watchdog.watch(fresh)

    assert await watchdog.alarms() == [], "it was looked a moment ago"


async def test_none_of_it_is_seen_in_what_is_merely_busy(fresh: Backing) -> None:
    """Everything that is on its way, a moment before each bound."""
    at, times = fresh.now(), fresh.settings.times
    busy = await planted(State.QUEUED, at - HOUR, token="t")
    await _lane(busy.account_id, token="t", lease_until=at + timedelta(seconds=times.lease))
    await planted(State.PLANNED, at - HOUR, account_id=busy.account_id)
    await planted(State.SENDING, at - HOUR / 2, account_id=busy.account_id, token="t", sent_at=at, first_sent_at=at)
    await planted(State.PLANNED, at - timedelta(seconds=times.overdue - 5))
    await planted(State.UNCONFIRMED, at - HOUR, work=Work(token="w", lease_until=at + HOUR, owner=OURS))
    await planted(State.HELD, at - HOUR, next_at=None)
    await planted(State.ONLINE, at - HOUR, next_at=None, answered_at=at, receipts=[Receipt(id="1")])
    thread = Content(text="1", thread=(Content(text="2"),))  # type: ignore[arg-type]
    both = [Receipt(id="1"), Receipt(id="2")]
    await planted(State.ONLINE, at - HOUR, next_at=None, answered_at=at, receipts=both, content=thread)
    workspace = PydanticObjectId()
    for seq in (4, 5, 6, 7):  # the first ones were removed for their age, the last one's number is not yet told
        await _row(at, workspace, seq=seq)
    await Relay.get_pymongo_collection().insert_one({"_id": workspace, "last_seq": 6})

    assert await watchdog.look(fresh) == []


@pytest.mark.slow
async def test_a_busy_day_raises_no_alarm(
    fresh: Backing,
    caller: Caller,
    planned: Planned,
    connect: Any,
    account: Account,
    sandbox: Sandbox,
    engine: Running,
) -> None:
    """Posts on several accounts, a thread, lost answers, a hold and its end, while the watchdog looks all the time."""
    looked = [await watchdog.look(fresh)]
    others = [await connect(name) for name in ("bob", "eve")]
    sandbox.trouble(publish={"hang_up": "after", "count": 2})
    posts = [await planned(f"number {n}", on=(each,)) for n in range(4) for each in (account, *others)]
    posts.append(await planned("one", "two", "three"))
    for post in posts:
        await until(post, State.ONLINE, within=60)
        looked.append(await watchdog.look(fresh))
    later = await planned("later", due_at=fresh.now() + timedelta(seconds=2))
    held = await hold(caller, "workspace", fresh)
    looked.append(await watchdog.look(fresh))
    await resume(caller, str(held.hold.id), fresh)
    await until(later, State.ONLINE, State.HELD)
    looked.append(await watchdog.look(fresh))

    assert [
        violation for violations in looked for violation in violations if violation.invariant != "events_waiting"
    ] == []
    assert len(looked) >= 16


async def test_every_question_of_the_watchdogs_has_its_index(
    backing: Backing, caller: Caller, commands: Commands
) -> None:
    await watchdog.watch(backing)
    await an_event_is_lost(backing.now())
    await sent_under_a_hold(backing.now())
    await watchdog.watch(backing)
    await watchdog.look(backing)
    await watchdog.alarms()
    await Alarm.of(caller)
    await watchdog.beat(backing)
    await watchdog.beats(backing)
    lateness.noted(late(1), State.ONLINE, backing)
    await lateness.keep(backing)
    await lateness.of_everybody(backing.now())
    await lateness.ever()
    commands.listening = False

    scanned = []
    for command in list(commands.seen.values()):
        found = scans(await backing.db.command("explain", command, verbosity="queryPlanner"))
        scanned += [(found, command)] if found else []

    assert len(commands.seen) > 20
    assert scanned == []


async def test_an_instance_says_that_it_lives_and_that_its_loop_was_blocked(fresh: Backing) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(watch.run(fresh, Running(), stop))
    await asyncio.sleep(0.3)
    blocked = asyncio.get_running_loop().time() + 0.6
    while asyncio.get_running_loop().time() < blocked:
        pass
    await asyncio.sleep(0.3)
    stop.set()
    await running

    (beat,) = await watchdog.beats(fresh)
    assert 0.3 < beat.lag < 5
    assert beat.owner == fresh.owner
    assert set(beat.tasks) == set(fresh.settings.tasks)


async def test_a_block_is_told_for_longer_than_it_takes_until_somebody_looks(fresh: Backing) -> None:
    fresh.tally.lag = 9.0
    told = []
    for _ in range(6):
        await watchdog.beat(fresh)
        (beat,) = await watchdog.beats(fresh)
        told.append(beat.lag)

    shown = told.count(9.0) * watch.EVERY * 0.9
    assert shown > watchdog.EVERY.total_seconds() + watch.EVERY
    assert told[-1] < 9
