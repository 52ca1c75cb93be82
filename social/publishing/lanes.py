"""A lane: one account's line of publications, held by one process at a time. Claim, lease, fence."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any

from beanie import Document
from bson import ObjectId
from pymongo import IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection

from social.backing.mongo import BSON_ENCODERS, NOW, Instant, as_bson, stored
from social.backing.owner import Owner
from social.moments import now, steady
from social.publishing.documents import EPOCH, Publication
from social.settings import Times

Json = dict[str, Any]


@dataclass
class Claim:
    """Lanes that one look took: one token for all, a fence for each.

    `asked` is the steady instant *before* the lease was asked for: the lease surely holds until `asked` + lease.
    """

    token: str
    fences: dict[ObjectId, int]
    asked: float
    lanes: "list[HeldLane]" = field(default_factory=list)


@dataclass
class HeldLane:
    """One lane of a claim, as its holder sees it."""

    account_id: ObjectId
    token: str
    fence: int
    asked: float
    looked: float  # when (steady) it was last looked at for something due

    def safe_until(self, times: Times) -> float:
        """The steady instant after which no send may begin: one that does could outlive the lease."""
        return self.asked + times.lease - times.http_timeout - times.margin


class Lane(Document):
    """Whose turn it is on an account. `_id` is the account's."""

    token: str | None = None
    fence: int = 0
    lease_until: datetime = EPOCH
    owner: Annotated[Owner | None, stored(Owner | None)] = None

    class Settings:
        name = "lanes"
        bson_encoders = BSON_ENCODERS
        indexes = (
            IndexModel([("token", 1)], partialFilterExpression={"token": {"$type": "string"}}),
            IndexModel([("lease_until", 1)], partialFilterExpression={"token": {"$type": "string"}}),
        )

    @classmethod
    def engine(cls) -> AsyncCollection[Json]:
        """The collection, for the engine alone."""
        return cls.get_pymongo_collection()

    @classmethod
    async def exist(cls, account_ids: Sequence[ObjectId], session: AsyncClientSession) -> None:
        """Makes the lanes that are not there yet, free."""
        for account_id in account_ids:
            await cls.engine().update_one(
                {"_id": account_id},
                {"$setOnInsert": {"token": None, "fence": 0, "lease_until": EPOCH, "owner": None}},
                upsert=True,
                session=session,
            )

    @classmethod
    async def claim(cls, before: datetime, *, owner: Owner, times: Times, most: int, at: Instant = NOW) -> Claim | None:
        """Takes free lanes with something due before `before`, and lanes whose holder's lease ran out; at most `most`.

        What is due on them is stamped as this claim's. None if there is nothing to take or others were faster.
        """
        abandoned, due = await cls._abandoned(most), await Publication.accounts_due(before, most=most)
        left = await Publication.accounts_left(now() - timedelta(seconds=2 * times.lease), most=most)
        wanted = list(dict.fromkeys([*abandoned, *due, *left]))
        if not wanted:
            return None
        token, asked = secrets.token_hex(12), steady()
        free = {"_id": {"$in": wanted[:most]}, "$expr": {"$lte": ["$lease_until", at]}}
        taken = {
            "token": token,
            "fence": {"$add": ["$fence", 1]},
            "lease_until": _later(at, times.lease),
            "owner": as_bson(owner),
        }
        await cls.engine().update_many(free, [{"$set": taken}])
        ours = {"token": {"$eq": token, "$type": "string"}}  # the type makes it use the partial index
        fences = {lane["_id"]: lane["fence"] async for lane in cls.engine().find(ours, {"fence": 1})}
        if not fences:
            return None
        await Publication.stamp(fences, before, token=token, owner=owner, at=at)
        return Claim(
            token=token,
            fences=fences,
            asked=asked,
            lanes=[
                HeldLane(account_id=account, token=token, fence=fence, asked=asked, looked=asked)
                for account, fence in fences.items()
            ],
        )

    @classmethod
    async def renew(cls, lane: HeldLane, times: Times, *, at: Instant = NOW) -> bool:
        """Begins the lease anew, if the lane is still this holder's. Restarts the deadline's clock."""
        asked = steady()
        renewed = await cls.engine().update_one(
            {"_id": lane.account_id, "token": lane.token}, [{"$set": {"lease_until": _later(at, times.lease)}}]
        )
        if renewed.matched_count:
            lane.asked = asked
        return bool(renewed.matched_count)

    @classmethod
    async def release(cls, lane: HeldLane) -> None:
        """Lets the lane go, if it is still this holder's."""
        await cls.engine().update_one(
            {"_id": lane.account_id, "token": lane.token},
            {"$set": {"token": None, "owner": None, "lease_until": EPOCH}},
        )

    @classmethod
    async def free_the_dead(cls, seen_from: Owner) -> int:
        """Ends the leases of owners that are proven dead, so that nobody waits for them to run out. How many."""
        held = cls.engine().find({"token": {"$type": "string"}, "owner.host": seen_from.host}, {"owner": 1, "token": 1})
        dead = [lane async for lane in held if Owner(**lane["owner"]).proven_dead(seen_from)]
        for lane in dead:
            await cls.engine().update_one(
                {"_id": lane["_id"], "token": lane["token"]}, {"$set": {"lease_until": EPOCH}}
            )
        return len(dead)

    @classmethod
    async def _abandoned(cls, most: int) -> list[ObjectId]:
        lapsed = (
            cls.engine().find({"token": {"$type": "string"}, "lease_until": {"$lt": now()}}, {"_id": 1}).limit(most)
        )
        return [lane["_id"] async for lane in lapsed]


def _later(at: Instant, seconds: float) -> Any:
    return at + timedelta(seconds=seconds) if isinstance(at, datetime) else {"$add": [at, round(seconds * 1000)]}
