"""Runs schedules: each from its seed, on the interpreter or on a real mongod, and says what was seen."""

import gc
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from pymongo import MongoClient

from social import app
from tests.model.installed import bind
from tests.model.mongod import Mongod
from tests.model.schedule import START, Schedule
from tests.model.table import Database, Unique
from tests.model.values import Json
from tests.model.world import Violation, World

RINGS = 400  # worlds of which something may lie about
GLANCE = 20  # schedules between two looks at the clock
Store = Callable[[World], Any]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A violation: the seed that replays it, what did not hold, and after how many steps."""

    seed: int
    what: str
    steps: int
    settles: str


class Explored(msgspec.Struct, kw_only=True):
    """What came of many schedules."""

    schedules: int = 0
    seconds: float = 0.0
    found: list[Found] = []
    states: dict[str, int] = {}  # how publications ended
    looks: int = 0
    steps: int = 0

    def add(self, other: "Explored") -> None:
        """Takes in what another process saw."""
        self.schedules += other.schedules
        self.found = [*self.found, *other.found]
        self.looks, self.steps = self.looks + other.looks, self.steps + other.steps
        for state, count in other.states.items():
            self.states[state] = self.states.get(state, 0) + count


def in_memory(world: World) -> Database:
    """The interpreter, with the unique indexes that the schedules can meet."""
    database = Database(world.now)
    database["publications"].unique.append(Unique(("post_id", "account_id")))
    database["holds"].unique.append(Unique(("workspace_id", "scope", "platform", "account_id")))
    return database


class OnMongod:
    """A store that a real mongod keeps: the same database for one world after another."""

    def __init__(self, url: str, name: str) -> None:
        self._client: MongoClient[Json] = MongoClient(url, tz_aware=True)
        self._store = Mongod(self._client, name, lambda: START, None)
        for document in app.DOCUMENTS:
            declared = list(getattr(document.Settings, "indexes", ()))
            if declared:
                collection: str = document.Settings.name  # type: ignore[attr-defined]
                self._client[name][collection].create_indexes(declared)

    def __call__(self, world: World) -> Mongod:
        """The database, empty."""
        self._store.now = world.now
        self._store.seen = None
        self._store.empty()
        return self._store


def once(schedule: Schedule, store: Store = in_memory, tell: list[str] | None = None) -> tuple[World, str | None]:
    """Runs one schedule. The world as it ended, and what did not hold, if something did not."""
    world = World(schedule, store, tell)
    bind(world)
    try:
        world.run()
    except Violation as violation:
        return world, str(violation)
    except Exception as error:
        if tell is not None:
            raise
        return world, f"the model itself: {type(error).__name__}: {error}"
    return world, None


def explore(
    seeds: Iterable[int],
    *,
    store: Store = in_memory,
    cpu_seconds: float = float("inf"),
    most: int = 10,
    **fixed: Any,
) -> Explored:
    """Runs the schedules of `seeds`, all with what is `fixed`, for so many seconds of this process's time, or until
    `most` violations were found."""
    ends = time.process_time() + cpu_seconds
    explored, began = Explored(), time.monotonic()
    gc.collect()
    gc.freeze()  # what was imported stays
    gc.disable()  # worlds are rings; it is cheaper to take many away at once
    for seed in seeds:
        if explored.schedules % RINGS == 0:
            gc.collect()
        world, what = once(Schedule.of(seed, **fixed), store)
        explored.schedules += 1
        explored.looks += world.looks
        explored.steps += world.steps
        if what is not None:
            explored.found.append(Found(seed=seed, what=what, steps=world.steps, settles=world.schedule.settles))
            if len(explored.found) >= most:
                break
        for each in world.invariants.publications.values():
            explored.states[each["state"]] = explored.states.get(each["state"], 0) + 1
        world.forget()
        if explored.schedules % GLANCE == 0 and time.process_time() >= ends:
            break
    gc.enable()
    explored.seconds = time.monotonic() - began
    return explored


def replayed(seed: int, *, store: Store = in_memory, **fixed: Any) -> tuple[str | None, list[str]]:
    """Runs one seed again: what did not hold, and every step that led there."""
    told: list[str] = []
    _, what = once(Schedule.of(seed, **fixed), store, told)
    return what, told
