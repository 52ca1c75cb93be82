"""How punctual publications are: from the due instant to the moment the request was armed, counted as it happens.

Each instance counts in memory and adds what it has counted to Mongo every few seconds, by workspace and minute, so that
one answer holds all instances and a restart loses nothing but the last seconds of one that was killed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from beanie import Document, PydanticObjectId
from bson import ObjectId
from pymongo import IndexModel, UpdateOne

from social.backing import Backing
from social.backing.tally import Durations
from social.publishing.facts import Facts
from social.publishing.states import State

WINDOWS = {"five_minutes": timedelta(minutes=5), "hour": timedelta(hours=1), "day": timedelta(hours=24)}
MINUTE = timedelta(minutes=1)
MS = timedelta(milliseconds=1)
KEPT = timedelta(hours=25)
EVERYBODY = ObjectId("0" * 24)  # in place of a workspace: all of them together
FOR_EVER = "for ever"  # the id of what is never forgotten, for counters that only rise

Json = dict[str, Any]


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """How late those that went out within a window were, in milliseconds; nothing but `count` where there were none.

    Percentiles are at most a sixteenth too high and never too low; `max` is exact.
    """

    count: int
    p50_ms: int | None
    p90_ms: int | None
    p99_ms: int | None
    max_ms: int | None


class Punctuality(msgspec.Struct, frozen=True, kw_only=True):
    """The same for the windows that end now, which begin with a whole minute."""

    five_minutes: Percentiles
    hour: Percentiles
    day: Percentiles


class LateMinute(Document):
    """How late those of one workspace were that were armed within one minute. Its id names both."""

    workspace_id: PydanticObjectId
    minute: datetime

    class Settings:
        name = "lateness"
        indexes = (
            IndexModel([("workspace_id", 1), ("minute", 1)]),
            IndexModel([("minute", 1)], expireAfterSeconds=int(KEPT.total_seconds())),
        )


class Count(Document):
    """Counters that survive restarts. `_id` is what is counted; the one of lateness is `FOR_EVER`."""

    class Settings:
        name = "counts"


def noted(publication: Facts, state: State, backing: Backing) -> None:
    """Counts an attempt at the part whose turn it is: `publication` as it was armed, and the `state` it has led to.

    How late it was is counted with the first attempt at the first part alone: what comes after it waits for the
    platform, or for the part before. Does not wait, and takes a microsecond.
    """
    backing.tally.count("publications", state)
    if publication.part == 0 and publication.attempt_no - publication.attempts_before == 1 and publication.sent_at:
        backing.tally.late_by(publication.workspace_id, (publication.sent_at - publication.due_at) // MS)


async def keep(backing: Backing) -> None:
    """Adds what was counted in this process to what is kept for all. PyMongoError if that cannot be: it stays counted
    here."""
    late, counts = backing.tally.taken()
    if not late and not counts:
        return
    minute = backing.now().replace(second=0, microsecond=0)
    everybody = Durations()
    for each in late.values():
        everybody.merge(each.buckets, sum=each.sum, longest=each.longest)
    writes = [_added(workspace_id, minute, each) for workspace_id, each in late.items()]
    if late:
        writes.append(_added(EVERYBODY, minute, everybody))
    totals = [
        UpdateOne({"_id": name}, {"$inc": {f"kinds.{kind}": by for kind, by in kinds.items()}}, upsert=True)
        for name, kinds in _by_name(counts).items()
    ]
    if late:
        totals.append(UpdateOne({"_id": FOR_EVER}, _increase(everybody), upsert=True))
    try:
        if totals:
            await Count.get_pymongo_collection().bulk_write(totals, ordered=False)
    except BaseException:
        backing.tally.given_back(late, counts)
        raise
    if writes:  # what is lost of these is missing for a day, and counted twice by nobody
        await LateMinute.get_pymongo_collection().bulk_write(writes, ordered=False)


async def of_workspace(workspace_id: ObjectId, at: datetime) -> Punctuality:
    """How late those of a workspace were in the windows that end at `at` (UTC)."""
    found = await (
        LateMinute.get_pymongo_collection()
        .find({"workspace_id": workspace_id, "minute": {"$gt": at - WINDOWS["day"] - MINUTE, "$lte": at}})
        .to_list()
    )
    return Punctuality(**{name: percentiles(_merged(found, at - length)) for name, length in WINDOWS.items()})


async def of_everybody(at: datetime) -> Punctuality:
    """The same over all workspaces."""
    return await of_workspace(EVERYBODY, at)


async def ever() -> tuple[Durations, dict[str, dict[str, int]]]:
    """All that was ever counted: how late, and how many of each kind by the name of what is counted."""
    late, counts = Durations(), dict[str, dict[str, int]]()
    async for found in Count.get_pymongo_collection().find({"_id": {"$gt": ""}}):
        if found["_id"] == FOR_EVER:
            late.merge(_buckets(found), sum=found["sum"], longest=found["longest"])
        else:
            counts[found["_id"]] = found["kinds"]
    return late, counts


def percentiles(late: Durations) -> Percentiles:
    """What is said of durations."""
    return Percentiles(
        count=late.count,
        p50_ms=late.percentile(0.5),
        p90_ms=late.percentile(0.9),
        p99_ms=late.percentile(0.99),
        max_ms=late.longest if late.count else None,
    )


def _merged(found: Sequence[Json], since: datetime) -> Durations:
    merged = Durations()
    for each in found:
        if each["minute"] > since - MINUTE:
            merged.merge(_buckets(each), sum=each["sum"], longest=each["longest"])
    return merged


def _buckets(found: Json) -> dict[int, int]:
    return {int(place): count for place, count in found["buckets"].items()}


def _added(workspace_id: ObjectId, minute: datetime, late: Durations) -> UpdateOne:
    mine = {"_id": f"{workspace_id}:{minute:%Y%m%d%H%M}"}
    whose = {"workspace_id": workspace_id, "minute": minute}
    return UpdateOne(mine, {"$setOnInsert": whose} | _increase(late), upsert=True)


def _increase(late: Durations) -> Json:
    buckets = {f"buckets.{place}": count for place, count in late.buckets.items()}
    return {"$inc": buckets | {"count": late.count, "sum": late.sum}, "$max": {"longest": late.longest}}


def _by_name(counts: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    named: dict[str, dict[str, int]] = {}
    for (name, kind), by in counts.items():
        named.setdefault(name, {})[kind] = by
    return named
