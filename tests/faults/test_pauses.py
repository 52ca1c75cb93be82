"""Instances that stand still: taken over while they do, and refused what they want to write once they wake."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from social.settings import Settings, Times
from tests.faults.conftest import Scenes
from tests.faults.ledger import Figures
from tests.faults.scene import Json, Scene, pause, resume
from tests.servers.product import Product

Report = Callable[..., Figures]
POINTS = ("armed", "claimed", "answered", "concluded")
TAKEN_OVER = (20, 5)  # seconds, of what a dead instance held, where its death can be proven; its lease is 60 s long
HOLDS_BACK = 3.0  # seconds for which a pausing instance is left asleep beyond its lease and the settle time


async def stopped(product: Product, within: float = 60) -> None:
    """Waits until the process stands still."""
    pid = product.process.pid
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never stood still")


async def awake(product: Product, seconds: float) -> None:
    """Wakes the process whenever it stops, for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        resume(product)
        await asyncio.sleep(0.05)


@pytest.mark.rows("F13")
@pytest.mark.timeout(900)
async def test_paused_at_any_point_for_longer_than_lease_and_settle_time_nothing_doubles(
    stage: Scenes, settings: Settings, size: Callable[[int, int], int], report: Report
) -> None:
    times, scene = settings.times, await stage()
    points = POINTS[: size(1, len(POINTS))]
    for point in points:
        sleeper = scene.instance().start(ready=False, SOCIAL_TEST_CRASH_AT=f"pause:{point}")
        await scene.plan(f"paused when {point}")
        await stopped(sleeper)
        other = scene.started()
        await asyncio.sleep(size(0, 290) + times.lease + times.http_timeout + times.settle + HOLDS_BACK)
        await awake(sleeper, 1.5)
        await scene.ledger.at_rest(20)
        sleeper.kill()
        other.kill()

    scene.started()
    report(await scene.concluded(len(points)))
    assert {state for _, state, _ in await scene.states()} == {"online"}


@pytest.mark.rows("F13")
async def test_paused_with_the_request_all_but_sent_no_key_and_no_name_is_used_for_two_posts(
    stage: Scenes, settings: Settings, report: Report
) -> None:
    times = settings.times
    scene = await stage(platforms=("mastodon", "bluesky"))
    sleeper = scene.instance().start(ready=False, SOCIAL_TEST_CRASH_AT="pause:written")
    await scene.plan("all but sent")
    await stopped(sleeper)
    scene.started()
    await asyncio.sleep(times.lease + times.http_timeout + times.settle + HOLDS_BACK)
    await awake(sleeper, 1.5)

    report(await scene.concluded(1))


@pytest.mark.rows("F14")
async def test_who_wakes_with_the_answer_after_a_takeover_writes_no_state_and_loses_no_fact(
    stage: Scenes, settings: Settings, report: Report
) -> None:
    times, scene = settings.times, await stage()
    sleeper = scene.started()
    scene.sandbox.trouble(publish={"delay_after": 0.8})
    await scene.plan("holds the socket")
    await scene.sandbox.until(lambda: len(scene.ledger.live()) == 3)
    pause(sleeper)
    scene.sandbox.trouble()
    fences = {each["_id"]: each["fence"] for each in await scene.ledger.publications()}
    scene.started()
    await asyncio.sleep(times.lease + 1)
    resume(sleeper)

    report(await scene.concluded(1))
    for each in await scene.ledger.publications():
        assert each["state"] == "online"
        assert each["fence"] >= fences[each["_id"]]
        assert each["receipts"][0]["id"] in {status["id"] for status in scene.ledger.live()}


@pytest.mark.rows("F31")
async def test_an_instance_that_does_not_get_to_run_sends_nothing_it_has_lost_and_an_alarm_tells_of_it(
    stage: Scenes, size: Callable[[int, int], int], report: Report
) -> None:
    scene = await stage()
    busy = await scene.at_work(scene.started())
    scene.started()
    posts = [asyncio.create_task(scene.plan(f"while it hangs {number}")) for number in range(10)]
    pause(busy)
    await asyncio.gather(*posts)
    await asyncio.sleep(size(5, 10))
    resume(busy)

    report(await scene.concluded(1))
    assert {state for _, state, _ in await scene.states()} == {"online"}
    alarm = await alarmed(scene, "loop_blocked")
    assert f":{busy.process.pid}:" in alarm["subject"]


async def alarmed(scene: Scene, name: str, within: float = 30) -> Json:
    """Waits until there is such an alarm; it."""
    deadline = time.monotonic() + within
    while (found := await scene.db.alarms.find_one({"invariant": name})) is None:
        assert time.monotonic() < deadline, "nobody was alarmed"
        await asyncio.sleep(0.1)
    alarm: Json = found
    return alarm


@pytest.mark.rows("F2", "F3")
async def test_with_the_times_of_production_what_a_dead_neighbour_held_is_taken_over_long_before_its_lease_ends(
    stage: Scenes, settings: Settings, size: Callable[[int, int], int], report: Report
) -> None:
    scene = await stage(msgspec.structs.replace(settings, times=Times()))
    dying = scene.instance().start(ready=False, SOCIAL_TEST_CRASH_AT="armed")
    other = scene.instance()
    await scene.plan("in its hands")
    assert await asyncio.to_thread(dying.wait_until_dead) == -9
    await scene.plan("right behind")
    other.start(ready=False)
    began = time.monotonic()

    await everywhere(scene, "right behind", 40)
    doubted = await scene.until("unconfirmed", 40)
    took = time.monotonic() - began

    figures = await scene.ledger.counted(1)
    figures.stuck = 0  # what was armed is looked for until 90 s have passed
    report(figures, takeover_s=took)
    assert doubted["ambiguous"]
    assert took <= size(*TAKEN_OVER)


async def everywhere(scene: Scene, text: str, within: float) -> None:
    """Waits until `text` is on all three platforms."""
    await scene.sandbox.until(lambda: scene.ledger.times_there([text])[text] == 3, within)
