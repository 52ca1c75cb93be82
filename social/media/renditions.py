"""Renditions: what plans made of files, once for each file and plan, however many accounts and posts need it.

They are wanted when a post is planned and made by whichever instance has a hand free, the soonest needed first. A maker
holds a lease; one that dies leaves it to run out, and another begins anew. What nobody needs any more is let go: it is
not begun, and whoever makes it stops.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal, Self

import msgspec
import structlog
from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field
from pymongo import ASCENDING, IndexModel, ReturnDocument
from pymongo.errors import PyMongoError

from social.backing import Backing
from social.backing.mongo import BSON_ENCODERS, as_bson, stored
from social.errors import Invalid, NotFound, Unavailable
from social.files import Probe
from social.media.keys import keys_known, new_rendition_key
from social.media.plans import Plan
from social.media.rendering import Progress, check_room, rendered, room_needed
from social.media.scratch import nameless
from social.moments import now
from social.outbox.bus import Bus
from social.people.workspaces import OfWorkspace

log = structlog.get_logger()

TRIES = 5  # of one whose storage, disk or maker failed; what is wrong with a file is said at once
LEASE = timedelta(seconds=60)
RENEWED_EVERY = 2.0  # seconds; so soon is it noticed that nobody needs it any more
AGAIN_AFTER = timedelta(seconds=20)
TOLD_EVERY = 1.0  # seconds between two ticks of progress
LARGEST_SOURCE = 8 * 2**30  # bytes that are fetched to be converted
TOO_LARGE = "This file is too large to be converted here: at most 8 GB are. Save it smaller and try again."
GONE = "The file is no longer in storage. Attach it again."
NOT_MADE = "This file could not be converted: it was tried several times. Save it anew and try again."

State = Literal["wanted", "ready", "failed"]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the bucket that is to become what a plan says. `fingerprint` tells the file, `media_id` whose it is."""

    media_id: str
    fingerprint: str
    key: str
    probe: Probe
    plan: Plan


class Rendition(OfWorkspace):
    """What becomes of one file by one plan. Its place in the bucket is known before it is there."""

    noun: ClassVar[str] = "rendition"

    id: PydanticObjectId = Field(default_factory=PydanticObjectId)
    media_id: PydanticObjectId
    fingerprint: str
    source_key: str
    source: Annotated[Probe, stored(Probe)]
    plan: Annotated[Plan, stored(Plan)]
    plan_key: str
    key: str
    state: State = "wanted"
    needed_at: datetime
    next_at: datetime | None  # when somebody may begin; None when nobody has to, or needs it any more
    token: str | None = None  # of who makes it
    tries: int = 0
    probe: Annotated[Probe | None, stored(Probe | None)] = None  # of what was made
    sentence: str = ""  # why nothing was
    created_at: datetime = Field(default_factory=now)
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
    async def forget(cls, workspace_id: PydanticObjectId, fingerprint: str, backing: Backing) -> None:
        """Removes all that was made of a file."""
        mine = {"workspace_id": workspace_id, "fingerprint": fingerprint}
        keys = [each["key"] async for each in cls.get_pymongo_collection().find(mine, {"key": 1})]
        if keys:
            await cls.get_pymongo_collection().delete_many(mine)
            await backing.bucket.delete(keys)

    @classmethod
    async def known(cls, keys: Sequence[str]) -> set[str]:
        """Which of these keys in the bucket belong to a rendition of any workspace."""
        return await keys_known(cls, ("key",), keys)

    @classmethod
    async def unwanted_since(cls, before: datetime, *, most: int) -> AsyncIterator[list["Rendition"]]:
        """Those of all workspaces that nobody has wanted since `before`, at most `most` at once. Whether what was
        planned then is out, is not looked at."""
        some = []
        async for each in cls.find({"wanted_at": {"$lt": before}}):
            some.append(each)
            if len(some) == most:
                yield some
                some = []
        if some:
            yield some

    async def drop(self, before: datetime, backing: Backing) -> bool:
        """Removes it and its file, unless somebody has wanted it since `before`. Whether it went."""
        this = {"_id": self.id, "workspace_id": self.workspace_id, "wanted_at": {"$lt": before}}
        gone = await self.get_pymongo_collection().delete_one(this)
        if gone.deleted_count:
            await backing.bucket.delete([self.key])
        return gone.deleted_count == 1

    @classmethod
    async def now_from(cls, workspace_id: PydanticObjectId, fingerprint: str, key: str) -> None:
        """The file they are made of is elsewhere from now on."""
        mine = {"workspace_id": workspace_id, "fingerprint": fingerprint}
        await cls.get_pymongo_collection().update_many(mine, {"$set": {"source_key": key}})


def _wanted(workspace_id: PydanticObjectId, ids: Iterable[str]) -> dict[str, Any]:
    return {"workspace_id": workspace_id, "_id": {"$in": [ObjectId(id) for id in ids]}, "state": "wanted"}


async def make_wanted(backing: Backing) -> None:
    """Makes what is wanted, one at a time in this process, until nothing is. Safe to run in many processes."""
    if backing.rendering.locked():
        return
    async with backing.rendering:
        while not backing.stopping.is_set():
            taken = await _taken(backing)
            if taken is None:
                return
            await _made(taken, backing)


async def _taken(backing: Backing) -> Rendition | None:
    """The one that is needed soonest and is in nobody's hands, now in ours."""
    at = backing.now()
    found = await Rendition.get_pymongo_collection().find_one_and_update(
        {"next_at": {"$lte": at, "$type": "date"}},
        {"$set": {"token": secrets.token_hex(12), "next_at": at + LEASE}, "$inc": {"tries": 1}},
        sort=[("needed_at", ASCENDING)],
        return_document=ReturnDocument.AFTER,
    )
    return Rendition.model_validate(found) if found else None


async def _made(rendition: Rendition, backing: Backing) -> None:
    """Makes it and writes down what came of it. Cancelled, it is given back."""
    if rendition.tries > TRIES:  # it took its makers with it
        await _concluded(rendition, {"state": "failed", "sentence": NOT_MADE, "next_at": None})
        return
    try:
        probe = await _unless_in_vain(_stored(rendition, backing), rendition, backing)
        await _concluded(rendition, {"state": "ready", "probe": as_bson(probe), "next_at": None})
        log.info("rendition.made", rendition=str(rendition.id), mime=probe.mime, bytes=probe.bytes)
    except _LetGo:
        log.info("rendition.let_go", rendition=str(rendition.id))
    except (Invalid, NotFound) as refused:
        sentence = GONE if isinstance(refused, NotFound) else refused.sentence
        await _concluded(rendition, {"state": "failed", "sentence": sentence, "next_at": None})
        log.info("rendition.failed", rendition=str(rendition.id), code=refused.facts.get("code"))
    except (Unavailable, OSError) as away:
        await _put_off(rendition, away, backing)
    except asyncio.CancelledError:
        with suppress(PyMongoError):
            await _concluded(rendition, {"next_at": backing.now(), "tries": rendition.tries - 1})
        raise


class _LetGo(Exception):
    """It is no longer ours to make."""


async def _unless_in_vain(work: Coroutine[Any, Any, Probe], rendition: Rendition, backing: Backing) -> Probe:
    """What `work` answers. It is cancelled where nobody needs it any more (_LetGo), and where the instance stops: then
    we are too, and another begins anew."""
    making, stopping = asyncio.create_task(work), asyncio.create_task(backing.stopping.wait())
    lost = asyncio.create_task(_until_lost(rendition, backing))
    try:
        await asyncio.wait({making, stopping, lost}, return_when=asyncio.FIRST_COMPLETED)
        if making.done():
            return making.result()
        raise _LetGo if lost.done() else asyncio.CancelledError
    finally:
        stopping.cancel()
        lost.cancel()
        if not making.done():
            making.cancel()
            await asyncio.wait({making})


async def _put_off(rendition: Rendition, away: Exception, backing: Backing) -> None:
    log.warning("rendition.put_off", rendition=str(rendition.id), error=type(away).__name__)
    if rendition.tries >= TRIES:
        await _concluded(rendition, {"state": "failed", "sentence": NOT_MADE, "next_at": None})
    else:
        await _concluded(rendition, {"next_at": backing.now() + AGAIN_AFTER})


async def _until_lost(rendition: Rendition, backing: Backing) -> None:
    """Keeps the lease, for as long as it is ours."""
    while True:
        await asyncio.sleep(RENEWED_EVERY)
        with suppress(PyMongoError):
            if not await _concluded(rendition, {"next_at": backing.now() + LEASE}, keep=True):
                return


async def _concluded(rendition: Rendition, changes: Mapping[str, Any], *, keep: bool = False) -> bool:
    """Writes `changes`, if it is still ours; whether it was."""
    ours = {"_id": rendition.id, "workspace_id": rendition.workspace_id, "token": rendition.token}
    changes = dict(changes) if keep else {**changes, "token": None}
    written = await Rendition.get_pymongo_collection().update_one(ours, {"$set": changes})
    return written.matched_count > 0


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
