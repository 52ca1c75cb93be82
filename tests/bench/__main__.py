"""`python -m tests.bench NAME [options] [--json]`: runs one bench and shows what came of it.

A bench is a module of this package, listed in BENCHES, with two functions:

    def add_arguments(parser: argparse.ArgumentParser) -> None: ...    its options; `--json` is there already
    async def run(args: argparse.Namespace) -> dict[str, Any]: ...     runs it; figures by name, JSON-able

and the first line of its docstring as its help. `run` cleans up whatever it started, also when it is cancelled, and
leaves it to the caller to show the figures.
"""

import argparse
import asyncio
import importlib
import json
import sys
from collections.abc import Sequence
from typing import Any

from social.embedded.supervisor import cancelled_by_signals
from tests.bench import shown

BENCHES = ("burst", "steady", "kill", "fairness", "hold", "api", "live", "faults", "idle", "model", "media")
INTERRUPTED = 130


def main(words: Sequence[str]) -> int:
    """Runs the bench that `words` name. 0 at its end, whatever the figures are; 130 if told to stop."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="What Social costs, and how punctual it is."
    )
    names = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name in BENCHES:
        module = importlib.import_module(f"tests.bench.{name}")
        about = (module.__doc__ or "").partition("\n")[0]
        options = names.add_parser(name, help=about, description=about)
        module.add_arguments(options)
        options.add_argument("--json", action="store_true", help="one JSON object as the last line")
    args = parser.parse_args(words)
    try:
        figures = asyncio.run(_interruptible(args))
    except asyncio.CancelledError:
        return INTERRUPTED
    shown.table(args.name, figures)
    if args.json:
        print(json.dumps(figures), flush=True)
    return 0


async def _interruptible(args: argparse.Namespace) -> dict[str, Any]:
    cancelled_by_signals(lambda: print("Told to stop; cleaning up.", file=sys.stderr, flush=True))
    figures: dict[str, Any] = await importlib.import_module(f"tests.bench.{args.name}").run(args)
    return figures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
