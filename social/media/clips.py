"""Clips: the small beginnings of videos that browsers do not play or that are heavy, one for each content.

They are wanted when such a video is first shown, and made by whichever instance has a hand free. So what was stored
before there were clips gets its own, and what is never looked at costs nothing.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from beanie import PydanticObjectId
from pydantic import Field
from pymongo import ASCENDING, IndexModel, ReturnDocument, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession

from social.backing import Backing
from social.backing.mongo import BSON_ENCODERS, as_bson, stored
from social.files import Probe
from social.media.keys import keys_known, new_key
from social.moments import now
from social.people.roles import Caller
from social.people.workspaces import OfWorkspace

PATIENCE = timedelta(minutes=10)  # for one clip, where others work too; it takes a second, and one of 4K half a minute
LEASE = 2 * PATIENCE


class Unclipped(msgspec.Struct, frozen=True, kw_only=True):
    """A video of the bucket that has no clip. `fingerprint` tells its content."""

    fingerprint: str
    key: str
    probe: Probe


class Clip(OfWorkspace):
    """The clip of all videos of a workspace with one content. Its place in the bucket is known before it is there."""

    noun: ClassVar[str] = "clip"

    id: PydanticObjectId = Field(default_factory=PydanticObjectId)
    fingerprint: str
    source_key: str
    source: Annotated[Probe, stored(Probe)]
    key: str
    state: Literal["wanted", "ready", "failed"] = "wanted"
    next_at: datetime | None  # when somebody may begin; None when nobody has to
    token: str | None = None  # of who makes it
    tries: int = 0
    created_at: datetime = Field(default_factory=now)

    class Settings:
        name = "clips"
        bson_encoders = BSON_ENCODERS
        indexes = (
            IndexModel([("workspace_id", 1), ("fingerprint", 1)], unique=True),
            IndexModel([("next_at", 1)], partialFilterExpression={"next_at": {"$type": "date"}}),
            IndexModel([("key", 1)]),
        )

    @classmethod
    async def by_content(cls, caller: Caller, fingerprints: Sequence[str]) -> dict[str, "Clip"]:
        """The clips, made or not, of what has these fingerprints in the caller's workspace, by fingerprint."""
        found = await cls.of(caller, {"fingerprint": {"$in": list(fingerprints)}}).to_list()
        return {each.fingerprint: each for each in found}

    @classmethod
    async def want(cls, workspace_id: PydanticObjectId, videos: Sequence[Unclipped], at: datetime) -> None:
        """Has a clip made of each, from `at` on, unless there is one or it was tried."""
        wanted = [
            UpdateOne(
                {"workspace_id": workspace_id, "fingerprint": each.fingerprint},
                {
                    "$setOnInsert": {
                        "source_key": each.key,
                        "source": as_bson(each.probe),
                        "key": new_key(workspace_id),
                        "state": "wanted",
                        "next_at": at,
                        "token": None,
                        "tries": 0,
                        "created_at": at,
                    }
                },
                upsert=True,
            )
            for each in videos
        ]
        if wanted:
            await cls.get_pymongo_collection().bulk_write(wanted, ordered=False)

    @classmethod
    async def take(cls, backing: Backing) -> "Clip | None":
        """One that is wanted and in nobody's hands, the longest wanted first, now in ours."""
        at = backing.now()
        found = await cls.get_pymongo_collection().find_one_and_update(
            {"next_at": {"$lte": at, "$type": "date"}},
            {"$set": {"token": secrets.token_hex(12), "next_at": at + LEASE}, "$inc": {"tries": 1}},
            sort=[("next_at", ASCENDING)],
            return_document=ReturnDocument.AFTER,
        )
        return cls.model_validate(found) if found else None

    async def conclude(self, changes: Mapping[str, Any], session: AsyncClientSession | None = None) -> bool:
        """Writes `changes` and lets go of it, if it is still ours; whether it was."""
        ours = {"_id": self.id, "workspace_id": self.workspace_id, "token": self.token}
        written = await self.get_pymongo_collection().update_one(
            ours, {"$set": {**changes, "token": None}}, session=session
        )
        return written.matched_count > 0

    async def exists(self) -> bool:
        """Whether it is in the database."""
        this = {"_id": self.id, "workspace_id": self.workspace_id}
        return await self.get_pymongo_collection().find_one(this, {"_id": 1}) is not None

    async def abandon(self) -> None:
        """Nothing can be made of it now. Whoever shows another video with this content wants it anew."""
        ours = {"_id": self.id, "workspace_id": self.workspace_id, "token": self.token}
        await self.get_pymongo_collection().delete_one(ours)

    @classmethod
    async def forget(cls, workspace_id: PydanticObjectId, fingerprint: str, backing: Backing) -> None:
        """Removes the clip of a content that is no longer there."""
        mine = {"workspace_id": workspace_id, "fingerprint": fingerprint}
        gone = await cls.get_pymongo_collection().find_one_and_delete(mine, projection={"key": 1})
        if gone is not None:
            await backing.bucket.delete([gone["key"]])

    @classmethod
    async def now_from(cls, workspace_id: PydanticObjectId, fingerprint: str, key: str) -> None:
        """The video that it is made of is elsewhere from now on."""
        mine = {"workspace_id": workspace_id, "fingerprint": fingerprint}
        await cls.get_pymongo_collection().update_one(mine, {"$set": {"source_key": key}})

    @classmethod
    async def known(cls, keys: Sequence[str]) -> set[str]:
        """Which of these keys in the bucket belong to a clip of any workspace."""
        return await keys_known(cls, ("key",), keys)
