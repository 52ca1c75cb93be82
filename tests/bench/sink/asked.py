"""The sink as the bench sees it: started, emptied, asked what it has."""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp
import msgspec

from social.embedded.program import Program, listens, until

ROOT = Path(__file__).parents[3]


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What has arrived, in numbers. Instants are seconds since 1970."""

    publications: int  # that were made public, once or more
    posts: int  # that are public
    repeats: int
    unknown: int
    first_at: float | None
    last_at: float | None


Arrived = dict[str, tuple[int, list[float]]]  # by publication: due (ms since 1970), arrivals (s since 1970)


def program(port: int, log: Path) -> Program:
    """The sink as a process of its own on 127.0.0.1:`port`."""

    async def ready(_: int) -> None:
        await until(partial(listens, port))

    return Program(
        name="The sink",
        command=[sys.executable, "-m", "tests.bench.sink", "--port", str(port)],
        cwd=ROOT,
        log=log,
        ready=ready,
        ports=[port],
        restarts=False,
    )


@dataclass(frozen=True)
class Sink:
    """The running sink at `url`, asked over `session`."""

    url: str
    session: aiohttp.ClientSession

    async def reset(self, *, latency_ms: float) -> None:
        """Forgets everything; from now on platforms answer after `latency_ms`."""
        async with self.session.post(f"{self.url}/_sink/reset", params={"latency_ms": str(latency_ms)}) as answer:
            answer.raise_for_status()

    async def counts(self) -> Counts:
        """How much it has."""
        return msgspec.json.decode(await self._got("counts"), type=Counts)

    async def arrivals(self) -> Arrived:
        """What it has."""
        return msgspec.json.decode(await self._got("arrivals"), type=Arrived)

    async def _got(self, what: str) -> bytes:
        async with self.session.get(f"{self.url}/_sink/{what}") as answer:
            answer.raise_for_status()
            return await answer.read()
