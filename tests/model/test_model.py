"""The model itself: a seed is one course of events wherever it runs, and what would break the product is noticed."""

import pytest

from tests.model.parallel import Simulated
from tests.model.planted import BUGS, Bug, broken
from tests.model.schedule import Schedule
from tests.servers import Servers

SAMPLE = (  # of the planted bugs; all of them: python -m tests.bench model --planted
    "no fence on conclusions",
    "sent before the intent",
    "an intent ends the doubt",
    "the deadline is checked a step early",
    "no settle time",
    "a takeover leaves no doubt",
)


@pytest.mark.timeout(300)  # it is a minute of CPU time that it may take, on a machine with other work
@pytest.mark.parametrize("name", SAMPLE)
def test_a_planted_bug_is_noticed_within_a_minute(name: str, simulated: Simulated) -> None:
    (hunt,) = simulated.hunted([name], seconds=60)

    assert hunt.what is not None


def test_a_planted_bug_is_replayed_by_its_seed(simulated: Simulated) -> None:
    (hunt,) = simulated.hunted(["a quota costs a try"], seconds=60)
    assert hunt.seed is not None

    what, steps = simulated.told(hunt.seed, bug="a quota costs a try")

    assert what == hunt.what
    assert any("I10" in step for step in steps)
    assert simulated.told(hunt.seed)[0] is None  # without it everything holds


def test_a_seed_takes_the_same_steps_in_any_process() -> None:
    with Simulated() as one, Simulated() as another:
        for seed in range(5):
            assert one.told(seed) == another.told(seed), seed


def test_a_seed_takes_the_same_steps_on_the_interpreter_and_on_mongod(simulated: Simulated, servers: Servers) -> None:
    alone = [seed for seed in range(200) if Schedule.of(seed).publications == 1][:12]

    for seed in alone:  # of several, mongod finds those that no order was asked for in an order of its own
        assert simulated.told(seed) == simulated.told(seed, mongo_url=servers.mongo_url), seed


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_bug_can_still_be_planted(bug: Bug) -> None:
    for _, _, there, made in broken(bug):
        assert there is not made
