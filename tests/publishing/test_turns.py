"""One workspace's crowd does not delay others."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from social.publishing.turns import fair

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


class Due(NamedTuple):
    workspace_id: str
    account_id: str
    due_at: datetime


def due(workspace: str, account: str, second: float = 0) -> Due:
    return Due(workspace, account, NOON + timedelta(seconds=second))


def test_ninety_nine_with_one_each_are_among_the_first_hundred_beside_one_with_five_thousand() -> None:
    crowd = [due("crowd", "crowd's", n / 5000) for n in range(5000)]
    others = [due(f"w{n}", f"a{n}", 10) for n in range(99)]

    order = fair(crowd + others)

    assert set(others) < set(order[:100])
    assert order[0] == crowd[0]
    assert [each for each in order if each.workspace_id == "crowd"] == crowd


def test_an_account_s_crowd_does_not_delay_the_other_accounts_of_its_workspace() -> None:
    order = fair([*(due("w", "busy", n) for n in range(100)), due("w", "calm", 200), due("w", "calm", 201)])

    assert [each.account_id for each in order[:5]] == ["busy", "calm", "busy", "calm", "busy"]


def test_two_crowds_take_turns() -> None:
    order = fair([*(due("a", "a1", n) for n in range(50)), *(due("b", "b1", 100 + n) for n in range(50))])

    assert [each.workspace_id for each in order] == ["a", "b"] * 50


@given(st.lists(st.builds(due, st.sampled_from("uvw"), st.sampled_from("abc"), st.integers(0, 5)), max_size=60))
def test_nobody_is_lost_and_of_one_account_all_stay_in_due_order(waiting: list[Due]) -> None:
    waiting = [each._replace(account_id=each.workspace_id + each.account_id) for each in waiting]
    order = fair(waiting)

    assert sorted(order) == sorted(waiting)
    for account in {each.account_id for each in waiting}:
        line = [each for each in order if each.account_id == account]
        assert line == sorted(line, key=lambda each: each.due_at)
