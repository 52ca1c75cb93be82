"""`python -m social.sandbox --port P --data DIR`: the simulated platforms as a process of their own."""

import argparse
import asyncio
import sys
from pathlib import Path

import uvloop

from social.sandbox.server import serve
from social.sandbox.store import FolderTaken
from social.sandbox.trouble import at_rate


def main() -> int:
    given = _arguments()
    at_start = at_rate(given.rate_scale)
    running = serve(given.host, given.port, given.data, origin=given.origin, at_start=at_start, ready=_say_ready)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(running)
    except FolderTaken as taken:
        return _complain(str(taken))
    except OSError as error:
        return _complain(f"The sandbox cannot listen on {given.host}:{given.port}: {error.strerror}.")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m social.sandbox", description="The platforms, simulated.")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--data", type=Path, required=True, help="the folder for everything that is kept")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--origin", help="how others reach it, if not http://HOST:PORT")
    parser.add_argument("--rate-scale", type=float, default=1.0, help="times every quota; 0 switches quotas off")
    return parser.parse_args()


def _say_ready(origin: str) -> None:
    sys.stdout.write(f"sandbox ready {origin}\n")
    sys.stdout.flush()


def _complain(words: str) -> int:
    sys.stderr.write(f"{words}\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
