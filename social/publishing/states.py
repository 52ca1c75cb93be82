"""What becomes of a publication. Pure: values in, a Step out; all backoff and every sentence about waiting lives here.

The rules are sections 3.5 and 4 of the publishing protocol as tables; `send.py` and `settle.py` carry them out.
"""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from social.errors import (
    Disconnected,
    OperatorNeeded,
    OutcomeUnknown,
    PlatformError,
    PreparationLost,
    QuotaSpent,
    Rejected,
    RetryLater,
)
from social.people.lateness import Lateness
from social.platforms.contract import Receipt, Settling
from social.platforms.words import CHANGE_IT
from social.settings import Times

DUPLICATE = "duplicate"  # the code of a refusal because the platform has just this already
TOO_FAR = "too-many-posts"  # the code of a look that does not reach back far enough, and never will again
ASKS = "ask"  # the code of a look that found what only a person can tell apart
DEATHS = 3  # after which what was in a process's hands each time it died is no longer touched without a person
TRIES = 5  # retries after the first try that an answer refused
LOOKS = (5.0, 15.0, 45.0, 120.0, 300.0)  # seconds after sending at which a search looks
FACTOR = 4
SPACED = "spaced"  # the code of one of several on an account that go out one after another
QUOTA = "quota"  # the code of what waits until its platform, or a person, allows more
ASKING = "Look at the profile: is it there, or shall we send it again?"
CONVERTING = "converting"  # the code of waiting for files to be made into what the platform takes
ON_HOLD = "hold"  # the code of what a hold keeps back: when that is ended it goes on, or asks if its time has passed
PARTLY = "part"  # the code of what a person must decide about a thread of which some parts are online


class State(StrEnum):
    """Where a publication is. `processing` and `missed` are reached by platforms and policies that have them."""

    PLANNED = "planned"
    PREPARING = "preparing"
    PREPARED = "prepared"
    QUEUED = "queued"
    SENDING = "sending"
    PROCESSING = "processing"
    WAITING = "waiting"
    UNCONFIRMED = "unconfirmed"
    HELD = "held"
    ONLINE = "online"
    FAILED = "failed"
    CANCELLED = "cancelled"
    MISSED = "missed"


FINAL = (State.ONLINE, State.FAILED, State.CANCELLED, State.MISSED)
CLAIMABLE = (State.PLANNED, State.PREPARED, State.WAITING)
BEFORE_SENDING = (*CLAIMABLE, State.PREPARING, State.QUEUED)
OPEN = tuple(state for state in State if state not in FINAL)
AHEAD = (*CLAIMABLE, State.PREPARING, State.PROCESSING)  # of these the clock must look again at `next_at`
TAKEN = (State.QUEUED, State.SENDING)  # by a claim
ENDED_BADLY = (State.FAILED, State.CANCELLED, State.MISSED)
CHANGEABLE = (State.PLANNED, State.PREPARING, State.PREPARED, State.QUEUED, State.WAITING, State.HELD)
GOING_OUT = (State.SENDING, State.PROCESSING, State.UNCONFIRMED)


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why it is where it is: a code for machines, words for people, and until when (UTC) where that is known."""

    code: str
    text: str
    until: datetime | None = None


def converting(files: int) -> Reason:
    """It waits until so many of its files are converted."""
    what = "Its file is" if files == 1 else f"{files} of its files are"
    return Reason(code=CONVERTING, text=f"{what} being converted into what the platform takes.")


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a publication is: of its `parts`, the first `online` are public, so the next one's turn it is."""

    online: int = 0
    parts: int = 1

    @property
    def words(self) -> str:
        """What is public so far: "Part 1 of 3 is online", "Parts 1 and 2 of 3 are online"."""
        if self.online < 2:
            return f"Part {self.online} of {self.parts} is online"
        first = "Parts 1 and 2" if self.online == 2 else f"Parts 1 to {self.online}"
        return f"{first} of {self.parts} are online"


WHOLE = Progress()  # of a publication of one part, of which nothing is out yet


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What happens next: the state, when it is looked at again, and what the step costs."""

    state: State
    again_at: datetime | None = None
    reason: Reason | None = None
    counts: bool = False  # uses up one of the tries
    prepare_anew: bool = False
    ambiguous: bool | None = None  # None: as it was


def decide(
    outcome: Receipt | PlatformError,
    *,
    tries: int,
    ambiguous: bool,
    now: datetime,
    times: Times,
    progress: Progress = WHOLE,
    attempts: int = 1,
) -> Step:
    """What becomes of a publication after one attempt at the part whose turn it is. `tries` counts the earlier ones at
    this part that cost something, `attempts` all intents of it, this one among them.

    A refusal is believed only where no earlier attempt may be online; else it is settled first. That the platform has
    it already is not believed of a repeat, however surely the first one was absent: the platform may know better.
    """
    match outcome:
        case Receipt():
            return went_out(progress, now=now)
        case OutcomeUnknown():
            return Step(
                state=State.UNCONFIRMED,
                again_at=now + timedelta(seconds=times.first_look),
                reason=Reason(code="unknown", text="The answer was lost. Checking whether it went out."),
                ambiguous=True,
            )
        case QuotaSpent() | RetryLater() if ambiguous:
            # It says nothing of the earlier one, which is looked for when the platform may be asked again.
            step = refused(outcome, tries=0, now=now, times=times, progress=progress)
            return msgspec.structs.replace(step, state=State.UNCONFIRMED, counts=False)
        case _ if ambiguous:
            return _doubted(now)
        case Rejected() if attempts > 1 and _has_it(outcome):
            return msgspec.structs.replace(_doubted(now), ambiguous=True)
    return refused(outcome, tries=tries, now=now, times=times, progress=progress)


def went_out(progress: Progress, *, now: datetime) -> Step:
    """What becomes of a publication when the part whose turn it is is online: the next part's turn, or the end."""
    further = msgspec.structs.replace(progress, online=progress.online + 1)
    if further.online == further.parts:
        return Step(state=State.ONLINE, ambiguous=False)
    return msgspec.structs.replace(on_with(further, now=now), ambiguous=False)


def on_with(progress: Progress, *, now: datetime) -> Step:
    """The next part's turn, when one that is partly online may go on."""
    text = f"{progress.words}. Part {progress.online + 1} is next."
    return Step(state=State.WAITING, again_at=now, reason=Reason(code="thread", text=text))


def on_a_persons_word(progress: Progress) -> Step:
    """What becomes of a publication when a person says that the part in doubt is online.

    Parts that should follow it cannot: a reply needs the platform's own id of what it replies to.
    """
    further = msgspec.structs.replace(progress, online=progress.online + 1)
    if further.online == further.parts:
        return Step(state=State.ONLINE, ambiguous=False)
    text = f"{further.words}, as you say. The rest cannot be attached to it, for we do not know its id. Leave it so."
    return Step(state=State.HELD, reason=Reason(code=PARTLY, text=text), ambiguous=False)


def refused(outcome: PlatformError, *, tries: int, now: datetime, times: Times, progress: Progress = WHOLE) -> Step:
    """What becomes of a publication after `outcome`, when the part whose turn it is certainly is not online."""
    match outcome:
        case QuotaSpent(until=until):
            return _waiting(QUOTA, outcome.sentence, until)
        case RetryLater(answered=False, until=until):
            return _waiting("unreachable", outcome.sentence, until or now + timedelta(seconds=times.backoff))
        case Disconnected():
            return Step(state=State.HELD, reason=Reason(code="disconnected", text=outcome.sentence))
        case OperatorNeeded():
            return Step(state=State.HELD, reason=Reason(code="operator", text=outcome.sentence))
        case Rejected():
            return _ended("rejected", outcome.sentence, progress, "was refused")
        case PreparationLost() if tries < TRIES:
            step = _waiting("prepare", outcome.sentence, now)
            return msgspec.structs.replace(step, counts=True, prepare_anew=True)
        case _ if tries < TRIES:
            until = getattr(outcome, "until", None) or now + backoff(tries, times)
            return msgspec.structs.replace(_waiting("retry", outcome.sentence, until), counts=True)
    text = f"{outcome.sentence} It was tried {tries + 1} times."
    return msgspec.structs.replace(_ended("exhausted", text, progress), counts=True)


def settled(
    found: Receipt | None,
    *,
    settles: Settling,
    replay_for: timedelta,
    attempts: int,
    first_sent_at: datetime,
    last_sent_at: datetime,
    owner_dead: bool,
    refusal: PlatformError | None,
    tries: int,
    now: datetime,
    times: Times,
    progress: Progress = WHOLE,
    deadline: datetime | None = None,
    deaths: int = 0,
) -> Step:
    """What becomes of an unconfirmed publication after one look. `found` is what the look found.

    `attempts` counts the intents of the part in doubt, and the instants are its own. `refusal` is a definite no that
    came while an earlier attempt was in doubt: believed once absence is proven.
    Repeats with a key cost no try but come at growing distances, and end with the key's life, or at the `deadline`:
    beyond it what is in doubt is only looked for. After too many `deaths` with it in hand nothing is repeated either.
    Source: section 4 of the protocol, row by row.
    """
    if found is not None:
        return went_out(progress, now=now)
    timed_out = last_sent_at + timedelta(seconds=times.http_timeout)
    if settles == "blind":
        return Step(
            state=State.HELD,
            reason=Reason(code="unknown", text=f"We cannot see whether it went out. {ASKING}"),
        )
    if deaths >= DEATHS:
        return poisonous(deaths)
    may_repeat = refusal is None and not over(deadline, now, progress)
    if settles == "rkey" and may_repeat:
        return _repeat(now)
    if may_repeat and repeatable(settles, first_sent_at, replay_for, now):
        safe = max(timed_out, last_sent_at + backoff(attempts - 1, times)) if attempts > 1 else timed_out
        return _repeat(now) if now >= safe else _look(safe)
    proven = timed_out + timedelta(seconds=times.settle_dead if owner_dead else times.settle)
    if now < proven:
        return _look(min(proven, _next_look(last_sent_at, now)))
    if refusal is not None and _has_it(refusal):
        text = f"The platform says that it has this already, and we do not find it. {ASKING}"
        return Step(state=State.HELD, reason=Reason(code="unknown", text=text))
    if refusal is not None:
        step = refused(refusal, tries=tries, now=now, times=times, progress=progress)
    elif tries < TRIES:
        step = Step(state=State.WAITING, again_at=now, reason=_repeating(), counts=True)
    else:
        text = f"The platform's answer was lost {tries + 1} times, and it is not there."
        step = msgspec.structs.replace(_ended("exhausted", text, progress), counts=True)
    return msgspec.structs.replace(step, ambiguous=False)


def _doubted(now: datetime) -> Step:
    reason = Reason(code="unknown", text="An earlier attempt may have gone out. Checking.")
    return Step(state=State.UNCONFIRMED, again_at=now, reason=reason)


def _has_it(error: PlatformError) -> bool:
    return error.facts.get("code") == DUPLICATE


def over(deadline: datetime | None, now: datetime, progress: Progress = WHOLE) -> bool:
    """Whether it is too late to send it. What is partly online is not left half for being late."""
    return deadline is not None and now >= deadline and not progress.online


def too_late(lateness: Lateness | None) -> Step:
    """What becomes of what was not sent by its deadline. Where nothing says what it wants then, a person is asked."""
    within = _within(lateness.minutes) if lateness and lateness.minutes else "in time"
    if lateness is not None and lateness.then == "miss":
        text = f"It could not go out {within}, and later it was not to."
        return Step(state=State.MISSED, reason=Reason(code="late", text=text))
    text = f"It could not go out {within}. Send it now, or cancel it."
    return Step(state=State.HELD, reason=Reason(code="late", text=text))


def _within(minutes: int) -> str:
    for size, unit in ((24 * 60, "day"), (60, "hour")):
        if minutes % size == 0:
            return f"within {minutes // size} {unit}{'s' * (minutes != size)} of its time"
    return f"within {minutes} minute{'s' * (minutes != 1)} of its time"


def poisonous(deaths: int) -> Step:
    """What becomes of a publication that a process had in hand each of the `deaths` times that one died."""
    text = (
        f"The program ended unexpectedly {deaths} times while this was in its hands. It is left alone now. "
        "Look at the profile whether it is there; then try again, or change it."
    )
    return Step(state=State.HELD, reason=Reason(code="poison", text=text))


def spaced(until: datetime) -> Step:
    """What becomes of one of several that were overdue on one account after a stop."""
    return _waiting(SPACED, "Several were overdue after a stop. They go out one after another.", until)


def one_by_one(until: datetime) -> Reason:
    """Why one of several on an account that a person lets go out now is not the first."""
    return Reason(code=SPACED, text="Several were let go at once. They go out one after another.", until=until)


def repeatable(settles: Settling, first_sent_at: datetime, replay_for: timedelta, now: datetime) -> bool:
    """Whether the platform would know a second request for the same post as such: by its record key, or by a key that
    still lives. Beyond that, what is in doubt must not be sent."""
    return settles == "rkey" or (settles in {"key", "handle"} and now < first_sent_at + replay_for)


def looked_in_vain(error: PlatformError, *, looks: int, now: datetime, times: Times) -> Step:
    """What becomes of an unconfirmed publication when the platform could not be asked. Its doubt stays."""
    if isinstance(error, (Disconnected, OperatorNeeded)):
        text = f"{error.sentence} Then we can check whether this went out."
        return Step(state=State.HELD, reason=Reason(code="disconnected", text=text))
    if error.facts.get("code") in {TOO_FAR, ASKS}:
        return Step(state=State.HELD, reason=Reason(code="unknown", text=f"{error.sentence} {ASKING}"))
    until = getattr(error, "until", None) or now + backoff(min(looks, TRIES), times)
    text = "The platform could not be asked yet whether it went out. Asking again."
    return Step(state=State.UNCONFIRMED, again_at=until, reason=Reason(code="unknown", text=text, until=until))


def backoff(tries: int, times: Times) -> timedelta:
    """The wait before retry `tries + 1`: 15 s, 1 min, 4 min, 16 min, 64 min with the usual times."""
    return timedelta(seconds=times.backoff * FACTOR ** min(tries, TRIES - 1))


def _ended(code: str, text: str, progress: Progress, how: str = "did not go out") -> Step:
    """A definite no. What is online is not failed: a person tries the rest again, or leaves it so."""
    if not progress.online:
        return Step(state=State.FAILED, reason=Reason(code=code, text=text))
    refused_because = text.removesuffix(CHANGE_IT).rstrip()  # what is half online can be changed no more
    text = f"{progress.words}; part {progress.online + 1} {how}: {refused_because} Try again, or leave it as it is."
    return Step(state=State.HELD, reason=Reason(code=PARTLY, text=text))


def _waiting(code: str, text: str, until: datetime) -> Step:
    return Step(state=State.WAITING, again_at=until, reason=Reason(code=code, text=text, until=until))


def _repeat(now: datetime) -> Step:
    """Again with the same key: the doubt stays until an answer or a proof ends it."""
    return Step(state=State.WAITING, again_at=now, reason=_repeating())


def _repeating() -> Reason:
    return Reason(code="repeat", text="It did not go out the first time. Sending it again.")


def _look(at: datetime) -> Step:
    text = "Checking whether it went out."
    return Step(state=State.UNCONFIRMED, again_at=at, reason=Reason(code="unknown", text=text, until=at))


def _next_look(sent_at: datetime, now: datetime) -> datetime:
    for seconds in LOOKS:
        if sent_at + timedelta(seconds=seconds) > now:
            return sent_at + timedelta(seconds=seconds)
    return now + timedelta(seconds=LOOKS[-1])


def overall(states: list[State], *, draft: bool) -> str:
    """One word for a post from the states of its publications: what a person would call it.

    draft, planned, sending, held, failed, partly (some online, some never will be), online, cancelled or missed.
    """
    if draft or not states:
        return "draft"
    for state, word in ((State.HELD, "held"), *((state, "sending") for state in (State.QUEUED, *GOING_OUT))):
        if state in states:
            return word
    if any(state not in FINAL for state in states):
        return "planned"
    lasting = {state for state in states if state is not State.CANCELLED}
    if lasting == {State.ONLINE}:
        return "online"
    if State.ONLINE in lasting:
        return "partly"
    return "failed" if State.FAILED in lasting else "missed" if State.MISSED in lasting else "cancelled"
