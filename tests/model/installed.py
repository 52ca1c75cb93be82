"""Makes this process a simulated one: the product's clocks, ids, owners and platforms are the world's from then on.

For a process of its own: nothing is put back.
"""

import itertools
import random
import secrets
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import bson.objectid
import structlog
from bson import ObjectId
from lazy_model import LazyModel

from social import app, moments
from social.backing import owner
from social.platforms import PLATFORMS
from social.publishing import holds
from tests.model.driver import finished
from tests.model.loop import INSTANCE
from tests.model.platform import platforms
from tests.model.schedule import START
from tests.model.world import World


class Clock:
    """In place of `time` and `datetime` in `social.moments`: an instance's own clocks."""

    CLOCK_BOOTTIME = 7

    @staticmethod
    def now(zone: Any = UTC) -> datetime:
        """The wall clock of whoever asks."""
        instance = INSTANCE.get()
        if instance is None:
            return CURRENT.world.now() if CURRENT.world is not None else START
        return World.instant(instance.world.loop.now + instance.skew)

    @staticmethod
    def clock_gettime(which: int) -> float:
        """Its steady clock."""
        instance = INSTANCE.get()
        return 0.0 if instance is None else float(instance.world.loop.now + instance.boot)


class _Current:
    world: World | None = None
    settings: tuple[Any, ...] = ()  # of the documents, once beanie knows them
    count = itertools.count(1)  # what tokens are made of


CURRENT = _Current()


def install() -> None:
    """Once in a process."""
    moments.datetime = Clock  # type: ignore[misc,assignment]
    moments.time = Clock  # type: ignore[attr-defined]
    owner._started = _started
    bson.objectid.time = SimpleNamespace(time=lambda: 0x6000_0000)  # type: ignore[attr-defined]
    ObjectId._random = classmethod(lambda cls: b"model")  # type: ignore[method-assign,assignment]
    secrets.token_hex = lambda size=12: f"{next(CURRENT.count):0{2 * size}x}"  # type: ignore[assignment,misc]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50), cache_logger_on_first_use=True)
    del LazyModel.__getattribute__  # beanie's documents are never parsed lazily here, and are read all the time
    holds.LOOK = 1.5  # so that waiting for a lease is not a thousand steps
    PLATFORMS.update(platforms())


def bind(world: World) -> None:
    """Gives every document its collection of `world`, and begins counting anew."""
    CURRENT.world, CURRENT.count = world, itertools.count(1)
    ObjectId._inc = 1
    random.seed(world.schedule.seed)
    if not CURRENT.settings:
        finished(app.bind(world))  # type: ignore[arg-type]
        CURRENT.settings = tuple(document.get_settings() for document in app.DOCUMENTS)
    for settings in CURRENT.settings:
        settings.pymongo_collection = world.db[settings.name]


def _started(pid: int) -> int | None:
    """When a process of the asking one's host began: nobody sees those of other hosts."""
    instance = INSTANCE.get()
    if CURRENT.world is None or instance is None:
        return None
    there = CURRENT.world.started.get(pid)
    return pid if there == instance.host else None
