"""How late a post may go out: what a workspace wants unless a post says otherwise. Pure."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from social.errors import Invalid, Wrong

MOST = 60 * 24 * 366  # minutes


class Lateness(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of a post that has not gone out within `minutes` of its time: `ask` holds it until a person says
    whether it is to go out all the same, `miss` leaves it unsent. `send`, without minutes: it goes out whenever it can.
    """

    then: Literal["send", "ask", "miss"]
    minutes: Annotated[int, Meta(ge=1, le=MOST)] | None = None

    def deadline(self, due_at: datetime) -> datetime | None:
        """The instant from which on a post that is due at `due_at` is not sent without a person; None: whenever."""
        return None if self.minutes is None else due_at + timedelta(minutes=self.minutes)


USUAL = Lateness(then="ask", minutes=24 * 60)  # a day later hardly anything is as it was meant; but who knows


def sensible(lateness: Lateness) -> Lateness:
    """It, if its minutes go with what it says. Invalid."""
    if lateness.then == "send" and lateness.minutes is not None:
        words = "What goes out whenever it can has no minutes. Leave them out, or choose ask or miss."
        raise Invalid("This cannot be.", [Wrong("/lateness/minutes", words, "too-much")])
    if lateness.then != "send" and lateness.minutes is None:
        words = "Say after how many minutes."
        raise Invalid("Something is missing.", [Wrong("/lateness/minutes", words, "missing")])
    return lateness
