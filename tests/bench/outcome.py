"""What the sink has in the end, against what was to arrive. Pure, but for the waiting."""

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from social.outbox.documents import Row
from social.publishing.documents import Publication
from social.publishing.states import FINAL, State
from tests.bench.crowd import Expected
from tests.bench.sink.asked import Arrived
from tests.bench.stage import Stage

LOOK = 0.2  # seconds between two looks
SILENCE = 1.0  # seconds after the end in which a double would still be seen


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Counted at the sink. Lateness in ms, of each publication's first arrival, ascending."""

    expected: int
    lost: int
    doubled: int
    early: int
    late_ms: list[float]
    first_at: float  # of arrivals, seconds since 1970; 0 if there was none
    last_at: float

    @classmethod
    def of(cls, expected: Expected, arrived: Arrived) -> "Outcome":
        """What became of the `expected` ones; what else arrived is not looked at."""
        firsts = {id: min(arrived[id][1]) for id in expected if id in arrived}
        late = sorted(at * 1000 - expected[id] for id, at in firsts.items())
        return cls(
            expected=len(expected),
            lost=len(expected) - len(firsts),
            doubled=sum(len(arrived[id][1]) > 1 for id in firsts),
            early=sum(each < 0 for each in late),
            late_ms=late,
            first_at=min(firsts.values(), default=0.0),
            last_at=max(firsts.values(), default=0.0),
        )

    def counts(self) -> dict[str, Any]:
        """The figures that every bench of publications has."""
        return {"publications": self.expected, "lost": self.lost, "doubled": self.doubled, "early": self.early}

    def lateness(self) -> dict[str, float]:
        """Percentiles of the lateness in ms; of nothing they are 0."""
        return {
            "late_ms_p50": percentile(self.late_ms, 50),
            "late_ms_p99": percentile(self.late_ms, 99),
            "late_ms_max": percentile(self.late_ms, 100),
        }


def percentile(ascending: Sequence[float], share: float) -> float:
    """The smallest of the values that `share` percent of them do not exceed; 0 if there is none. To 0.1."""
    if not ascending:
        return 0.0
    return round(ascending[max(0, math.ceil(len(ascending) * share / 100) - 1)], 1)


async def arrived(stage: Stage, count: int, *, until: float, look: float = LOOK) -> bool:
    """Waits until `count` publications have arrived, until the instant `until` (s since 1970) at most,
    looking every `look` seconds. Whether."""
    while (await stage.sink.counts()).publications < count:
        if time.time() > until:
            return False
        await asyncio.sleep(look)
    return True


async def concluded(*, until: float) -> dict[str, int]:
    """Waits until every publication is final and every event has its number, until `until` at most. How many are in
    which state then; all `online` if all went well."""
    pending = {"state": {"$in": [state for state in State if state not in FINAL]}}
    while time.time() < until:
        if await Publication.engine().find_one(pending, {"_id": 1}) is None and not await Row.waiting(most=1):
            break
        await asyncio.sleep(LOOK)
    found = await Publication.engine().aggregate([{"$group": {"_id": "$state", "count": {"$sum": 1}}}])
    return {each["_id"]: each["count"] async for each in found}


async def outcome(stage: Stage, expected: Expected, *, silence: float = SILENCE) -> Outcome:
    """What the sink has after it was left alone for `silence` seconds."""
    await asyncio.sleep(silence)
    return Outcome.of(expected, await stage.sink.arrivals())


def unhappy(states: Mapping[str, int]) -> dict[str, int]:
    """The states other than online that publications ended in."""
    return {state: count for state, count in states.items() if state != State.ONLINE}
