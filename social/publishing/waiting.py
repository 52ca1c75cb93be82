"""Why is it waiting? For every publication that has not ended: the reason in words, and when it goes on or what a
person must do. Pure.
"""

from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import msgspec

from social.publishing.facts import Facts
from social.publishing.states import CLAIMABLE, CONVERTING, FINAL, ON_HOLD, Reason, State
from social.settings import Times

EACH = timedelta(seconds=1)  # for which one in line keeps the next one waiting, in a good hour
WhatNext: TypeAlias = Literal["time", "person"]


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """What it waits for: a code for machines, a sentence for people; and when it is expected to go on (UTC), which is
    never known where `by` is a person: it goes on when somebody has done what the sentence says."""

    code: str
    text: str
    expected: datetime | None
    by: WhatNext = "time"


def why(publication: Facts, present: datetime, times: Times, *, before: int = 0) -> Why | None:
    """What `publication` waits for at the instant `present`; None if it has ended. `before`: how many are due before it
    on its account and have not gone out. Every answer has a time or a person."""
    reason, due = publication.reason, publication.next_at or publication.due_at
    soon = max(due, present + before * EACH)
    match publication.state:
        case state if state in FINAL:
            return None
        case State.HELD:
            return _held(publication, present)
        case State.SENDING:
            since = publication.sent_at or present
            return Why(
                code="sending",
                text="It is being sent at this moment.",
                expected=max(present, since + times.timedelta("http_timeout")),
            )
        case State.UNCONFIRMED:
            text = reason.text if reason else "The answer was lost. Checking whether it went out."
            return Why(code="unknown", text=text, expected=max(due, present))
        case State.PROCESSING:
            text = reason.text if reason else "The platform has it and is still at work on it. Asking again."
            return Why(code="processing", text=text, expected=max(due, present))
        case State.PREPARING:
            code = CONVERTING if _converts(publication) else "preparing"
            return Why(code=code, text=_preparing(publication), expected=soon)
        case State.QUEUED:
            return _in_line(publication, present, soon, before)
    if reason is not None and due > present:
        return Why(code=reason.code, text=reason.text, expected=reason.until or due)
    if publication.prepare_at is not None and publication.prepare_at <= due <= present:
        return Why(code="preparing", text=f"Its time has come. {_preparing(publication)}", expected=soon)
    if due <= present:
        return _late(reason, soon, before)
    if publication.state is State.PREPARED:
        return Why(code="prepared", text="Everything is ready. It waits for its time.", expected=due)
    if publication.state is State.WAITING:
        return Why(code="retry", text="It did not go out yet. It is tried again.", expected=due)
    return Why(code="planned", text="It waits for its time.", expected=due)


def may_be_behind(publication: Facts, present: datetime) -> bool:
    """Whether it makes a difference how many are before it on its account."""
    due = publication.next_at or publication.due_at
    return publication.state in (*CLAIMABLE, State.QUEUED, State.PREPARING) and due <= present


def _held(publication: Facts, present: datetime) -> Why:
    reason = publication.reason
    if reason is None:
        return Why(code="held", text="It is held. Try it again, change it, or cancel it.", expected=None, by="person")
    text = _under_a_hold(publication, present) if reason.code == ON_HOLD else reason.text
    return Why(code=reason.code, text=text, expected=None, by="person")


def _under_a_hold(publication: Facts, present: datetime) -> str:
    """What the end of the hold would come to for it, as `holds.resume` has it."""
    if publication.ambiguous:
        return "A hold keeps it back. It may be online: that is looked for when the hold is ended."
    if publication.due_at > present:
        return "A hold keeps it back. It goes out at its time if the hold is ended before that."
    if publication.partly_online:
        return "A hold keeps the rest back. When it is ended, you are asked whether to send the rest or to leave it so."
    return "Its time has passed. When the hold is ended, you are asked whether to send it then or to cancel it."


def _in_line(publication: Facts, present: datetime, soon: datetime, before: int) -> Why:
    if before:
        return Why(code="queued", text=f"Its turn is after {_others(before)} on this account.", expected=soon)
    if soon > present:
        return Why(code="queued", text="It is the next on this account and waits for its time.", expected=soon)
    return Why(code="queued", text="It is the next to go out on this account.", expected=soon)


def _late(reason: Reason | None, soon: datetime, before: int) -> Why:
    if before:
        text = f"It is late, because {_others(before)} on this account must go out before it."
        return Why(code="late", text=text, expected=soon)
    if reason is not None:
        return Why(code=reason.code, text=reason.text, expected=soon)
    return Why(code="due", text="Its time has come. It goes out at any moment.", expected=soon)


def _others(before: int) -> str:
    return "one other" if before == 1 else f"{before} others"


def _converts(publication: Facts) -> bool:
    return publication.reason is not None and publication.reason.code == CONVERTING


def _preparing(publication: Facts) -> str:
    if publication.reason is not None and _converts(publication):
        return publication.reason.text
    files = len(publication.content.files)
    what = "What it needs is" if not files else "Its file is" if files == 1 else "Its files are"
    return f"{what} being prepared at the platform."
