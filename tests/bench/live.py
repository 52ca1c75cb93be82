"""Many live connections and one change: how long until the last one hears of it, and what a connection costs."""

import argparse
import asyncio
import math
import time
from typing import Any

import msgspec

from social.live.hub import SEATS
from tests.bench import crowd
from tests.bench.beside import Process, beside
from tests.bench.ears import Heard
from tests.bench.outcome import percentile
from tests.bench.stage import Stage, staged
from tests.bench.usage import rss_mb

FIRST = 0.1  # of the connections are opened before memory is looked at for the first time: what comes once is in it
CHANGES = 50
APART = 0.1  # seconds between two changes
PATIENCE = 10.0  # seconds for one change, after which it is missed
CALM = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--sockets", type=int, default=1_000, help="in one workspace (1000)")


async def run(args: argparse.Namespace) -> dict[str, Any]:
    """Opens them with tickets of the API, writes drafts over the API, one by one."""
    async with staged() as stage:
        (group,) = await crowd.gathered(stage.backing, workspaces=1, rows=1)
        people = await crowd.joined(group, math.ceil(args.sockets / SEATS))
        tokens = [await crowd.signed_in(user, stage.backing) for user in people]
        owner = await crowd.signed_in(group.owner, stage.backing)
        instance = stage.instances[0]
        async with beside("ears", "127.0.0.1", str(instance.port), cores=stage.cores.rest) as ears:
            first = round(args.sockets * FIRST)
            seats = [tokens[number // SEATS] for number in range(args.sockets)]
            await _opened(stage, ears, seats[:first])
            before = rss_mb(instance.pid)
            began = time.monotonic()
            await _opened(stage, ears, seats[first:])
            opening = time.monotonic() - began
            after = rss_mb(instance.pid)
            used = stage.used()
            last = [took for _ in range(CHANGES) if (took := await _changed(stage, owner, ears)) is not None]
            cost = stage.used().since(used).product
            missed = args.sockets * CHANGES - await _heard(ears)
        last.sort()
        return {
            "sockets": args.sockets,
            "last_ms_p50": percentile(last, 50),
            "last_ms_p99": percentile(last, 99),
            "missed": missed,
            "kib_per_socket": round((after - before) * 1e6 / 1024 / (args.sockets - first), 2),
            "opened_per_s": round((args.sockets - first) / opening, 1),
            "cpu_s_per_1000_told": round(cost / (CHANGES * args.sockets) * 1000, 4),
            "rss_mb": round(after, 1),
        }


async def _opened(stage: Stage, ears: Process, tokens: list[str]) -> None:
    """One more socket for each of `tokens`, all greeted."""
    assert ears.stdin is not None
    for token in tokens:
        ears.stdin.write(await _ticket(stage, token) + b"\n")
    ears.stdin.write(b"?\n")
    await ears.stdin.drain()
    line = await _line(ears, 60)
    if line is None or b"greeted" not in line:
        raise RuntimeError("Not every socket was greeted.")
    await asyncio.sleep(CALM)


async def _changed(stage: Stage, token: str, ears: Process) -> float | None:
    """Milliseconds from asking for a change until the last socket has heard of it. None if one never did."""
    await asyncio.sleep(APART)
    asked = time.time()
    async with stage.session.post(_api(stage, "/posts"), json={"text": "Hear, hear."}, headers=_as(token)) as answer:
        answer.raise_for_status()
    line = await _line(ears, PATIENCE)
    return (msgspec.json.decode(line, type=Heard).last_at - asked) * 1000 if line else None


async def _ticket(stage: Stage, token: str) -> bytes:
    async with stage.session.post(_api(stage, "/live/tickets"), headers=_as(token)) as answer:
        answer.raise_for_status()
        ticket: str = (await answer.json())["ticket"]
        return ticket.encode()


async def _heard(ears: Process) -> int:
    """How many times any event was heard by any socket."""
    assert ears.stdin is not None
    ears.stdin.write_eof()
    heard: dict[int, int] = {}
    while line := await _line(ears, PATIENCE):
        event = msgspec.json.decode(line, type=Heard)
        heard[event.seq] = event.heard
    return sum(heard.values())


async def _line(ears: Process, within: float) -> bytes | None:
    assert ears.stdout is not None
    try:
        return await asyncio.wait_for(ears.stdout.readline(), within) or None
    except TimeoutError:
        return None


def _api(stage: Stage, path: str) -> str:
    return f"{stage.instances[0].url}/api/v1{path}"


def _as(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Social-Client": "bench"}
