"""MongoDB, the truth: the client, and how msgspec structs live in documents."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
import pymongo
import structlog
from beanie import Document
from bson.codec_options import CodecOptions
from pydantic import PlainValidator
from pymongo import AsyncMongoClient, IndexModel
from pymongo.errors import BulkWriteError, ConnectionFailure, OperationFailure, PyMongoError

from social import moments
from social.settings import Settings

log = structlog.get_logger()
T = TypeVar("T")
ENDS_IN = 10.0  # seconds for one call, or for all of one transaction
TOO_SLOW = 2.0  # seconds after which an answer about the time tells less than what was known
TRUSTED_FOR = 60.0  # seconds after which a quick answer about the time counts no more than a slow one

# What a server answers that is no primary any more or not yet, or is ending (from the drivers' specification of
# retryable writes).
NO_PRIMARY = frozenset({91, 189, 10107, 11600, 11602, 13435, 13436})
NO_ROOM, WIRED_TIGER_S = 14031, "No space left on device"  # its storage's own words come under code 8, "unknown error"

# A filter's or an update's idea of the present: the server's in production, a literal where a test moves the clock.
NOW = "$$NOW"
AWARE: CodecOptions[Any] = CodecOptions(tz_aware=True, tzinfo=UTC)
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
        timeoutMS=round(ENDS_IN * 1000),
    )


async def wait(mongo: AsyncMongoClient[dict[str, Any]]) -> None:
    """Returns when a primary answers. PyMongoError after the client's selection time."""
    await mongo.admin.command("ping")


async def reachable(mongo: AsyncMongoClient[dict[str, Any]], within: float) -> bool:
    """Whether a primary answers now, and not so late that it might as well be away: `within` seconds."""
    try:
        async with asyncio.timeout(within):
            with pymongo.timeout(within):
                await wait(mongo)
    except (PyMongoError, TimeoutError):
        return False
    return True


class ServerClock:
    """The database's clock as this process knows it: the one clock of all instances, wherever they run.

    It goes on by `moments.steady`, so that nobody who sets this machine's clock moves a publication. What the server
    said is as exact as its answer was quick: half the time between the question and the answer, some milliseconds.
    """

    def __init__(self) -> None:
        self._ahead: float | None = None  # of `steady`, in seconds since 1970
        self._took = 0.0
        self._heard_at = 0.0

    def heard(self, server: datetime, asked: float) -> None:
        """Takes note that `server` (aware) was the server's present at some moment since `asked` (steady)."""
        answered = moments.steady()
        took = answered - asked
        if self._ahead is not None and took > TOO_SLOW:
            return
        if self._ahead is None or took <= self._took or answered - self._heard_at > TRUSTED_FOR:
            self._ahead = server.timestamp() - (asked + answered) / 2
            self._took, self._heard_at = took, answered

    async def ask(self, mongo: AsyncMongoClient[dict[str, Any]]) -> None:
        """Asks the server what time it is. PyMongoError if it does not answer."""
        asked = moments.steady()
        self.heard((await mongo.admin.command("hello"))["localTime"], asked)

    async def known(self, mongo: AsyncMongoClient[dict[str, Any]]) -> None:
        """Asks the server if it was never heard: for what must not go by the clock of a machine that may be wrong.
        PyMongoError if it does not answer."""
        if self._ahead is None:
            await self.ask(mongo)

    def now(self) -> datetime:
        """The server's present (UTC, to the millisecond); this machine's until the server was heard."""
        if self._ahead is None:
            return moments.now()
        return datetime.fromtimestamp(int((moments.steady() + self._ahead) * 1000) / 1000, UTC)


async def insist(write: Callable[[], Awaitable[T]]) -> T:
    """What `write` answers, repeated while Mongo is away: for what is known only here. It must bear being repeated."""
    for pause in itertools.chain((0.2, 0.5, 1.0, 2.0), itertools.repeat(5.0)):
        try:
            return await write()
        except PyMongoError as error:
            if not passing(error):
                raise
            log.warning("mongo.waiting", error=type(error).__name__)
            await asyncio.sleep(pause)
    raise AssertionError("unreachable")


def passing(error: PyMongoError) -> bool:
    """Whether the same again may work in a moment: Mongo is away, too slow, without room, or between two primaries. The
    driver repeats by itself what it can; the writes of many, and of indexes, it cannot."""
    if error.timeout or isinstance(error, ConnectionFailure) or no_room(error):
        return True
    codes = {error.code} if isinstance(error, OperationFailure) else set()
    if isinstance(error, BulkWriteError):
        codes |= {unsure.get("code") for unsure in (error.details or {}).get("writeConcernErrors", ())}
    return not codes.isdisjoint(NO_PRIMARY)


def no_room(error: PyMongoError) -> bool:
    """Whether Mongo's disk is full. Sooner or later that ends it; until then it says so."""
    return isinstance(error, OperationFailure) and (error.code == NO_ROOM or WIRED_TIGER_S in str(error))


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
