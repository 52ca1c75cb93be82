"""What was promised against what is there: accepted publications, counted at the platform and nowhere else."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from social.publishing.states import FINAL
from tests.servers.sandbox import Sandbox

Json = dict[str, Any]
AT_REST = (*FINAL, "held")
FULL = "FAULTS_FULL"  # set: the sizes that are run by hand
KILLS = "FAULTS_KILLS"  # so many SIGKILLs in the storm
LARGE = bool(os.environ.get(FULL) or os.environ.get(KILLS))
ROOM = 10
EXACTLY = timedelta(milliseconds=5)  # as the database's clock is known to an instance


@dataclass(kw_only=True)
class Figures:
    """What came of a fault. All but the first two and the last must be nothing."""

    faults: int = 0  # that were injected
    accepted: int = 0  # publications
    lost: int = 0  # said to be online and not there, or gone from the database
    doubled: int = 0  # there more than once
    stuck: int = 0  # neither final nor held in the time given
    failed_but_live: int = 0  # said to be failed, cancelled or missed, and there
    early: int = 0  # there before their instant
    unknown: int = 0  # whose outcome was in doubt for a while, or still is
    settled: int = 0  # of these, the ones that came to an end without a person
    parked: int = 0  # of these, the ones that a person must look at because three processes died with them in hand

    def faultless(self) -> None:
        """AssertionError unless nothing was lost, doubled, stuck, early, or said to have failed while it is live."""
        wrong = {
            name: getattr(self, name)
            for name in ("lost", "doubled", "stuck", "failed_but_live", "early")
            if getattr(self, name)
        }
        assert not wrong, f"{wrong} of {asdict(self)}"


class Ledger:
    """The publications that the product has acknowledged, by platform and words; no two are alike."""

    def __init__(self, sandbox: Sandbox, db: Any) -> None:
        self._sandbox = sandbox
        self._db = db
        self._accepted: dict[str, Json] = {}

    def accept(self, post: Json) -> None:
        """Takes down what the product has just answered to a plan."""
        for publication in post["publications"]:
            parts = [part["text"] for part in post["thread"]]
            self._accepted[publication["id"]] = publication | {"text": post["text"], "parts": parts}

    def __len__(self) -> int:
        return len(self._accepted)

    async def publications(self) -> list[Json]:
        """Every one as the database has it."""
        found: list[Json] = await self._db.publications.find({}).to_list()
        return found

    async def how_many_open(self, *but: str) -> int:
        """How many are neither final nor held, nor in one of the states `but`."""
        count: int = await self._db.publications.count_documents({"state": {"$nin": [*AT_REST, *but]}})
        return count

    async def still_open(self) -> list[Json]:
        """What tells why these are neither final nor held."""
        shown = ("platform", "state", "part", "reason", "next_at", "token", "work", "deaths", "tries", "attempt_no")
        found = self._db.publications.find({"state": {"$nin": list(AT_REST)}}, dict.fromkeys(shown, 1))
        return [each async for each in found]

    async def at_rest(self, within: float, *or_in: str) -> float:
        """Waits until everything is final or held, or in one of the states `or_in`, or for `within` seconds; for how
        long. What was made of large sizes has more time for it."""
        began, patience = time.monotonic(), within * (ROOM if LARGE else 1)
        while await self.how_many_open(*or_in) and time.monotonic() < began + patience:
            await asyncio.sleep(0.2)
        return time.monotonic() - began

    async def counted(self, faults: int) -> Figures:
        """The figures as they stand now, after so many `faults`."""
        there = Counter((each["platform"], each["text"]) for each in self.live())
        arrived = {(each["platform"], each["text"]): each for each in reversed(self.live())}
        figures = Figures(faults=faults, accepted=len(self._accepted))
        known = {str(each["_id"]): each for each in await self.publications()}
        for id_, accepted in self._accepted.items():
            found, post = known.get(id_), (accepted["platform"], accepted["text"])
            times = [there[accepted["platform"], text] for text in (accepted["text"], *accepted["parts"])]
            figures.doubled += max(times) > 1
            if found is None or (found["state"] == "online" and not all(times)):
                figures.lost += 1
            elif found["state"] not in AT_REST:
                figures.stuck += 1
            elif found["state"] in FINAL and found["state"] != "online" and there[post]:
                figures.failed_but_live += 1
            if post in arrived and found is not None:
                figures.early += arrival(arrived[post]) < found["due_at"] - EXACTLY
        doubted = set(await self._db.outbox.distinct("publication_id", {"data.state": "unconfirmed"}))
        figures.unknown = len(doubted & set(self._accepted))
        ended = [known[id_] for id_ in doubted & set(self._accepted) if id_ in known]
        figures.settled = sum(each["state"] in FINAL for each in ended)
        figures.parked = sum(each["state"] == "held" and each["reason"]["code"] == "poison" for each in ended)
        return figures

    def live(self) -> list[Json]:
        """What is at the platforms, in order; a part of a thread is one of its own."""
        return self._sandbox.statuses()

    def times_there(self, texts: Iterable[str]) -> dict[str, int]:
        """How often each of `texts` is at the platforms."""
        there = Counter(each["text"] for each in self.live())
        return {text: there[text] for text in texts}


def arrival(status: Json) -> datetime:
    """When the request of a post arrived at its platform."""
    if "arrived_ms" in status:
        return datetime.fromtimestamp(status["arrived_ms"] / 1000, UTC)
    return datetime.fromisoformat(status["arrived_at"])
