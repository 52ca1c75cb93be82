"""SIGKILL at named points and at any moment, on several instances, under a steady trickle: nothing lost or doubled."""

import asyncio
import itertools
import os
import random
import time
from collections.abc import Callable

import pytest

from tests.faults.conftest import Scenes
from tests.faults.ledger import AT_REST, Figures
from tests.faults.scene import PLATFORMS, Scene
from tests.servers.product import Product

POINTS = ("claimed", "armed", "written", "answered", "concluded")
AFTER_EFFECT = "after the effect"  # the platform has done it and holds its answer back
STEPS = ("claimed", "armed", "written", AFTER_EFFECT, "answered")  # F1 to F5
PARTS = (("", 0.03), (":2", 0.2))  # how many pass a point alive, so that each life gets something done
ACCOUNTS = 8
SEED = "FAULTS_SEED"
Report = Callable[..., Figures]


class Mortal:
    """An instance that is started again whenever it has died, to die at the next point."""

    def __init__(self, product: Product, chance: random.Random) -> None:
        self._product = product
        self._chance = chance
        self.deaths = 0
        self._starts = 0  # as the log told before this life

    async def live(self, enough: Callable[[], bool]) -> None:
        """Dies and is started again until it is `enough`; then lives."""
        while not enough():
            at = self._chance.choice([f"{point}{part}%{odds}" for point in POINTS for part, odds in PARTS] + ["any"])
            self._starts = self._said()
            await asyncio.to_thread(self._product.start, ready=False, SOCIAL_TEST_CRASH_AT=at)
            patience = self._chance.uniform(0.5, 1.5) if at == "any" else 1.5
            await self._until_dead(patience)
            self.deaths += 1
        await asyncio.to_thread(self._product.start, ready=False)

    def _said(self) -> int:
        log = self._product.log
        return log.read_text().count("instance.started") if log.exists() else 0

    async def _until_dead(self, patience: float) -> None:
        """Waits until it has died by itself; kills it `patience` seconds after it began to work."""
        until = float("inf")
        starts = self._starts + 1
        while self._product.process.poll() is None and time.monotonic() < until:
            if until == float("inf") and self._said() >= starts:
                until = time.monotonic() + patience
            await asyncio.sleep(0.02)
        if self._product.process.poll() is None:
            self._product.kill()


@pytest.mark.rows("F1", "F2", "F3", "F4", "F5", "F7")
@pytest.mark.timeout(1800)
async def test_instances_killed_at_random_points_under_a_trickle_lose_nothing_and_double_nothing(
    stage: Scenes, size: Callable[[int, int], int], report: Report
) -> None:
    kills = size(200, 2000)
    seed = int(os.environ.get(SEED, "0")) or random.SystemRandom().randrange(10**6)
    print(f"{SEED}={seed}")
    chance, scene = random.Random(seed), await stage(accounts=ACCOUNTS)
    mortals = [Mortal(scene.instance(), random.Random(chance.random())) for _ in range(3)]

    def died() -> int:
        return sum(each.deaths for each in mortals)

    trickling = asyncio.create_task(trickle(scene, chance, lambda: died() >= kills))
    await asyncio.gather(*(each.live(lambda: died() >= kills) for each in mortals))
    await trickling
    recovery = await scene.ledger.at_rest(60)

    print([each for each in await scene.states() if each[1] not in AT_REST])
    figures = report(await scene.ledger.counted(died()), seed=seed, recovery_s=recovery)
    assert figures.settled >= 0.99 * (figures.unknown - figures.parked)
    assert figures.parked < 0.05 * figures.accepted, "hardly anything was left to be settled"
    assert figures.unknown > kills / 20, "the kills met hardly anything in the air"


async def trickle(scene: Scene, chance: random.Random, enough: Callable[[], bool]) -> None:
    """Plans post after post, one in five a thread, until it is `enough`."""
    for number in itertools.count():
        if enough():
            return
        parts = [f"{number}, continued"] if chance.random() < 0.2 else []
        await scene.plan(f"post {number}", number % ACCOUNTS, parts=parts)
        while len(await scene.ledger.open()) > 60 and not enough():
            await asyncio.sleep(0.05)


def schedules() -> list[tuple[str, ...]]:
    """Every pair and every triple of the steps, in every order and with repetitions."""
    return [*itertools.product(STEPS, repeat=2), *itertools.product(STEPS, repeat=3)]


@pytest.mark.rows("F1", "F2", "F3", "F4", "F5", "F7")
@pytest.mark.timeout(1800)
async def test_every_pair_and_triple_of_kills_in_one_publication_s_life_leaves_it_online_once(
    stage: Scenes, size: Callable[[int, int], int], report: Report
) -> None:
    every = schedules()
    chosen = every[:: max(1, len(every) // size(4, len(every)))]
    scene = await stage(accounts=1)
    for number, schedule in enumerate(chosen):
        await _killed_in_turn(scene, f"schedule {number}", schedule)

    scene.started()
    report(await scene.concluded(sum(map(len, chosen))), schedules=len(chosen))


async def _killed_in_turn(scene: Scene, text: str, schedule: tuple[str, ...]) -> None:
    """One post on all platforms, whose sender dies at each step of `schedule`, one life after another."""
    post = await scene.plan(text)
    ids = [publication["id"] for publication in post["publications"]]
    for step in schedule:
        if all(each["state"] == "online" for each in await _of(scene, ids)):
            return
        crash_at = "" if step == AFTER_EFFECT else step
        if step == AFTER_EFFECT:
            scene.sandbox.trouble(publish={"delay_after": 60})
        instance = scene.instance().start(ready=False, SOCIAL_TEST_CRASH_AT=crash_at)
        until = time.monotonic() + 2.5
        while time.monotonic() < until and instance.process.poll() is None:
            there = scene.ledger.times_there([text])[text]
            if step == AFTER_EFFECT and there == len(PLATFORMS):
                break
            await asyncio.sleep(0.02)
        if instance.process.poll() is None:
            instance.kill()
        scene.sandbox.trouble()


async def _of(scene: Scene, ids: list[str]) -> list[dict[str, object]]:
    return [each for each in await scene.ledger.publications() if str(each["_id"]) in ids]
