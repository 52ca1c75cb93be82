"""The production publishing code in every order of events that the dice make: what must hold does hold.

Runs of so many seeds each, which any test process may take. `python -m tests.bench model --replay SEED` shows every
step of a seed that fails here.
"""

import pytest

from tests.model.explorer import Explored
from tests.model.parallel import Simulated
from tests.servers import Servers

ON_THE_INTERPRETER, A_RUN = 100_000, 2_500
ON_MONGOD, A_RUN_ON_MONGOD, FIRST_ON_MONGOD = 2_000, 100, 10**7
FIRST_WITH_GAPS = 2 * 10**7


@pytest.mark.parametrize("first", range(0, ON_THE_INTERPRETER, A_RUN))
def test_no_order_of_events_breaks_anything(first: int, simulated: Simulated) -> None:
    seen = simulated.explored(first, A_RUN)

    assert not seen.found, replay(seen)
    assert seen.schedules == A_RUN
    assert seen.states["online"] > seen.schedules  # most come to what they were planned for


@pytest.mark.parametrize("first", range(FIRST_ON_MONGOD, FIRST_ON_MONGOD + ON_MONGOD, A_RUN_ON_MONGOD))
def test_no_order_of_events_breaks_anything_on_a_real_mongod(
    first: int, simulated: Simulated, servers: Servers
) -> None:
    seen = simulated.explored(first, A_RUN_ON_MONGOD, mongo_url=servers.mongo_url)

    assert not seen.found, f"{replay(seen)} --mongod"
    assert seen.schedules == A_RUN_ON_MONGOD


def test_a_pause_right_before_the_write_doubles_nothing_while_it_is_shorter_than_the_settle_time(
    simulated: Simulated,
) -> None:
    seen = simulated.explored(FIRST_WITH_GAPS, A_RUN, gap=True)

    assert not seen.found, f"{replay(seen)} --gap"


def replay(seen: Explored) -> str:
    """What did not hold, and how to see every step to the first of it."""
    return "\n".join([*map(str, seen.found), f"python -m tests.bench model --replay {seen.found[0].seed}"])
