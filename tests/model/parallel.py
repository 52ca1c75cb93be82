"""Many schedules in processes of their own: each becomes a simulated one, so nothing of that is left in the asking one.

A planted bug has a process to itself, too, which is broken for good.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import msgspec

from tests.model.explorer import Explored, OnMongod, explore, in_memory, replayed
from tests.model.installed import install
from tests.model.planted import named, plant

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


def explored(
    first: int,
    count: int,
    *,
    processes: int = 2,
    seconds: float = float("inf"),
    mongo_url: str | None = None,
    gap: bool = False,
) -> Explored:
    """Runs the schedules of `count` seeds from `first` on, for `seconds` at most: on the interpreter, or on the mongod
    at `mongo_url`, each process in a database of its own."""
    began, until = time.monotonic(), time.time() + seconds
    shares = [range(first + number, first + count, processes) for number in range(processes)]
    works = [(share, until, mongo_url, f"model_{number}", gap) for number, share in enumerate(shares)]
    whole = Explored()
    for part in _in_processes(_share, works, processes):
        whole.add(part)
    whole.seconds = time.monotonic() - began
    return whole


def hunted(names: Sequence[str], *, seconds: float, processes: int = 2, seed: int = WAYS) -> list[Hunt]:
    """Plants each bug in a process of its own and looks for it for `seconds` of its CPU time at most."""
    return list(_in_processes(_hunt, [(name, seconds, seed) for name in names], processes))


def told(
    seed: int, *, mongo_url: str | None = None, bug: str | None = None, **how: Any
) -> tuple[str | None, list[str]]:
    """Runs one seed again in a process of its own: what did not hold, and every step that led there."""
    (found,) = _in_processes(_replay, [(seed, mongo_url, bug, how)], 1)
    return found


def _in_processes(work: Callable[..., T], arguments: Sequence[tuple[Any, ...]], processes: int) -> Iterable[T]:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawn, initializer=install) as pool:
        for future in [pool.submit(work, *each) for each in arguments]:
            yield future.result()


def _share(seeds: range, until: float, mongo_url: str | None, database: str, gap: bool) -> Explored:
    ends = time.monotonic() + until - time.time()
    if mongo_url is None:
        return explore(seeds, until=ends, most=MOST, gap=gap)
    store = OnMongod(mongo_url, database)
    try:
        return explore(seeds, store=store, until=ends, most=MOST, gap=gap)
    finally:
        store.close()


def _hunt(name: str, seconds: float, seed: int) -> Hunt:
    fork = multiprocessing.get_context("fork")
    mine, its = fork.Pipe()
    child = fork.Process(target=_broken, args=(name, seconds, seed, its))
    child.start()
    its.close()
    try:
        found = mine.recv()
    except EOFError:
        raise RuntimeError(f"{name}: the process with this bug died") from None
    finally:
        child.join()
    if isinstance(found, Exception):
        raise found
    hunt: Hunt = found
    return hunt


def _broken(name: str, seconds: float, seed: int, answer: Connection) -> None:
    bug = named(name)
    try:
        plant(bug)
        began = time.process_time()
        seen = explore(range(seed, seed + 10**9), most=1, gap=bug.gap, settles=bug.settles, cpu_seconds=seconds)
        first = seen.found[0] if seen.found else None
        answer.send(
            Hunt(
                name=name,
                what=first.what if first else None,
                seed=first.seed if first else None,
                schedules=seen.schedules,
                seconds=time.process_time() - began,
            )
        )
    except Exception as error:
        answer.send(error)


def _replay(seed: int, mongo_url: str | None, bug: str | None, how: dict[str, Any]) -> tuple[str | None, list[str]]:
    if bug is not None:
        plant(named(bug))
    store = in_memory if mongo_url is None else OnMongod(mongo_url, "model_replay")
    try:
        return replayed(seed, store=store, **how)
    finally:
        if isinstance(store, OnMongod):
            store.close()
