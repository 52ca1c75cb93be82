"""What a POST costs that does nothing else: bare aiohttp to the same sink, on the product's core.

`python -m tests.bench.client URL ROUNDS COUNT CONCURRENCY`, a process of its own, prints the seconds of a core that
1,000 cost, the median of the rounds. One session, kept connections, uvloop, the platforms' own paths in turn, a body
as long as a publication's; each answer is read to its end.
"""

import asyncio
import itertools
import json
import statistics
import sys
import time

import aiohttp
import uvloop

from tests.bench.beside import said
from tests.bench.cores import Cores
from tests.bench.sink import bluesky, mastodon, x

ROUNDS, COUNT, CONCURRENCY = 5, 1_500, 200  # the last is what an instance has on its way at once
WITHIN = 60.0
TEXT = "a plain post without anything in it that would cost more " * 4


async def cpu_s_per_1000(url: str, cores: Cores) -> float:
    """What 1,000 cost, measured by a process of its own on the product's core."""
    words = (url, str(ROUNDS), str(COUNT), str(CONCURRENCY))
    return float(await said("client", *words, cores=cores.product, within=WITHIN))


async def measured(url: str, rounds: int, count: int, concurrency: int) -> float:
    """The median cost of 1,000 over so many rounds of `count`, after one that only warms up."""
    numbers = itertools.count()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def post(many: int) -> None:
            for _ in range(many):
                path, body = _request(next(numbers))
                async with session.post(
                    url + path,
                    data=body,
                    headers={"Content-Type": "application/json", "Authorization": "Bearer t1"},
                ) as answer:
                    answer.raise_for_status()
                    await answer.read()

        costs = []
        for _ in range(rounds + 1):
            before = time.process_time()
            await asyncio.gather(*(post(count // concurrency) for _ in range(concurrency)))
            costs.append((time.process_time() - before) / (count // concurrency * concurrency) * 1000)
    return statistics.median(costs[1:])


def _request(number: int) -> tuple[str, bytes]:
    match number % 3:
        case 0:
            return mastodon.STATUSES, json.dumps({"status": TEXT, "visibility": "public"}).encode()
        case 1:
            return x.POSTS, json.dumps({"text": TEXT}).encode()
    place = {"repo": "did:plc:1", "collection": "app.bsky.feed.post", "rkey": str(number), "swapRecord": None}
    record = {"$type": "app.bsky.feed.post", "text": TEXT, "createdAt": "2026-01-01T00:00:00.000Z"}
    return bluesky.PUT, json.dumps({**place, "record": record}).encode()


if __name__ == "__main__":
    address, *numbers_ = sys.argv[1:]
    print(uvloop.run(measured(address, *map(int, numbers_))))
