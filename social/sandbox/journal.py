"""The latest requests to the simulated platforms, for tests that count what really went over the wire."""

from collections import deque

import msgspec

from social.sandbox.clock import iso, now_ms

KEPT = 20_000


class Entry(msgspec.Struct):
    """`status` is None while a request runs, and for good when it was hung up on (`ended` says which)."""

    method: str
    path: str
    at: str
    status: int | None = None
    ended: str | None = None  # answered, hung up, truncated


class Journal:
    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT)

    def begin(self, method: str, path: str) -> Entry:
        entry = Entry(method, path, iso(now_ms()))
        self._entries.append(entry)
        return entry

    def entries(self) -> list[Entry]:
        """Oldest first."""
        return list(self._entries)

    def forget(self) -> None:
        self._entries.clear()
