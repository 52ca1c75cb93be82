"""Redis killed, flushed, restarted empty, gone, silent and full: posts go out, at most five seconds late."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from redis.exceptions import OutOfMemoryError

from social.settings import Settings, Times
from tests.faults.conftest import Scenes
from tests.faults.ledger import Figures, Json, arrival
from tests.faults.scene import PLATFORMS, Scene, soon
from tests.faults.servers import Valkey
from tests.faults.wire import Wire
from tests.servers.product import Product

Report = Callable[..., Figures]
LATE_AT_MOST = 5.0
IN_PRODUCTION = Times()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """One of this test's own."""
    with Valkey(tmp_path / "valkey") as valkey:
        yield valkey.start().ready()


@pytest.fixture
def with_redis(settings: Settings) -> Callable[[str], Settings]:
    """The settings with another Redis, and the times of production."""
    return lambda url: msgspec.structs.replace(settings, redis_url=url, times=IN_PRODUCTION)


async def burst(scene: Scene, trouble: Callable[[], Awaitable[None] | None], *, posts: int = 8) -> tuple[float, int]:
    """Plans posts for some moments from now on and for at once, with `trouble` in their midst: the greatest lateness in
    seconds, and how many publications there were."""
    for number in range(posts):
        await scene.plan(f"ahead {number}", number % 2, at=soon(3 + number % 4))
    await asyncio.sleep(2)
    done = trouble()
    if done is not None:
        await done
    for number in range(posts):
        await scene.plan(f"at once {number}", number % 2)
        await asyncio.sleep(0.1)
    await scene.ledger.at_rest(40)
    return await latest(scene), 2 * posts * len(PLATFORMS)


async def latest(scene: Scene) -> float:
    """The greatest lateness at the sandbox, in seconds after the instant that was planned."""
    there: dict[tuple[str, str], Json] = {(each["platform"], each["text"]): each for each in scene.ledger.live()}
    late = [
        (arrival(there[key]) - each["due_at"]).total_seconds()
        for each in await scene.ledger.publications()
        if (key := (each["platform"], each["content"]["text"])) in there
    ]
    return max(late)


async def two(scene: Scene) -> list[Product]:
    return [scene.started(), scene.started()]


@pytest.mark.rows("F17")
async def test_redis_killed_and_restarted_empty_costs_nothing_and_little_time(
    stage: Scenes, valkey: Valkey, with_redis: Callable[[str], Settings], report: Report
) -> None:
    scene = await stage(with_redis(valkey.url), accounts=2)
    await two(scene)

    def killed() -> None:
        valkey.kill()
        valkey.start().ready()

    late, _ = await burst(scene, killed)

    report(await scene.concluded(1), late_s=late)
    assert late <= LATE_AT_MOST


@pytest.mark.rows("F18")
async def test_redis_flushed_under_load_loses_no_post_and_no_session(
    stage: Scenes, valkey: Valkey, with_redis: Callable[[str], Settings], report: Report
) -> None:
    scene = await stage(with_redis(valkey.url), accounts=2)
    await two(scene)

    async def flushed() -> None:
        for _ in range(10):
            valkey.ask("FLUSHALL")
            await asyncio.sleep(0.1)

    late, _ = await burst(scene, flushed)

    report(await scene.concluded(10), late_s=late, logouts=0)
    assert late <= LATE_AT_MOST
    assert (await scene.person.ask("GET", "/posts"))["items"], "the person is still signed in"


@pytest.mark.rows("F19")
@pytest.mark.timeout(900)
async def test_with_redis_gone_posts_go_out_and_an_idle_instance_stays_calm(
    stage: Scenes,
    valkey: Valkey,
    with_redis: Callable[[str], Settings],
    size: Callable[[int, int], int],
    report: Report,
) -> None:
    scene = await stage(with_redis(valkey.url), accounts=2)
    instances = await two(scene)

    late, _ = await burst(scene, valkey.kill)
    answers = []
    before, began = sum(map(cpu_seconds, instances)), time.monotonic()
    while time.monotonic() < began + size(6, 600):
        asked = time.monotonic()
        await scene.person.ask("GET", "/posts")
        answers.append(time.monotonic() - asked)
        await asyncio.sleep(0.5)
    busy = (sum(map(cpu_seconds, instances)) - before) / len(instances) / (time.monotonic() - began)

    report(await scene.concluded(1), late_s=late, cpu_percent=100 * busy, api_ms_max=1000 * max(answers))
    assert late <= LATE_AT_MOST
    assert busy < 0.10
    assert sorted(answers)[len(answers) * 9 // 10] < 1.0


@pytest.mark.rows("F20")
@pytest.mark.timeout(240)
async def test_a_redis_that_falls_silent_holds_nobody_up(
    stage: Scenes, valkey: Valkey, with_redis: Callable[[str], Settings], report: Report
) -> None:
    with Wire(valkey.port) as wire:
        scene = await stage(with_redis(f"redis://127.0.0.1:{wire.port}/0"), accounts=2)
        await two(scene)

        late, _ = await burst(scene, lambda: wire.trouble(blackhole=True), posts=4)
        wire.trouble()

        report(await scene.concluded(1), late_s=late)
        assert late <= LATE_AT_MOST


@pytest.mark.rows("F21")
async def test_a_full_redis_loses_hints_and_no_post(
    stage: Scenes, tmp_path: Path, with_redis: Callable[[str], Settings], report: Report
) -> None:
    with Valkey(tmp_path / "small", maxmemory="3mb") as valkey:
        valkey.start().ready()
        scene = await stage(with_redis(valkey.url), accounts=2)
        await two(scene)

        def filled() -> None:
            with suppress(OutOfMemoryError):
                for number in range(100_000):
                    valkey.ask("SET", f"filler:{number}", "x" * 1000)
            with pytest.raises(OutOfMemoryError):
                valkey.ask("SET", "one more", "x" * 1000)

        late, _ = await burst(scene, filled)

        report(await scene.concluded(1), late_s=late)
        assert late <= LATE_AT_MOST


def cpu_seconds(product: Product) -> float:
    """What the process has used so far, user and system."""
    pid = product.process.pid
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
