"""Clocks that are wrong or jump: nothing goes out before its instant, and nobody loses a lease by it."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.faults.conftest import Scenes
from tests.faults.ledger import Figures, arrival
from tests.faults.scene import Scene, soon
from tests.servers.product import Product

Report = Callable[..., Figures]
HOUR = 3_600
STARTED_WITHIN = 30.0
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
    env = {
        "LD_PRELOAD": faketime(),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    instance = scene.instance(forked=False, **env).start(ready=False)
    deadline = time.monotonic() + STARTED_WITHIN
    while "instance.started" not in instance.log.read_text():
        assert time.monotonic() < deadline, instance.log.read_text()
        await asyncio.sleep(0.05)
    return instance


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
    await scene.ledger.at_rest(11)

    publications = await scene.ledger.publications()
    due = {each["content"]["text"]: each["due_at"] for each in publications}
    figures = await scene.ledger.counted(1)
    assert figures.stuck == 3, "those of half an hour from now, and no others"
    figures.stuck = 0
    report(figures, late_s=lateness(scene, due))
    assert scene.ledger.times_there(["in half an hour"]) == {"in half an hour": 0}
    assert lateness(scene, due) < 3


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
