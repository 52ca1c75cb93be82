"""Figures for Prometheus, over all instances at once: whichever is asked gives the same answer."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime

import pymongo
from litestar import MediaType, Response, get
from litestar.di import NamedDependency

from social.api.health import ANSWERS_IN, NeedsNearness
from social.backing import Backing, redis
from social.backing.tally import Durations, longest
from social.people.roles import Role
from social.publishing import gate, lateness, watchdog
from social.publishing.documents import Publication

FORMAT = "text/plain; version=0.0.4; charset=utf-8"
LATE = tuple(2**power for power in range(2, 23))  # milliseconds, 4 ms to 70 minutes: where the buckets kept have bounds
Labels = Mapping[str, str]
Sample = tuple[str, Labels, float]


@get("/metrics", summary="For Prometheus", guards=[NeedsNearness(Role.VIEWER)], media_type=MediaType.TEXT)
async def metrics(backing: NamedDependency[Backing]) -> Response[str]:
    """Counters are kept in the database: they survive restarts and count what every instance did. For the signed-in,
    and for whoever asks from this machine."""
    at = backing.now()
    with pymongo.timeout(2 * ANSWERS_IN):
        late, counts = await lateness.ever()
        alarms = await watchdog.alarms()
        beats = await watchdog.beats(backing)
        overdue = await Publication.longest_overdue(at)
    lines = [
        *_family("social_publications_total", "counter", "Attempts and looks by what they led to.",
                 _kinds("social_publications_total", "state", counts.get("publications", {}))),
        *_family("social_lateness_seconds", "histogram", "From the due instant to the arming of the first request.",
                 _histogram("social_lateness_seconds", late)),
        *_family("social_overdue_seconds", "gauge", "For how long the first in line should have been looked at.",
                 [("social_overdue_seconds", {}, _seconds(overdue[1], at) if overdue else 0.0)]),
        *_family("social_alarms_total", "counter", "Times that the watchdog found an invariant broken.",
                 _kinds("social_alarms_total", "invariant", counts.get("alarms", {}))),
        *_family("social_alarms", "gauge", "Invariants broken at this moment, and how often.",
                 [("social_alarms", {"invariant": each.name}, each.count) for each in alarms]),
        *_family("social_instances", "gauge", "Instances that live.", [("social_instances", {}, len(beats))]),
        *_family("social_lanes", "gauge", "Accounts on which an instance is at work.",
                 [("social_lanes", _instance(each), each.lanes) for each in beats]),
        *_family("social_loop_lag_seconds", "gauge", "For how long a loop let somebody wait, at worst.",
                 [("social_loop_lag_seconds", _instance(each), each.lag) for each in beats]),
        *await _of_redis(backing),
    ]  # fmt: skip
    return Response("\n".join(lines) + "\n", headers={"content-type": FORMAT})


async def _of_redis(backing: Backing) -> Iterable[str]:
    """What only Redis knows; nothing while it is away."""
    try:
        async with asyncio.timeout(ANSWERS_IN):
            queued = await backing.queue.count("queued")
            breakers = await gate.open_breakers(backing)
    except (*redis.GONE, TimeoutError):
        return ()
    opened = [
        ("social_breaker_open", {"realm": each.realm, "platform": each.platform, "origin": each.origin}, 1.0)
        for each in breakers
    ]
    return (
        *_family("social_queue_waiting", "gauge", "Wake-ups in the queue.", [("social_queue_waiting", {}, queued)]),
        *_family("social_breaker_open", "gauge", "Platforms' servers to which nothing but a trial goes out.", opened),
    )


def _family(name: str, kind: str, meaning: str, samples: Iterable[Sample]) -> Iterable[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"
    for sample, labels, value in samples:
        told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{sample}{{{told}}} {value}" if told else f"{sample} {value}"


def _kinds(name: str, label: str, kinds: Mapping[str, int]) -> Iterable[Sample]:
    return [(name, {label: kind}, count) for kind, count in sorted(kinds.items())]


def _histogram(name: str, late: Durations) -> Iterable[Sample]:
    """Durations are whole milliseconds, so what is below a bound is what is at most one millisecond less."""
    for bound in LATE:
        below = sum(count for bucket, count in late.buckets.items() if longest(bucket) < bound)
        yield f"{name}_bucket", {"le": f"{bound / 1000:g}"}, below
    yield f"{name}_bucket", {"le": "+Inf"}, late.count
    yield f"{name}_sum", {}, late.sum / 1000
    yield f"{name}_count", {}, late.count


def _instance(beat: watchdog.Beat) -> Labels:
    return {"instance": f"{beat.owner.host.split()[0]}:{beat.owner.pid}"}


def _seconds(since: datetime, at: datetime) -> float:
    return max(0.0, (at - since).total_seconds())


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
