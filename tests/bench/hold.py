"""Hold everything while posts go out: how soon is that acknowledged, and is anything sent afterwards?"""

import argparse
import asyncio
import time
from datetime import timedelta
from typing import Any

from tests.bench import crowd
from tests.bench.load import add_latency, add_platforms, must_be_ahead, oddities, soon
from tests.bench.outcome import concluded, outcome
from tests.bench.stage import Stage, staged

ROWS = 10  # accounts on each platform
BEFORE, AFTER = 10.0, 10.0  # seconds of load before the hold is asked for, and of what would have gone out after it
STILL = 3.0  # seconds after the last due instant in which something late would still be seen
EVERYTHING: dict[str, Any] = {}  # nothing narrower than the workspace


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--rate", type=float, default=500, help="posts a minute (500)")
    parser.add_argument("--instances", type=int, default=2, help="of the product, on the same core (2)")
    add_platforms(parser)
    add_latency(parser, 50)


async def run(args: argparse.Namespace) -> dict[str, Any]:
    """One workspace's posts at an even rate; in the middle its owner holds everything, over the API of one instance."""
    async with staged(instances=args.instances) as stage:
        await stage.sink.reset(latency_ms=args.latency_ms)
        platforms = crowd.ORDER[: args.platforms]
        (group,) = groups = await crowd.gathered(stage.backing, workspaces=1, rows=ROWS, platforms=platforms)
        token = await crowd.signed_in(group.owner, stage.backing)
        posts = round(args.rate / 60 * (BEFORE + AFTER))
        begins = soon(posts * args.platforms)
        expected = await crowd.planned(groups, posts, begins, over=timedelta(seconds=BEFORE + AFTER))
        must_be_ahead(begins)
        await asyncio.sleep(begins.timestamp() + BEFORE - time.time())
        asked, acknowledged = await _held(stage, token)
        await asyncio.sleep(begins.timestamp() + BEFORE + AFTER + STILL - time.time())
        arrivals = await stage.sink.arrivals()
        counted = await outcome(stage, {id: due for id, due in expected.items() if due < asked * 1000})
        return {
            "acknowledged_ms": round((acknowledged - asked) * 1000, 1),
            "sent_after": sum(at > acknowledged for _, instants in arrivals.values() for at in instants),
            "sent_before": sum(at <= acknowledged for _, instants in arrivals.values() for at in instants),
            "held_back": len(expected) - len(arrivals),
            "due_before_and_held_back": counted.lost,
            "doubled": counted.doubled,
            "early": counted.early,
            "states": await concluded(until=time.time()),
            **oddities({}, (await stage.sink.counts()).unknown),
        }


async def _held(stage: Stage, token: str) -> tuple[float, float]:
    """Holds everything; when that was asked for and when it was acknowledged (seconds since 1970)."""
    headers = {"Authorization": f"Bearer {token}", "Social-Client": "bench"}
    asked = time.time()
    async with stage.session.post(f"{stage.instances[0].url}/api/v1/holds", json=EVERYTHING, headers=headers) as answer:
        said = await answer.text()
        acknowledged = time.time()
        if answer.status >= 300:
            raise RuntimeError(f"The hold was not acknowledged: {answer.status} {said[:500]}")
    return asked, acknowledged
