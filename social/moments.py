"""Instants: UTC, aware, to the millisecond, because BSON keeps no more; and a clock for leases, which never jumps."""

import time
from datetime import UTC, datetime

STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # the monotonic one stands still while a machine sleeps


def now() -> datetime:
    """The present instant. Read where we act and handed to where we decide."""
    return to_the_ms(datetime.now(UTC))


def steady() -> float:
    """Seconds on a clock that no one sets and that goes on while the machine sleeps: for leases and deadlines."""
    return time.clock_gettime(STEADY)


def to_the_ms(moment: datetime) -> datetime:
    """`moment` (aware) in UTC without its microseconds, so that it equals what Mongo gives back."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def rfc3339(moment: datetime) -> str:
    """`moment` as 2026-11-22T09:30:00.000Z."""
    return to_the_ms(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")
