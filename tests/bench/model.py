"""The publishing code against every order of events, and bugs planted in it that this must notice.

`--schedules` seeds are run on an interpreter of our own queries, or with `--mongod` on the real one. With `--planted`
each planted bug is looked for besides, for `--each` seconds of CPU at most. A violation is shown with the seed that
replays it: `python -m tests.bench model --replay SEED`.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.model.parallel import Simulated
from tests.model.planted import BUGS
from tests.servers import running_servers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this bench."""
    parser.add_argument("--schedules", type=int, default=2_000, help="how many seeds to run")
    parser.add_argument("--seed", type=int, default=0, help="the first of them")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--mongod", action="store_true", help="on a real mongod instead of the interpreter")
    parser.add_argument("--planted", action="store_true", help="look for every planted bug besides")
    parser.add_argument("--each", type=float, default=60.0, help="seconds of CPU for each planted bug")
    parser.add_argument("--bug", action="append", default=[], help="only planted bugs with this in their name")
    parser.add_argument("--gap", action="store_true", help="let processes stand still right before the request's write")
    parser.add_argument("--replay", type=int, help="run this one seed alone and show every step")


async def run(args: argparse.Namespace) -> dict[str, Any]:
    """Figures of the whole; violations and bugs that were not caught are printed."""
    return await asyncio.to_thread(_run, args)


def _run(args: argparse.Namespace) -> dict[str, Any]:
    began = time.monotonic()
    names = [bug.name for bug in BUGS if not args.bug or any(part in bug.name for part in args.bug)]
    hunts = []
    with _mongo(args.mongod) as mongo_url, Simulated(args.processes) as simulated:
        if args.replay is not None:
            what, steps = simulated.told(args.replay, mongo_url=mongo_url, gap=args.gap)
            print(*steps, what or "everything held", sep="\n")
            return {"schedules": 1, "violations": int(what is not None), "seed": args.replay}
        seen = simulated.explored(args.seed, args.schedules, mongo_url=mongo_url, gap=args.gap)
        for found in seen.found:
            print(f"seed {found.seed} ({found.settles}, {found.steps} steps): {found.what}", flush=True)
        for hunt in simulated.hunted(names, seconds=args.each) if args.planted else ():
            caught = f"seed {hunt.seed}: {hunt.what}" if hunt.what else "NOT CAUGHT"
            print(f"{hunt.name:65} {hunt.schedules:6} schedules {hunt.seconds:5.1f} s  {caught}", flush=True)
            hunts.append(hunt)
    return {
        "schedules": seen.schedules,
        "violations": len(seen.found),
        "planted": len(hunts),
        "caught": sum(hunt.what is not None for hunt in hunts),
        "slowest_s": round(max((hunt.seconds for hunt in hunts), default=0.0), 1),
        "seconds": round(time.monotonic() - began, 1),
        "exploring_s": round(seen.seconds, 1),
        "seed": args.seed,
        **{f"ended_{state}": count for state, count in sorted(seen.states.items())},
    }


@contextmanager
def _mongo(wanted: bool) -> Iterator[str | None]:
    if not wanted:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder, running_servers(Path(folder)) as servers:
        yield servers.mongo_url
