"""Rows of the outbox, written in the transaction of the change they tell of, and who numbers them in each workspace.

A row has no number when it is written: a counter inside every transaction would make them all wait for one another.
Relays number committed rows afterwards. Which row gets which number is decided by one write to one document, the
workspace's `Relay`, under a token that whoever takes over replaces; what was decided is then carried out by its author
or, should that one have died, by the next, and doing it twice changes nothing. No transaction here: one that is cut off
by SIGKILL would keep the rows locked for a minute.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec
from beanie import Document, PydanticObjectId
from bson import ObjectId, Timestamp
from pydantic import Field
from pymongo import ASCENDING, IndexModel, UpdateMany, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.read_concern import ReadConcern

from social.backing.mongo import BSON_ENCODERS, NOW
from social.events import Event, EventType
from social.moments import now

TOGETHER = 40  # rows numbered by one statement, which looks each one's number up in a list
KEPT = timedelta(days=7)  # how far back a client can resume
BY_THE_SERVER = Timestamp(0, 0)  # mongod puts its cluster time here on insert: the order of writing, by its clock alone
FIRST_ID = ObjectId("0" * 24)

Json = dict[str, Any]

# Told of all rows that the current task writes in a transaction, and in that transaction: who answers a request only
# once learns by it what the request has done.
noting: ContextVar[Callable[[Sequence["Announcement"], AsyncClientSession], Awaitable[None]] | None] = ContextVar(
    "noting", default=None
)


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """An event to be told of: what a row is written from. `data` is JSON-able; `events.Event` says what it holds."""

    workspace_id: ObjectId
    at: datetime
    type: EventType
    post_id: str | None = None
    publication_id: str | None = None
    rev: int | None = None
    data: Mapping[str, Any] = {}


class Row(Document):
    """One event. Until the relay gives it `seq` it has `unnumbered` instead, the server's time of its writing."""

    workspace_id: PydanticObjectId
    at: datetime
    type: EventType
    post_id: str | None = None
    publication_id: str | None = None
    rev: int | None = None
    data: Json = Field(default_factory=dict)
    seq: int | None = None

    class Settings:
        name = "outbox"
        bson_encoders = BSON_ENCODERS
        indexes: ClassVar = [
            IndexModel([("at", ASCENDING)], expireAfterSeconds=int(KEPT.total_seconds())),
            IndexModel(
                [("workspace_id", ASCENDING), ("seq", ASCENDING)],
                unique=True,
                partialFilterExpression={"seq": {"$exists": True}},
            ),
            IndexModel(
                [("workspace_id", ASCENDING), ("unnumbered", ASCENDING)],
                partialFilterExpression={"unnumbered": {"$exists": True}},
            ),
        ]

    @classmethod
    def about(
        cls,
        *,
        workspace_id: PydanticObjectId,
        type: EventType,
        post_id: str | None = None,
        publication_id: str | None = None,
        rev: int | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> Announcement:
        """An event of now. `data` is JSON-able; `events.Event` says what it holds."""
        return Announcement(
            workspace_id=workspace_id,
            at=now(),
            type=type,
            post_id=post_id,
            publication_id=publication_id,
            rev=rev,
            data=data or {},
        )

    @classmethod
    async def waiting(cls, *, most: int) -> list[ObjectId]:
        """At most `most` workspaces that have rows without a number, whose first waits longest first.

        Reads one index key per workspace, however many rows it has: the condition on `workspace_id`, which every row
        meets, is what lets the planner skip from one to the next.
        """
        found = await cls.get_pymongo_collection().aggregate(
            [
                {"$match": {"workspace_id": {"$gt": FIRST_ID}, "unnumbered": {"$gt": BY_THE_SERVER}}},
                {"$sort": {"workspace_id": 1, "unnumbered": 1}},
                {"$group": {"_id": "$workspace_id", "since": {"$first": "$unnumbered"}}},
                {"$sort": {"since": 1}},
                {"$limit": most},
            ]
        )
        return [each["_id"] async for each in found]

    @classmethod
    async def number(cls, numbers: Mapping[ObjectId, int]) -> None:
        """Gives each row in `numbers` its number, unless it has it."""
        given = list(numbers.items())
        few = [dict(given[start : start + TOGETHER]) for start in range(0, len(given), TOGETHER)]
        await cls.get_pymongo_collection().bulk_write([_numbering(some) for some in few], ordered=False)

    @classmethod
    async def between(cls, workspace_id: ObjectId, after: int, last: int, *, most: int) -> list[Event]:
        """The events numbered after `after` up to `last`, at most `most`, in order.

        Without gap unless some were removed for their age, if `last` was told on the bus or is from `Relay.last_seqs`:
        of later numbers some may be there before others.
        """
        rows = cls.get_pymongo_collection().find({"workspace_id": workspace_id, "seq": {"$gt": after, "$lte": last}})
        return [event(row, row["seq"]) async for row in rows.sort("seq", ASCENDING).limit(most)]


class Batch(msgspec.Struct, frozen=True):
    """What comes next in a workspace: the rows `ids`, numbered from `first` on.

    `rows` are they as stored; without them, they were decided on by a relay that did not get to the end.
    """

    workspace_id: ObjectId
    first: int
    ids: list[ObjectId]
    rows: list[Json]

    @property
    def last(self) -> int:
        """The highest number given when they have theirs."""
        return self.first + len(self.ids) - 1

    def numbers(self) -> dict[ObjectId, int]:
        """The number of each row."""
        return {id: seq for seq, id in enumerate(self.ids, self.first)}

    def events(self) -> list[Event]:
        """The rows under their numbers."""
        return [event(row, seq) for seq, row in enumerate(self.rows, self.first)]


class Relay(Document):
    """How far a workspace's rows are numbered, and who is numbering them until when. Its id is the workspace's.

    All rows up to `last_seq` have their number. It outlives the rows, so that no number comes twice when they have all
    been removed for their age. `given` is there from a decision until it is carried out: {first: a number, ids: rows}.
    """

    last_seq: int = 0
    token: str | None = None
    lease_until: datetime | None = None
    given: Json | None = None

    class Settings:
        name = "relays"
        bson_encoders = BSON_ENCODERS
        indexes: ClassVar = [IndexModel([("lease_until", ASCENDING)], sparse=True)]

    @classmethod
    async def claim(cls, workspaces: Sequence[ObjectId], *, token: str, lease: timedelta) -> int:
        """Takes those of `workspaces` that nobody else holds, for `lease` by the server's clock. How many they are."""
        if taken := await cls._take(workspaces, token, lease):
            return taken
        await cls._make(workspaces)
        return await cls._take(workspaces, token, lease)

    @classmethod
    async def look(cls, workspaces: Sequence[ObjectId], *, token: str, most: int) -> list[Batch]:
        """What comes next in each of `workspaces` that `token` holds, at most `most` rows each."""
        relays = cls.get_pymongo_collection().with_options(read_concern=ReadConcern("snapshot"))  # of one instant
        found = await relays.aggregate(
            [
                {"$match": {"_id": {"$in": list(workspaces)}, "token": token}},
                _rows("highest", {"seq": {"$gt": 0}}, by={"seq": -1}, most=1),
                _rows("rows", {"unnumbered": {"$gt": BY_THE_SERVER}}, by={"unnumbered": 1}, most=most),
            ]
        )
        return [_batch(relay) async for relay in found]

    @classmethod
    async def give(cls, batches: Sequence[Batch], *, token: str) -> bool:
        """Decides on the numbers of `batches`. False if a workspace was taken over by another: look again."""
        decisions = [
            UpdateOne(
                {"_id": batch.workspace_id, "token": token, "given": None},
                {"$set": {"given": {"first": batch.first, "ids": batch.ids}}},
            )
            for batch in batches
        ]
        if not decisions:
            return True
        decided = await cls.get_pymongo_collection().bulk_write(decisions, ordered=False)
        return decided.matched_count == len(decisions)

    @classmethod
    async def give_back(cls, batches: Sequence[Batch], *, token: str) -> None:
        """Writes that `batches` have their numbers, and lets go of their workspaces that nobody else has taken over."""
        done: Json = {"token": "", "lease_until": "", "given": ""}
        ends = [
            UpdateOne({"_id": batch.workspace_id, "token": token}, {"$set": {"last_seq": batch.last}, "$unset": done})
            for batch in batches
        ]
        if ends:
            await cls.get_pymongo_collection().bulk_write(ends, ordered=False)

    @classmethod
    async def abandoned(cls, *, most: int) -> list[ObjectId]:
        """At most `most` workspaces whose lease ran out: who held it may have died in the middle."""
        out = {"lease_until": {"$type": "date"}, "$expr": {"$lte": ["$lease_until", NOW]}}
        return [each["_id"] async for each in cls.get_pymongo_collection().find(out, {"_id": 1}).limit(most)]

    @classmethod
    async def last_seqs(cls, workspaces: Sequence[ObjectId]) -> dict[ObjectId, int]:
        """Up to which number each of `workspaces` is numbered; one without any event may be missing."""
        relays = cls.get_pymongo_collection().find({"_id": {"$in": list(workspaces)}}, {"last_seq": 1})
        return {relay["_id"]: relay["last_seq"] async for relay in relays}

    @classmethod
    async def _take(cls, workspaces: Sequence[ObjectId], token: str, lease: timedelta) -> int:
        free = [{"lease_until": None}, {"token": token}, {"$expr": {"$lte": ["$lease_until", NOW]}}]
        until = {"$add": [NOW, lease // timedelta(milliseconds=1)]}
        taken = await cls.get_pymongo_collection().update_many(
            {"_id": {"$in": list(workspaces)}, "$or": free}, [{"$set": {"token": token, "lease_until": until}}]
        )
        return taken.matched_count

    @classmethod
    async def _make(cls, workspaces: Sequence[ObjectId]) -> None:
        new = [UpdateOne({"_id": each}, {"$setOnInsert": {"last_seq": 0}}, upsert=True) for each in workspaces]
        await cls.get_pymongo_collection().bulk_write(new, ordered=False)


async def announce(rows: Sequence[Announcement], session: AsyncClientSession | None = None) -> None:
    """Writes `rows` inside the caller's transaction. They become events, in the order of writing, once it commits.

    Without a session they are written by themselves.
    """
    if rows:
        note = noting.get()
        if note is not None and session is not None:
            await note(rows, session)
        await Row.get_pymongo_collection().insert_many([_written(row) for row in rows], session=session)


def event(row: Json, seq: int) -> Event:
    """A stored row as the event that browsers are told of."""
    return Event(
        seq=seq,
        workspace=str(row["workspace_id"]),
        at=row["at"],
        type=row["type"],
        post_id=row.get("post_id"),
        publication_id=row.get("publication_id"),
        rev=row.get("rev"),
        data=row["data"],
    )


def _written(row: Announcement) -> Json:
    written: Json = {"_id": ObjectId(), "workspace_id": row.workspace_id, "at": row.at, "type": row.type}
    for name in ("post_id", "publication_id", "rev"):
        value = getattr(row, name)
        if value is not None:
            written[name] = value
    return written | {"data": row.data, "unnumbered": BY_THE_SERVER}


def _numbering(numbers: Mapping[ObjectId, int]) -> UpdateMany:
    ids = list(numbers)
    number = {"$arrayElemAt": [list(numbers.values()), {"$indexOfArray": [ids, "$_id"]}]}
    return UpdateMany(
        {"_id": {"$in": ids}, "unnumbered": {"$exists": True}}, [{"$set": {"seq": number}}, {"$unset": "unnumbered"}]
    )


def _batch(relay: Json) -> Batch:
    if given := relay.get("given"):
        return Batch(relay["_id"], given["first"], given["ids"], rows=[])
    last = max([relay["last_seq"], *(row["seq"] for row in relay["highest"])])
    return Batch(relay["_id"], last + 1, [row["_id"] for row in relay["rows"]], relay["rows"])


def _rows(name: str, which: Json, *, by: Json, most: int) -> Json:
    """The stage that joins the first rows of a workspace, as `name`."""
    return {
        "$lookup": {
            "from": Row.get_pymongo_collection().name,
            "localField": "_id",
            "foreignField": "workspace_id",
            "pipeline": [{"$match": which}, {"$sort": by}, {"$limit": most}],
            "as": name,
        }
    }
