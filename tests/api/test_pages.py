"""Cursors: what was given out is taken back, and nothing else."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from beanie import PydanticObjectId
from hypothesis import given
from hypothesis import strategies as some

from social.api.pages import after_due, after_id, page
from social.errors import Invalid
from tests.servers.product import Person

MOMENTS = some.datetimes(datetime(1900, 1, 1), datetime(2300, 1, 1), timezones=some.just(UTC)).map(  # noqa: DTZ001
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)
)
IDS = some.binary(min_size=12, max_size=12).map(lambda raw: PydanticObjectId(raw.hex()))


@given(IDS, MOMENTS)
def test_a_cursor_names_the_last_thing_shown(id: PydanticObjectId, at: datetime) -> None:
    by_id = page([id, id], 1, lambda each: each, ["shown"])
    by_due = page([(at, id), (at + timedelta(1), id)], 1, lambda each: each, ["shown"])

    assert by_id.items == by_due.items == ["shown"]
    assert after_id(by_id.next) == id
    assert after_due(by_due.next) == (at, id)


def test_the_last_page_has_no_next() -> None:
    assert page([PydanticObjectId()], 1, lambda each: each, ["shown"]).next is None
    assert page([], 1, lambda each: each, []).next is None
    assert after_id(None) is None
    assert after_due(None) is None


@given(some.text(max_size=60) | some.binary(max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_nothing_else_is_a_cursor(text: str) -> None:
    for read in (after_id, after_due):
        with pytest.raises(Invalid) as refused:
            read(text)
        assert [wrong.pointer for wrong in refused.value.wrong] == ["/cursor"]


def test_a_cursor_of_another_list_is_refused() -> None:
    id, at = PydanticObjectId(), datetime(2026, 11, 22, tzinfo=UTC)
    by_id, by_due = (page([key, key], 1, lambda each: each, [1]).next for key in (id, (at, id)))

    with pytest.raises(Invalid):
        after_due(by_id)
    with pytest.raises(Invalid):
        after_id(by_due)


def test_an_instant_no_calendar_has_is_refused() -> None:
    for said in (f"{'9' * 15}.{'0' * 24}", f"-{'9' * 14}.{'0' * 24}"):
        with pytest.raises(Invalid):
            after_due(base64.urlsafe_b64encode(said.encode()).decode())


@pytest.mark.parametrize("path", ["/accounts", "/media", "/posts", "/publications"])
async def test_a_page_has_one_to_a_hundred(path: str, person: Person) -> None:
    for limit in ("-1", "0", "101", "1000000", "-1e0", "many"):
        problem = await person.ask("GET", path, expect=422, params={"limit": limit})
        assert [each["pointer"] for each in problem["errors"]] == ["/limit"]
    for limit in ("1", "100"):
        assert (await person.ask("GET", path, params={"limit": limit}))["items"] == []


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/media", {"since": "2026-11-30T09:00:00"}),
        ("/media", {"until": "2026-11-30T09:00:00"}),
        ("/publications", {"since": "2026-11-30T09:00:00"}),
        ("/media", {"text": "x" * 201}),
        ("/media", {"tag": "x" * 41}),
    ],
    ids=str,
)
async def test_what_nobody_could_mean_is_refused_by_its_name(path: str, params: dict[str, str], person: Person) -> None:
    problem = await person.ask("GET", path, expect=422, params=params)

    assert [each["pointer"] for each in problem["errors"]] == [f"/{name}" for name in params]
