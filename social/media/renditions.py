"""Renditions: what plans made of files, once for each file and plan, however many accounts and posts need it.

They are wanted when a post is planned and made by whichever instance has a hand free, the soonest needed first. What
nobody needs any more is let go: it is not begun, and whoever makes it stops.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Self

import msgspec
import structlog
from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field
from pymongo import IndexModel, ReturnDocument

from social.backing import Backing
from social.backing.mongo import BSON_ENCODERS, as_bson, stored
from social.errors import Invalid
from social.files import Probe
from social.media.keys import new_rendition_key
from social.media.making import ToMake, make_all
from social.media.plans import Plan
from social.media.rendering import Progress, check_room, rendered, room_needed
from social.media.scratch import nameless
from social.moments import now
from social.outbox.bus import Bus

log = structlog.get_logger()

TOLD_EVERY = 1.0  # seconds between two ticks of progress
LARGEST_SOURCE = 8 * 2**30  # bytes that are fetched to be converted
TOO_LARGE = "This file is too large to be converted here: at most 8 GB are. Save it smaller and try again."
GONE = "The file is no longer in storage. Attach it again."


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the bucket that is to become what a plan says. `fingerprint` tells the file, `media_id` whose it is."""

    media_id: str
    fingerprint: str
    key: str
    probe: Probe
    plan: Plan


class Rendition(ToMake):
    """What becomes of one file by one plan. What is needed the soonest is the first."""

    noun: ClassVar[str] = "rendition"
    lease: ClassVar[timedelta] = timedelta(seconds=60)  # renewed every two: so soon it shows that nobody needs it
    tries_most: ClassVar[int] = 5
    again_after: ClassVar[timedelta] = timedelta(seconds=20)
    first: ClassVar[str] = "needed_at"

    media_id: PydanticObjectId
    plan: Annotated[Plan, stored(Plan)]
    plan_key: str
    needed_at: datetime
    probe: Annotated[Probe | None, stored(Probe | None)] = None  # of what was made
    sentence: str = ""  # why nothing was
    wanted_at: datetime = Field(default_factory=now)  # when somebody last did

    class Settings:
        name = "renditions"
        bson_encoders = BSON_ENCODERS
        indexes = (
            IndexModel([("workspace_id", 1), ("fingerprint", 1), ("plan_key", 1)], unique=True),
            IndexModel([("needed_at", 1), ("next_at", 1)], partialFilterExpression={"next_at": {"$type": "date"}}),
            IndexModel([("wanted_at", 1)]),
            IndexModel([("key", 1)]),
        )

    @classmethod
    async def want(
        cls, workspace_id: PydanticObjectId, wanted: Wanted, needed_at: datetime, backing: Backing
    ) -> "Rendition":
        """The rendition, made or to be made by `needed_at`. One that could not be made is tried once more, and one that
        was let go is wanted again."""
        renditions = cls.get_pymongo_collection()
        same = {"workspace_id": workspace_id, "fingerprint": wanted.fingerprint, "plan_key": wanted.plan.key}
        at = backing.now()
        found = await renditions.find_one_and_update(
            same,
            {
                "$min": {"needed_at": needed_at},
                "$max": {"wanted_at": at},
                "$setOnInsert": {
                    "media_id": ObjectId(wanted.media_id),
                    "source_key": wanted.key,
                    "source": as_bson(wanted.probe),
                    "plan": as_bson(wanted.plan),
                    "key": new_rendition_key(workspace_id),
                    "state": "wanted",
                    "next_at": at,
                    "token": None,
                    "tries": 0,
                    "probe": None,
                    "sentence": "",
                    "created_at": at,
                },
            },
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        rendition: Rendition = cls.model_validate(found)
        if rendition.state == "failed":
            # The file it was to be made of may be gone: this one is the same, and there.
            whose = {"media_id": ObjectId(wanted.media_id), "source_key": wanted.key}
            anew = whose | {"state": "wanted", "next_at": at, "tries": 0, "sentence": ""}
            await renditions.update_one(same | {"state": "failed"}, {"$set": anew})
        elif rendition.let_go_of:
            await cls.want_again(workspace_id, [str(rendition.id)], at)
        return rendition

    @classmethod
    async def unmade(cls, workspace_id: PydanticObjectId, ids: Iterable[str]) -> set[str]:
        """Which of these are wanted and not made yet."""
        wanted = _wanted(workspace_id, ids) | {"next_at": {"$type": "date"}}
        return {str(each["_id"]) async for each in cls.get_pymongo_collection().find(wanted, {"_id": 1})}

    @property
    def let_go_of(self) -> bool:
        """Whether it was wanted, and nobody needed it any more before it was made."""
        return self.state == "wanted" and self.next_at is None

    @classmethod
    async def let_go(cls, workspace_id: PydanticObjectId, ids: Iterable[str]) -> None:
        """Nobody needs those of these that are not made yet."""
        await cls.get_pymongo_collection().update_many(
            _wanted(workspace_id, ids), {"$set": {"next_at": None, "token": None}}
        )

    @classmethod
    async def want_again(cls, workspace_id: PydanticObjectId, ids: Iterable[str], at: datetime) -> None:
        """Somebody needs those of these that were let go after all, from `at` on."""
        let_go = _wanted(workspace_id, ids) | {"next_at": None}
        await cls.get_pymongo_collection().update_many(let_go, {"$set": {"next_at": at, "wanted_at": at, "tries": 0}})

    @classmethod
    async def named(cls, workspace_id: PydanticObjectId, ids: Iterable[str]) -> dict[str, "Rendition"]:
        """Those of the workspace with these ids, by id."""
        mine = {"workspace_id": workspace_id, "_id": {"$in": [ObjectId(id) for id in ids]}}
        return {str(each.id): each for each in await cls.find(mine).to_list()}

    @classmethod
    async def unwanted_since(cls, before: datetime, *, most: int) -> AsyncIterator[list["Rendition"]]:
        """Those of all workspaces that nobody has wanted since `before`, at most `most` at once. Whether what was
        planned then is out, is not looked at."""
        some = []
        async for each in cls.listed({"wanted_at": {"$lt": before}}):
            some.append(each)
            if len(some) == most:
                yield some
                some = []
        if some:
            yield some

    async def drop(self, before: datetime, backing: Backing) -> bool:
        """Removes it and its file, unless somebody has wanted it since `before`. Whether it went."""
        gone = await self.get_pymongo_collection().delete_one(self._mine | {"wanted_at": {"$lt": before}})
        if gone.deleted_count:
            await backing.bucket.delete([self.key])
        return gone.deleted_count == 1

    async def fail(self, because: str, **said: Any) -> None:
        """The post that needed it says so."""
        await super().fail(because, sentence=because, **said)

    async def miss_file(self) -> None:
        """Whoever needs it attaches the file again."""
        await self.fail(GONE)


def _wanted(workspace_id: PydanticObjectId, ids: Iterable[str]) -> dict[str, Any]:
    return {"workspace_id": workspace_id, "_id": {"$in": [ObjectId(id) for id in ids]}, "state": "wanted"}


async def make_wanted(backing: Backing) -> None:
    """Makes what is wanted, one at a time in this process, until nothing is. Safe to run in many processes."""
    await make_all(Rendition, _stored, _ready, backing.rendering, backing)


async def _stored(rendition: Rendition, backing: Backing) -> Probe:
    """Fetches the file, converts it and puts what comes of it into the bucket."""
    if rendition.source.bytes > LARGEST_SOURCE:
        raise Invalid(TOO_LARGE, code="too-large")
    both = rendition.source.bytes + room_needed(rendition.plan, rendition.source)
    await asyncio.to_thread(check_room, both)  # before the file is fetched: a database may live on the same disk
    async with _Ticks(rendition, backing) as ticks:
        return await _put(rendition, backing, ticks.reached)


async def _put(rendition: Rendition, backing: Backing, progress: Progress) -> Probe:
    with ExitStack() as files:
        source, target = [files.enter_context(await asyncio.to_thread(nameless)) for _ in range(2)]
        async with backing.bucket.reading(rendition.source_key) as pieces:
            async for piece in pieces:
                await asyncio.to_thread(source.write, piece)
        await asyncio.to_thread(source.flush)
        probe = await rendered(rendition.plan, rendition.source, source, target, progress)
        await backing.bucket.put(rendition.key, target, mime=probe.mime, size=probe.bytes)
    return probe


async def _ready(rendition: Rendition, probe: Probe, _: Backing) -> None:
    await rendition.conclude({"state": "ready", "probe": as_bson(probe), "next_at": None})
    log.info("rendition.made", **rendition.as_logged, mime=probe.mime, bytes=probe.bytes)


class _Ticks:
    """Tells the workspace how far one is while the block runs, once a second at most, and when it is made."""

    def __init__(self, rendition: Rendition, backing: Backing) -> None:
        self._rendition = rendition
        self._bus = Bus(backing)
        self._done = 0.0

    def reached(self, done: float) -> None:
        """Takes note."""
        self._done = done

    async def __aenter__(self) -> Self:
        self._telling = asyncio.create_task(self._tell_on())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._telling.cancel()
        if kind is None:
            await self._tell(1.0)

    async def _tell_on(self) -> None:
        while True:
            await asyncio.sleep(TOLD_EVERY)
            await self._tell(min(self._done, 0.999))  # what is not in the bucket is not made

    async def _tell(self, done: float) -> None:
        about = {"rendition_id": str(self._rendition.id), "media_id": str(self._rendition.media_id)}
        await self._bus.tick(self._rendition.workspace_id, "rendition.making", about | {"done": round(done, 3)})
