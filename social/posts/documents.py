"""A post: what a person wrote, before and after it has a date."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from beanie import PydanticObjectId
from beanie.operators import In
from pydantic import Field
from pymongo import IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession

from social.backing.mongo import BSON_ENCODERS, stored
from social.files import Choice
from social.moments import now
from social.people.roles import Caller
from social.people.workspaces import OfWorkspace
from social.posts.when import Plan


class Attached(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a post: the id of the media, the words for those who cannot see it, and what is wanted where it does
    not fit."""

    id: str
    alt: str = ""
    fit: Choice | None = None


class PartWritten(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One further part of a thread."""

    text: str
    media: tuple[Attached, ...] = ()


class Variant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one platform or account has instead of the post's own. None: as in the post; an empty thread: none here."""

    text: str | None = None
    media: tuple[Attached, ...] | None = None
    thread: tuple[PartWritten, ...] | None = None


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What a person can change about a post. `options` by platform name, each in that platform's own shape; `variants`
    by platform name or account id, an account's winning over its platform's field by field."""

    text: str
    media: tuple[Attached, ...] = ()
    thread: tuple[PartWritten, ...] = ()
    accounts: tuple[str, ...] = ()
    options: dict[str, dict[str, Any]] = {}
    variants: dict[str, Variant] = {}

    def files(self) -> list[tuple[str, str]]:
        """Every file it shows anywhere: where (a pointer) and its id."""
        return [(at, each.id) for at, each in self.attached()]

    def attached(self) -> list[tuple[str, Attached]]:
        """The same with what is said of the file there."""
        threads = [("", self.thread)] + [(f"/variants/{key}", each.thread or ()) for key, each in self.variants.items()]
        lists = [("", self.media)] + [(f"/variants/{key}", each.media or ()) for key, each in self.variants.items()]
        lists += [(f"{at}/thread/{number}", part.media) for at, parts in threads for number, part in enumerate(parts)]
        return [(f"{at}/media/{number}", each) for at, media in lists for number, each in enumerate(media)]


class Post(OfWorkspace):
    """What was written, for which accounts, and when it is planned for. `revision` rises with every change."""

    noun = "post"

    id: PydanticObjectId = Field(default_factory=PydanticObjectId)
    written: Annotated[Written, stored(Written)]
    media_ids: list[PydanticObjectId] = Field(default_factory=list)  # of `written`, for "who uses this file"
    plan: Annotated[Plan | None, stored(Plan | None)] = None
    draft: bool = True
    revision: int = 1
    author_id: PydanticObjectId
    author_name: str
    created_at: datetime = Field(default_factory=now)
    updated_at: datetime = Field(default_factory=now)

    class Settings:
        name = "posts"
        bson_encoders = BSON_ENCODERS
        indexes = (
            IndexModel([("workspace_id", 1), ("_id", -1)]),
            IndexModel([("workspace_id", 1), ("draft", 1), ("_id", -1)]),
            IndexModel([("workspace_id", 1), ("media_ids", 1)]),
        )

    @classmethod
    async def page(
        cls, caller: Caller, *, draft: bool | None, before: PydanticObjectId | None, limit: int
    ) -> list["Post"]:
        """The caller's newest posts, at most `limit`, older than the one called `before`."""
        found = cls.of(caller)
        if draft is not None:
            found = found.find(cls.draft == draft)
        if before is not None:
            found = found.find(cls.id < before)
        return await found.sort("-_id").limit(limit).to_list()

    async def forget(self, session: AsyncClientSession) -> None:
        """Removes it."""
        gone = {"_id": self.id, "workspace_id": self.workspace_id}
        await self.get_pymongo_collection().delete_one(gone, session=session)

    @classmethod
    async def uses(cls, caller: Caller, media_ids: Sequence[PydanticObjectId]) -> Counter[PydanticObjectId]:
        """How many posts of the caller's workspace show each of these files."""
        shown = {"workspace_id": caller.workspace_id, "media_ids": {"$in": list(media_ids)}}
        counted: Counter[PydanticObjectId] = Counter()
        async for each in cls.get_pymongo_collection().find(shown, {"media_ids": 1}):
            counted.update(set(each["media_ids"]) & set(media_ids))
        return counted

    @classmethod
    async def using(cls, caller: Caller, media_id: PydanticObjectId, *, most: int = 50) -> list["Post"]:
        """Posts of the caller's workspace that show the file `media_id`."""
        return await cls.of(caller, In(cls.media_ids, [media_id])).limit(most).to_list()

    @classmethod
    async def ids_using(
        cls, workspace_id: PydanticObjectId, media_ids: Sequence[PydanticObjectId | None]
    ) -> dict[PydanticObjectId, list[PydanticObjectId]]:
        """All posts of a workspace that show one of these files, those too that cannot be read: by id, their files."""
        showing = {"workspace_id": workspace_id, "media_ids": {"$in": list(media_ids)}}
        found = cls.get_pymongo_collection().find(showing, {"media_ids": 1})
        return {each["_id"]: each["media_ids"] async for each in found}
