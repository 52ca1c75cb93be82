"""What becomes of a publication, as a table."""

from datetime import UTC, datetime, timedelta

import pytest

from social.errors import (
    Disconnected,
    OperatorNeeded,
    OutcomeUnknown,
    PlatformError,
    PreparationLost,
    QuotaSpent,
    Rejected,
    RetryLater,
    TokenExpired,
)
from social.platforms.contract import Receipt, Settling
from social.publishing.states import (
    PARTLY,
    TRIES,
    Progress,
    State,
    Step,
    backoff,
    decide,
    looked_in_vain,
    on_a_persons_word,
    overall,
    repeatable,
    settled,
)
from social.settings import Times

NOW = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)
TIMES = Times()
REFUSALS = [
    QuotaSpent("no more today", until=NOW + timedelta(hours=2)),
    RetryLater("busy"),
    RetryLater("no way there", answered=False),
    TokenExpired("expired"),
    Disconnected("gone"),
    OperatorNeeded("no credits"),
    Rejected("too long"),
    PreparationLost("swept"),
]


def decided(outcome: Receipt | PlatformError, *, tries: int = 0, ambiguous: bool = False) -> Step:
    return decide(outcome, tries=tries, ambiguous=ambiguous, now=NOW, times=TIMES)


def look(found: Receipt | None = None, *, after: float, settles: str = "key", **given: object) -> Step:
    """One look `after` seconds after the only attempt."""
    sent = NOW - timedelta(seconds=after)
    usual = {"replay_for": timedelta(minutes=50), "owner_dead": False, "refusal": None, "tries": 0, "attempts": 1}
    return settled(
        found,
        **{
            **usual,
            "settles": settles,
            "first_sent_at": sent,
            "last_sent_at": sent,
            "now": NOW,
            "times": TIMES,
            **given,
        },  # type: ignore[arg-type]
    )


def test_a_receipt_is_online_and_ends_all_doubt() -> None:
    assert decided(Receipt(id="1")) == Step(state=State.ONLINE, ambiguous=False)


@pytest.mark.parametrize(
    ("online", "state", "words"),
    [
        (0, State.WAITING, "Part 1 of 3 is online. Part 2 is next."),
        (1, State.WAITING, "Parts 1 and 2 of 3 are online. Part 3 is next."),
        (2, State.ONLINE, None),
    ],
)
def test_a_threads_part_is_followed_by_the_next_and_the_last_one_ends_it(
    online: int, state: State, words: str | None
) -> None:
    progress = Progress(online=online, parts=3)
    steps = [
        decide(Receipt(id="1"), tries=3, ambiguous=True, now=NOW, times=TIMES, progress=progress),
        look(Receipt(id="1", evidence="lookup"), after=1, progress=progress),
    ]

    for step in steps:
        assert (step.state, step.ambiguous, step.counts) == (state, False, False)
        assert (step.reason and step.reason.text, step.again_at) == (words, NOW if words else None)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: type(refusal).__name__)
def test_what_is_partly_online_never_fails(refusal: PlatformError) -> None:
    progress = Progress(online=1, parts=3)

    for tries in (0, TRIES):
        alone = decided(refusal, tries=tries)
        step = decide(refusal, tries=tries, ambiguous=False, now=NOW, times=TIMES, progress=progress)
        if alone.state is not State.FAILED:
            assert step == alone
            continue
        assert (step.state, step.counts, step.again_at) == (State.HELD, alone.counts, None)
        assert step.reason is not None
        assert step.reason.code == PARTLY
        assert step.reason.text.startswith("Part 1 of 3 is online; part 2 ")


def test_a_part_proven_absent_once_too_often_is_put_before_the_person() -> None:
    progress = Progress(online=4, parts=5)
    refused = look(after=631, refusal=Rejected("It is too long."), progress=progress)
    exhausted = look(after=630, settles="search", tries=TRIES, progress=progress)

    assert [(step.state, step.ambiguous, step.reason and step.reason.text) for step in (refused, exhausted)] == [
        (
            State.HELD,
            False,
            "Parts 1 to 4 of 5 are online; part 5 was refused: It is too long. Try again, or leave it as it is.",
        ),
        (
            State.HELD,
            False,
            "Parts 1 to 4 of 5 are online; part 5 did not go out: "
            "The platform's answer was lost 6 times, and it is not there. Try again, or leave it as it is.",
        ),
    ]


def test_on_a_persons_word_the_last_part_ends_it_and_nothing_follows_any_other() -> None:
    assert on_a_persons_word(Progress(online=1, parts=2)) == Step(state=State.ONLINE, ambiguous=False)
    middle = on_a_persons_word(Progress(online=0, parts=2))
    assert (middle.state, middle.ambiguous, middle.reason and middle.reason.code) == (State.HELD, False, PARTLY)


def test_a_lost_answer_is_unconfirmed_never_failed_however_often_it_was_tried() -> None:
    step = decided(OutcomeUnknown("silence"), tries=99)

    assert (step.state, step.ambiguous, step.counts) == (State.UNCONFIRMED, True, False)
    assert step.again_at == NOW + timedelta(seconds=TIMES.first_look)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: type(refusal).__name__)
def test_a_refusal_is_not_believed_while_an_earlier_attempt_may_be_online(refusal: PlatformError) -> None:
    step = decided(refusal, ambiguous=True)

    assert (step.state, step.counts) == (State.UNCONFIRMED, False)
    assert step.ambiguous is None  # the doubt stays
    assert step.again_at is not None


@pytest.mark.parametrize(
    ("outcome", "state", "counts"),
    [
        (QuotaSpent("", until=NOW + timedelta(hours=2)), State.WAITING, False),
        (RetryLater("", answered=False), State.WAITING, False),
        (RetryLater(""), State.WAITING, True),
        (TokenExpired(""), State.WAITING, True),
        (PreparationLost(""), State.WAITING, True),
        (Disconnected(""), State.HELD, False),
        (OperatorNeeded(""), State.HELD, False),
        (Rejected(""), State.FAILED, False),
    ],
    ids=lambda value: str(type(value).__name__ if isinstance(value, PlatformError) else value),
)
def test_each_refusal_has_its_next_step_and_its_price(outcome: PlatformError, state: State, counts: bool) -> None:
    step = decided(outcome)

    assert (step.state, step.counts) == (state, counts)
    assert step.reason is not None
    assert (step.again_at is not None) == (state is State.WAITING)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: type(refusal).__name__)
def test_tries_run_out_only_for_what_costs_one(refusal: PlatformError) -> None:
    free = isinstance(refusal, QuotaSpent) or (isinstance(refusal, RetryLater) and not refusal.answered)

    assert (decided(refusal, tries=TRIES).state is State.WAITING) == free


def test_a_platforms_own_time_wins_over_ours() -> None:
    until = NOW + timedelta(minutes=7)

    assert decided(RetryLater("", until=until)).again_at == until
    assert decided(QuotaSpent("", until=until)).again_at == until


def test_waits_grow_from_fifteen_seconds_to_an_hour() -> None:
    assert [backoff(tries, TIMES).total_seconds() for tries in range(5)] == [15, 60, 240, 960, 3840]


def test_what_was_prepared_and_lost_is_prepared_anew_at_once() -> None:
    step = decided(PreparationLost("swept"))

    assert step.prepare_anew
    assert step.again_at == NOW


def test_what_a_look_finds_is_online() -> None:
    for settles in ("rkey", "key", "handle", "search", "blind"):
        assert look(Receipt(id="1", evidence="lookup"), after=1, settles=settles).state is State.ONLINE


def test_with_a_key_it_is_sent_again_only_after_the_timeout_and_within_the_keys_life() -> None:
    early, late, dead = look(after=10), look(after=31), look(after=51 * 60)

    assert (early.state, early.again_at) == (State.UNCONFIRMED, NOW + timedelta(seconds=20))
    assert (late.state, late.again_at, late.ambiguous) == (State.WAITING, NOW, None)
    assert (dead.state, dead.ambiguous) == (State.WAITING, False)  # beyond its life absence is proven by time


@pytest.mark.parametrize(("attempts", "distance"), [(1, 30), (2, 60), (3, 240), (4, 960)])
def test_repeats_with_a_key_come_at_growing_distances(attempts: int, distance: int) -> None:
    early, late = look(after=distance - 1, attempts=attempts), look(after=distance, attempts=attempts)

    assert (early.state, late.state) == (State.UNCONFIRMED, State.WAITING)


@pytest.mark.parametrize(
    ("settles", "life", "expected"),
    [("rkey", 0, True), ("key", 51, True), ("key", 50, False), ("handle", 50, False), ("search", 51, False)],
)
def test_what_may_be_online_is_repeated_only_while_the_platform_would_know_it_again(
    settles: Settling, life: int, expected: bool
) -> None:
    first_sent_at = NOW - timedelta(minutes=50)

    assert repeatable(settles, first_sent_at, timedelta(minutes=life), NOW) is expected


def test_with_a_record_key_it_is_sent_again_at_once() -> None:
    assert look(after=0.1, settles="rkey").state is State.WAITING


def test_by_search_absence_is_believed_only_after_timeout_and_settle() -> None:
    waiting, proven = look(after=629, settles="search"), look(after=630, settles="search")

    assert waiting.state is State.UNCONFIRMED
    assert (proven.state, proven.ambiguous, proven.counts) == (State.WAITING, False, True)


def test_a_dead_owner_cannot_still_be_sending_so_less_time_settles_it() -> None:
    assert look(after=119, settles="search", owner_dead=True).state is State.UNCONFIRMED
    assert look(after=120, settles="search", owner_dead=True).state is State.WAITING


def test_looks_come_at_growing_distances() -> None:
    distances = [(look(after=after, settles="search").again_at, after) for after in (0, 6, 16, 46, 200)]

    assert [round((at - NOW).total_seconds() + after) for at, after in distances if at] == [5, 15, 45, 120, 300]


def test_a_refusal_that_came_in_doubt_is_believed_once_absence_is_proven_and_not_before() -> None:
    refusal = Rejected("too long")

    assert look(after=31, refusal=refusal).state is State.UNCONFIRMED
    step = look(after=631, refusal=refusal)
    assert (step.state, step.ambiguous) == (State.FAILED, False)


def test_what_nobody_can_see_is_put_before_the_person_at_once() -> None:
    assert look(after=0.1, settles="blind").state is State.HELD


def test_a_platform_that_cannot_be_asked_leaves_the_doubt_and_is_asked_again() -> None:
    step = looked_in_vain(RetryLater("down"), looks=2, now=NOW, times=TIMES)

    assert (step.state, step.ambiguous) == (State.UNCONFIRMED, None)
    assert step.again_at is not None
    assert step.again_at > NOW


def test_a_lost_login_while_in_doubt_is_held_with_the_doubt_kept() -> None:
    step = looked_in_vain(Disconnected("gone"), looks=0, now=NOW, times=TIMES)

    assert (step.state, step.ambiguous) == (State.HELD, None)


@pytest.mark.parametrize(
    ("states", "word"),
    [
        ([], "draft"),
        (["planned", "online"], "planned"),
        (["sending", "planned"], "sending"),
        (["unconfirmed", "online"], "sending"),
        (["held", "sending"], "held"),
        (["online", "online"], "online"),
        (["online", "cancelled"], "online"),
        (["online", "failed"], "partly"),
        (["failed", "cancelled"], "failed"),
        (["missed"], "missed"),
        (["cancelled"], "cancelled"),
    ],
)
def test_a_post_is_called_what_a_person_would_call_it(states: list[str], word: str) -> None:
    assert overall([State(state) for state in states], draft=False) == word


def test_that_the_platform_has_a_repeat_already_is_looked_into_and_asked_about_never_failed() -> None:
    twice = Rejected("It is there already.", code="duplicate")
    again = decide(twice, tries=1, ambiguous=False, now=NOW, times=TIMES, attempts=2)
    assert (again.state, again.ambiguous) == (State.UNCONFIRMED, True)

    early, late = look(after=60, settles="search", refusal=twice), look(after=631, settles="search", refusal=twice)

    assert early.state is State.UNCONFIRMED
    assert (late.state, late.ambiguous, late.again_at) == (State.HELD, None, None)
    assert decided(twice).state is State.FAILED  # the first time it is about another post of the same words
