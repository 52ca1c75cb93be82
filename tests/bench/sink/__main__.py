"""`python -m tests.bench.sink --port PORT`: serves until it is told to end."""

import argparse
import asyncio
import gc

import uvloop

from tests.bench.sink import bluesky, mastodon, x
from tests.bench.sink.arrivals import Arrivals
from tests.bench.sink.wire import Answer, Request, Wire, answer

CONTROL = "/_sink/"
BACKLOG = 4096


class Sink:
    """All platforms, and what the bench asks of them together."""

    def __init__(self) -> None:
        self.latency = 0.0  # seconds until a platform answers; set with every reset
        self._empty()

    def answer(self, request: Request) -> bytes:
        """What whoever is meant answers."""
        if request.path.startswith(CONTROL):
            return self._told(request)
        for prefix, platform in self._platforms:
            if request.path.startswith(prefix):
                return platform(request)
        raise AssertionError("the last prefix is every path's")

    def wait(self, request: Request) -> float:
        """The seconds until `request` is answered: the bench is never kept waiting."""
        return 0.0 if request.path.startswith(CONTROL) else self.latency

    def _told(self, request: Request) -> bytes:
        match request.path.removeprefix(CONTROL):
            case "counts":
                return answer(200, self._arrivals.counts())
            case "arrivals":
                return answer(200, self._arrivals.made)
            case "reset":
                self.latency = float(request.asked["latency_ms"]) / 1000
                self._empty()
                return answer(200, {})
        return answer(404, {})

    def _empty(self) -> None:
        self._arrivals = Arrivals()
        self._platforms: tuple[tuple[str, Answer], ...] = (
            (x.PREFIX + "/", x.X(self._arrivals).answer),
            (bluesky.PREFIX + "/", bluesky.Bluesky(self._arrivals).answer),
            (mastodon.PREFIX + "/", mastodon.Mastodon(self._arrivals).answer),
        )


async def serve(port: int) -> None:
    """Serves on 127.0.0.1:`port` for ever."""
    sink = Sink()
    server = await asyncio.get_running_loop().create_server(
        lambda: Wire(sink.answer, sink.wait), "127.0.0.1", port, backlog=BACKLOG
    )
    gc.freeze()
    gc.disable()  # it only ever remembers more; a collection would be counted as the product's lateness
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))
