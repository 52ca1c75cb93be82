"""Watches in the running system what must never be, and says so: an alarm per thing that is wrong, raised once and
cleared when it is gone. The invariants are those of section 6 of the protocol, as far as one can see them in Mongo.

One instance at a time looks, whichever comes first. Every query has its index, and reads little where all is well.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
import structlog
from beanie import Document, PydanticObjectId
from bson import ObjectId
from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from social.backing import Backing
from social.backing.mongo import BSON_ENCODERS, as_bson, stored
from social.backing.owner import Owner
from social.events import EventType
from social.outbox.documents import Announcement, Row, announce
from social.people.roles import Caller
from social.publishing.facts import Json
from social.publishing.invariants import INVARIANTS, Violation, Watched

log = structlog.get_logger()
EVERY = timedelta(seconds=10)  # from one look to the next
LONGEST = timedelta(seconds=60)  # a look that has not ended by then was its process's last
BLOCKED = 2.0  # seconds; a loop that nobody gets through for longer keeps timers, leases and answers waiting
TOLD = 200  # alarms of a workspace: where more is wrong, one more says nothing new
FORGOTTEN = timedelta(minutes=1)  # an instance that has not been heard of for so long is none any more


class Alarm(Document):
    """Something that is wrong now. `_id` names what and where, so that it is raised once by whoever sees it."""

    id: str  # type: ignore[assignment]  # beanie takes any type
    invariant: str
    subject: str
    workspace_id: PydanticObjectId | None = None  # None: of the whole installation
    publication_id: PydanticObjectId | None = None
    text: str
    since: datetime

    class Settings:
        name = "alarms"
        indexes = (
            IndexModel([("invariant", 1), ("since", 1)]),
            IndexModel([("workspace_id", 1), ("since", 1), ("_id", 1)]),
        )

    @classmethod
    async def of(cls, caller: Caller) -> list["Alarm"]:
        """What is wrong now in the caller's workspace, what began first first: so many at most as anybody would read.
        What is wrong with the whole installation is nobody's here."""
        theirs = cls.find({"workspace_id": caller.workspace_id})
        return await theirs.sort("since", "_id").limit(TOLD).to_list()


class Round(Document):
    """When the next look is due. There is one."""

    next_at: datetime

    class Settings:
        name = "watch"


class Beat(Document):
    """That an instance lives, and how it is. `_id` is its own, whatever host it runs on."""

    id: str  # type: ignore[assignment]
    owner: Annotated[Owner, stored(Owner)]
    at: datetime
    lag: float  # seconds for which its loop let somebody wait, at worst, since a few beats before
    lanes: int  # that it holds
    tasks: list[str]

    class Settings:
        name = "beats"
        bson_encoders = BSON_ENCODERS
        indexes = (IndexModel([("at", 1)], expireAfterSeconds=3600),)


class Alarmed(msgspec.Struct, frozen=True, kw_only=True):
    """An invariant that does not hold: what that means, how often, and since when (UTC)."""

    name: str
    text: str
    count: int
    since: datetime


async def beat(backing: Backing) -> None:
    """Says that this instance lives, for how long its loop was blocked of late, and what it holds."""
    said = {
        "owner": as_bson(backing.owner),
        "at": backing.now(),
        "lag": backing.tally.worst_lag(),
        "lanes": len(backing.in_hand),
        "tasks": sorted(backing.settings.tasks),
    }
    await Beat.get_pymongo_collection().update_one({"_id": _id(backing.owner)}, {"$set": said}, upsert=True)


async def beats(backing: Backing) -> list[Beat]:
    """The instances that live."""
    return await Beat.find({"at": {"$gt": backing.now() - FORGOTTEN}}).sort("at").to_list()


async def watch(backing: Backing) -> None:
    """Looks, if it is time and nobody else does. PyMongoError if Mongo is away: nothing is then raised, and nothing
    cleared."""
    at = backing.now()
    if await _my_turn(at):
        await look(backing)
        await Round.get_pymongo_collection().update_one({"_id": "watchdog"}, {"$set": {"next_at": at + EVERY}})


async def look(backing: Backing) -> list[Violation]:
    """Everything that is wrong now. Raises what is new and clears what is gone."""
    watched = Watched(at=backing.now(), times=backing.settings.times, seen_from=backing.owner)
    found = [each for invariant in INVARIANTS for each in await invariant(watched)]
    found += [each for each in map(_blocked, await beats(backing)) if each is not None]
    await _raise(found, backing)
    await _clear(found, backing)
    return found


async def alarms() -> list[Alarmed]:
    """What is wrong now, by invariant, what began first first. Nothing in it is anybody's."""
    stages: list[Json] = [
        {"$match": {"invariant": {"$gt": ""}}},
        {"$sort": {"invariant": 1, "since": 1}},
        {
            "$group": {
                "_id": "$invariant",
                "text": {"$first": "$text"},
                "since": {"$first": "$since"},
                "count": {"$sum": 1},
            }
        },
        {"$sort": {"since": 1}},
    ]
    found = await Alarm.get_pymongo_collection().aggregate(stages)
    return [
        Alarmed(name=each["_id"], text=each["text"], count=each["count"], since=each["since"]) async for each in found
    ]


async def _my_turn(at: datetime) -> bool:
    """Whether this process is to look now. Who began and died is waited for, but not for ever."""
    rounds = Round.get_pymongo_collection()
    began = await rounds.update_one({"_id": "watchdog", "next_at": {"$lte": at}}, {"$set": {"next_at": at + LONGEST}})
    if began.matched_count:
        return True
    try:
        first = await rounds.update_one(
            {"_id": "watchdog"}, {"$setOnInsert": {"next_at": at + LONGEST}}, upsert=True
        )  # on the first look there ever was
    except DuplicateKeyError:
        return False
    return first.upserted_id is not None


async def _raise(found: Sequence[Violation], backing: Backing) -> None:
    for each in found:
        alarm = {
            "_id": each.key,
            "invariant": each.invariant,
            "subject": each.subject,
            "workspace_id": each.workspace_id,
            "publication_id": each.publication_id,
            "text": each.text,
            "since": backing.now(),
        }
        new = await Alarm.get_pymongo_collection().update_one(
            {"_id": each.key}, {"$setOnInsert": {name: value for name, value in alarm.items() if name != "_id"}},
            upsert=True,
        )  # fmt: skip
        if new.upserted_id is None:
            continue
        log.error("alarm.raised", invariant=each.invariant, subject=each.subject, workspace=_text(each.workspace_id))
        backing.tally.count("alarms", each.invariant)
        await _tell("alarm.raised", alarm, backing)


async def _clear(found: Sequence[Violation], backing: Backing) -> None:
    still = {each.key for each in found}
    async for alarm in Alarm.get_pymongo_collection().find({"invariant": {"$gt": ""}}):
        if alarm["_id"] in still:
            continue
        gone = await Alarm.get_pymongo_collection().delete_one({"_id": alarm["_id"]})
        if gone.deleted_count:
            log.info("alarm.cleared", invariant=alarm["invariant"], subject=alarm["subject"])
            await _tell("alarm.cleared", alarm, backing)


async def _tell(type: EventType, alarm: Json, backing: Backing) -> None:
    """The people of the workspace, if it is one's."""
    if alarm["workspace_id"] is not None:
        await announce([_news(type, alarm)])
        backing.announced.set()


def _news(type: EventType, alarm: Json) -> Announcement:
    data = {
        "id": alarm["_id"],
        "name": alarm["invariant"],
        "text": alarm["text"],
        "since": msgspec.to_builtins(alarm["since"]),
    }
    return Row.about(
        workspace_id=alarm["workspace_id"], type=type, publication_id=_text(alarm["publication_id"]), data=data
    )


def _blocked(beat: Beat) -> Violation | None:
    if beat.lag < BLOCKED:
        return None
    text = f"An instance's loop was blocked for {beat.lag:.1f} s. What fell due there in that time was late."
    return Violation("loop_blocked", str(beat.id), text)


def _id(owner: Owner) -> str:
    return f"{owner.host}:{owner.boot}:{owner.pid}:{owner.started}"


def _text(id: ObjectId | None) -> str | None:
    return None if id is None else str(id)
