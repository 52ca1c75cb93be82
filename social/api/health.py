"""Is it alive, is it ready, and how is it? For supervisors, for load balancers, for people."""

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import pymongo
from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.status_codes import HTTP_200_OK, HTTP_503_SERVICE_UNAVAILABLE

from social.api.callers import Connection, Needs
from social.api.headers import LOOPBACK
from social.backing import Backing, mongo, redis
from social.moments import rfc3339
from social.people.roles import Role
from social.platforms.contract import Realm
from social.publishing import gate, lateness, watchdog
from social.publishing.documents import Publication
from social.publishing.lateness import Punctuality
from social.publishing.states import State

ANSWERS_IN = 1.0  # seconds; a part that takes longer is away
PROXIED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


@dataclass
class Readiness:
    """What the process says of itself. Draining: it finishes what it has and wants nothing new."""

    draining: bool = False


class Alive(msgspec.Struct, kw_only=True):
    """The process answers."""

    live: bool = True


class Ready(msgspec.Struct, kw_only=True):
    """Whether requests should be sent here. The queue may be away: it is a hint, posts go out all the same."""

    ready: bool
    draining: bool
    database: bool
    bucket: bool
    queue: bool


class Overdue(msgspec.Struct, kw_only=True):
    """What has waited longest for its turn, whosever it is; `seconds` since it should have been looked at."""

    state: State
    next_at: str
    seconds: float


class AlarmOut(msgspec.Struct, kw_only=True):
    """Something that must never be and is: what it means, how often, and since when."""

    name: str
    text: str
    count: int
    since: datetime


class BreakerOut(msgspec.Struct, kw_only=True):
    """A platform in trouble: to so many of its `servers` nothing but a trial goes out, or not yet everything."""

    platform: str
    realm: Realm
    servers: int


class Health(Ready, kw_only=True):
    """More, for people. `tasks`: what this instance was told to run; `waiting`: wake-ups in the queue, if known;
    `well`: whether the watchdog, which looks every few seconds, finds all as it must be; `breakers`: the platforms that
    are spared for now; `lateness`: over all workspaces."""

    tasks: list[str]
    waiting: int | None
    overdue: Overdue | None
    well: bool
    alarms: list[AlarmOut]
    breakers: list[BreakerOut]
    lateness: Punctuality | None


class NeedsNearness(Needs):
    """Open to a connection from this very machine that no proxy made for somebody else; others must be signed in."""

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """SignInNeeded, Forbidden."""
        if not _near(connection):
            await super().__call__(connection, handler)


class HealthController(Controller):
    """At the root, where supervisors look."""

    path = "/health"
    tags = ("health",)

    @get("/live", summary="Does the process answer?", opt={"public": True})
    async def live(self) -> Alive:
        """Always, if at all. Says nothing about the servers behind it: restarting us would not bring them back."""
        return Alive()

    @get("/ready", summary="Should requests be sent here?", opt={"public": True})
    async def ready(self, backing: NamedDependency[Backing], readiness: NamedDependency[Readiness]) -> Response[Ready]:
        """503 while draining, or while the database or the bucket is away."""
        return _answered(await _looked(backing, readiness))

    @get("/", summary="How is it?", guards=[NeedsNearness(Role.VIEWER)])
    async def details(
        self, backing: NamedDependency[Backing], readiness: NamedDependency[Readiness]
    ) -> Response[Health]:
        """With what is overdue. For the signed-in, and for whoever asks from this machine."""
        ready = await _looked(backing, readiness)
        alarms = await _alarms() if ready.database else []
        health = Health(
            **msgspec.structs.asdict(ready),
            tasks=sorted(backing.settings.tasks),
            waiting=await _waiting(backing) if ready.queue else None,
            overdue=await _overdue(backing.now()) if ready.database else None,
            well=ready.database and not alarms,
            alarms=alarms,
            breakers=await _breakers(backing),
            lateness=await _lateness(backing) if ready.database else None,
        )
        return _answered(health)


def _answered(ready: Any) -> Response[Any]:
    return Response(ready, status_code=HTTP_200_OK if ready.ready else HTTP_503_SERVICE_UNAVAILABLE)


async def _looked(backing: Backing, readiness: Readiness) -> Ready:
    database, bucket, queue = await asyncio.gather(
        mongo.reachable(backing.client, ANSWERS_IN),
        _in_time(backing.bucket.reachable()),
        _in_time(_pinged(backing)),
    )
    return Ready(
        ready=database and bucket and not readiness.draining,
        draining=readiness.draining,
        database=database,
        bucket=bucket,
        queue=queue,
    )


async def _in_time(reachable: Awaitable[bool]) -> bool:
    """Whether a part is there, and not so slow that it might as well be away."""
    try:
        async with asyncio.timeout(ANSWERS_IN):
            return await reachable
    except TimeoutError:
        return False


async def _pinged(backing: Backing) -> bool:
    try:
        return bool(await backing.redis.ping())
    except redis.GONE:
        return False


async def _waiting(backing: Backing) -> int | None:
    try:
        async with asyncio.timeout(ANSWERS_IN):
            return await backing.queue.count("queued")
    except (*redis.GONE, TimeoutError):
        return None


async def _overdue(at: datetime) -> Overdue | None:
    with pymongo.timeout(ANSWERS_IN):
        found = await Publication.longest_overdue(at)
    if found is None:
        return None
    state, next_at = found
    return Overdue(state=state, next_at=rfc3339(next_at), seconds=round((at - next_at).total_seconds(), 3))


async def _alarms() -> list[AlarmOut]:
    with pymongo.timeout(ANSWERS_IN):
        return [AlarmOut(**msgspec.structs.asdict(each)) for each in await watchdog.alarms()]


async def _breakers(backing: Backing) -> list[BreakerOut]:
    """Without the servers' names, which are somebody's."""
    counted = Counter((each.platform, each.realm) for each in await gate.open_breakers(backing))
    return [BreakerOut(platform=platform, realm=realm, servers=n) for (platform, realm), n in sorted(counted.items())]


async def _lateness(backing: Backing) -> Punctuality:
    with pymongo.timeout(ANSWERS_IN):
        return await lateness.of_everybody(backing.now())


def _near(connection: Connection) -> bool:
    host = connection.headers.get("host", "")
    named = host.rpartition(":")[0] if not host.endswith("]") else host
    if connection.client is None or any(header in connection.headers for header in PROXIED):
        return False
    try:
        address = ipaddress.ip_address(connection.client.host)
    except ValueError:
        return False
    return address.is_loopback and (named or host) in LOOPBACK
