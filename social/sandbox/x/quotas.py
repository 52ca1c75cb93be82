"""Request quotas of 15 minutes per user and endpoint, and their headers. Sheet: Rate limits and errors. In memory."""

import time
from collections.abc import Callable

import msgspec

from social.sandbox.x.errors import Refused, too_many

WINDOW = 900
DAY = 86_400


class Bucket(msgspec.Struct, frozen=True):
    name: str
    limit: int
    daily: int | None = None  # of the app, over 24 h


POSTS = Bucket("posts", 100, 10_000)
DELETIONS = Bucket("deletions", 50)
ME = Bucket("me", 75)
TIMELINE = Bucket("timeline", 900)
LOOKUP = Bucket("lookup", 900)
ONE_SHOT = Bucket("one-shot", 500, 50_000)
CHUNKED = Bucket("chunked", 1_875, 180_000)
STATUS = Bucket("status", 1_000)
METADATA = Bucket("metadata", 500)
SUBTITLES = Bucket("subtitles", 100)


class Quotas:
    """Counts calls. `scale` tells by how much every limit is multiplied today; 0: there are none."""

    def __init__(self, scale: Callable[[], float], daily_spent: Callable[[], bool]) -> None:
        self._scale = scale
        self._daily_spent = daily_spent
        self._counts: dict[tuple[str, object, int], int] = {}

    def spend(self, bucket: Bucket, who: object) -> tuple[tuple[str, str], ...]:
        """One call; the headers that go with its answer. Raises Refused 429."""
        scale = self._scale()
        if not scale:
            return ()
        at = time.time()
        headers, left = self._count(bucket.name, who, max(1, int(bucket.limit * scale)), WINDOW, at, "x-rate-limit")
        if bucket.daily is not None:
            limit = max(1, int(bucket.daily * scale))
            day, left_today = self._count(bucket.name, "app", limit, DAY, at, "x-app-limit-24hour")
            if self._daily_spent():
                day, left_today = _headers("x-app-limit-24hour", limit, 0, at + 3_600), -1
            headers, left = (*headers, *day), min(left, left_today)
        if left < 0:
            raise too_many(headers)
        return headers

    def spent(self, reset_in: float) -> Refused:
        """What a switched-on 429 answers."""
        return too_many(_headers("x-rate-limit", POSTS.limit, 0, time.time() + reset_in))

    def forget(self) -> None:
        self._counts.clear()

    def _count(
        self, name: str, who: object, limit: int, seconds: int, at: float, prefix: str
    ) -> tuple[tuple[tuple[str, str], ...], int]:
        window = int(at // seconds)
        key = (f"{prefix}{name}", who, window)
        self._counts[key] = self._counts.get(key, 0) + 1
        left = limit - self._counts[key]
        return _headers(prefix, limit, max(0, left), (window + 1) * seconds), left


def _headers(prefix: str, limit: int, remaining: int, reset: float) -> tuple[tuple[str, str], ...]:
    return (
        (f"{prefix}-limit", str(limit)),
        (f"{prefix}-remaining", str(remaining)),
        (f"{prefix}-reset", str(round(reset))),
    )
