"""What a process counts between two moments at which it writes it down: how late things were, and how many there were.

Counting is the hot path's: no waiting, no lock, a microsecond. Whoever keeps the counts takes them away now and then.
"""

from collections import deque
from typing import Any

FINE = 16  # up to so many milliseconds each has a bucket; beyond that each power of two has as many buckets
GRAIN = FINE.bit_length() - 1
MOST = 2**31 - 1  # milliseconds: 25 days
TOLD = 4  # times that a lag is told, so that who looks every other time, or a little less often, does not miss it


def bucket(ms: int) -> int:
    """The bucket of a duration in milliseconds; of a negative one, the first. Buckets are a sixteenth wide at most."""
    if ms < FINE:
        return max(ms, 0)
    ms = min(ms, MOST)
    power = ms.bit_length() - 1 - GRAIN
    return (power + 1) * FINE + (ms >> power) - FINE


def longest(bucket: int) -> int:
    """The longest duration, in whole milliseconds, that `bucket` holds."""
    if bucket < FINE:
        return bucket
    power, place = divmod(bucket - FINE, FINE)
    return ((place + FINE + 1) << power) - 1


class Durations:
    """How many durations fell into each bucket; and their number, their sum and the longest, in milliseconds."""

    __slots__ = ("buckets", "count", "longest", "sum")

    def __init__(self) -> None:
        self.buckets: dict[int, int] = {}
        self.count = 0
        self.sum = 0
        self.longest = 0

    def add(self, ms: int) -> None:
        """Counts one."""
        ms = max(ms, 0)
        place = bucket(ms)
        self.buckets[place] = self.buckets.get(place, 0) + 1
        self.count += 1
        self.sum += ms
        self.longest = max(self.longest, ms)

    def merge(self, buckets: dict[int, int], *, sum: int, longest: int) -> None:
        """Counts what others have counted."""
        for place, count in buckets.items():
            self.buckets[place] = self.buckets.get(place, 0) + count
            self.count += count
        self.sum += sum
        self.longest = max(self.longest, longest)

    def percentile(self, share: float) -> int | None:
        """The milliseconds that `share` (0 to 1) of them did not exceed; a sixteenth too many at most, and never too
        few. None of none."""
        if not self.count:
            return None
        left = share * self.count
        for place in sorted(self.buckets):
            left -= self.buckets[place]
            if left <= 1e-9:
                return min(longest(place), self.longest)
        return self.longest


class Tally:
    """One per process. `late` is by workspace; `counts` by what is counted: a name and what tells its kinds apart."""

    def __init__(self) -> None:
        self.late: dict[Any, Durations] = {}
        self.counts: dict[tuple[str, str], int] = {}
        self.lag = 0.0  # seconds for which the loop let somebody wait, at worst, since that was looked at last
        self.lags: deque[float] = deque(maxlen=TOLD)  # the same, between the last few times

    def late_by(self, workspace_id: Any, ms: int) -> None:
        """Counts one of a workspace that was so late."""
        durations = self.late.get(workspace_id)
        if durations is None:
            durations = self.late[workspace_id] = Durations()
        durations.add(ms)

    def count(self, name: str, kind: str, by: int = 1) -> None:
        """Counts `by` more of a kind."""
        counted = (name, kind)
        self.counts[counted] = self.counts.get(counted, 0) + by

    def worst_lag(self) -> float:
        """The worst of the present lag and the last few; what comes now is the next one's."""
        self.lags.append(self.lag)
        self.lag = 0.0
        return max(self.lags)

    def taken(self) -> tuple[dict[Any, Durations], dict[tuple[str, str], int]]:
        """What was counted since it was taken last."""
        late, counts = self.late, self.counts
        self.late, self.counts = {}, {}
        return late, counts

    def given_back(self, late: dict[Any, Durations], counts: dict[tuple[str, str], int]) -> None:
        """What could not be written down is counted once more."""
        for workspace_id, each in late.items():
            durations = self.late.setdefault(workspace_id, Durations())
            durations.merge(each.buckets, sum=each.sum, longest=each.longest)
        for (name, kind), by in counts.items():
            self.count(name, kind, by)
