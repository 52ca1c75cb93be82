"""How late things were is counted as they go out, over all instances, and outlives them."""

import asyncio
import dataclasses
import random
import time
from datetime import timedelta

import pytest
from bson import ObjectId

from social.backing import Backing
from social.backing.tally import MOST, Durations, Tally, bucket, longest
from social.people.roles import Caller
from social.publishing import lateness
from social.publishing.attempts import Attempt
from social.publishing.facts import InHand
from social.publishing.states import State
from tests.publishing.conftest import Planned, until
from tests.publishing.test_waiting import NOW, publication
from tests.servers.sandbox import Sandbox

MS = timedelta(milliseconds=1)


def late(ms: int, **given: object) -> InHand:
    """One that was armed so many milliseconds after it was due."""
    return publication(State.SENDING, sent_at=NOW + ms * MS, **({"attempt_no": 1} | given))


def another(backing: Backing) -> Backing:
    """Another instance on the same servers."""
    return dataclasses.replace(backing, tally=Tally())


def test_a_bucket_is_a_sixteenth_wide_at_most_and_none_is_left_out() -> None:
    last = -1
    for ms in (*range(5_000), *(2**power + by for power in range(13, 31) for by in (-1, 0, 1))):
        assert ms <= longest(bucket(ms)) <= ms + ms / 16
        assert longest(bucket(ms) - 1) < ms
        assert bucket(ms) >= last
        last = bucket(ms)
    assert bucket(-5) == 0
    assert bucket(10**12) == bucket(MOST)


def test_percentiles_are_those_of_all_durations_to_a_sixteenth_and_never_too_low() -> None:
    chance = random.Random(7)
    all_of_them = [round(chance.lognormvariate(3, 1.5)) for _ in range(20_000)]
    durations = Durations()
    for ms in all_of_them:
        durations.add(ms)

    for share in (0.5, 0.9, 0.99):
        true = sorted(all_of_them)[-(-len(all_of_them) * round(share * 100) // 100) - 1]
        assert true <= (durations.percentile(share) or 0) <= true * 17 / 16
    assert durations.percentile(1.0) == durations.longest == max(all_of_them)
    assert Durations().percentile(0.5) is None


async def test_all_instances_count_into_one_answer_and_a_restart_loses_nothing(backing: Backing) -> None:
    workspace, first, second = ObjectId(), another(backing), another(backing)
    for instance, lateness_ms in ((first, 5), (second, 40), (first, 7)):
        lateness.noted(late(lateness_ms, workspace_id=workspace), State.ONLINE, instance)
        await lateness.keep(instance)
    lateness.noted(late(900), State.ONLINE, second)  # of another workspace
    await lateness.keep(second)

    mine = (await lateness.of_workspace(workspace, backing.now())).five_minutes
    everybodys = (await lateness.of_everybody(backing.now())).day
    ever, counts = await lateness.ever()

    assert (mine.count, mine.p50_ms, mine.max_ms) == (3, 7, 40)
    assert (everybodys.count, everybodys.max_ms) == (4, 900)
    assert (ever.count, ever.sum, counts["publications"]) == (4, 952, {"online": 4})


async def test_a_window_forgets_what_is_older(backing: Backing) -> None:
    workspace, instance = ObjectId(), another(backing)
    lateness.noted(late(5, workspace_id=workspace), State.ONLINE, instance)
    await lateness.keep(instance)

    later = await lateness.of_workspace(workspace, backing.now() + timedelta(minutes=30))

    assert (later.five_minutes.count, later.five_minutes.p99_ms) == (0, None)
    assert later.hour.count == later.day.count == 1


async def test_only_the_first_attempt_at_the_first_part_is_late(backing: Backing) -> None:
    instance = another(backing)
    for one in (late(1, attempt_no=2), late(1, part=1), late(1, attempt_no=3, attempts_before=2)):
        lateness.noted(one, State.WAITING, instance)

    counted = [each.count for each in instance.tally.late.values()]
    assert counted == [1], "of a new revision the first attempt counts"
    assert instance.tally.counts == {("publications", "waiting"): 3}


async def test_what_cannot_be_written_down_stays_counted(backing: Backing, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = another(backing)
    lateness.noted(late(5), State.ONLINE, instance)
    with monkeypatch.context() as patched:

        def away() -> object:
            raise ConnectionError

        patched.setattr(lateness.Count, "get_pymongo_collection", away)
        with pytest.raises(ConnectionError):
            await lateness.keep(instance)

    await lateness.keep(instance)

    assert (await lateness.of_everybody(backing.now())).hour.count == 1


async def test_what_goes_out_is_counted_with_its_four_stamps(
    backing: Backing, caller: Caller, planned: Planned, sandbox: Sandbox, engine: object
) -> None:
    post = await planned(due_at=backing.now() + timedelta(seconds=1.5))
    sent = await until(post, State.ONLINE)
    async with asyncio.timeout(5):  # it is counted a moment after it is online
        while not backing.tally.late.get(caller.workspace_id):
            await asyncio.sleep(0.01)
    await lateness.keep(backing)

    counted = (await lateness.of_workspace(caller.workspace_id, backing.now())).five_minutes

    assert sent.begun_at is not None
    assert (counted.count, counted.max_ms) == (1, (sent.begun_at - sent.due_at) // MS)
    assert sent.started_at is not None
    assert sent.answered_at is not None
    assert sent.planned_at <= sent.started_at <= sent.begun_at <= sent.answered_at
    assert sent.begun_at >= sent.due_at


async def test_noting_takes_microseconds(backing: Backing) -> None:
    one, instance, began = late(5), another(backing), time.perf_counter()
    for _ in range(20_000):
        lateness.noted(one, State.ONLINE, instance)
    took = (time.perf_counter() - began) / 20_000

    assert took < 20e-6, f"{took * 1e6:.1f} microseconds"


async def test_the_stamps_of_a_thread_and_of_a_retry_are_in_order(
    backing: Backing, planned: Planned, sandbox: Sandbox, engine: object
) -> None:
    """However far this machine's idea of the server's clock is behind it."""
    sandbox.trouble(publish={"status": 503, "count": 2})
    publication = await until(await planned("one", "two", "three"), State.ONLINE, within=30)
    attempts = await Attempt.find({"publication_id": publication.id}).sort("n").to_list()

    assert len(attempts) >= 4
    assert publication.started_at is not None
    assert publication.begun_at is not None
    assert publication.sent_at is not None
    assert publication.answered_at is not None
    assert publication.planned_at <= publication.started_at <= publication.begun_at
    assert publication.begun_at < publication.sent_at <= publication.answered_at
    for one in attempts:
        assert one.sent_at <= one.answered_at


async def test_a_part_that_waits_does_not_begin_the_thread_anew(
    backing: Backing, planned: Planned, sandbox: Sandbox, engine: object
) -> None:
    post = await planned("one", "two")
    await sandbox.until(lambda: len(sandbox.statuses()) == 1)
    sandbox.trouble(publish={"status": 503, "count": 1})
    publication = await until(post, State.ONLINE, within=30)

    assert publication.started_at is not None
    assert publication.begun_at is not None
    assert publication.started_at <= publication.begun_at
