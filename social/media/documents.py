"""Media: a picture of a workspace. Its bytes are in the bucket, what is known about it is here."""

from datetime import datetime
from typing import Annotated, Any, ClassVar

from beanie import PydanticObjectId
from pydantic import Field
from pymongo import IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession

from social.backing import Backing
from social.backing.mongo import BSON_ENCODERS, stored
from social.events import EventType
from social.files import Probe
from social.media.renditions import Rendition
from social.moments import now
from social.outbox.documents import Announcement, Row, announce
from social.people.roles import Caller
from social.people.workspaces import OfWorkspace


class Media(OfWorkspace):
    """One picture as it goes out: upright, and without what its camera wrote into it. Only `alt` ever changes."""

    noun: ClassVar[str] = "picture"

    name: str  # what the uploader called it; for people only
    mime: str  # of the file in the bucket, which may be another than was uploaded
    bytes: int
    width: int  # pixels, as seen
    height: int
    animated: bool
    alt: str = ""
    key: str  # in the bucket
    thumbnail_key: str
    thumbnail_mime: str
    placeholder: str  # a data: URI of at most 1 KB
    sha256: str  # of what was uploaded
    probe: Annotated[Probe | None, stored(Probe | None)] = None  # of the file in the bucket
    uploaded_by: PydanticObjectId
    created_at: datetime = Field(default_factory=now)

    class Settings:
        name = "media"
        bson_encoders = BSON_ENCODERS
        indexes = (IndexModel([("workspace_id", 1), ("_id", -1)]), IndexModel([("workspace_id", 1), ("sha256", 1)]))

    @property
    def facts(self) -> Probe:
        """What is known of the file in the bucket; of one from before that was kept, what its other fields say."""
        return self.probe or Probe(
            mime=self.mime,
            bytes=self.bytes,
            width=self.width,
            height=self.height,
            frames=2 if self.animated else 1,
        )

    @classmethod
    async def page(cls, caller: Caller, *, before: PydanticObjectId | None, limit: int) -> list["Media"]:
        """The caller's newest pictures, at most `limit`, older than the one called `before`."""
        found = cls.of(caller)
        if before is not None:
            found = found.find(cls.id < before)
        return await found.sort("-_id").limit(limit).to_list()

    async def add(self, backing: Backing) -> None:
        """Inserts it and tells the workspace, both or neither."""

        async def body(session: AsyncClientSession) -> None:
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
        await backing.bucket.delete([self.key, self.thumbnail_key])
        await self._forget_renditions(backing)

    async def _forget_renditions(self, backing: Backing) -> None:
        """Removes what was made of the file, unless another picture is of the same one: then that stands in for it."""
        same = {"workspace_id": self.workspace_id, "sha256": self.sha256}
        other = await self.get_pymongo_collection().find_one(same, {"key": 1})
        if other is None:
            await Rendition.forget(self.workspace_id, self.sha256, backing)
        else:
            await Rendition.now_from(self.workspace_id, self.sha256, other["key"])

    def _mine(self) -> dict[str, Any]:
        return {"_id": self.id, "workspace_id": self.workspace_id}

    def _event(self, type: EventType) -> Announcement:
        return Row.about(workspace_id=self.workspace_id, type=type, data={"id": str(self.id)})
