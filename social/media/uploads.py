"""Uploads: large files on their way in, part by part. Which parts are there, the bucket knows."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar
from uuid import uuid4

import msgspec
from beanie import PydanticObjectId
from pydantic import Field
from pymongo import IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession

from social.backing import Backing
from social.backing.mongo import BSON_ENCODERS, as_bson, stored
from social.backing.owner import Owner
from social.errors import Conflict, NotFound
from social.media.keys import keys_known
from social.moments import now
from social.people.roles import Caller
from social.people.workspaces import OfWorkspace

MIB = 2**20
LARGEST = 10 * 2**30  # bytes
SMALLEST_PART = 8 * MIB
MOST_PARTS = 800  # S3 lists 1000 at once
KEPT = timedelta(days=3)  # without a new part, after which it is taken for abandoned
TOUCHED = timedelta(minutes=10)  # how exactly that is known
FINISHING = timedelta(minutes=5)  # longest for putting the parts together and looking at what they are


class Finisher(msgspec.Struct, frozen=True, kw_only=True):
    """Who puts the parts together at the moment, and until when nobody else does."""

    token: str
    owner: Owner
    until: datetime


class BeingFinished(Conflict):
    """Somebody is putting it together just now."""

    retry_after = 2


class Upload(OfWorkspace):
    """A file of which a part may be missing. What becomes of it has its id: once that is there, this is not."""

    noun: ClassVar[str] = "upload"

    id: PydanticObjectId = Field(default_factory=PydanticObjectId)
    name: str
    bytes: int  # of the whole file, as announced
    modified_at: datetime | None = None  # of the file where it came from: by it, its name and size it is known again
    part_bytes: int  # of every part but the last
    key: str  # in the bucket
    parts_id: str  # the bucket's own name for what is begun under the key
    clean_key: str  # of what goes out in its place, if it is a picture
    thumbnail_key: str
    begun_by: PydanticObjectId
    created_at: datetime = Field(default_factory=now)
    expires_at: datetime
    source: str | None = None  # the address it is fetched from, if it is not sent to us
    came: int = 0  # bytes of it that were fetched
    etags: dict[str, str] = Field(default_factory=dict)  # by number, of the parts that came through us
    problem: str | None = None  # why no more of it will come, in words
    finisher: Annotated[Finisher | None, stored(Finisher | None)] = None

    class Settings:
        name = "uploads"
        bson_encoders = BSON_ENCODERS
        indexes = (
            IndexModel([("workspace_id", 1), ("begun_by", 1), ("_id", -1)]),
            IndexModel([("expires_at", 1)]),
            IndexModel([("key", 1)]),
            IndexModel([("clean_key", 1)]),
            IndexModel([("thumbnail_key", 1)]),
            IndexModel([("problem", 1)], partialFilterExpression={"source": {"$type": "string"}}),
        )

    @property
    def part_count(self) -> int:
        """How many parts it has."""
        return -(-self.bytes // self.part_bytes)

    def size(self, number: int) -> int:
        """Bytes of the part with this number, from 1."""
        return min(self.part_bytes, self.bytes - (number - 1) * self.part_bytes)

    @classmethod
    async def mine(cls, caller: Caller, id: str) -> "Upload":
        """The caller's own upload with this id. NotFound."""
        upload = await cls.found(caller, id)
        if upload.begun_by != caller.user_id:
            raise NotFound(f"There is no {cls.noun} with this id.")
        return upload

    @classmethod
    async def all_mine(cls, caller: Caller, *, most: int) -> list["Upload"]:
        """Those that the caller began, the newest first."""
        return await cls.of(caller, {"begun_by": caller.user_id}).sort("-_id").limit(most).to_list()

    @classmethod
    async def expired(cls, at: datetime, *, most: int) -> list["Upload"]:
        """Those of all workspaces that nobody has gone on with for long."""
        return await cls.listed({"expires_at": {"$lte": at}}).limit(most).to_list()

    @classmethod
    async def left_off(cls, at: datetime, *, most: int) -> list["Upload"]:
        """Those of all workspaces that are fetched from an address, and that nobody is at."""
        waiting = {"source": {"$type": "string"}, "problem": None}
        free = {"$or": [{"finisher": None}, {"finisher.until": {"$lte": at}}]}
        return await cls.listed(waiting, free).limit(most).to_list()

    async def fetched(self, token: str, **found: Any) -> bool:
        """Notes what has been found out while it is fetched, and goes on with it; False if it was given up, or another
        is at it."""
        until = now() + FINISHING
        noted = await self.get_pymongo_collection().update_one(
            self._this() | {"finisher.token": token},
            {"$set": found | {"finisher.until": until, "expires_at": now() + KEPT}},
        )
        for name, value in found.items():
            setattr(self, name, value)
        return noted.matched_count == 1

    @classmethod
    async def known(cls, keys: Sequence[str]) -> set[str]:
        """Which of these keys in the bucket belong to an upload."""
        return await keys_known(cls, ("key", "clean_key", "thumbnail_key"), keys)

    @property
    def last(self) -> dict[int, str]:
        """The etag of each part that came through us, as it came last."""
        return {int(number): etag for number, etag in self.etags.items()}

    async def part_came(self, number: int, etag: str) -> None:
        """It is gone on with, and of this part this one is the last: the bucket may not know, if two came at once."""
        await self.get_pymongo_collection().update_one(self._this(), {"$set": {f"etags.{number}": etag}})
        await self.touch()

    async def touch(self) -> None:
        """It is gone on with."""
        at = now()
        if self.expires_at < at + KEPT - TOUCHED:
            await self.get_pymongo_collection().update_one(self._this(), {"$set": {"expires_at": at + KEPT}})

    async def finish(self, backing: Backing) -> str:
        """Nobody else puts it together until `unfinish`, or five minutes from now: the token. BeingFinished, NotFound.

        One who died with it has let go of it.
        """
        found = await type(self).find_one(self._this())
        if found is None:
            raise NotFound(f"There is no {self.noun} with this id.")
        held, at = found.finisher, now()
        if held is not None and held.until > at and not held.owner.proven_dead(backing.owner):
            raise BeingFinished("This upload is being put together just now. Ask again in a moment.")
        mine = Finisher(token=uuid4().hex, owner=backing.owner, until=at + FINISHING)
        before = {"finisher": None} if held is None else {"finisher.token": held.token}
        taken = await self.get_pymongo_collection().update_one(
            self._this() | before, {"$set": {"finisher": as_bson(mine), "expires_at": at + KEPT}}
        )
        if not taken.matched_count:
            raise BeingFinished("This upload is being put together just now. Ask again in a moment.")
        return mine.token

    async def unfinish(self, token: str) -> None:
        """Somebody may try again."""
        this = self._this() | {"finisher.token": token}
        await self.get_pymongo_collection().update_one(this, {"$set": {"finisher": None}})

    async def let_go(self, token: str) -> None:
        """Another may go on with it from now on."""
        this = self._this() | {"finisher.token": token}
        await self.get_pymongo_collection().update_one(this, {"$set": {"finisher.until": now()}})

    async def forget(self, session: AsyncClientSession | None = None) -> bool:
        """Removes it; False if it is gone already. Its parts are the bucket's."""
        gone = await self.get_pymongo_collection().delete_one(self._this(), session=session)
        return gone.deleted_count == 1

    def _this(self) -> dict[str, Any]:
        return {"_id": self.id, "workspace_id": self.workspace_id}


def part_bytes(size: int) -> int:
    """How large the parts of a file of `size` bytes are: whole MiB, 8 at least, and not too many parts."""
    return max(SMALLEST_PART, -(-size // (MOST_PARTS * MIB)) * MIB)
