"""One publication that kills, one instance that outgrows its memory, an upload cut short, a crowd, and stray hints."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from social.backing import redis
from tests.faults.conftest import Scenes
from tests.faults.ledger import Figures, arrival
from tests.faults.scene import PLATFORMS, soon
from tests.faults.test_replies import publishing_calls
from tests.faults.wire import Wire
from tests.pictures import jpeg
from tests.servers.sandbox import Sandbox

Report = Callable[..., Figures]
MEMORY = Path("/sys/fs/cgroup/memory")
NONCE = 401  # with it a Bluesky server hands out what the same call then proves itself by
LITTLE = 64 * 1024  # bytes that it may have beyond what it has already


@pytest.mark.rows("F40")
async def test_what_kills_every_process_that_takes_it_is_parked_and_the_others_go_out(
    stage: Scenes, report: Report
) -> None:
    scene = await stage(accounts=2, platforms=("mastodon",))
    await scene.plan("poison", parts=["and this part kills"])
    deaths = 0
    for number in range(6):
        await scene.plan(f"beside it {number}", number=1)
        instance = scene.instance().start(ready=False, SOCIAL_TEST_CRASH_AT="armed:2")
        until = time.monotonic() + 6
        while instance.process.poll() is None and time.monotonic() < until:
            await asyncio.sleep(0.05)
        if instance.process.poll() is None:
            break
        deaths += 1

    figures = await scene.concluded(deaths)
    held = await scene.until("held")
    report(figures, blast_radius=deaths)
    assert deaths == 3
    assert held["reason"]["code"] == "poison"
    assert [each["state"] for each in await scene.ledger.publications()].count("online") == figures.accepted - 1


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
        (group / "memory.limit_in_bytes").write_text(str(LITTLE))
        (group / "memory.swappiness").write_text("0")
        (group / "cgroup.procs").write_text(str(victim.process.pid))
        for number in range(30):
            await scene.plan(f"too much {number}", number % 3)
            if victim.process.poll() is not None:
                break

        assert await asyncio.to_thread(victim.wait_until_dead) == -9
        report(await scene.concluded(1))
        assert {state for _, state, _ in await scene.states()} == {"online"}


@contextmanager
def little_memory() -> Iterator[Path]:
    """A group of processes whose memory the kernel limits. Skips the test where nobody may make one."""
    group = MEMORY / f"social-faults-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        pytest.skip("no memory group can be made: run the tests as root, with cgroup v1's memory controller mounted")
    try:
        yield group
    finally:
        for pid in (group / "cgroup.procs").read_text().split():
            (MEMORY / "cgroup.procs").write_text(pid)
        group.rmdir()


@pytest.mark.rows("F6")
async def test_killed_while_a_picture_is_handed_in_the_post_goes_out_once_and_with_it(
    stage: Scenes, tmp_path_factory: pytest.TempPathFactory, report: Report
) -> None:
    sandbox = Sandbox(tmp_path_factory.mktemp("uploads"), rate_scale=0)
    sandbox.start()
    try:
        with Wire(int(sandbox.url.rpartition(":")[2])) as wire:
            platforms = ("mastodon", "x")
            scene = await stage(sandbox=sandbox, sandbox_port=wire.port, platforms=platforms)
            media = await scene.person.upload(jpeg(1600, 1200))
            before = wire.towards
            wire.trouble(cut_after=10_000)
            first = scene.started()
            draft = await scene.person.ask(
                "POST",
                "/posts",
                json={"text": "a picture", "media": [{"id": media["id"]}], "accounts": list(scene.accounts.values())},
            )
            scene.ledger.accept(await scene.person.plan(draft, at=soon(6)))
            while wire.towards - before < 10_000:
                await asyncio.sleep(0.01)
            first.kill()
            wire.trouble()
            scene.started()

            report(await scene.concluded(1), bytes_sent=wire.towards - before)
            assert [len(each["media"]) for each in scene.ledger.live()] == [1, 1]
    finally:
        sandbox.kill()


@pytest.mark.rows("F41")
@pytest.mark.timeout(600)
async def test_a_crowd_of_one_minute_goes_out_on_time_and_each_account_in_order(
    stage: Scenes, size: Callable[[int, int], int], report: Report
) -> None:
    posts = size(40, 334)
    scene = await stage(accounts=5)
    at = soon(size(8, 60))
    for number in range(posts):
        await scene.plan(f"crowd {number:04}", number % 5, at=at)
    for _ in range(2):
        scene.started()

    figures = await scene.concluded(1, 60)
    due = (await scene.ledger.publications())[0]["due_at"]
    late = sorted((arrival(each) - due).total_seconds() for each in scene.ledger.live())
    report(figures, late_s_p50=late[len(late) // 2], late_s_p99=late[len(late) * 99 // 100])
    assert len(late) == posts * len(PLATFORMS)
    for platform in PLATFORMS:
        for number in range(5):
            texts = [
                each["text"]
                for each in sorted(scene.ledger.live(), key=arrival)
                if each["platform"] == platform and int(each["text"].split()[1]) % 5 == number
            ]
            assert texts == sorted(texts), "each account in the order of planning"


@pytest.mark.rows("F42")
async def test_hints_that_come_five_times_out_of_order_or_for_nothing_cause_no_call(
    stage: Scenes, report: Report
) -> None:
    scene = await stage()
    for _ in range(2):
        scene.started()
    connection = redis.connection(scene.settings)
    queue = redis.queue(connection, scene.settings)

    async def hint(times: int) -> None:
        for number in range(times):
            await queue.enqueue("wake", key=f"stray:{time.monotonic_ns()}:{number}", timeout=30, ttl=60, retries=1)

    try:
        for number in range(5):
            post = await scene.plan(f"hinted {number}", at=soon(1.5))
            await hint(5)
            if number == 3:
                await scene.person.ask("DELETE", f"/posts/{post['id']}", params={"revision": post["revision"]})
        await asyncio.gather(*(hint(5) for _ in range(5)))
        await scene.ledger.at_rest(20)
        await hint(5)
        await asyncio.sleep(1)
    finally:
        await queue.disconnect()
        await connection.aclose()

    assert scene.ledger.times_there(["hinted 3"]) == {"hinted 3": 0}
    calls = [each for each in publishing_calls(scene) if each["status"] != NONCE]
    assert len(calls) == 4 * len(PLATFORMS) == len(scene.ledger.live())
    figures = await scene.ledger.counted(50)
    figures.lost -= len(PLATFORMS)  # the deleted ones are gone from the database, as they should be
    report(figures)
