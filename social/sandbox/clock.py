"""Time as the sandbox keeps it: whole milliseconds since 1970, UTC."""

import time
from datetime import UTC, datetime


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def iso(ms: int) -> str:
    """`2026-11-22T09:30:00.123Z`."""
    return f"{datetime.fromtimestamp(ms // 1000, UTC).isoformat()[:19]}.{ms % 1000:03}Z"


def read_iso(text: str) -> int | None:
    """Milliseconds of an ISO 8601 time; a naive one is UTC; None where it is no time at all."""
    try:
        moment = datetime.fromisoformat(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
