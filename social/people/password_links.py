"""Links for whoever forgot their password. Good once, for an hour; each person has one at most, kept as its hash."""

from datetime import datetime, timedelta
from typing import Self

from beanie import Document, PydanticObjectId
from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession

from social.backing.mongo import BSON_ENCODERS
from social.people.invitations import digest

LASTS = timedelta(hours=1)


class PasswordLink(Document):
    """One that is open: using it, another one, another password and an hour's end remove it. Its id is the user's."""

    id: PydanticObjectId
    digest: str  # of the token in the link: SHA-256, in hex
    expires_at: datetime

    class Settings:
        name = "password_links"
        bson_encoders = BSON_ENCODERS
        indexes = (
            IndexModel([("digest", ASCENDING)], unique=True),
            IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
        )

    @classmethod
    async def put(cls, user_id: PydanticObjectId, token: str, now: datetime) -> None:
        """The link of `token` is the user's from now on, and an earlier one is none any more."""
        link = {"digest": digest(token), "expires_at": now + LASTS}
        await cls.get_pymongo_collection().replace_one({"_id": user_id}, link, upsert=True)

    @classmethod
    async def open(cls, token: str, now: datetime) -> Self | None:
        """The one that this token is of, unless it was used, replaced or ran out."""
        return await cls.find_one({"digest": digest(token), "expires_at": {"$gt": now}})

    async def use_up(self, session: AsyncClientSession) -> bool:
        """Takes it out of the world; False if that was done, or another one has taken its place."""
        this = {"_id": self.id, "digest": self.digest}
        used = await self.get_pymongo_collection().delete_one(this, session=session)
        return used.deleted_count == 1

    @classmethod
    async def void(cls, user_id: PydanticObjectId, session: AsyncClientSession) -> None:
        """What the user may have opens nothing any more."""
        await cls.get_pymongo_collection().delete_one({"_id": user_id}, session=session)
