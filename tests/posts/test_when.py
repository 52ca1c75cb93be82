"""A wall time and a zone make an instant; a clock change moves nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from social.errors import Invalid
from social.posts.when import at_the_instant, must_be_ahead, on_the_wall

BERLIN = "Europe/Berlin"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("wall", "fold", "due_at", "shown"),
    [
        ("2026-03-28T09:30:00", 0, "2026-03-28T08:30:00", "2026-03-28T09:30:00"),  # winter
        ("2026-03-29T09:30:00", 0, "2026-03-29T07:30:00", "2026-03-29T09:30:00"),  # summer, the same on the wall
        ("2026-03-29T02:30:00", 0, "2026-03-29T01:30:00", "2026-03-29T03:30:00"),  # skipped: moves forward
        ("2026-10-25T02:30:00", 0, "2026-10-25T00:30:00", "2026-10-25T02:30:00"),  # doubled: the first
        ("2026-10-25T02:30:00", 1, "2026-10-25T01:30:00", "2026-10-25T02:30:00"),  # the second, where asked for
    ],
)
def test_a_wall_time_keeps_its_place_on_the_wall(wall: str, fold: int, due_at: str, shown: str) -> None:
    plan = on_the_wall(datetime.fromisoformat(wall), BERLIN, fold)

    assert (plan.due_at, plan.wall) == (utc(due_at), shown)


def test_an_instant_is_shown_in_the_zone_asked_for() -> None:
    plan = at_the_instant(datetime.fromisoformat("2026-07-01T12:00:00.123456-04:00"), BERLIN)

    assert (plan.wall, plan.due_at) == ("2026-07-01T18:00:00", utc("2026-07-01T16:00:00.123"))


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "Europe", "x" * 500, "a\x00b"])
def test_a_zone_that_is_none_is_refused_in_words(zone: str) -> None:
    with pytest.raises(Invalid) as refused:
        on_the_wall(datetime(2026, 1, 1), zone)  # noqa: DTZ001 - a wall time
    assert refused.value.wrong[0].pointer == "/zone"


def test_a_naive_instant_and_an_aware_wall_time_are_refused() -> None:
    with pytest.raises(Invalid):
        at_the_instant(datetime(2026, 1, 1), BERLIN)  # noqa: DTZ001
    with pytest.raises(Invalid):
        on_the_wall(datetime(2026, 1, 1, tzinfo=UTC), BERLIN)


@pytest.mark.parametrize("wall", [datetime.min, datetime.max])  # noqa: DTZ901 - wall times
def test_times_at_the_end_of_the_calendar_are_refused_not_crashed_on(wall: datetime) -> None:
    with pytest.raises(Invalid):
        must_be_ahead(on_the_wall(wall, BERLIN), utc("2026-01-01T00:00:00"))


def test_the_past_is_refused_but_for_a_minute_of_doubt() -> None:
    plan = on_the_wall(datetime(2026, 1, 1, 12), "UTC")  # noqa: DTZ001

    must_be_ahead(plan, plan.due_at + timedelta(seconds=30))
    with pytest.raises(Invalid):
        must_be_ahead(plan, plan.due_at + timedelta(minutes=5))
    with pytest.raises(Invalid):
        must_be_ahead(plan, plan.due_at - timedelta(days=3000))
