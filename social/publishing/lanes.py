"""A lane: one account's line of publications, held by one process at a time. Claim, lease, fence."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from beanie import Document, PydanticObjectId
from bson import ObjectId
from pydantic import Field
from pymongo import IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection

from social.backing.mongo import BSON_ENCODERS, NOW, Instant, as_bson, stored
from social.backing.owner import Owner
from social.publishing.facts import EPOCH

Json = dict[str, Any]


class Lane(Document):
    """Whose turn it is on an account. `_id` is the account's."""

    token: str | None = None
    fence: int = 0
    lease_until: datetime = EPOCH
    owner: Annotated[Owner | None, stored(Owner | None)] = None
    holds: list[PydanticObjectId] = Field(default_factory=list)  # that cover the account: nobody may take it

    class Settings:
        name = "lanes"
        bson_encoders = BSON_ENCODERS
        indexes = (
            IndexModel([("token", 1)], partialFilterExpression={"token": {"$type": "string"}}),
            IndexModel([("lease_until", 1)], partialFilterExpression={"token": {"$type": "string"}}),
            IndexModel([("holds", 1)], partialFilterExpression={"holds.0": {"$exists": True}}),
        )

    @classmethod
    def engine(cls) -> AsyncCollection[Json]:
        """The collection, for the engine alone."""
        return cls.get_pymongo_collection()

    @classmethod
    async def exist(cls, account_ids: Sequence[ObjectId], session: AsyncClientSession | None = None) -> None:
        """Makes the lanes that are not there yet, free. Most are: one query says so."""
        wanted = {"_id": {"$in": list(account_ids)}}
        there = {lane["_id"] async for lane in cls.engine().find(wanted, {"_id": 1}, session=session)}
        for account_id in account_ids:
            if account_id in there:
                continue
            await cls.engine().update_one(
                {"_id": account_id},
                {"$setOnInsert": {"token": None, "fence": 0, "lease_until": EPOCH, "owner": None}},
                upsert=True,
                session=session,
            )

    @classmethod
    async def take(
        cls, accounts: Sequence[ObjectId], token: str, *, owner: Owner, lease: float, at: Instant = NOW
    ) -> tuple[dict[ObjectId, int], datetime | None]:
        """Takes those of the lanes that nobody holds, for `lease` seconds. Their fences, and the server's present."""
        free = {"_id": {"$in": list(accounts)}, "holds.0": {"$exists": False}, "$expr": {"$lte": ["$lease_until", at]}}
        taken = {
            "token": token,
            "fence": {"$add": ["$fence", 1]},
            "lease_until": _later(at, lease),
            "owner": {"$literal": as_bson(owner)},
        }
        await cls.engine().update_many(free, [{"$set": taken}])
        ours = {"token": {"$eq": token, "$type": "string"}}  # the type makes it use the partial index
        fences, until = {}, None
        async for lane in cls.engine().find(ours, {"fence": 1, "lease_until": 1}):
            fences[lane["_id"]], until = lane["fence"], lane["lease_until"]
        return fences, until - timedelta(seconds=lease) if until else None

    @classmethod
    async def ours(cls, accounts: Sequence[ObjectId], token: str) -> set[ObjectId]:
        """Those of the lanes that are the claim's."""
        mine: Json = {"_id": {"$in": list(accounts)}, "token": token}
        return {lane["_id"] async for lane in cls.engine().find(mine, {"_id": 1})}

    @classmethod
    async def renew(cls, accounts: Sequence[ObjectId], token: str, *, lease: float, at: Instant = NOW) -> set[ObjectId]:
        """Begins the lease anew of those of the lanes that are still the claim's. Which they are."""
        mine: Json = {"_id": {"$in": list(accounts)}, "token": token}
        renewed = await cls.engine().update_many(mine, [{"$set": {"lease_until": _later(at, lease)}}])
        return set(accounts) if renewed.matched_count == len(accounts) else await cls.ours(accounts, token)

    @classmethod
    async def release(cls, accounts: Iterable[ObjectId], token: str) -> None:
        """Lets those of the lanes go that are still the claim's."""
        free = {"token": None, "owner": None, "lease_until": EPOCH}
        await cls.engine().update_many({"_id": {"$in": list(accounts)}, "token": token}, {"$set": free})

    @classmethod
    async def abandoned(cls, *, before: datetime, most: int) -> list[ObjectId]:
        """At most `most` lanes whose lease ran out before `before` while they were held."""
        lapsed = {"token": {"$type": "string"}, "lease_until": {"$lt": before}}
        return [lane["_id"] async for lane in cls.engine().find(lapsed, {"_id": 1}).limit(most)]

    @classmethod
    async def free_the_dead(cls, seen_from: Owner) -> int:
        """Ends the leases of owners that are proven dead, so that nobody waits for them to run out. How many."""
        owners = await cls.engine().distinct("owner", {"token": {"$type": "string"}, "owner.host": seen_from.host})
        dead = [owner for owner in owners if Owner(**owner).proven_dead(seen_from)]
        freed = 0
        for owner in dead:
            theirs: Mapping[str, Any] = {"token": {"$type": "string"}, "owner": owner}
            freed += (await cls.engine().update_many(theirs, {"$set": {"lease_until": EPOCH}})).matched_count
        return freed


def _later(at: Instant, seconds: float) -> Any:
    return at + timedelta(seconds=seconds) if isinstance(at, datetime) else {"$add": [at, round(seconds * 1000)]}
