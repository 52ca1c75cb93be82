"""A storm of SIGKILLs at named points, on several instances, under a steady trickle: nothing lost, doubled or stuck."""

import asyncio
import itertools
import math
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import msgspec
import pytest

from social.settings import Settings
from tests.faults.conftest import MINUTES, Scenes
from tests.faults.ledger import KILLS, Figures
from tests.faults.scene import Json, Scene
from tests.pictures import jpeg
from tests.servers.product import Away, Product

# Where they die, and how many of a hundred that come by there do: each life is to get something done before its end.
POINTS = {
    **dict.fromkeys(("claimed", "armed", "written", "answered", "concluded"), 25),
    **dict.fromkeys(("claimed:2", "armed:2", "written:2", "answered:2", "concluded:2"), 60),
    **dict.fromkeys(("preparing", "prepared"), 50),
    **dict.fromkeys(("looking", "looked"), 25),
}
ANYWHERE = "anywhere"  # at no point with a name, be it while it starts
INSTANCES = 3
ACCOUNTS = 8  # on each platform
AT_ONCE = {"SOCIAL_CONCURRENCY": "3"}  # what a death may tear out of its hands
OPEN = 75  # publications; with more of them nobody plans another
TOGETHER = 4  # posts between two looks how many are open
PLANNERS = 3
SHORTEST, LONGEST = 1.5, 6.0  # seconds of a life that ends anywhere; of one at work whose point nobody comes by
SEED = "FAULTS_SEED"
TOLD_EVERY = 25  # deaths between two words of how far it is, for who runs thousands by hand
Report = Callable[..., Figures]


class Mortal:
    """An instance that is started again whenever it has died, to die at the next point."""

    def __init__(self, product: Product, chance: random.Random, deaths: Counter[str]) -> None:
        self._product = product
        product.log.touch()
        self._chance = chance
        self._deaths = deaths

    async def live(self, enough: Callable[[], bool]) -> None:
        """Dies and is started again until it is `enough`; then lives."""
        while not enough():
            point = self._chance.choice([*POINTS, ANYWHERE])
            at = {} if point == ANYWHERE else {"SOCIAL_TEST_CRASH_AT": f"{point}%{POINTS[point] / 100}"}
            said = self._product.log.stat().st_size
            self._product.start(ready=False, **at)  # in no thread: it looks after all other children, as we do here
            if point == ANYWHERE:
                await self._died(self._chance.uniform(0, SHORTEST))
            elif await self._works(said) and not await self._died(LONGEST):
                point = ANYWHERE
            assert self._product.process.returncode == -9, self._product.log.read_text()[-2000:]
            self._deaths[point] += 1
            self._tell()
        self._product.start(ready=False)

    def _tell(self) -> None:
        if self._deaths.total() % TOLD_EVERY == 0:
            print(f"{time.strftime('%H:%M:%S')} {self._deaths.total()} deaths", flush=True)

    async def _works(self, said: int) -> bool:
        """Waits until it has begun to work: its log tells, beyond the first `said` bytes. False if it died first."""
        while self._product.process.poll() is None:
            with self._product.log.open("rb") as log:
                log.seek(said)
                if b"instance.started" in log.read():
                    return True
            await asyncio.sleep(0.05)
        return False

    async def _died(self, patience: float) -> bool:
        """Whether it died by itself within `patience` seconds; else it is killed."""
        until = time.monotonic() + patience
        while self._product.process.poll() is None:
            if time.monotonic() > until:
                self._product.kill()
                return False
            await asyncio.sleep(0.01)
        return True


@pytest.mark.rows("F1", "F2", "F3", "F4", "F5", "F6", "F7")
@pytest.mark.timeout(3600)
async def test_instances_killed_at_named_points_under_a_trickle_lose_double_and_forget_nothing(
    stage: Scenes, settings: Settings, size: Callable[[int, int], int], report: Report
) -> None:
    kills = int(os.environ.get(KILLS, "0")) or size(200, 2000)
    seed = int(os.environ.get(SEED, "0")) or random.SystemRandom().randrange(10**6)
    print(f"{SEED}={seed}")
    chance, deaths = random.Random(seed), Counter[str]()
    times = msgspec.structs.replace(settings.times, tick=0.5, spacing=1)
    scene = await stage(msgspec.structs.replace(settings, times=times), accounts=ACCOUNTS)
    mortals = [Mortal(scene.instance(**AT_ONCE), random.Random(chance.random()), deaths) for _ in range(INSTANCES)]

    def named() -> int:
        return deaths.total() - deaths[ANYWHERE]

    began = time.monotonic()
    over = began + 60 * (float(os.environ.get(MINUTES, "0")) or math.inf)

    def enough() -> bool:
        return named() >= kills or trickling.done() or time.monotonic() > over

    trickling = asyncio.create_task(trickle(scene, chance))
    try:
        await asyncio.gather(*(each.live(enough) for each in mortals))
    finally:
        trickling.cancel()
        with suppress(asyncio.CancelledError):
            await trickling
    killed_in = time.monotonic() - began
    recovery = await scene.ledger.at_rest(90)

    print(dict(deaths), f"{killed_in:.1f} s, then {recovery:.1f} s", await scene.ledger.still_open())
    counted = await scene.ledger.counted(deaths.total())
    figures = report(counted, seed=seed, named=named(), kills_s=killed_in, recovery_s=recovery)
    assert figures.settled == figures.unknown - figures.parked
    assert figures.settled > named() / 5, "the kills met hardly anything in the air"
    assert named() < 200 or set(deaths) >= set(POINTS), "there are points that nobody came by"


async def trickle(scene: Scene, chance: random.Random) -> None:
    """Plans post after post, for as long as it is let: some threads, some with a picture."""
    picture: Json = {"id": (await scene.person.upload(jpeg(64, 64)))["id"]}
    numbers = itertools.count()

    async def plan() -> None:
        for number in numbers:
            while number % TOGETHER == 0 and await scene.ledger.how_many_open() > OPEN:
                await asyncio.sleep(0.2)
            parts = [f"{number}, continued"] if chance.random() < 0.25 else []
            media = [picture] if chance.random() < 0.2 else []
            with suppress(Away):  # a machine that starts three instances a second may keep somebody waiting
                await scene.plan(f"post {number}", number % ACCOUNTS, parts=parts, media=media)

    await asyncio.gather(*(plan() for _ in range(PLANNERS)))
