"""Request quotas. Sheet: Rate limits and errors. Windows lie on the clock, not on the first call.

Kept in memory: a restart forgives, which no test of ours may rely on (the original keeps them in its cache).
The original exempts loopback; everybody is on loopback here, so nobody is exempt.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import msgspec

from social.sandbox.mastodon.errors import TOO_MANY_REQUESTS, Refused
from social.sandbox.mastodon.oddities import QuotaName


class Bucket(msgspec.Struct, frozen=True):
    name: QuotaName
    limit: int
    seconds: int


PER_TOKEN = Bucket("token", 300, 300)
PER_USER = Bucket("user", 1500, 300)
PER_ADDRESS = Bucket("address", 300, 300)
PAGING = Bucket("paging", 300, 900)
UPLOADS = Bucket("uploads", 30, 1800)
DELETIONS = Bucket("deletions", 30, 1800)
STATUSES = Bucket("statuses", 300, 10_800)


class Standing(msgspec.Struct, frozen=True):
    """How one bucket stands after a call."""

    limit: int
    remaining: int
    reset: float  # epoch seconds

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        return (
            ("X-RateLimit-Limit", str(self.limit)),
            ("X-RateLimit-Remaining", str(self.remaining)),
            ("X-RateLimit-Reset", datetime.fromtimestamp(self.reset, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")),
        )

    def refusal(self) -> Refused:
        return Refused(429, TOO_MANY_REQUESTS, headers=self.headers)


class Quotas:
    """Counts calls per bucket and whoever it is kept for. `limit_of` tells today's limit of a bucket, None for none."""

    def __init__(self, limit_of: Callable[[Bucket], int | None]) -> None:
        self._limit_of = limit_of
        self._spent: dict[tuple[QuotaName, object], tuple[int, int]] = {}  # to (window, count)

    def spend(self, claims: Iterable[tuple[Bucket, object]], now: float) -> Standing | None:
        """One call, counted in every bucket; tells the one nearest its limit. Raises Refused 429."""
        standings = [standing for bucket, who in claims if (standing := self._spend(bucket, who, now))]
        nearest = min(standings, key=lambda standing: standing.remaining, default=None)
        if nearest is not None and nearest.remaining < 0:
            raise msgspec.structs.replace(nearest, remaining=0).refusal()
        return nearest

    def check(self, bucket: Bucket, who: object, now: float) -> None:
        """Raises Refused 429 where nothing is left; spends nothing."""
        standing = self.standing(bucket, who, now)
        if standing is not None and standing.remaining <= 0:
            raise standing.refusal()

    def standing(self, bucket: Bucket, who: object, now: float) -> Standing | None:
        limit = self._limit_of(bucket)
        if limit is None:
            return None
        window, count = self._spent.get((bucket.name, who), (0, 0))
        return Standing(limit, limit - (count if window == _window(bucket, now) else 0), _reset(bucket, now))

    def forget(self) -> None:
        self._spent.clear()

    def _spend(self, bucket: Bucket, who: object, now: float) -> Standing | None:
        here = _window(bucket, now)
        window, count = self._spent.get((bucket.name, who), (here, 0))
        self._spent[bucket.name, who] = (here, count + 1 if window == here else 1)
        return self.standing(bucket, who, now)


def _window(bucket: Bucket, now: float) -> int:
    return int(now // bucket.seconds)


def _reset(bucket: Bucket, now: float) -> float:
    """The next mark of the clock, with the fraction of now, as recorded from the original."""
    return now + bucket.seconds - int(now) % bucket.seconds
