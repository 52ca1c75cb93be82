"""Nothing to do: how soon is it ready, how much memory has it, what does it use?"""

import argparse
import asyncio
import statistics
from typing import Any

from tests.bench.stage import staged
from tests.bench.usage import rss_mb

STARTS = 3
CALM = 5.0  # seconds after the start that are not counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--seconds", type=float, default=20, help="for how long it is watched (20)")


async def run(args: argparse.Namespace) -> dict[str, Any]:
    """Starts it a few times, then watches it do nothing. `cpu_percent` is of one core."""
    async with staged(start=False) as stage:
        (instance,) = stage.instances
        starts = []
        for _ in range(STARTS):
            await instance.stop()
            starts.append(await instance.start())
        await asyncio.sleep(CALM)
        before = stage.used()
        await asyncio.sleep(args.seconds)
        used = stage.used().since(before)
        servers = {name: round(rss_mb(pid), 1) for name, pid in stage.pids.items() if name != "sink"}
        return {
            "ready_s": round(statistics.median(starts), 3),
            "rss_mb": round(rss_mb(instance.pid), 1),
            "cpu_percent": round(used.product / args.seconds * 100, 2),
            "mongo_cpu_percent": round(used.mongo / args.seconds * 100, 2),
            "redis_cpu_percent": round(used.redis / args.seconds * 100, 2),
            "servers_rss_mb": servers,
        }
