"""A load of publications that lies ahead: waited for, counted, and what it cost."""

import argparse
import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.bench import client, crowd, picture
from tests.bench.outcome import arrived, concluded, outcome, unhappy
from tests.bench.stage import Stage
from tests.bench.usage import forget_the_peak, peak_mb

WORKSPACES, ROWS = 100, 10  # 1,000 accounts on each platform
WRITES = 1_500  # publications that are certainly stored in a second; 4,000 on an idle machine
SLACK = 3.0
QUIET = 4.0  # seconds before the first due instant by which all must be stored: longer than the product looks ahead
BEGIN = 3.0  # seconds before it from which on what is used is counted
PATIENCE = 30.0  # seconds after the last due instant, and more for many publications:
SLOWEST = 100  # a second; a slower product is not waited for


def add_platforms(parser: argparse.ArgumentParser) -> None:
    """The option on which platforms."""
    parser.add_argument("--platforms", type=int, default=3, choices=(1, 2, 3), help="of Mastodon, X, Bluesky (3)")


def add_latency(parser: argparse.ArgumentParser, usual: float) -> None:
    """The option how long platforms take."""
    parser.add_argument("--latency-ms", type=float, default=usual, help=f"until a platform answers ({usual:g})")


async def usual_crowd(stage: Stage, platforms: int) -> list[crowd.Group]:
    """100 workspaces with ten accounts on each platform."""
    return await crowd.gathered(stage.backing, workspaces=WORKSPACES, rows=ROWS, platforms=crowd.ORDER[:platforms])


def soon(publications: int) -> datetime:
    """An instant far enough ahead for so many publications to be stored before it."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=QUIET + SLACK + publications / WRITES)


def must_be_ahead(begins: datetime) -> None:
    """RuntimeError if the product has begun already with what is due from `begins` on."""
    if begins.timestamp() - time.time() < QUIET:
        raise RuntimeError("Storing the publications took longer than planned for; the machine is too busy for this.")


def patience(ends: datetime, publications: int) -> float:
    """Until when (seconds since 1970) it is waited for so many publications, the last of which is due at `ends`."""
    return ends.timestamp() + PATIENCE + publications / SLOWEST


async def measured(
    stage: Stage, expected: crowd.Expected, begins: datetime, ends: datetime, *, bare: float, name: str, title: str
) -> dict[str, Any]:
    """The figures of what is due from `begins` to `ends`. `bare`: the bare client's cost, measured just before; it is
    measured once more afterwards, for machines change their mind."""
    must_be_ahead(begins)
    await asyncio.sleep(begins.timestamp() - BEGIN - time.time())
    for instance in stage.instances:
        forget_the_peak(instance.pid)
    before, until = stage.used(), patience(ends, len(expected))
    await arrived(stage, len(expected), until=until)
    states = await concluded(until=until + 10)
    used = stage.used().since(before)
    peak = sum(peak_mb(instance.pid) for instance in stage.instances)
    counted, counts = await outcome(stage, expected), await stage.sink.counts()
    bare = (bare + await client.cpu_s_per_1000(stage.sink.url, stage.cores)) / 2
    thousands = len(expected) / 1000
    figures: dict[str, Any] = {
        **counted.counts(),
        **counted.lateness(),
        "drain_s": round(counted.last_at - begins.timestamp(), 3),
        "cpu_s_per_1000": round(used.product / thousands, 4),
        "cpu_x_client": round(used.product / thousands / bare, 3),
        "client_cpu_s_per_1000": round(bare, 4),
        "mongo_cpu_s_per_1000": round(used.mongo / thousands, 4),
        "redis_cpu_s_per_1000": round(used.redis / thousands, 4),
        "rss_mb_peak": round(peak, 1),
        **oddities(states, counts.unknown),
    }
    return figures | {"picture": str(picture.lateness(name, title, [(name, counted.late_ms)]))}


def oddities(states: Mapping[str, int], unknown: int) -> dict[str, Any]:
    """What should not be there and is named only where it is."""
    odd: dict[str, Any] = {}
    if others := unhappy(states):
        odd["not_online"] = others
    if unknown:
        odd["requests_the_sink_did_not_know"] = unknown
    return odd
