"""Many clients that ask the API as fast as it answers: `python -m tests.bench.asking`, an Order on standard input.

Prints what came of it as one JSON object, an Answered. Bare aiohttp on uvloop; each connection is a person of its own
and asks again as soon as it was answered.
"""

import asyncio
import math
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any

import aiohttp
import msgspec
import uvloop

MOST = 50_000  # requests altogether
TEXT = "a post that somebody writes on an ordinary evening, with a few words about the river and the weather. " * 2
Asked = tuple[str, str, Any]  # method, path, JSON


class Asker(msgspec.Struct):
    """One person: their token, the accounts they write for, drafts of theirs, posts of theirs to read."""

    token: str
    accounts: list[str]
    drafts: list[str]
    posts: list[str]


class Order(msgspec.Struct):
    """Whom to ask, as whom, what (`post`: write a draft, `plan`: give one a date, `get`: lists and single posts)."""

    url: str
    kind: str
    seconds: float
    askers: list[Asker]


class Answered(msgspec.Struct):
    """How many were answered as they should, how many were not, in how many seconds, and how long they took in ms."""

    count: int
    failed: int
    seconds: float
    ms_p50: float
    ms_p99: float


async def asked(order: Order) -> Answered:
    """Carries out the order."""
    took: list[float] = []
    failed = 0
    began = time.perf_counter()
    until = began + order.seconds

    async def ask(asker: Asker) -> None:
        nonlocal failed
        headers = {"Authorization": f"Bearer {asker.token}", "Social-Client": "bench"}
        async with aiohttp.ClientSession(headers=headers) as session:
            for method, path, body in _requests(order.kind, asker):
                before = time.perf_counter()
                if before > until or len(took) + failed >= MOST:
                    return
                async with session.request(method, f"{order.url}/api/v1{path}", json=body) as answer:
                    await answer.read()
                    if answer.status < 300:
                        took.append((time.perf_counter() - before) * 1000)
                    else:
                        failed += 1

    await asyncio.gather(*map(ask, order.askers))
    seconds = time.perf_counter() - began
    took.sort()
    return Answered(len(took), failed, round(seconds, 3), _percentile(took, 50), _percentile(took, 99))


def _requests(kind: str, asker: Asker) -> Any:
    match kind:
        case "post":
            return cycle([("POST", "/posts", {"text": TEXT, "accounts": asker.accounts})])
        case "plan":
            at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
            return (("PUT", f"/posts/{id}/plan", {"revision": 1, "at": at}) for id in asker.drafts)
    lists = [("GET", "/posts?limit=20", None), ("GET", "/publications?limit=50", None)]
    return cycle([*lists, *(("GET", f"/posts/{id}", None) for id in asker.posts)])


def _percentile(ascending: list[float], share: float) -> float:
    return round(ascending[max(0, math.ceil(len(ascending) * share / 100) - 1)], 2) if ascending else 0.0


if __name__ == "__main__":
    order_ = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(asked(order_))))
