"""Media: a picture or video of a workspace. Its bytes are in the bucket, what is known about it is here."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from beanie import PydanticObjectId
from pydantic import Field
from pymongo import IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession

from social.backing import Backing
from social.backing.mongo import BSON_ENCODERS, stored
from social.events import EventType
from social.files import Probe
from social.media.clips import Clip
from social.media.keys import keys_known
from social.media.renditions import Rendition
from social.media.words import beginnings, folded, words
from social.moments import now
from social.outbox.documents import Announcement, Row, announce
from social.people.roles import Caller
from social.people.workspaces import OfWorkspace

MediaKind = Literal["picture", "animation", "video"]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which files somebody looks for; None: whichever. `text` finds the beginnings of words, all of them together."""

    text: str = ""
    kind: MediaKind | None = None
    tag: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    fingerprints: list[str] | None = None

    def conditions(self) -> list[dict[str, Any]]:
        """As Mongo takes them."""
        wanted: list[dict[str, Any]] = [{"words": beginning} for beginning in beginnings(self.text)]
        if self.kind is not None:
            wanted.append({"kind": self.kind})
        if self.tag is not None:
            wanted.append({"tags": self.tag})
        if self.since is not None:
            wanted.append({"created_at": {"$gte": self.since}})
        if self.until is not None:
            wanted.append({"created_at": {"$lt": self.until}})
        if self.fingerprints is not None:
            wanted.append({"fingerprint": {"$in": self.fingerprints}})
        return wanted


class Media(OfWorkspace):
    """One picture as it goes out: upright, and without what its camera wrote into it; or one video as it came. Only
    what people say of it ever changes."""

    noun: ClassVar[str] = "picture"

    name: str  # what the uploader called it; for people only
    mime: str  # of the file in the bucket, which may be another than was uploaded
    bytes: int
    width: int  # pixels, as seen; 0 while nobody knows
    height: int
    animated: bool
    alt: str = ""
    tags: list[str] = Field(default_factory=list)
    words: list[str] = Field(default_factory=list)  # of name, alt and tags, to be found by
    kind: MediaKind = "picture"
    key: str  # in the bucket
    thumbnail_key: str = ""  # without one there is no thumbnail
    thumbnail_mime: str = ""
    placeholder: str = ""  # a data: URI of at most 1 KB
    fingerprint: str  # of what was uploaded: the same for the same file
    probe: Annotated[Probe | None, stored(Probe | None)] = None  # of the file in the bucket
    uploaded_by: PydanticObjectId
    created_at: datetime = Field(default_factory=now)
    dropped_at: datetime | None = None  # when its file was removed, since all that showed it was online

    class Settings:
        name = "media"
        bson_encoders = BSON_ENCODERS
        indexes = (
            IndexModel([("workspace_id", 1), ("_id", -1)]),
            IndexModel([("workspace_id", 1), ("kind", 1), ("_id", -1)]),
            IndexModel([("workspace_id", 1), ("tags", 1), ("_id", -1)]),
            IndexModel([("workspace_id", 1), ("fingerprint", 1), ("_id", -1)]),
            IndexModel([("key", 1)]),
            IndexModel([("thumbnail_key", 1)]),
            IndexModel([("workspace_id", 1), ("bytes", 1)]),  # to sum up without reading the documents
        )

    @property
    def facts(self) -> Probe:
        """What is known of the file in the bucket; of one from before that was kept, what its other fields say."""
        return self.probe or Probe(
            mime=self.mime,
            bytes=self.bytes,
            width=max(1, self.width),
            height=max(1, self.height),
            frames=2 if self.animated else 1,
        )

    @classmethod
    async def page(
        cls, caller: Caller, wanted: Wanted | None = None, *, before: PydanticObjectId | None, limit: int
    ) -> list["Media"]:
        """The caller's newest files that are `wanted`, at most `limit`, older than the one called `before`."""
        found = cls.of(caller, *(wanted.conditions() if wanted else ()))
        if before is not None:
            found = found.find(cls.id < before)
        return await found.sort("-_id").limit(limit).to_list()

    @classmethod
    async def known(cls, keys: Sequence[str]) -> set[str]:
        """Which of these keys in the bucket belong to a file of any workspace."""
        return await keys_known(cls, ("key", "thumbnail_key"), keys)

    @classmethod
    async def kept_since(
        cls, workspace_id: PydanticObjectId, after: PydanticObjectId | None, before: datetime, *, most: int
    ) -> list["Media"]:
        """Files of a workspace that came before `before` and whose originals are there, oldest first, after `after`."""
        found = cls.listed({"workspace_id": workspace_id, "created_at": {"$lt": before}, "dropped_at": None})
        if after is not None:
            found = found.find(cls.id > after)
        return await found.sort("+_id").limit(most).to_list()

    async def drop_original(self, backing: Backing) -> None:
        """Removes the file and keeps what is known of it, its thumbnail and its clip."""
        at = now()

        async def body(session: AsyncClientSession) -> None:
            await self.get_pymongo_collection().update_one(
                self._mine(), {"$set": {"dropped_at": at, "bytes": 0}}, session=session
            )
            await announce([self._event("media.changed")], session)

        await backing.transaction(body)
        await backing.bucket.delete([self.key])
        self.dropped_at, self.bytes = at, 0

    @classmethod
    async def clipped(cls, workspace_id: PydanticObjectId, fingerprint: str, session: AsyncClientSession) -> None:
        """Tells the workspace of each file with this content: it has a clip now."""
        same = {"workspace_id": workspace_id, "fingerprint": fingerprint}
        files = await cls.listed(same).find(session=session).to_list()
        await announce([each._event("media.changed") for each in files], session)

    @classmethod
    async def tags_of(cls, caller: Caller) -> list[str]:
        """All tags in the caller's workspace."""
        tags: list[str] = await cls.get_pymongo_collection().distinct("tags", {"workspace_id": caller.workspace_id})
        return sorted(tags, key=folded)

    @classmethod
    async def copied(cls, caller: Caller) -> list[str]:
        """The fingerprints that more than one file of the caller's workspace has."""
        pipeline: list[dict[str, Any]] = [
            {"$match": {"workspace_id": caller.workspace_id}},
            {"$group": {"_id": "$fingerprint", "count": {"$sum": 1}}},
            {"$match": {"count": {"$gt": 1}}},
            {"$limit": 1000},
        ]
        found = await cls.get_pymongo_collection().aggregate(pipeline)
        return [each["_id"] async for each in found]

    @classmethod
    async def copies(cls, caller: Caller, files: Sequence["Media"]) -> dict[PydanticObjectId, list[str]]:
        """By the id of each of `files`, the ids of others that came with the very same content."""
        prints = sorted({each.fingerprint for each in files if each.fingerprint})
        if not prints:
            return {}
        same: dict[str, list[str]] = {}
        found = cls.get_pymongo_collection().find(
            {"workspace_id": caller.workspace_id, "fingerprint": {"$in": prints}}, {"fingerprint": 1}
        )
        async for each in found.limit(1000):
            same.setdefault(each["fingerprint"], []).append(str(each["_id"]))
        return {
            each.id: [id for id in same.get(each.fingerprint, ()) if id != str(each.id)]
            for each in files
            if each.id is not None
        }

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
            self.words = words(self.name, self.alt, *self.tags)
            await self.insert(session=session)
            await announce([self._event("media.added")], session)

        await backing.transaction(body)

    async def exists(self) -> bool:
        """Whether it is in the database."""
        return await self.get_pymongo_collection().find_one(self._mine(), {"_id": 1}) is not None

    async def describe(
        self, backing: Backing, *, alt: str | None = None, name: str | None = None, tags: list[str] | None = None
    ) -> None:
        """Sets what is said of it, where it is given. `alt` is for those who cannot see it; posts that have their own
        keep theirs."""
        given = {"alt": alt, "name": name, "tags": tags}
        said = {field: value for field, value in given.items() if value is not None}
        all_of_it = {"alt": self.alt, "name": self.name, "tags": self.tags} | said
        said["words"] = words(str(all_of_it["name"]), str(all_of_it["alt"]), *all_of_it["tags"])

        async def body(session: AsyncClientSession) -> None:
            await self.get_pymongo_collection().update_one(self._mine(), {"$set": said}, session=session)
            await announce([self._event("media.changed")], session)

        await backing.transaction(body)
        for field, value in said.items():
            setattr(self, field, value)

    async def remove(self, backing: Backing) -> None:
        """Removes it and tells the workspace; then its files. One that is already gone is as good as removed."""

        async def body(session: AsyncClientSession) -> None:
            gone = await self.get_pymongo_collection().delete_one(self._mine(), session=session)
            if gone.deleted_count:
                await announce([self._event("media.removed")], session)

        await backing.transaction(body)
        await backing.bucket.delete(self.keys)
        await self._forget_renditions(backing)

    async def _forget_renditions(self, backing: Backing) -> None:
        """Removes what was made of the file, unless another one is the same: then that stands in for it."""
        same = {"workspace_id": self.workspace_id, "fingerprint": self.fingerprint}
        other = await self.get_pymongo_collection().find_one(same, {"key": 1})
        for made in (Rendition, Clip):
            if other is None:
                await made.forget(self.workspace_id, self.fingerprint, backing)
            else:
                await made.now_from(self.workspace_id, self.fingerprint, other["key"])

    def _mine(self) -> dict[str, Any]:
        return {"_id": self.id, "workspace_id": self.workspace_id}

    def _event(self, type: EventType) -> Announcement:
        return Row.about(workspace_id=self.workspace_id, type=type, data={"id": str(self.id)})
