"""SIGKILL in the middle of a burst: is anything lost or doubled, and how soon does it go on?

The platforms stand for the classes that settling knows: Mastodon K (idempotency key), X S (search), Bluesky N (record
key). The sink honours keys and places as they do, and nothing else keeps a double away from it.
"""

import argparse
import asyncio
import time
from collections import Counter
from typing import Any

import msgspec

from social.platforms import PLATFORMS
from social.publishing.documents import Publication
from social.publishing.states import State
from social.settings import Times
from tests.bench import crowd, load
from tests.bench.load import add_latency, add_platforms, must_be_ahead, oddities, soon, usual_crowd
from tests.bench.outcome import Outcome, arrived, concluded, outcome
from tests.bench.sink.asked import Arrived
from tests.bench.stage import Stage, staged

# The lease stays long: who began a send so late that it could outlive a short one would wait for a try of its own.
SHORT = {"http_timeout": 3.0, "lease": 30.0, "margin": 1.0, "first_look": 1.0, "settle": 6.0, "settle_dead": 3.0}
LOOK = 0.01  # seconds between two looks whether it is time
SHARE = 0.3  # of the burst that has arrived when the product is killed
CLASSES = {"rkey": "N", "key": "K", "handle": "H", "search": "S", "blind": "B"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--posts", type=int, default=2_000, help="each on one account of every platform (2000)")
    parser.add_argument("--after-s", type=float, default=1, help="seconds from the kill to the restart (1)")
    add_platforms(parser)
    add_latency(parser, 50)
    parser.add_argument("--production-times", action="store_true", help="the protocol's own times, not shortened ones")


async def run(args: argparse.Namespace) -> dict[str, Any]:
    """Kills the product when a part of the burst has arrived, starts it again, waits until all is settled."""
    times = {} if args.production_times else SHORT
    async with staged(times=times) as stage:
        await stage.sink.reset(latency_ms=args.latency_ms)
        groups = await usual_crowd(stage, args.platforms)
        due_at = soon(args.posts * args.platforms)
        expected = await crowd.planned(groups, args.posts, due_at)
        must_be_ahead(due_at)
        await arrived(stage, round(len(expected) * SHARE), until=load.patience(due_at, len(expected)), look=LOOK)
        in_flight, restarted = await _killed(stage, args.after_s)
        settling = stage.backing.settings.times
        patience = time.time() + load.PATIENCE + len(expected) / load.SLOWEST + _settled_within(settling)
        states = await concluded(until=patience)
        settled = time.time()
        counted = await outcome(stage, expected)
        others, first = _after(expected, set(in_flight), await stage.sink.arrivals(), restarted)
        classes = Counter(CLASSES[PLATFORMS[platform].settles] for platform in in_flight.values())
        return {
            **counted.counts(),
            "first_s": first,
            "all_s": round(max(0.0, others.last_at - restarted), 3),
            "settled_s": round(settled - restarted, 3),
            "in_flight": len(in_flight),
            "in_flight_by_class": dict(classes),
            "repeats_the_sink_recognised": (await stage.sink.counts()).repeats,
            "times_s": msgspec.to_builtins(settling),
            **oddities(states, (await stage.sink.counts()).unknown),
        }


async def _killed(stage: Stage, pause: float) -> tuple[dict[str, str], float]:
    """Kills the product and starts it again after `pause` seconds. What was in flight, as platforms by publication, and
    the instant (seconds since 1970) of the restart."""
    (instance,) = stage.instances
    await instance.kill()
    killed = time.time()
    sending = Publication.engine().find({"state": State.SENDING}, {"platform": 1})
    in_flight = {str(each["_id"]): str(each["platform"]) async for each in sending}
    await asyncio.sleep(max(0.0, killed + pause - time.time()))
    restarted = time.time()
    await instance.start()
    return in_flight, restarted


def _after(
    expected: crowd.Expected, in_flight: set[str], arrived: Arrived, restarted: float
) -> tuple[Outcome, float | None]:
    """What became of those that were not in flight, and the seconds from the restart to the first arrival after it."""
    others = {id: due for id, due in expected.items() if id not in in_flight}
    later = [at for _, instants in arrived.values() for at in instants if at >= restarted]
    return Outcome.of(others, arrived), round(min(later) - restarted, 3) if later else None


def _settled_within(times: Times) -> float:
    """Seconds in which what was in flight is settled, twice over: it may be sent anew and be looked for once more."""
    return 2 * (times.http_timeout + times.settle_dead) + 2 * times.lease + times.backoff
