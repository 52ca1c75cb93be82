"""One workspace with a crowd of posts, and others with one each at the same instant: how much later are the others?"""

import argparse
import asyncio
import time
from typing import Any

from tests.bench import crowd, load, picture
from tests.bench.load import add_latency, must_be_ahead, oddities, soon
from tests.bench.outcome import Outcome, arrived, concluded, outcome
from tests.bench.stage import Stage, staged

PLATFORM = ("bluesky",)  # whose own limits (1,666 posts an hour) leave an account room for its share of the crowd
PAUSE = 1.0  # seconds between two rounds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--crowd", type=int, default=5_000, help="posts of the one workspace (5000)")
    parser.add_argument("--crowd-accounts", type=int, default=10, help="accounts that these are on (10)")
    parser.add_argument("--others", type=int, default=99, help="workspaces with one post each (99)")
    add_latency(parser, 0)


async def run(args: argparse.Namespace) -> dict[str, Any]:
    """First the others alone, then the same with the crowd beside them."""
    async with staged() as stage:
        await stage.sink.reset(latency_ms=args.latency_ms)
        others = await crowd.gathered(stage.backing, workspaces=args.others, rows=1, platforms=PLATFORM)
        one = await crowd.gathered(
            stage.backing, workspaces=1, rows=args.crowd_accounts, platforms=PLATFORM, first=args.others * args.crowd
        )
        await _round(stage, others, args.others, one, 0)  # so that both rounds that count find a warm product
        alone, _ = await _round(stage, others, args.others, one, 0)
        beside, crowded = await _round(stage, others, args.others, one, args.crowd)
        before, after = alone.lateness()["late_ms_p99"], beside.lateness()["late_ms_p99"]
        path = picture.lateness(
            "fairness",
            f"{args.others} posts of as many workspaces, alone and beside {args.crowd:,} of one",
            [("beside the crowd", beside.late_ms), ("alone", alone.late_ms)],
        )
        return {
            "extra_late_ms_p99": round(after - before, 1),
            "alone_late_ms_p99": before,
            "beside_late_ms_p99": after,
            "beside_late_ms_max": beside.lateness()["late_ms_max"],
            "crowd_late_ms_p99": crowded.lateness()["late_ms_p99"],
            "lost": alone.lost + beside.lost + crowded.lost,
            "doubled": alone.doubled + beside.doubled + crowded.doubled,
            "early": alone.early + beside.early + crowded.early,
            **oddities(await concluded(until=time.time()), (await stage.sink.counts()).unknown),
            "picture": str(path),
        }


async def _round(
    stage: Stage, others: list[crowd.Group], posts: int, one: list[crowd.Group], crowded: int
) -> tuple[Outcome, Outcome]:
    """One instant: so many posts of the others, so many of the one. What became of either."""
    before = (await stage.sink.counts()).publications
    due_at = soon(posts + crowded)
    of_one = await crowd.planned(one, crowded, due_at)
    of_others = await crowd.planned(others, posts, due_at)
    must_be_ahead(due_at)
    until = load.patience(due_at, posts + crowded)
    await arrived(stage, before + posts + crowded, until=until)
    await concluded(until=until + 10)
    await asyncio.sleep(PAUSE)
    return await outcome(stage, of_others, silence=0), await outcome(stage, of_one)
