"""The production publishing code in every order of events that the dice make: what must hold does hold, and what would
break it is noticed. `python -m tests.bench model --replay SEED` shows every step of a seed that fails here."""

import pytest

from tests.model.parallel import explored, hunted, told
from tests.model.planted import BUGS, Bug, broken
from tests.model.schedule import Schedule
from tests.servers import Servers

pytestmark = pytest.mark.timeout(900)  # a machine that others use as well takes its time
SECONDS = 100.0  # for each of the two long ones, of two processes
LEAST = 500  # schedules that even a machine full of other work manages in it; an idle one comes to some 30,000
ON_MONGOD, LEAST_ON_MONGOD = 2_000, 100
SAMPLE = (  # of the planted bugs; all of them: python -m tests.bench model --planted
    "no fence on conclusions",
    "sent before the intent",
    "an intent ends the doubt",
    "the deadline is checked a step early",
    "no settle time",
    "a takeover leaves no doubt",
)


def test_up_to_a_hundred_thousand_schedules_on_the_interpreter_break_nothing() -> None:
    seen = explored(0, 100_000, processes=2, seconds=SECONDS)

    assert not seen.found
    assert seen.schedules >= LEAST
    assert seen.states["online"] > seen.schedules  # most come to what they were planned for


def test_up_to_two_thousand_schedules_on_a_real_mongod_break_nothing(servers: Servers) -> None:
    seen = explored(10**7, ON_MONGOD, processes=2, seconds=SECONDS, mongo_url=servers.mongo_url)

    assert not seen.found
    assert seen.schedules >= LEAST_ON_MONGOD


def test_a_pause_right_before_the_write_doubles_nothing_while_it_is_shorter_than_the_settle_time() -> None:
    seen = explored(2 * 10**7, 2_000, processes=2, gap=True)

    assert not seen.found


def test_a_seed_takes_the_same_steps_in_any_process() -> None:
    for seed in range(5):
        assert told(seed) == told(seed), seed


def test_a_seed_takes_the_same_steps_on_the_interpreter_and_on_mongod(servers: Servers) -> None:
    alone = [seed for seed in range(200) if Schedule.of(seed).publications == 1][:12]

    for seed in alone:  # of several, mongod finds those that no order was asked for in an order of its own
        assert told(seed) == told(seed, mongo_url=servers.mongo_url), seed


def test_planted_bugs_are_noticed_within_a_minute_each() -> None:
    hunts = hunted(SAMPLE, seconds=60)

    assert len(hunts) == len(SAMPLE)
    assert not [hunt.name for hunt in hunts if hunt.what is None]


def test_a_planted_bug_is_replayed_by_its_seed() -> None:
    (hunt,) = hunted(["a quota costs a try"], seconds=60)
    assert hunt.seed is not None

    what, steps = told(hunt.seed, bug="a quota costs a try")

    assert what == hunt.what
    assert any("I10" in step for step in steps)
    assert told(hunt.seed)[0] is None  # without it everything holds


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_bug_can_still_be_planted(bug: Bug) -> None:
    for _, _, there, made in broken(bug):
        assert there is not made
