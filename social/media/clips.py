"""Clips: the small beginnings of videos that browsers do not play or that are heavy, one for each content.

They are wanted when such a video is first shown, and made by whichever instance has a hand free. So what was stored
before there were clips gets its own, and what is never looked at costs nothing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec
import structlog
from beanie import PydanticObjectId
from pymongo import IndexModel, UpdateOne

from social.backing.mongo import BSON_ENCODERS, as_bson
from social.files import Probe
from social.media.keys import new_key
from social.media.making import ToMake
from social.people.roles import Caller

log = structlog.get_logger()

PATIENCE = timedelta(minutes=10)  # for one clip, where others work too; it takes a second, and one of 4K half a minute


class Unclipped(msgspec.Struct, frozen=True, kw_only=True):
    """A video of the bucket that has no clip. `fingerprint` tells its content."""

    fingerprint: str
    key: str
    probe: Probe


class Clip(ToMake):
    """The clip of all videos of a workspace with one content. What has been wanted the longest is the first."""

    noun: ClassVar[str] = "clip"
    lease: ClassVar[timedelta] = 2 * PATIENCE
    tries_most: ClassVar[int] = 3
    again_after: ClassVar[timedelta] = timedelta(seconds=60)
    first: ClassVar[str] = "next_at"

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

    async def exists(self) -> bool:
        """Whether it is in the database."""
        return await self.get_pymongo_collection().find_one(self._mine, {"_id": 1}) is not None

    async def miss_file(self) -> None:
        """Whoever shows another video with this content wants it anew."""
        await self.get_pymongo_collection().delete_one(self._mine | {"token": self.token})
        log.info("clip.abandoned", **self.as_logged)
