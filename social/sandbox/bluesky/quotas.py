"""Request quotas, counted in points. Sheet: Rate limits and errors. A window begins with its first call.

Kept in memory: a restart forgives, which no test of ours may rely on.
"""

import math
import time
from collections.abc import Callable, Iterable

import msgspec

from social.sandbox.bluesky.errors import Headers, Refused
from social.sandbox.bluesky.oddities import QuotaName


class Bucket(msgspec.Struct, frozen=True):
    name: QuotaName
    limit: int  # points
    seconds: int


REQUESTS = Bucket("requests", 3_000, 300)  # per address
WRITES = (Bucket("writes_hour", 5_000, 3_600), Bucket("writes_day", 35_000, 86_400))  # per account
LOGINS = (Bucket("logins", 30, 300), Bucket("logins_day", 300, 86_400))  # per account
UPLOADS = Bucket("uploads", 1_000, 86_400)  # per account
CREATE, UPDATE, DELETE = 3, 2, 1  # points of a write


class Standing(msgspec.Struct, frozen=True):
    """How one bucket stands after a call."""

    limit: int
    remaining: int
    reset: float  # epoch seconds
    seconds: int

    @property
    def headers(self) -> Headers:
        return (
            ("RateLimit-Limit", str(self.limit)),
            ("RateLimit-Remaining", str(max(0, self.remaining))),
            ("RateLimit-Reset", str(math.ceil(self.reset))),
            ("RateLimit-Policy", f"{self.limit};w={self.seconds}"),
        )

    def refusal(self) -> Refused:
        wait = max(1, math.ceil(self.reset - time.time()))
        headers = (*msgspec.structs.replace(self, remaining=0).headers, ("Retry-After", str(wait)))
        return Refused(429, "RateLimitExceeded", "Rate Limit Exceeded", headers=headers)


class Quotas:
    """`limit_of` tells today's limit of a bucket, None for none."""

    def __init__(self, limit_of: Callable[[Bucket], int | None]) -> None:
        self._limit_of = limit_of
        self._spent: dict[tuple[QuotaName, str], tuple[float, int]] = {}  # until when, points

    def spend(self, buckets: Iterable[Bucket], who: str, points: int = 1) -> Standing | None:
        """In every bucket; tells the one nearest its limit. Raises Refused 429, and then the points count too."""
        standings = [standing for bucket in buckets if (standing := self._spend(bucket, who, points))]
        nearest = min(standings, key=lambda standing: standing.remaining, default=None)
        if nearest is not None and nearest.remaining < 0:
            raise nearest.refusal()
        return nearest

    def forget(self) -> None:
        self._spent.clear()

    def _spend(self, bucket: Bucket, who: str, points: int) -> Standing | None:
        limit = self._limit_of(bucket)
        if limit is None:
            return None
        now = time.time()
        until, spent = self._spent.get((bucket.name, who), (0.0, 0))
        if until <= now:
            until, spent = now + bucket.seconds, 0
        self._spent[bucket.name, who] = (until, spent + points)
        return Standing(limit, limit - spent - points, until, bucket.seconds)
