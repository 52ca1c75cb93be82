"""SIGKILL at one step after another in the life of one publication: it is online once all the same."""

import asyncio
import itertools
import time
from collections.abc import Callable

import pytest

from tests.faults.conftest import Scenes
from tests.faults.ledger import Figures
from tests.faults.scene import PLATFORMS, Scene

AFTER_EFFECT = "after the effect"  # the platform has done it and holds its answer back
STEPS = ("claimed", "armed", "written", AFTER_EFFECT, "answered")  # F1 to F5
Report = Callable[..., Figures]


def schedules() -> list[tuple[str, ...]]:
    """Every pair and every triple of the steps, in every order and with repetitions."""
    return [*itertools.product(STEPS, repeat=2), *itertools.product(STEPS, repeat=3)]


@pytest.mark.rows("F1", "F2", "F3", "F4", "F5", "F7")
@pytest.mark.timeout(1800)
async def test_every_pair_and_triple_of_kills_in_one_publication_s_life_leaves_it_online_once(
    stage: Scenes, size: Callable[[int, int], int], report: Report
) -> None:
    every = schedules()
    chosen = every[:: max(1, len(every) // size(3, len(every)))]
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
