"""Schedules in processes of their own: each becomes a simulated one, so nothing of that is left in the asking one.

A planted bug has a process to itself, too, which is broken for good.
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from tests.model.explorer import Explored, OnMongod, Store, explore, in_memory, replayed
from tests.model.installed import install
from tests.model.planted import named, plant
from tests.model.stories import shortest
from tests.model.values import Json

T = TypeVar("T")
MOST = 10  # violations after which a process has seen enough
WAYS = 10**6  # where the seeds begin at which planted bugs are hunted


class Hunt(msgspec.Struct, frozen=True, kw_only=True):
    """How a planted bug was looked for: `what` broke and the seed that shows it, or None if nothing did in time."""

    name: str
    what: str | None
    seed: int | None
    schedules: int
    seconds: float


class Simulated:
    """So many processes that run schedules, one request after another."""

    def __init__(self, processes: int = 1) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._count = processes
        self._pool = ProcessPoolExecutor(processes, mp_context=spawn, initializer=_begun)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.shutdown()

    def explored(self, first: int, count: int, *, mongo_url: str | None = None, gap: bool = False) -> Explored:
        """Runs the schedules of `count` seeds from `first` on: on the interpreter, or on the mongod at `mongo_url`."""
        began = time.monotonic()
        shares = [range(first + number, first + count, self._count) for number in range(self._count)]
        whole = Explored()
        for part in self._all(_share, [(share, mongo_url, gap) for share in shares]):
            whole.add(part)
        whole.seconds = time.monotonic() - began
        return whole

    def hunted(self, names: Sequence[str], *, seconds: float, seed: int = WAYS) -> Iterator[Hunt]:
        """Plants each bug in a process of its own and looks for it for `seconds` of its CPU time at most."""
        return self._all(_apart, [(_hunt, name, seconds, seed) for name in names])

    def told(
        self, seed: int, *, mongo_url: str | None = None, bug: str | None = None, **fixed: Any
    ) -> tuple[str | None, list[str]]:
        """Runs one seed again, with `bug` planted if one is named: what did not hold, and every step that led there."""
        (found,) = self._all(_replay if bug is None else _apart_replayed, [(seed, mongo_url, bug, fixed)])
        return found

    def story(self, *, stories: int, bug: str | None = None) -> str | None:
        """Tries so many stories in a process of its own, with `bug` planted if one is named: the shortest that breaks
        something, or None."""
        (found,) = self._all(_apart, [(shortest, bug, stories)])
        return found

    def _all(self, work: Callable[..., T], arguments: Sequence[tuple[Any, ...]]) -> Iterator[T]:
        for future in [self._pool.submit(work, *each) for each in arguments]:
            yield future.result()


def _begun() -> None:
    """Only computes: what beside it waits for an instant, as other tests do, is not to be late for that."""
    os.nice(10)
    install()


def _share(seeds: range, mongo_url: str | None, gap: bool) -> Explored:
    return explore(seeds, store=_store(mongo_url), most=MOST, gap=gap)


@lru_cache
def _store(mongo_url: str | None) -> Store:
    """Where this process keeps its worlds: a database of its own takes seconds to make, and goes with its server."""
    return in_memory if mongo_url is None else OnMongod(mongo_url, f"model_{os.getpid()}")


def _apart(work: Callable[..., T], *given: Any) -> T:
    """What `work` answers in a process that ends with it."""
    fork = multiprocessing.get_context("fork")
    mine, its = fork.Pipe()
    child = fork.Process(target=_answered, args=(its, work, given))
    child.start()
    its.close()
    try:
        found = mine.recv()
    except EOFError:
        raise RuntimeError(f"the process for {given} died") from None
    finally:
        child.join()
    if isinstance(found, Exception):
        raise found
    answer: T = found
    return answer


def _answered(answer: Connection, work: Callable[..., Any], given: tuple[Any, ...]) -> None:
    try:
        answer.send(work(*given))
    except Exception as error:
        answer.send(error)


def _hunt(name: str, seconds: float, seed: int) -> Hunt:
    bug = named(name)
    plant(bug)
    began = time.process_time()
    seen = explore(range(seed, seed + 10**9), most=1, cpu_seconds=seconds, **bug.fixed)
    first = seen.found[0] if seen.found else None
    return Hunt(
        name=name,
        what=first.what if first else None,
        seed=first.seed if first else None,
        schedules=seen.schedules,
        seconds=time.process_time() - began,
    )


def _apart_replayed(*given: Any) -> tuple[str | None, list[str]]:
    return _apart(_replay, *given)


def _replay(seed: int, mongo_url: str | None, bug: str | None, fixed: Json) -> tuple[str | None, list[str]]:
    if bug is not None:
        plant(named(bug))
        fixed = {**named(bug).fixed, **fixed}
    return replayed(seed, store=_store(mongo_url), **fixed)
