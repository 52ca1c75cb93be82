"""One publication that kills, an upload cut short, a crowd, and stray hints."""

import asyncio
import io
import time
from collections import Counter
from collections.abc import Callable

import pytest

from social.backing import redis
from tests.faults.conftest import Scenes
from tests.faults.ledger import Figures, arrival
from tests.faults.scene import PLATFORMS, soon
from tests.faults.test_replies import publishing_calls
from tests.faults.wire import Wire
from tests.pictures import jpeg, large_gif

Report = Callable[..., Figures]
A_TENTH = 0.1  # of its quotas
X_TAKES = 10  # posts of one person in a quarter of an hour: a tenth of what its sheet says
QUARTER = 900  # seconds
CHUNK = 1_000_000  # bytes of a file that X is given in one request
NONCE = 401  # with it a Bluesky server hands out what the same call then proves itself by


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


@pytest.mark.rows("F6")
async def test_killed_while_a_picture_is_handed_in_the_post_goes_out_once_and_with_it(
    stage: Scenes, wire: Wire, report: Report
) -> None:
    scene = await stage(sandbox_port=wire.port, platforms=("mastodon", "x"))
    media = await scene.person.upload(jpeg(1600, 1200))
    before = wire.towards
    wire.trouble(cut_after=10_000)
    first = scene.started()
    await scene.plan("a picture", media=[{"id": media["id"]}], at=soon(6))
    while wire.towards - before < 10_000:
        await asyncio.sleep(0.01)
    first.kill()
    wire.trouble()
    scene.started()

    report(await scene.concluded(1), bytes_sent=wire.towards - before)
    assert [len(each["media"]) for each in scene.ledger.live()] == [1, 1]


@pytest.mark.rows("F6")
@pytest.mark.parametrize("how", ["the process is killed", "the network is cut"])
async def test_broken_off_between_two_chunks_an_upload_goes_on_with_the_next_and_the_post_goes_out_once(
    how: str, stage: Scenes, wire: Wire, report: Report
) -> None:
    scene = await stage(sandbox_port=wire.port, platforms=("x",))
    animation = large_gif()
    media = await scene.person.upload(io.BytesIO(animation), "moving.gif")
    before = wire.towards
    wire.trouble(latency=0.03)
    sender = scene.started()
    await scene.plan("in chunks", media=[{"id": media["id"]}], at=soon(5))
    while wire.towards - before < 1.5 * CHUNK:  # one is there, and a part of the next
        await asyncio.sleep(0.005)
    if how == "the process is killed":
        sender.kill()
        scene.started()
    wire.reset()
    wire.trouble()

    figures = await scene.concluded(1)
    resent = wire.towards - before - len(animation)
    report(figures, bytes_resent=resent)
    taken = [call["path"].rpartition("/")[2] for call in scene.sandbox.requests("POST") if call["status"] == 200]
    assert taken.count("initialize") == 1
    assert taken.count("append") == -(-len(animation) // CHUNK)
    assert resent < CHUNK
    assert [len(each["media"]) for each in scene.ledger.live()] == [1]


@pytest.mark.rows("F41")
@pytest.mark.timeout(600)
async def test_a_crowd_of_one_minute_goes_out_on_time_and_each_account_in_order(
    stage: Scenes, size: Callable[[int, int], int], report: Report
) -> None:
    posts = size(40, 334)
    scene = await stage(accounts=5)
    at = soon(size(8, 240))
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


@pytest.mark.rows("F41")
async def test_of_a_crowd_on_one_account_as_much_goes_out_as_its_platform_takes_and_nothing_is_refused(
    stage: Scenes, report: Report
) -> None:
    scene = await stage(platforms=("x",))
    scene.sandbox.trouble(x={"rate_scale": A_TENTH})
    for number in range(X_TAKES + 4):
        await scene.plan(f"crowd {number:04}", at=soon(4))
    for _ in range(2):
        scene.started(SOCIAL_TEST_QUOTA_SCALE=str(A_TENTH))

    waiting = await scene.until("waiting", 30)
    await scene.ledger.at_rest(30, "waiting")

    figures = await scene.ledger.counted(1)
    quarters = Counter(int(arrival(each).timestamp() // QUARTER) for each in scene.ledger.live())
    assert max(quarters.values()) <= X_TAKES
    assert sum(quarters.values()) >= X_TAKES
    assert waiting["reason"]["code"] == "quota"
    assert {each["status"] for each in publishing_calls(scene)} == {201}
    figures.stuck = 0  # they wait for the next quarter of an hour
    report(figures)


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
