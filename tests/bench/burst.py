"""Everything due in one instant: how late, how dear, and is anything lost or doubled?"""

import argparse
from typing import Any

from tests.bench import client, crowd
from tests.bench.load import add_latency, add_platforms, measured, soon, usual_crowd
from tests.bench.stage import staged


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--posts", type=int, default=2_000, help="each on one account of every platform (2000)")
    add_platforms(parser)
    add_latency(parser, 0)
    parser.add_argument("--instances", type=int, default=1, help="of the product, on the same core (1)")


async def run(args: argparse.Namespace) -> dict[str, Any]:
    """Plans it all for one instant, waits until it is out, and counts."""
    async with staged(instances=args.instances) as stage:
        bare = await client.cpu_s_per_1000(stage.sink.url, stage.cores)
        await stage.sink.reset(latency_ms=args.latency_ms)
        groups = await usual_crowd(stage, args.platforms)
        due_at = soon(args.posts * args.platforms)
        expected = await crowd.planned(groups, args.posts, due_at)
        title = (
            f"{args.posts:,} posts on {args.platforms} platforms due at once; a platform takes {args.latency_ms:g} ms"
        )
        return await measured(stage, expected, due_at, due_at, bare=bare, name="burst", title=title)
