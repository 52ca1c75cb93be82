"""Media: a picture or video of a workspace. Its bytes are in the bucket, what is known about it is here."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, ClassVar

from beanie import PydanticObjectId
from pydantic import Field
from pymongo import IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession

from social.backing import Backing
from social.backing.mongo import BSON_ENCODERS
from social.events import EventType
from social.moments import now
from social.outbox.documents import Announcement, Row, announce
from social.people.roles import Caller
from social.people.workspaces import OfWorkspace


class Media(OfWorkspace):
    """One picture as it goes out: upright, and without what its camera wrote into it; or one video as it came. Only
    `alt` ever changes."""

    noun: ClassVar[str] = "picture"

    name: str  # what the uploader called it; for people only
    mime: str  # of the file in the bucket, which may be another than was uploaded
    bytes: int
    width: int  # pixels, as seen; 0 while nobody knows
    height: int
    animated: bool
    alt: str = ""
    key: str  # in the bucket
    thumbnail_key: str = ""  # without one there is no thumbnail
    thumbnail_mime: str = ""
    placeholder: str = ""  # a data: URI of at most 1 KB
    fingerprint: str  # of what was uploaded: the same for the same file
    uploaded_by: PydanticObjectId
    created_at: datetime = Field(default_factory=now)

    class Settings:
        name = "media"
        bson_encoders = BSON_ENCODERS
        indexes = (
            IndexModel([("workspace_id", 1), ("_id", -1)]),
            IndexModel([("workspace_id", 1), ("bytes", 1)]),  # to sum up without reading the documents
        )

    @classmethod
    async def page(cls, caller: Caller, *, before: PydanticObjectId | None, limit: int) -> list["Media"]:
        """The caller's newest pictures, at most `limit`, older than the one called `before`."""
        found = cls.of(caller)
        if before is not None:
            found = found.find(cls.id < before)
        return await found.sort("-_id").limit(limit).to_list()

    @property
    def keys(self) -> list[str]:
        """Everything of it in the bucket."""
        return [key for key in (self.key, self.thumbnail_key) if key]

    async def add(
        self, backing: Backing, *, before: Callable[[AsyncClientSession], Awaitable[None]] | None = None
    ) -> None:
        """Inserts it and tells the workspace, both or neither; `before` belongs to it and may refuse."""

        async def body(session: AsyncClientSession) -> None:
            if before is not None:
                await before(session)
            await self.insert(session=session)
            await announce([self._event("media.added")], session)

        await backing.transaction(body)

    async def exists(self) -> bool:
        """Whether it is in the database."""
        return await self.get_pymongo_collection().find_one(self._mine(), {"_id": 1}) is not None

    async def describe(self, alt: str, backing: Backing) -> None:
        """Sets the words for those who cannot see it. Posts that have their own keep theirs."""

        async def body(session: AsyncClientSession) -> None:
            await self.get_pymongo_collection().update_one(self._mine(), {"$set": {"alt": alt}}, session=session)
            await announce([self._event("media.changed")], session)

        await backing.transaction(body)
        self.alt = alt

    async def remove(self, backing: Backing) -> None:
        """Removes it and tells the workspace; then its files. One that is already gone is as good as removed."""

        async def body(session: AsyncClientSession) -> None:
            gone = await self.get_pymongo_collection().delete_one(self._mine(), session=session)
            if gone.deleted_count:
                await announce([self._event("media.removed")], session)

        await backing.transaction(body)
        await backing.bucket.delete(self.keys)

    def _mine(self) -> dict[str, Any]:
        return {"_id": self.id, "workspace_id": self.workspace_id}

    def _event(self, type: EventType) -> Announcement:
        return Row.about(workspace_id=self.workspace_id, type=type, data={"id": str(self.id)})
