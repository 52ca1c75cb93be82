"""MongoDB, the truth: the client, and how msgspec structs live in documents."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
import structlog
from beanie import Document
from pydantic import PlainValidator
from pymongo import AsyncMongoClient, IndexModel
from pymongo.errors import ConnectionFailure, PyMongoError

from social.settings import Settings

log = structlog.get_logger()
T = TypeVar("T")

# A filter's or an update's idea of the present: the server's in production, a literal where a test moves the clock.
NOW = "$$NOW"
Instant = str | datetime


def client(settings: Settings) -> AsyncMongoClient[dict[str, Any]]:
    """Majority reads and writes, aware datetimes, a small pool, and an end to every call."""
    return AsyncMongoClient(
        settings.mongo_url,
        appname="social",
        tz_aware=True,
        tzinfo=UTC,
        w="majority",
        readConcernLevel="majority",
        retryWrites=True,
        maxPoolSize=20,
        serverSelectionTimeoutMS=5_000,
        timeoutMS=10_000,
    )


async def wait(mongo: AsyncMongoClient[dict[str, Any]]) -> None:
    """Returns when a primary answers. PyMongoError after the client's selection time."""
    await mongo.admin.command("ping")


async def reachable(mongo: AsyncMongoClient[dict[str, Any]]) -> bool:
    """Whether a primary answers now."""
    try:
        await wait(mongo)
    except PyMongoError:
        return False
    return True


async def insist(write: Callable[[], Awaitable[T]]) -> T:
    """What `write` answers, repeated while Mongo is away: for what is known only here. It must bear being repeated."""
    for pause in itertools.chain((0.2, 0.5, 1.0, 2.0), itertools.repeat(5.0)):
        try:
            return await write()
        except PyMongoError as error:
            if not (error.timeout or isinstance(error, ConnectionFailure)):
                raise
            log.warning("mongo.waiting", error=type(error).__name__)
            await asyncio.sleep(pause)
    raise AssertionError("unreachable")


async def index(documents: Sequence[type[Document]]) -> None:
    """Makes the indexes that `documents` declare, once they are bound. Running it again changes nothing."""
    for document in documents:
        declared: list[IndexModel] = list(getattr(document.Settings, "indexes", ()))
        if declared:
            await document.get_pymongo_collection().create_indexes(declared)


def as_bson(struct: msgspec.Struct) -> Any:
    """`struct` as Mongo stores it: plain maps and lists, datetimes kept as dates."""
    return msgspec.to_builtins(struct, builtin_types=(datetime, bytes), str_keys=True)


def stored(kind: Any) -> PlainValidator:
    """Reads a struct of type `kind` back from what `as_bson` made: `Annotated[Kind, stored(Kind)]` in a document."""
    return PlainValidator(lambda value: msgspec.convert(value, kind, from_attributes=True))


BSON_ENCODERS = {msgspec.Struct: as_bson}  # every document's Settings.bson_encoders
