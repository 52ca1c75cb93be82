"""The kernel ends an instance for its memory: what it had in hand is settled, and who listened to it misses nothing."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import aiohttp
import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.faults.conftest import Scenes
from tests.faults.ledger import Figures
from tests.faults.scene import Scene
from tests.servers.product import Product

Report = Callable[..., Figures]
HIERARCHIES = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/memory"))
LITTLE = 64 * 1024  # bytes that it may have beyond what it has already
EARS = 8
AGAIN = 0.5  # seconds at most until a socket that was closed comes back
BACK = (15, 5)  # seconds until all are back at an instance that is ready again


@pytest.mark.rows("F30")
async def test_an_instance_that_is_killed_for_its_memory_leaves_nothing_lost_or_doubled(
    stage: Scenes, report: Report
) -> None:
    with little_memory() as group:
        scene = await stage(accounts=3)
        victim = scene.started()
        scene.started()
        await scene.plan("before")
        await scene.ledger.at_rest(20)
        starve(victim, group)
        for number in range(30):
            await scene.plan(f"too much {number}", number % 3)
            if victim.process.poll() is not None:
                break

        assert await asyncio.to_thread(victim.wait_until_dead) == -9
        report(await scene.concluded(1))
        assert {state for _, state, _ in await scene.states()} == {"online"}


@pytest.mark.rows("F30")
async def test_sockets_of_an_instance_that_is_killed_for_its_memory_come_back_and_miss_nothing(
    stage: Scenes, size: Callable[[int, int], int], report: Report
) -> None:
    with little_memory() as group:
        scene = await stage()
        scene.started()
        ears = [Ear(scene) for _ in range(EARS)]
        listening = [asyncio.create_task(ear.listen()) for ear in ears]
        try:
            await until(lambda: all(ear.greeted for ear in ears), 20)
            for number in range(3):
                await scene.plan(f"heard {number}")
            starve(scene.door, group)
            await until_dead(scene)
            await scene.ledger.at_rest(20)
            await asyncio.to_thread(scene.door.start)
            restarted = time.monotonic()
            await until(lambda: all(ear.greeted >= 2 for ear in ears), 20)
            back = time.monotonic() - restarted
            for number in range(3):
                await scene.plan(f"heard again {number}")

            figures = await scene.concluded(1)
            last = await everything_told(scene)
            await until(lambda: all(ear.heard[-1:] == [last] for ear in ears), 20)
        finally:
            for task in listening:
                task.cancel()
            await asyncio.gather(*listening, return_exceptions=True)
        missed = sum(len(set(range(ear.first, last + 1)) - set(ear.heard)) for ear in ears)
        report(figures, missed=missed, back_s=back)
        assert all(ear.heard == list(range(ear.first, last + 1)) for ear in ears)
        assert back < size(*BACK)


class Ear:
    """A client that listens, and comes back with the number it heard last whenever it is closed."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.greeted = 0  # times
        self.first = 0  # number of the first event that it is to hear
        self.heard: list[int] = []

    async def listen(self) -> None:
        """Until it is cancelled."""
        while True:
            with suppress(OSError, aiohttp.ClientError, InvalidHandshake, ConnectionClosed):
                await self._listen()
            await asyncio.sleep(random.uniform(0, AGAIN))

    async def _listen(self) -> None:
        status, said = await self._scene.tried("POST", "/live/tickets")
        if status != 201:
            return
        after = f"&after={self.heard[-1] if self.heard else self.first - 1}" if self.greeted else ""
        url = f"{self._scene.door.url.replace('http', 'ws')}/live?ticket={said['ticket']}{after}"
        async with connect(url, proxy=None, close_timeout=1) as socket:
            async for text in socket:
                told = msgspec.json.decode(text)
                if told["type"] == "hello":
                    self.greeted += 1
                    self.first = self.first or told["seq"] + 1
                elif "seq" in told:
                    self.heard.append(told["seq"])


async def everything_told(scene: Scene) -> int:
    """Waits until every event has its number; the greatest."""
    deadline = time.monotonic() + 20
    while await scene.db.outbox.count_documents({"seq": None}):
        assert time.monotonic() < deadline, "some events have no number"
        await asyncio.sleep(0.05)
    return int((await scene.db.outbox.find_one({}, sort=[("seq", -1)]))["seq"])


async def until(condition: Callable[[], bool], within: float) -> None:
    """Waits until `condition` holds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "never came true"
        await asyncio.sleep(0.02)


async def until_dead(scene: Scene) -> None:
    """Asks the door this and that until it has died of it."""
    deadline = time.monotonic() + 20
    while scene.door.process.poll() is None:
        assert time.monotonic() < deadline, "it lives on with no memory"
        with suppress(aiohttp.ClientError, OSError):
            await scene.tried("POST", "/posts", json={"text": "too much", "accounts": []})
    assert scene.door.process.returncode == -9


def starve(product: Product, group: Path | None) -> None:
    """From now on it gets no more memory; the kernel kills it when it asks for some. Where no group can limit it, it is
    killed here, as the kernel would."""
    if group is None:
        os.kill(product.process.pid, signal.SIGKILL)
        return
    if (group / "memory.max").exists():
        (group / "memory.swap.max").write_text("0")
        (group / "memory.max").write_text(str(LITTLE))
    else:
        (group / "memory.limit_in_bytes").write_text(str(LITTLE))
        (group / "memory.swappiness").write_text("0")
    (group / "cgroup.procs").write_text(str(product.process.pid))


@contextmanager
def little_memory() -> Iterator[Path | None]:
    """A group of processes whose memory the kernel limits, of cgroups' first or second version; None where the tests
    may not make one, as in most containers."""
    group = next(filter(None, map(_made, HIERARCHIES)), None)
    try:
        yield group
    finally:
        if group is not None:
            for pid in (group / "cgroup.procs").read_text().split():
                (group.parent / "cgroup.procs").write_text(pid)
            group.rmdir()


def _made(hierarchy: Path) -> Path | None:
    group = hierarchy / f"social-faults-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        return None
    if (group / "memory.max").exists() or (group / "memory.limit_in_bytes").exists():
        return group
    group.rmdir()
    return None
