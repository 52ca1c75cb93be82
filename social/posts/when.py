"""From a wall time in a zone to an instant, so that a DST change moves nothing. Pure."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from social.errors import Invalid, Wrong
from social.moments import to_the_ms
from social.people.lateness import Lateness


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """When: the clock on the wall (`wall`, 2026-11-22T09:30:00) in an IANA zone, and the instant (`due_at`, UTC).

    `fold` tells the two passes of a doubled hour apart: 0 is the first. `lateness`: how late it may go out; None: as
    the workspace has it.
    """

    wall: str
    zone: str
    fold: int
    due_at: datetime
    lateness: Lateness | None = None


def on_the_wall(wall: datetime, zone: str, fold: int = 0) -> Plan:
    """The plan for naive `wall` in `zone`. A time that a clock change skips moves forward by the gap; of a doubled one
    `fold` chooses. Invalid names what is wrong: an offset on `wall`, or a zone nobody knows."""
    if wall.tzinfo is not None:
        raise Invalid(
            "A wall time carries no offset.",
            [Wrong("/wall", "Leave the offset out, or send the instant as `at`.", "offset")],
        )
    there = zone_of(zone)
    try:
        instant = wall.replace(tzinfo=there, fold=fold).astimezone(UTC)
        shown = instant.astimezone(there)  # differs from what was asked for inside a gap
    except OverflowError:
        raise _beyond("/wall") from None
    return Plan(wall=_text(shown), zone=zone, fold=shown.fold, due_at=to_the_ms(instant))


def at_the_instant(instant: datetime, zone: str) -> Plan:
    """The plan for an aware `instant`, shown in `zone`. Invalid for a naive one or an unknown zone."""
    if instant.tzinfo is None:
        raise Invalid(
            "A time without an offset could mean anything.",
            [Wrong("/at", "Add an offset (2026-11-22T09:30:00+01:00) or Z, or send `wall` with `zone`.", "naive")],
        )
    try:
        shown = to_the_ms(instant).astimezone(zone_of(zone))
    except OverflowError:
        raise _beyond("/at") from None
    return Plan(wall=_text(shown), zone=zone, fold=shown.fold, due_at=to_the_ms(instant))


def zone_of(name: str) -> ZoneInfo:
    """The IANA zone called `name`. Invalid if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid(
            "This time zone is not known.", [Wrong("/zone", "Use an IANA name such as Europe/Berlin.", "zone")]
        ) from None


def must_be_ahead(plan: Plan, now: datetime, *, slack: timedelta = timedelta(seconds=60), most: int = 5 * 366) -> None:
    """Invalid if `plan` lies in the past (by more than `slack`, for clocks differ) or more than `most` days ahead."""
    if plan.due_at < now - slack:
        raise Invalid(
            "This time has passed.", [Wrong("/", "Choose a time that is still to come, or send now.", "past")]
        )
    if plan.due_at > now + timedelta(days=most):
        raise Invalid("This time is too far away.", [Wrong("/", "Choose a time within the next five years.", "range")])


def _text(shown: datetime) -> str:
    return shown.replace(tzinfo=None).isoformat(timespec="seconds")


def _beyond(pointer: str) -> Invalid:
    return Invalid("This is not a time we can plan for.", [Wrong(pointer, "Choose a nearer time.", "range")])
