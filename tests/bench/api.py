"""The API under as many clients as it bears: how many requests a second, how long they take, what they cost."""

import argparse
import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from social.publishing.documents import Publication
from tests.bench import crowd
from tests.bench.asking import Answered, Asker, Order
from tests.bench.beside import said
from tests.bench.stage import Stage, staged

KINDS = ("post", "plan", "get")
DRAFTS = 100  # of each person, to be given a date
POSTS = 20  # of each person, planned, to be read
WITHIN = 60.0  # seconds for one kind, beyond those that were asked for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--connections", type=int, default=64, help="at once, each a person in a workspace (64)")
    parser.add_argument("--seconds", type=float, default=5, help="for each kind of request (5)")


async def run(args: argparse.Namespace) -> dict[str, Any]:
    """One kind of request after another: writing a draft, giving it a date, reading. On loopback, without a proxy."""
    async with staged() as stage:
        askers = await _askers(stage, args.connections)
        figures: dict[str, Any] = {}
        for kind in KINDS:
            await _asked(
                stage, Order(stage.instances[0].url, kind if kind != "plan" else "get", 0.5, askers)
            )  # warms up
            before = stage.used()
            answered = await _asked(stage, Order(stage.instances[0].url, kind, args.seconds, askers))
            used = stage.used().since(before)
            thousands = max(answered.count, 1) / 1000
            figures |= {
                f"{kind}_per_s": round(answered.count / answered.seconds, 1),
                f"{kind}_ms_p50": answered.ms_p50,
                f"{kind}_ms_p99": answered.ms_p99,
                f"{kind}_cpu_s_per_1000": round(used.product / thousands, 4),
                f"{kind}_mongo_cpu_s_per_1000": round(used.mongo / thousands, 4),
                f"{kind}_failed": answered.failed,
            }
            await asyncio.sleep(1)  # what follows from it, its events, is not the next kind's
        return figures


async def _askers(stage: Stage, count: int) -> list[Asker]:
    groups = await crowd.gathered(stage.backing, workspaces=count, rows=1)
    drafts = await crowd.drafted(groups, count * DRAFTS)
    await crowd.planned(groups, count * POSTS, datetime.now(UTC) + timedelta(days=1))
    posts: dict[str, list[str]] = {}
    async for found in Publication.engine().find({}, {"workspace_id": 1, "post_id": 1}):
        posts.setdefault(str(found["workspace_id"]), []).append(str(found["post_id"]))
    return [
        Asker(
            token=await crowd.signed_in(group.owner, stage.backing),
            accounts=[str(account.id) for account in group.rows[0]],
            drafts=drafts[str(group.workspace.id)],
            posts=list(dict.fromkeys(posts[str(group.workspace.id)])),
        )
        for group in groups
    ]


async def _asked(stage: Stage, order: Order) -> Answered:
    given = msgspec.json.encode(order)
    answer = await said("asking", cores=stage.cores.rest, given=given, within=order.seconds + WITHIN)
    return msgspec.json.decode(answer, type=Answered)
