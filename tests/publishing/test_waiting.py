"""Whatever a publication waits for, it says so: in words, and with a time or with what a person must do."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from bson import ObjectId

from social.platforms.contract import Content, MediaItem, Part, Receipt
from social.publishing.facts import InHand
from social.publishing.states import FINAL, OPEN, Reason, State
from social.publishing.waiting import Why, why
from social.settings import Times

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
TIMES = Times()
MINUTE = timedelta(minutes=1)
REASONS = (None, Reason(code="quota", text="The window is full."), Reason(code="x", text="Later.", until=NOW + MINUTE))
SHIFTS = (-60 * MINUTE, timedelta(0), MINUTE)
PICTURE = MediaItem(media_id="1", key="w/1/m/1", mime="image/png", bytes=1, width=1, height=1)


def publication(state: State, **given: object) -> InHand:
    """One that is due now, unless told otherwise."""
    facts: dict[str, object] = {
        "content": Content(text="hello"),
        "due_at": NOW,
        "next_at": NOW,
        "updated_at": NOW - MINUTE,
        "workspace_id": ObjectId(),
    }
    return InHand(
        id=ObjectId(),
        post_id=ObjectId(),
        account_id=ObjectId(),
        platform="mastodon",
        realm="sandbox",
        key="key",
        wall="2026-11-27T12:00:00",
        zone="UTC",
        planned_at=NOW - 60 * MINUTE,
        state=state,
        **(facts | given),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("state", OPEN)
def test_nothing_that_has_not_ended_is_without_words_and_a_time_or_a_person(state: State) -> None:
    receipts = ([], [Receipt(id="1")])
    contents = (Content(text="a"), Content(text="a", media=(PICTURE,), thread=(Part(text="b"),)))
    instants = (None, *(NOW + shift for shift in SHIFTS))
    seen = 0
    for reason, next_at, due, prepare_at, sent_at, content, receipt, before, ambiguous in itertools.product(
        REASONS, instants, SHIFTS, instants, instants, contents, receipts, (0, 1, 7), (False, True)
    ):
        one = publication(
            state,
            reason=reason,
            next_at=next_at,
            due_at=NOW + due,
            prepare_at=prepare_at,
            sent_at=sent_at,
            content=content,
            receipts=receipt,
            part=len(receipt),
            ambiguous=ambiguous,
        )

        said = why(one, NOW, TIMES, before=before)

        assert said is not None
        assert said.code
        assert len(said.text) > 5
        assert said.text.endswith(".")
        if state is State.HELD:
            assert (said.by, said.expected) == ("person", None)
        else:
            assert said.by == "time"
            assert said.expected is not None
            assert said.expected >= NOW, "what is expected lies ahead"
        seen += 1
    assert seen == 3 * 4 * 3 * 4 * 4 * 2 * 2 * 3 * 2


@pytest.mark.parametrize("state", FINAL)
def test_what_has_ended_waits_for_nothing(state: State) -> None:
    assert why(publication(state, next_at=None), NOW, TIMES) is None


def said_of(state: State, before: int = 0, **given: object) -> Why:
    said = why(publication(state, **given), NOW, TIMES, before=before)
    assert said is not None
    return said


def test_what_is_planned_waits_for_its_time() -> None:
    said = said_of(State.PLANNED, due_at=NOW + MINUTE, next_at=NOW + MINUTE)

    assert (said.code, said.expected) == ("planned", NOW + MINUTE)


def test_in_line_it_says_after_how_many_and_when() -> None:
    said = said_of(State.QUEUED, before=3)

    assert said.text == "Its turn is after 3 others on this account."
    assert said.expected == NOW + timedelta(seconds=3)
    assert said_of(State.QUEUED, before=1).text == "Its turn is after one other on this account."
    assert said_of(State.QUEUED).code == "queued"


def test_what_is_late_for_an_earlier_one_says_so() -> None:
    said = said_of(State.PLANNED, before=2, next_at=NOW - MINUTE, due_at=NOW - MINUTE)

    assert said.code == "late"
    assert "2 others" in said.text


def test_a_quota_says_until_when() -> None:
    full = Reason(code="quota", text="25 posts a day are allowed.", until=NOW + 5 * MINUTE)

    said = said_of(State.WAITING, reason=full, next_at=NOW + 5 * MINUTE)

    assert (said.code, said.text, said.expected) == ("quota", "25 posts a day are allowed.", NOW + 5 * MINUTE)


def test_what_is_being_sent_is_known_when_the_request_has_timed_out_at_the_latest() -> None:
    said = said_of(State.SENDING, sent_at=NOW - timedelta(seconds=10))

    assert said.expected == NOW + timedelta(seconds=20)


def test_what_is_held_asks_a_person_and_promises_no_time() -> None:
    lost = Reason(code="disconnected", text="Connect the account again.", until=NOW + MINUTE)

    assert said_of(State.HELD, reason=lost, next_at=None) == Why(
        code="disconnected", text="Connect the account again.", expected=None, by="person"
    )


def test_what_a_hold_keeps_back_says_what_the_end_of_the_hold_would_come_to() -> None:
    held = {"reason": Reason(code="hold", text="A hold keeps it back."), "next_at": None}
    thread = {"content": Content(text="a", thread=(Part(text="b"),)), "receipts": [Receipt(id="1")], "part": 1}

    ahead = said_of(State.HELD, **held, due_at=NOW + MINUTE).text
    passed = said_of(State.HELD, **held, due_at=NOW).text
    partly = said_of(State.HELD, **held, **thread, due_at=NOW).text
    doubted = {said_of(State.HELD, **held, ambiguous=True, due_at=NOW + shift).text for shift in SHIFTS}

    assert "goes out at its time if the hold is ended before that" in ahead
    assert "you are asked whether to send it then or to cancel it" in passed
    assert "you are asked whether to send the rest or to leave it so" in partly
    assert ["that is looked for when the hold is ended" in each for each in doubted] == [True]
