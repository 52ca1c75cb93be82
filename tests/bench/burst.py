"""Everything due in one instant: how late, how dear, and is anything lost or doubled?"""

import argparse
import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.bench import client, crowd, picture
from tests.bench.outcome import arrived, concluded, outcome, unhappy
from tests.bench.stage import Stage, staged
from tests.bench.usage import forget_the_peak, peak_mb

WORKSPACES, ROWS = 100, 10  # 1,000 accounts on each platform
WRITES = 1_500  # publications that are certainly stored in a second
QUIET = 4.0  # seconds before the due instant by which all must be stored: longer than the product looks ahead
BEGIN = 3.0  # seconds before it from which on what is used is counted
SLOWEST = 100  # publications a second, below which the bench does not wait on


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--posts", type=int, default=2_000, help="each on one account of every platform (2000)")
    parser.add_argument("--platforms", type=int, default=3, choices=(1, 2, 3), help="of Mastodon, X, Bluesky (3)")
    parser.add_argument("--latency-ms", type=float, default=0, help="until a platform answers (0)")
    parser.add_argument("--instances", type=int, default=1, help="of the product, on the same core (1)")


async def run(args: argparse.Namespace) -> dict[str, Any]:
    """Plans it all for one instant, waits until it is out, and counts."""
    async with staged(instances=args.instances) as stage:
        count = args.posts * args.platforms
        bare = await client.cpu_s_per_1000(stage.sink.url, stage.cores)
        await stage.sink.reset(latency_ms=args.latency_ms)
        groups = await crowd.gathered(
            stage.backing, workspaces=WORKSPACES, rows=ROWS, platforms=crowd.ORDER[: args.platforms]
        )
        due_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=QUIET + 2 + count / WRITES)
        expected = await crowd.planned(groups, args.posts, due_at)
        title = f"{args.posts:,} posts on {args.platforms} platforms in one instant, {args.latency_ms:g} ms"
        return await measured(stage, expected, due_at.timestamp(), due_at.timestamp(), bare, "burst", title)


async def measured(
    stage: Stage, expected: crowd.Expected, begins: float, ends: float, bare: float, name: str, title: str
) -> dict[str, Any]:
    """The figures of a load due between the instants `begins` and `ends` (seconds since 1970), which all lie ahead."""
    if begins - time.time() < QUIET:
        raise RuntimeError("Storing the publications took longer than planned for; the machine is too busy for this.")
    await asyncio.sleep(begins - BEGIN - time.time())
    for instance in stage.instances:
        forget_the_peak(instance.pid)
    before = stage.used()
    patience = ends + 30 + len(expected) / SLOWEST
    await arrived(stage, len(expected), until=patience)
    states = await concluded(until=patience + 10)
    used = stage.used().since(before)
    peak = sum(peak_mb(instance.pid) for instance in stage.instances)
    counted = await outcome(stage, expected)
    thousands = len(expected) / 1000
    figures: dict[str, Any] = {
        **counted.counts(),
        **counted.lateness(),
        "drain_s": round(counted.last_at - begins, 3),
        "cpu_s_per_1000": round(used.product / thousands, 4),
        "cpu_x_client": round(used.product / thousands / bare, 3),
        "client_cpu_s_per_1000": round(bare, 4),
        "mongo_cpu_s_per_1000": round(used.mongo / thousands, 4),
        "redis_cpu_s_per_1000": round(used.redis / thousands, 4),
        "rss_mb_peak": round(peak, 1),
    }
    if odd := unhappy(states):
        figures["not_online"] = odd
    if unknown := (await stage.sink.counts()).unknown:
        figures["requests_the_sink_did_not_know"] = unknown
    figures["picture"] = str(picture.lateness(name, title, [(title, counted.late_ms)]))
    return figures
