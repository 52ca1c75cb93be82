"""The outside services an instance stands on, opened once by `app.py` and handed down as one value."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import pymongo
from bson import ObjectId
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from redis.asyncio import Redis
from saq import Queue

from social.backing import mongo, redis
from social.backing.bucket import Bucket
from social.backing.outbound import Outbound
from social.backing.owner import Owner
from social.backing.places import Places
from social.backing.quotas import Quotas
from social.backing.tally import Tally
from social.backing.vault import Vault
from social.settings import Settings

T = TypeVar("T")
ASIDE = 100  # publications that are prepared side by side, and as many accounts on which one looks for some
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Backing:
    """What the rooms act through. One per process; nothing in it is a module global."""

    settings: Settings
    owner: Owner
    client: AsyncMongoClient[Json]
    db: AsyncDatabase[Json]
    redis: Redis
    queue: Queue
    bucket: Bucket
    outbound: Outbound
    vault: Vault
    room: asyncio.Semaphore  # how much is sent side by side; nothing that is not being sent takes of it
    preparing: Places = field(default_factory=lambda: Places(ASIDE))
    settling: Places = field(default_factory=lambda: Places(ASIDE))
    rendering: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))  # files that are converted
    clipping: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))  # clips that are made
    clock: mongo.ServerClock = field(default_factory=mongo.ServerClock)
    instant: Callable[[], mongo.Instant] = lambda: mongo.NOW  # the present in filters and updates
    quotas: Quotas = field(default_factory=Quotas)  # what may go out at the moment, by platforms' windows
    tally: Tally = field(default_factory=Tally)  # what this process has counted and not yet written down
    in_hand: dict[ObjectId, Any] = field(default_factory=dict)  # the lanes that this process holds, by account
    announced: asyncio.Event = field(default_factory=asyncio.Event)  # set when a row for the outbox was committed here
    planned: asyncio.Event = field(default_factory=asyncio.Event)  # set when something here may be due at once
    stopping: asyncio.Event = field(default_factory=asyncio.Event)  # set when nothing new is to be begun

    def now(self) -> datetime:
        """The present instant by the database's clock (UTC), which is the same for all instances."""
        return self.clock.now()

    async def transaction(self, body: Callable[[AsyncClientSession], Awaitable[T]]) -> T:
        """Runs `body` in one transaction and answers what it answers. It may be run again: it only writes to Mongo.

        PyMongoError when it is not done after `mongo.ENDS_IN` seconds: left alone, the driver would go on for 120.
        """
        with pymongo.timeout(mongo.ENDS_IN):
            async with self.client.start_session() as session:
                answer = await session.with_transaction(body)
        self.announced.set()
        return answer

    async def side_by_side(self, work: Iterable[Awaitable[None]], places: Places) -> None:
        """Runs all of `work` together, for each piece of which one of `places` was taken; each gives its own back.

        One that fails does not cancel the others, for a cancelled send would be an unknown one; the first error is
        raised after all have ended.
        """

        async def one(piece: Awaitable[None]) -> None:
            try:
                await piece
            finally:
                places.give_back()

        ended = await asyncio.gather(*(one(piece) for piece in work), return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, BaseException):
                raise outcome


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Backing]:
    """Everything in `settings` connected to, closed in reverse order at the end.

    Does not wait for the servers: `mongo.wait`, `redis.wait` and `Bucket.wait` do.
    """
    async with AsyncExitStack() as stack:
        client = mongo.client(settings)
        stack.push_async_callback(client.close)
        connection = redis.connection(settings)
        stack.push_async_callback(connection.aclose)
        clock = mongo.ServerClock()
        yield Backing(
            settings=settings,
            owner=Owner.of_this_process(),
            client=client,
            db=client[settings.mongo_database],
            redis=connection,
            queue=redis.queue(connection, settings),
            bucket=await stack.enter_async_context(Bucket.opened(settings)),
            outbound=await stack.enter_async_context(Outbound.opened(settings, now=clock.now)),
            vault=Vault(settings.key()),
            room=asyncio.Semaphore(settings.concurrency),
            clock=clock,
        )
