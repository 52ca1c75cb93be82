"""Clocks that are wrong or jump: nothing goes out before its instant, and nobody loses a lease by it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.faults.conftest import Scenes
from tests.faults.ledger import Figures, arrival
from tests.faults.scene import PLATFORMS, Scene, soon
from tests.servers.product import Product

Report = Callable[..., Figures]
HOUR = 3_600
BERLIN = ZoneInfo("Europe/Berlin")


def faketime() -> str:
    """The library that lies about the time. Skips the test where it is missing."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        pytest.skip("libfaketime is missing: apt-get install libfaketime")
    return str(found[0])


async def lied_to(scene: Scene, file: Path) -> Product:
    """An instance that works, with a wall clock that follows what `file` says. It starts with the right time, for S3
    lets nobody in whose clock is wrong."""
    set_clock(file, 0)
    return await scene.at_work(scene.instance(forked=False, **reading(file)).start(ready=False))


def reading(file: Path) -> dict[str, str]:
    """The environment of a process whose wall clock follows what `file` says."""
    return {
        "LD_PRELOAD": faketime(),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def set_clock(file: Path, seconds: int) -> None:
    """Moves the clock of who reads `file`."""
    file.write_text(f"{seconds:+d}\n")


def lateness(scene: Scene, due: dict[str, datetime]) -> float:
    """The greatest, in seconds."""
    return max((arrival(each) - due[each["text"]]).total_seconds() for each in scene.ledger.live())


@pytest.mark.rows("F15")
@pytest.mark.parametrize("ahead", [HOUR, -HOUR], ids=["an hour fast", "an hour slow"])
async def test_with_one_instance_s_clock_wrong_by_an_hour_all_goes_out_at_its_instant(
    ahead: int, stage: Scenes, tmp_path: Path, report: Report
) -> None:
    faketime()
    scene = await stage()
    await lied_to(scene, tmp_path / "clock")
    set_clock(tmp_path / "clock", ahead)
    if ahead < 0:
        scene.started()
    for number in range(6):
        await scene.plan(f"in time {number}", at=soon(4 + number / 2))
    await scene.plan("in half an hour", at=soon(HOUR / 2))
    await scene.sandbox.until(lambda: len(scene.ledger.live()) >= 6 * len(PLATFORMS), 20)
    await scene.ledger.at_rest(5, "planned")

    publications = await scene.ledger.publications()
    due = {each["content"]["text"]: each["due_at"] for each in publications}
    figures = await scene.ledger.counted(1)
    assert figures.stuck == 3, "those of half an hour from now, and no others"
    figures.stuck = 0
    report(figures, late_s=lateness(scene, due))
    assert scene.ledger.times_there(["in half an hour"]) == {"in half an hour": 0}
    assert lateness(scene, due) < 3


@pytest.mark.rows("F15")
@pytest.mark.parametrize(("ahead", "words"), [(HOUR, "60 minutes ahead of"), (-HOUR, "60 minutes behind")])
async def test_who_starts_with_a_wrong_clock_is_told_that_it_is_the_clock(
    ahead: int, words: str, stage: Scenes, tmp_path: Path
) -> None:
    scene = await stage(platforms=())
    set_clock(tmp_path / "clock", ahead)
    starting = scene.instance(forked=False, **reading(tmp_path / "clock")).start(ready=False)

    assert await asyncio.to_thread(starting.wait_until_dead) > 0

    said = starting.log.read_text()
    assert words in said
    assert "keys" not in said


@pytest.mark.rows("F16")
async def test_a_clock_that_jumps_while_it_runs_neither_hastens_nor_delays(
    stage: Scenes, tmp_path: Path, report: Report
) -> None:
    faketime()
    scene = await stage()
    await lied_to(scene, tmp_path / "clock")
    for number in range(8):
        await scene.plan(f"through jumps {number}", at=soon(4 + number))
    for ahead in (HOUR, -HOUR, 0, 60, -60, HOUR):
        set_clock(tmp_path / "clock", ahead)
        await asyncio.sleep(1.5)

    figures = await scene.concluded(6)
    assert {state for _, state, _ in await scene.states()} == {"online"}
    due = {each["content"]["text"]: each["due_at"] for each in await scene.ledger.publications()}
    report(figures, late_s=lateness(scene, due))
    assert lateness(scene, due) < 3


@pytest.mark.rows("F16")
async def test_what_is_planned_by_the_wall_clock_keeps_its_hour_over_a_change_of_the_clocks(
    stage: Scenes, report: Report
) -> None:
    scene = await stage(platforms=("mastodon",))
    year = datetime.now(UTC).year + 1
    wanted = {
        f"{year}-07-01T09:30:00": timedelta(hours=2),
        f"{year + 1}-01-01T09:30:00": timedelta(hours=1),
    }
    for wall, offset in wanted.items():
        post = await scene.plan(f"at {wall}", wall=wall, zone="Europe/Berlin")
        due = datetime.fromisoformat(post["publications"][0]["due_at"])
        assert due == datetime.fromisoformat(wall).replace(tzinfo=BERLIN)
        assert due.astimezone(BERLIN).utcoffset() == offset
        assert post["publications"][0]["wall"] == wall
    gap = await scene.plan("in the gap", wall=f"{last_sunday(year, 3)}T02:30:00", zone="Europe/Berlin")
    assert datetime.fromisoformat(gap["publications"][0]["due_at"]).astimezone(BERLIN).hour == 3
    instants = [
        datetime.fromisoformat(
            (
                await scene.plan(
                    f"twice {fold}", wall=f"{last_sunday(year, 10)}T02:30:00", zone="Europe/Berlin", fold=fold
                )
            )["publications"][0]["due_at"]
        )
        for fold in (0, 1)
    ]
    assert instants[1] - instants[0] == timedelta(hours=1)
    figures = await scene.ledger.counted(4)
    figures.stuck = 0  # they are months away
    report(figures)


def last_sunday(year: int, month: int) -> str:
    """The day on which the clocks change."""
    day = datetime(year, month, 31, tzinfo=UTC)
    return (day - timedelta(days=(day.weekday() + 1) % 7)).date().isoformat()
