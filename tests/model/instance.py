"""One instance of the product in the simulated world: its clocks, what it stands on, and what it works on."""

import asyncio
import contextvars
from collections.abc import Coroutine
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import msgspec
import redis.exceptions

from social import moments
from social.backing import Backing
from social.backing.nonces import Nonces
from social.backing.owner import Owner
from social.backing.quotas import Breaking
from social.backing.vault import Vault
from social.settings import Settings
from tests.model.loop import INSTANCE

MASTER = bytes(range(32))
VAULT = Vault(MASTER)
SETTINGS = Settings(
    mongo_url="mongodb://model",
    redis_url="redis://model",
    s3_endpoint="http://model",
    s3_access_key="-",
    s3_secret_key="-",
    master_key="AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    mongo_database="model",
)


@dataclass(eq=False)
class Instance:
    """A process. `pid` is its own for ever; `skew` is how far its wall clock is off, `boot` where its steady one is."""

    world: Any
    pid: int
    host: str
    skew: float
    boot: float
    alive: bool = True
    paused_until: float = float("-inf")
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)  # that have begun; those at work are in `at_work`

    def __post_init__(self) -> None:
        self.context = contextvars.copy_context()
        self.context.run(INSTANCE.set, self)
        self.owner = Owner(host=self.host, boot="boot", pid=self.pid, started=self.pid)
        self.backing = Backing(
            settings=SETTINGS,
            owner=self.owner,
            client=self.world.client,
            db=self.world.db,
            redis=Wire(self.world),  # type: ignore[arg-type]
            queue=Hints(self.world),  # type: ignore[arg-type]
            bucket=SimpleNamespace(reading=None),  # type: ignore[arg-type]
            outbound=Nobody(),  # type: ignore[arg-type]
            vault=VAULT,
            room=asyncio.Semaphore(SETTINGS.concurrency),
        )

    def __repr__(self) -> str:
        return f"#{self.pid}"

    def at_work(self) -> list[asyncio.Task[Any]]:
        """Its tasks that have not ended, in the order in which they were begun."""
        self.tasks = [each for each in self.tasks if not each.done()]
        return self.tasks

    @property
    def paused(self) -> bool:
        """Whether it stands still now."""
        return self.paused_until > self.world.loop.now

    def begin(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Begins `work` in this process, as `Running.spawn` does; what it raises beyond Mongo's errors is a fault."""
        task: asyncio.Task[Any] = self.context.run(self.world.loop.create_task, work, name=name)
        task.add_done_callback(self.world.ended)
        return task


class Nobody:
    """The sessions to platforms: the simulated platform needs none."""

    nonces = Nonces()
    now = staticmethod(moments.now)

    def towards(self, origin: str, *, sandbox: bool, path: str) -> None:
        """Nothing."""


class Wire:
    """Redis as the bus uses it: what is told is lost or not, and nobody waits for long."""

    def __init__(self, world: Any) -> None:
        self._world = world

    def pipeline(self, transaction: bool = True) -> "Wire":
        """Commands to come."""
        return self

    def publish(self, channel: str, message: bytes) -> None:
        """One of them."""

    async def script_load(self, script: str) -> str:
        """The one script there is: the gate's."""
        await self._there()
        return "gate"

    async def evalsha(self, script: str, count: int, *given: Any) -> bytes:
        """What the gate's script answers, by the product's own copy of it in Python, shared by all instances."""
        world = self._world
        await self._there()
        if script not in world.scripts:
            world.scripts.add(script)
            raise redis.exceptions.NoScriptError("flushed")
        request = msgspec.msgpack.decode(given[count])
        request["now"] = request["now"] or round(world.loop.now * 1000) + 10**12
        request["breaking"] = msgspec.convert(request["breaking"], Breaking)
        return msgspec.msgpack.encode(world.gate.ask(request, list(given[:count])))

    async def _there(self) -> None:
        """Redis answers, or is away, or late, or has just lost all it knew."""
        world = self._world
        if world.chance(0.05):
            await world.step("redis", lambda: None, writes=False, mongo=False)
        if world.faulty(0.04):
            raise redis.exceptions.ConnectionError("away")
        if world.faulty(0.02):
            world.flush()

    async def execute(self) -> None:
        """Carries them out, if Redis is there."""
        if self._world.chance(0.1):
            await self._world.step("redis", lambda: None, writes=False, mongo=False)
        if self._world.faulty(0.05):
            raise redis.exceptions.ConnectionError("away")


class Hints:
    """SAQ's queue: a hint wakes one, several or nobody, soon or late."""

    def __init__(self, world: Any) -> None:
        self._world = world

    async def enqueue(self, name: str, **_: Any) -> None:
        """Wakes somebody, maybe."""
        world = self._world
        await world.step("enqueue", lambda: None, writes=False, mongo=False)
        if world.faulty(0.1):
            raise redis.exceptions.ConnectionError("away")
        for _ in range(world.dice.choice((0, 1, 1, 1, 2))):
            world.wake(world.loop.now + world.dice.uniform(0, 2))
