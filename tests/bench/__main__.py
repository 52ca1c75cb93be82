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
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from tests.bench import shown

BENCHES = ("burst", "steady", "kill", "fairness", "api", "live", "idle")


def main(words: Sequence[str]) -> int:
    """Runs the bench that `words` name. 0 if it came to an end, whatever its figures are."""
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
    figures: dict[str, Any] = asyncio.run(importlib.import_module(f"tests.bench.{args.name}").run(args))
    shown.table(args.name, figures)
    if args.json:
        print(json.dumps(figures), flush=True)
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: os.kill(os.getpid(), signal.SIGINT))  # ends as Ctrl-C does
    sys.exit(main(sys.argv[1:]))
