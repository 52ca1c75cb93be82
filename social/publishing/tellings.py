"""What a claim is about to write down and tell of, so that whoever finds the claim's owner dead tells it in its place.

A conclusion and its event are two writes. One transaction around both would cost more than all else in the batch, and
one that is cut off by SIGKILL keeps its publications locked for up to a minute. So a claim notes beforehand which
publications it concludes; telling of their present state once too often does no harm.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from beanie import Document, PydanticObjectId
from bson import ObjectId
from pymongo import IndexModel
from pymongo.asynchronous.collection import AsyncCollection

from social.backing import Backing
from social.backing.mongo import BSON_ENCODERS, as_bson, stored
from social.backing.owner import Owner
from social.outbox.documents import announce
from social.publishing.documents import Publication
from social.publishing.facts import InHand, Json
from social.publishing.shown import row

MOST = 100  # claims that are looked at in one go


class Telling(Document):
    """The publications that a claim is concluding. `_id` is the claim's token."""

    owner: Annotated[Owner, stored(Owner)]
    publications: list[PydanticObjectId]
    at: datetime

    class Settings:
        name = "tellings"
        bson_encoders = BSON_ENCODERS
        indexes = (IndexModel([("at", 1)]),)

    @classmethod
    def engine(cls) -> AsyncCollection[Json]:
        """The collection, for the engine alone."""
        return cls.get_pymongo_collection()

    @classmethod
    async def begin(cls, token: str, publications: Sequence[ObjectId], *, owner: Owner, at: datetime) -> None:
        """Notes what the claim `token` concludes next. What it noted before has been told."""
        noted = {"owner": as_bson(owner), "publications": list(publications), "at": at}
        await cls.engine().update_one({"_id": token}, {"$set": noted}, upsert=True)

    @classmethod
    async def end(cls, token: str) -> None:
        """The claim has told everything."""
        await cls.engine().delete_one({"_id": token})


async def tell_for_the_dead(backing: Backing) -> None:
    """Tells what owners who are proven dead, or not heard of for two leases, may have written down and not told."""
    lost = 2 * backing.settings.times.timedelta("lease")
    async for telling in Telling.engine().find().sort("at", 1).limit(MOST):
        if not Owner(**telling["owner"]).proven_dead(backing.owner) and telling["at"] + lost > backing.now():
            continue
        there = Publication.engine().find({"_id": {"$in": telling["publications"]}})
        present = [InHand.readable(found) async for found in there]
        await announce([row(each) for each in present if each is not None])
        backing.announced.set()
        await Telling.end(telling["_id"])
