"""Requests that may come twice: a client gives a request a key, and however often it sends it, it happens once.

Per user and workspace, a key is claimed before the request is handled and holds its answer afterwards, for a day. A
claim is a lease by the server's clock under a token, and what the request does is noted on it in the transaction that
does it. So one who takes over from a dead instance never does a thing twice, and one who was taken over does nothing.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import uuid4

import msgspec
from beanie import Document, PydanticObjectId
from pymongo import ASCENDING, IndexModel, ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from social.backing.owner import Owner
from social.errors import Conflict
from social.outbox.documents import Announcement

KEPT = timedelta(hours=24)
NOTED = 20  # things that one request made

Json = dict[str, Any]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request with a key: whose key it is, and MACs of what is asked. `body` is None until all of it was seen."""

    id: str
    request: str
    body: str | None


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as it was given. `body` is None where it was too large to be kept."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes | None


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """How a key stands: in whose hands, for what, what that has done so far, and its answer once there is one."""

    token: str
    owner: Owner
    request: str
    body: str | None
    made: list[Json]
    answer: Answered | None
    over: bool  # its lease has run out

    def is_of(self, asked: Asked) -> bool:
        """Whether it is for the same request, as far as both are known."""
        same_body = self.body is None or asked.body is None or self.body == asked.body
        return self.request == asked.request and same_body


class Repeat(Document):
    """A key. Only `claim` makes one."""

    id: str  # type: ignore[assignment]
    token: str
    expires_at: datetime

    class Settings:
        name = "repeats"
        indexes: ClassVar = [IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0)]

    @classmethod
    async def claim(cls, asked: Asked, owner: Owner, lease: timedelta, *, dead: str = "") -> tuple[str, Held]:
        """A new token, and how the key stands now: in the caller's hands if `Held.token` is that token.

        It is taken if it is free or was abandoned: its lease is over, or it is in the hands of `dead`, before it did
        anything.
        """
        token, keys = uuid4().hex, cls.get_pymongo_collection()
        for _ in range(2):  # two may make it at once
            try:
                held = await keys.find_one_and_update(
                    {"_id": asked.id},
                    _taken(asked, owner, token, lease, dead),
                    upsert=True,
                    return_document=ReturnDocument.AFTER,
                )
                return token, _held(held)
            except DuplicateKeyError:
                continue
        raise Conflict("Many requests with this Idempotency-Key came at once. Please send it again.")

    @classmethod
    async def renew(cls, id: str, token: str, lease: timedelta) -> None:
        """Holds it for another `lease`."""
        await cls.get_pymongo_collection().update_one({"_id": id, "token": token}, [{"$set": _until(lease)}])

    @classmethod
    async def note(cls, id: str, token: str, rows: Sequence[Announcement], session: AsyncClientSession) -> None:
        """Writes, in the transaction that does it, what the request does. Conflict if another has taken over."""
        made = [{"type": row.type, "id": row.publication_id or row.post_id or row.data.get("id")} for row in rows]
        noted = await cls.get_pymongo_collection().update_one(
            {"_id": id, "token": token}, {"$push": {"made": {"$each": made, "$slice": NOTED}}}, session=session
        )
        if not noted.matched_count:
            raise Conflict("This took so long that a repeat of it was begun, which will be answered.")

    @classmethod
    async def conclude(cls, id: str, token: str, answer: Answered, body: str | None) -> None:
        """Keeps the answer, and the MAC of the body where it was not known at first."""
        kept = {"answer": msgspec.to_builtins(answer, builtin_types=(bytes,)), "body": body}
        await cls.get_pymongo_collection().update_one({"_id": id, "token": token}, {"$set": kept})

    @classmethod
    async def release(cls, id: str, token: str) -> None:
        """Lets go of it without an answer: the next request with it is handled, unless this one did something."""
        keys = cls.get_pymongo_collection()
        freed = await keys.delete_one({"_id": id, "token": token, "made": []})
        if not freed.deleted_count:
            await keys.update_one({"_id": id, "token": token}, [{"$set": _until(timedelta())}])


def key_id(user_id: PydanticObjectId, workspace_id: PydanticObjectId | None, key: str) -> str:
    """What a user's key in a workspace is stored under: nobody else's is the same."""
    return hashlib.sha256(f"{workspace_id}/{user_id}/{key}".encode()).hexdigest()


def _taken(asked: Asked, owner: Owner, token: str, lease: timedelta, dead: str) -> list[Json]:
    """The update that takes the key if it may be taken, and changes nothing otherwise."""
    mine: Json = {
        "_id": "$_id",
        "token": token,
        "owner": {"$literal": msgspec.to_builtins(owner)},
        "request": asked.request,
        "body": asked.body,
        "made": [],
        "answer": None,
        "expires_at": {"$add": ["$$NOW", _ms(KEPT)]},
        **_until(lease),
    }
    free = {"$or": [{"$eq": [{"$type": "$token"}, "missing"]}, {"$lte": ["$expires_at", "$$NOW"]}]}
    abandoned = {
        "$and": [
            {"$eq": ["$answer", None]},
            {"$eq": ["$made", []]},
            {"$eq": ["$request", asked.request]},
            {"$eq": ["$body", asked.body]},
            {"$or": [{"$lte": ["$lease_until", "$$NOW"]}, {"$eq": ["$token", dead]}]},
        ]
    }
    over = {"over": {"$lte": ["$lease_until", "$$NOW"]}}
    return [
        {"$replaceWith": {"$cond": [{"$or": [free, abandoned]}, mine, "$$ROOT"]}},
        {"$set": over},
    ]


def _until(lease: timedelta) -> Json:
    return {"lease_until": {"$add": ["$$NOW", _ms(lease)]}}


def _ms(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)


def _held(document: Json | None) -> Held:
    return msgspec.convert(document, Held)
