"""Check-and-take over all windows and breakers of a batch, in one atomic step that all instances share.

Redis is a hint: where it does not answer at once, the same logic goes on in this process alone (`quotas_here`), and
what the platforms said to this process is obeyed in any case. Keys that Redis lost begin anew.
"""

import asyncio
import random
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import msgspec
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from social.backing.quotas_here import Here, taken
from social.backing.redis import GONE
from social.moments import steady

T = TypeVar("T")
PATIENCE = 0.15  # seconds for Redis to answer; a batch waits no longer
LOOPS = 5  # turns of the event loop that an answer needs from the socket to us
WELL = 0.25
HOUR = 3600.0
OWED = 10_000  # windows of which it is remembered what was taken without Redis
REST = 1.0  # seconds for which it is not asked again after it did not
PARTS = 100  # a window with a higher limit counts in hundredths of its length
GROUP = 10  # of those that waited for one window, so many go on at once at most, and at most a quarter of the window


class Window(msgspec.Struct, frozen=True, gc=False):
    """`most` takes in any `span` milliseconds. `key` tells whose; it is shared by all that may not exceed it together.

    A window of at most 100 is exact to the millisecond. A larger one counts in hundredths of its span, so that one
    take may be counted by a hundredth longer, never shorter: memory is at most 101 pairs of numbers, under 2 kB.
    """

    key: str
    most: int
    span: int

    @property
    def grain(self) -> int:
        """Milliseconds that are counted as one."""
        return 1 if self.most <= PARTS else -(-self.span // PARTS)

    @property
    def group(self) -> int:
        """How many of those that waited go on at the same instant."""
        return max(1, min(GROUP, self.most // 4))


class Take(msgspec.Struct, frozen=True, gc=False):
    """One who wants to go out: once from all of `windows`, or not at all; and past the breaker called `breaker`."""

    id: str
    windows: tuple[Window, ...]
    breaker: str | None = None


class Told(msgspec.Struct, frozen=True, gc=False):
    """What a platform said of a window: that it allows `allowed` more within the next `wait` milliseconds."""

    window: Window
    allowed: int
    wait: int


class Health(msgspec.Struct, frozen=True, gc=False):
    """How attempts past a breaker went: whether one was answered, and (account, id of the take) of those in vain."""

    breaker: str
    well: bool
    failed: tuple[tuple[str, str], ...] = ()


class Refused(msgspec.Struct, frozen=True, gc=False):
    """Nothing was taken. Again in `wait` milliseconds; `window` that was full, or None where a breaker is open."""

    wait: int
    window: Window | None


class Change(msgspec.Struct, frozen=True, gc=False):
    """A breaker that `opened` (its first probe in `wait` milliseconds), `resumed` or `closed`."""

    breaker: str
    what: str
    wait: int


class Breaking(msgspec.Struct, frozen=True, array_like=True):
    """When a breaker opens and how it closes; times in milliseconds."""

    trip: int = 3  # different accounts in trouble, with no answer in between
    within: int = 60_000
    first: int = 30_000  # until the first probe; it doubles with each that fails
    longest: int = 300_000
    ramp: int = 5  # that go out at once when a probe was answered
    doubles: int = 2_000  # in which as many again may go out
    ramp_ends: int = 30_000
    stale: int = 3_600_000  # after which an open breaker that nobody asks is forgotten


class Answer(msgspec.Struct, frozen=True):
    """Who was refused, by its place in what was asked; and what happened to breakers."""

    refused: dict[int, Refused]
    changes: tuple[Change, ...]


@cache
def _script() -> str:
    return files("social.backing").joinpath("quotas.lua").read_text()


class Quotas:
    """What this process asks Redis with, and goes on with by itself while Redis is away. One per process."""

    def __init__(self, *, breaking: Breaking | None = None, patience: float = PATIENCE) -> None:
        self.breaking = breaking or Breaking()
        self._patience = patience
        self.here = Here()
        # Windows that a platform closed: until when by our steady clock, and how many were refused for it here.
        self._closed: dict[str, tuple[int, int]] = {}
        self._most: dict[tuple[Any, str], tuple[int, float]] = {}  # what a platform said of a whole window, until when
        self._owed: dict[Window, tuple[int, int]] = {}  # what was taken here alone: how many, and until when it counts
        self._well: dict[str, float] = {}  # when it was last told that a breaker's platform answers
        self._away_until = 0.0
        self._script = _script()
        self._sha = ""

    async def ask(
        self,
        redis: Redis,
        prefix: str,
        takes: Sequence[Take] = (),
        *,
        told: Sequence[Told] = (),
        health: Sequence[Health] = (),
        now: int = 0,
    ) -> Answer:
        """First learns what was `told` and how attempts went, then takes, in the order given. Never raises for Redis,
        and waits for it 150 ms at most.

        `prefix`: of all keys. `now`: milliseconds that stand in for Redis's clock and our own, for tests.
        """
        mine = now or round(steady() * 1000)
        health = [each for each in health if self._worth_telling(each)]
        self._remember(told, mine)
        early = self._refused_here(takes, mine)
        request, keys, windows, breakers = self._request(prefix, takes, told, health, now, mine, early)
        if not (request["takes"] or told or health):
            return Answer(early, ())
        answer = await self._from_redis(redis, keys, request)
        alone = answer is None
        if alone:
            answer = self.here.ask(request | {"now": mine}, keys)
        else:
            self._owed.clear()
        places = [n for n in range(len(takes)) if n not in early] if early else range(len(takes))
        refused = {
            places[n]: Refused(max(1, wait), windows[by] if by >= 0 else None) for n, wait, by in answer[0]
        } | early
        if alone:
            self._owe(takes, refused, mine)
        return Answer(refused, tuple(Change(breakers[i], what, wait) for i, what, wait in answer[1]))

    async def open_breakers(self, redis: Redis, prefix: str) -> tuple[str, ...]:
        """The breakers that are not shut, as far as Redis knows; without Redis, those of this process."""
        index = f"{prefix}open"
        try:
            found: Sequence[Any] = await self._patiently(redis.zrange(index, 0, -1))
        except GONE:
            found = self.here.open_breakers(index)
        names = (key.decode() if isinstance(key, bytes) else key for key in found)
        return tuple(name.removeprefix(f"{prefix}b:") for name in names)

    async def used(self, redis: Redis, prefix: str, windows: Sequence[Window]) -> list[int]:
        """How much of each of `windows` is taken at the moment, as far as Redis knows; without Redis, this process."""
        keys = [f"{prefix}w:{window.key}" for window in windows]
        try:
            async with redis.pipeline(transaction=False) as asking:
                asking.mget(keys)
                asking.time()
                answer: Any = await self._patiently(asking.execute())
        except GONE:
            return self.here.used(keys, round(steady() * 1000))
        stored, (seconds, micros) = answer
        at = seconds * 1000 + micros // 1000
        return [taken(msgspec.msgpack.decode(each, type=list[int]), at) if each else 0 for each in stored]

    def news(self, whose: Any, window: str, most: int) -> bool:
        """Whether it is worth keeping that the platform says `most` of an account's window of that name: not what was
        heard here within the hour already."""
        known, until = self._most.get((whose, window), (0, 0.0))
        if known == most and steady() < until:
            return False
        if len(self._most) >= OWED:
            self._most.clear()
        self._most[whose, window] = most, steady() + HOUR
        return True

    def _worth_telling(self, health: Health) -> bool:
        """That a platform answers is known from one answer in a quarter of a second, unless there was trouble since."""
        if not health.well:
            self._well.pop(health.breaker, None)
            return True
        if steady() < self._well.get(health.breaker, float("-inf")) + WELL:
            return False
        self._well[health.breaker] = steady()
        return True

    def _owe(self, takes: Sequence[Take], refused: Mapping[int, Refused], mine: int) -> None:
        """Remembers what was taken without Redis, which is told of it when it is back. It may have counted some of it,
        where its answer was merely late: that errs on the safe side."""
        for n, take in enumerate(takes):
            if n not in refused and len(self._owed) < OWED:
                for window in take.windows:
                    self._owed[window] = self._owed.get(window, (0, 0))[0] + 1, mine + window.span

    def _remember(self, told: Iterable[Told], mine: int) -> None:
        for each in told:
            if each.allowed < 1:
                until, refused = self._closed.get(each.window.key, (0, 0))
                self._closed[each.window.key] = max(mine + each.wait, until), refused
        if len(self._closed) > 10_000:
            self._closed = {key: closed for key, closed in self._closed.items() if closed[0] > mine}

    def _refused_here(self, takes: Sequence[Take], mine: int) -> dict[int, Refused]:
        """Those whose window a platform closed when it answered this process, whatever became of Redis since."""
        refused: dict[int, Refused] = {}
        if not self._closed:
            return refused
        for n, take in enumerate(takes):
            for window in take.windows:
                until, before = self._closed.get(window.key, (0, 0))
                if until > mine:
                    self._closed[window.key] = until, before + 1
                    later = before // window.group * -(-window.group * window.span // window.most)
                    refused[n] = Refused(until - mine + later, window)
                    break
                if until:
                    del self._closed[window.key]
        return refused

    def _request(
        self,
        prefix: str,
        takes: Sequence[Take],
        told: Sequence[Told],
        health: Sequence[Health],
        now: int,
        mine: int,
        without: Mapping[int, Refused],
    ) -> tuple[dict[str, Any], list[str], list[Window], list[str]]:
        places: dict[str, int] = {}
        windows: list[Window] = []
        breakers: dict[str, int] = {}

        def place(window: Window) -> int:
            found = places.get(window.key)
            if found is None:
                found = places[window.key] = len(windows)
                windows.append(window)
            elif window.most < windows[found].most:  # two workspaces say differently of one account
                windows[found] = window
            return found

        asked = [
            [
                take.id,
                -1 if take.breaker is None else breakers.setdefault(take.breaker, len(breakers)),
                *map(place, take.windows),
            ]
            for n, take in enumerate(takes)
            if n not in without
        ]
        request = {
            "now": now,
            "jitter": random.random(),  # noqa: S311 - jitter, not a secret
            "breaking": self.breaking,
            "takes": asked,
            "owed": [[place(window), many] for window, (many, until) in self._owed.items() if until > mine],
            "told": [[place(each.window), each.allowed, each.wait] for each in told],
            "health": [
                [breakers.setdefault(each.breaker, len(breakers)), each.well, [x for pair in each.failed for x in pair]]
                for each in health
            ],
            "windows": [[window.most, window.span, window.grain, window.group] for window in windows],
            "breakers": [{}] * len(breakers),
        }
        keys = [f"{prefix}w:{key}" for key in places] + [f"{prefix}b:{name}" for name in breakers] + [f"{prefix}open"]
        return request, keys, windows, list(breakers)

    async def _from_redis(self, redis: Redis, keys: list[str], request: dict[str, Any]) -> Any:
        """What the script answers, or None if Redis is away or slow. It is left in peace for a second then."""
        if steady() < self._away_until:
            return None
        argument = msgspec.msgpack.encode(request)
        try:
            return msgspec.msgpack.decode(await self._patiently(self._run(redis, keys, argument)))
        except GONE:
            self._away_until = steady() + REST
            return None

    async def _run(self, redis: Redis, keys: list[str], argument: bytes) -> bytes:
        answer: Any
        if self._sha:
            try:
                answer = await redis.evalsha(self._sha, len(keys), *keys, argument)
                return bytes(answer)
            except NoScriptError:  # another Redis than before, or one that was flushed
                pass
        self._sha = await redis.script_load(self._script)
        answer = await redis.evalsha(self._sha, len(keys), *keys, argument)
        return bytes(answer)

    async def _patiently(self, answer: Awaitable[T]) -> T:
        """What Redis answers, or TimeoutError. An answer that is there and only waits for a busy loop is not late."""
        asking = asyncio.ensure_future(answer)
        try:
            await asyncio.wait({asking}, timeout=self._patience)
            for _ in range(LOOPS):
                if not asking.done():
                    await asyncio.sleep(0)
            if not asking.done():
                raise TimeoutError
            return await asking
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
