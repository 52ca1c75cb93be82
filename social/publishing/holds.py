"""Hold everything: a workspace, a platform in it or one account, in one call. What is acknowledged is never broken:
from then on nothing of it goes out until the hold is ended.

A hold is on the lanes: no claim takes one that is held, and whoever holds it loses it. The publications follow, in
batches, and so does whatever comes to them later; until it is held itself, it waits in a lane that nobody can take.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec
import structlog
from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field
from pymongo import IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from social.accounts.documents import Account
from social.backing import Backing
from social.backing.mongo import BSON_ENCODERS, as_bson
from social.errors import Conflict, Invalid, Wrong
from social.outbox.documents import FIRST_ID, Announcement, Row, announce
from social.people.roles import Caller
from social.people.workspaces import OfWorkspace
from social.platforms import PLATFORMS
from social.publishing.documents import Publication, in_states
from social.publishing.facts import EPOCH, Json
from social.publishing.keeping import TOGETHER, keep_back, let_go, tell
from social.publishing.lanes import Lane
from social.publishing.states import ON_HOLD, OPEN, PARTLY, TAKEN, Reason, State

log = structlog.get_logger()
Scope = Literal["workspace", "platform", "account"]
HELD: Json = {"holds": {"$gt": FIRST_ID}, "holds.0": {"$exists": True}}  # of a lane; both are what its index wants
LOOK = 0.05  # seconds between two looks whether what was going out has gone
LATE = "Its time passed while a hold kept it back. Send it now, or cancel it."
LOST = "This account is disconnected. Connect it again, then this can go out."


class Hold(OfWorkspace):
    """A hold, as long as it lasts. Which accounts it covers is decided anew whenever an account is connected."""

    noun = "hold"

    id: PydanticObjectId = Field(default_factory=PydanticObjectId)
    scope: Scope
    platform: str | None = None
    account_id: PydanticObjectId | None = None
    note: str = ""
    by_id: PydanticObjectId
    by_name: str
    at: datetime

    class Settings:
        name = "holds"
        bson_encoders = BSON_ENCODERS
        indexes = (
            IndexModel([("workspace_id", 1), ("_id", 1)]),
            IndexModel([("workspace_id", 1), ("scope", 1), ("platform", 1), ("account_id", 1)], unique=True),
        )

    @classmethod
    def engine(cls) -> AsyncCollection[Json]:
        """The collection over all workspaces, for the engine alone, which holds also what it cannot read."""
        return cls.get_pymongo_collection()


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a hold came to: how many are held by it, and those that were going out when it was asked for, as they are
    now."""

    hold: Hold
    held: int
    going_out: list[Publication]


class Resumed(msgspec.Struct, frozen=True, kw_only=True):
    """What the end of a hold came to: how many are planned as before; how many have passed meanwhile and ask a person;
    how many are looked for; and how many stay held, by another hold or for want of a login."""

    planned: int = 0
    late: int = 0
    checking: int = 0
    held: int = 0


async def hold(
    caller: Caller, scope: Scope, backing: Backing, *, platform: str | None = None, account_id: str | None = None,
    note: str = "",
) -> Held:  # fmt: skip
    """Holds all that `scope` covers of the caller's workspace. When it answers, nothing of it is sent any more.

    That is when what was going out has been concluded, or can no longer be handed over: a lease at most. Invalid for a
    platform or an account that is not there; Conflict if the same hold is on already.
    """
    await backing.clock.known(backing.client)  # by which is decided what can be handed over no more
    made = await _made(caller, scope, platform, account_id, note, backing)
    accounts = await _covered(made)
    await _mark(accounts, made.id)
    held = await _keep(accounts, backing)
    await announce([_news(made, "hold.begun")])
    backing.announced.set()
    log.info("hold.begun", workspace=str(made.workspace_id), hold=str(made.id), scope=scope, held=held)
    return Held(hold=made, held=held, going_out=await _gone(accounts, backing))


async def resume(caller: Caller, hold_id: str, backing: Backing) -> Resumed:
    """Ends a hold. What lies ahead is planned as before; what has passed asks first, and is never sent as a burst.

    NotFound.
    """
    found = await Hold.found(caller, hold_id)
    mine = {lane["_id"]: lane["holds"] async for lane in Lane.engine().find(HELD | {"holds": found.id}, {"holds": 1})}
    free = [account for account, holds in mine.items() if holds == [found.id]]
    await _keep(free, backing)  # what a retry has left waiting asks too, if its time has passed
    await Hold.get_pymongo_collection().delete_one({"_id": found.id})
    counts = await _let_go(free, backing)
    await Lane.engine().update_many({"_id": {"$in": list(mine)}}, {"$pull": {"holds": found.id}})
    await _let_go(free, backing)  # somebody's look may have held it once more while the mark was there
    await announce([_news(found, "hold.ended")])
    backing.announced.set()
    backing.planned.set()
    log.info("hold.ended", workspace=str(found.workspace_id), hold=str(found.id), late=counts.late)
    still = {"account_id": {"$in": list(set(mine) - set(free))}} | in_states([State.HELD], OPEN)
    return msgspec.structs.replace(counts, held=counts.held + await Publication.engine().count_documents(still))


async def keep_holding(backing: Backing) -> None:
    """Holds what came to held accounts since: planned, tried again or connected while the hold was on. Mends what a
    process that died while it held or resumed has left half done."""
    for hold_id, accounts in (await _unmarked(await Hold.engine().find({}).to_list())).items():
        await _mark(accounts, hold_id)
    marked = await Lane.engine().distinct("holds", HELD)
    if not marked:
        return
    there = {each["_id"] for each in await Hold.engine().find({"_id": {"$in": marked}}).to_list()}
    before = await _marked()
    if ended := set(marked) - there:  # a mark is younger than its hold, so the hold has gone since
        lanes = Lane.engine().find(HELD, {"holds": 1})
        # First while the mark is there: by it somebody else begins anew, should this process end in the middle.
        await _let_go([lane["_id"] async for lane in lanes if ended.issuperset(lane["holds"])], backing)
        for each in ended:
            await Lane.engine().update_many(HELD | {"holds": each}, {"$pull": {"holds": each}})
    held = await _marked()
    await _keep(held, backing)
    await _doubt(held, backing)
    if freed := {*before, *held} - set(await _marked()):
        await _let_go(list(freed), backing)


async def hold_new(workspace_id: ObjectId, accounts: Sequence[Account], session: AsyncClientSession) -> None:
    """Marks the lanes of accounts that may have been connected while a hold was on, in the transaction that is about to
    plan something on them."""
    for made in await Hold.engine().find({"workspace_id": workspace_id}, session=session).to_list():
        covered = [each.id for each in accounts if _covers(made, each.id, each.platform)]
        await Lane.engine().update_many(
            {"_id": {"$in": covered}, "holds": {"$ne": made["_id"]}},
            {"$addToSet": {"holds": made["_id"]}},
            session=session,
        )


def _covers(made: Json, account_id: ObjectId, platform: str) -> bool:
    """Whether a hold, as it is stored, is on that account of that platform, which is of the same workspace. One of a
    scope that only a newer version knows is on what that version has marked, and on nothing else."""
    return {
        "workspace": True,
        "platform": made.get("platform") == platform,
        "account": made.get("account_id") == account_id,
    }.get(made["scope"], False)


async def _marked() -> list[ObjectId]:
    return [lane["_id"] async for lane in Lane.engine().find(HELD, {"_id": 1})]


async def _made(
    caller: Caller, scope: Scope, platform: str | None, account_id: str | None, note: str, backing: Backing
) -> Hold:
    if scope == "platform" and platform not in PLATFORMS:
        raise Invalid("This cannot be held.", [Wrong("/platform", "Name one of the platforms.", "unknown")])
    account = await Account.found(caller, account_id or "") if scope == "account" else None
    made = Hold(
        workspace_id=caller.workspace_id,
        scope=scope,
        platform=platform if scope == "platform" else None,
        account_id=account.id if account else None,
        note=note,
        by_id=caller.user_id,
        by_name=caller.name,
        at=backing.now(),
    )
    try:
        await made.insert()
    except DuplicateKeyError:  # also where two people say it at once
        raise Conflict("This is held already. End that hold to let it go out.") from None
    return made


async def _covered(made: Hold) -> list[ObjectId]:
    """The accounts that a hold is on."""
    if made.account_id is not None:
        return [made.account_id]
    of_it: Json = {"workspace_id": made.workspace_id}
    if made.platform is not None:
        of_it["platform"] = made.platform
    return [found["_id"] async for found in Account.get_pymongo_collection().find(of_it, {"_id": 1})]


async def _unmarked(made: Sequence[Json]) -> dict[ObjectId, list[ObjectId]]:
    """By the id of each hold, the accounts that it is on and whose lanes do not say so, most likely none. In three
    queries however many there are, for every instance asks with every tick."""
    if not made:
        return {}
    marks = {lane["_id"]: lane["holds"] async for lane in Lane.engine().find(HELD, {"holds": 1})}
    of_whole = {each["workspace_id"] for each in made if each["scope"] != "account"}
    there: dict[ObjectId, list[tuple[ObjectId, str]]] = {}
    found = Account.get_pymongo_collection().find(
        {"workspace_id": {"$in": list(of_whole)}}, {"workspace_id": 1, "platform": 1}
    )
    async for each in found:
        there.setdefault(each["workspace_id"], []).append((each["_id"], each["platform"]))
    covered = {
        each["_id"]: [each["account_id"]]
        if each["scope"] == "account"
        else [id for id, platform in there.get(each["workspace_id"], ()) if _covers(each, id, platform)]
        for each in made
    }
    lacking = {hold: [id for id in accounts if hold not in marks.get(id, ())] for hold, accounts in covered.items()}
    return {hold: accounts for hold, accounts in lacking.items() if accounts}


async def _mark(accounts: Sequence[ObjectId], hold_id: ObjectId) -> None:
    """Nobody can take the lanes from here on, and nobody who has one keeps it."""
    await Lane.exist(accounts)
    await Lane.engine().update_many(
        {"_id": {"$in": list(accounts)}, "holds": {"$ne": hold_id}},
        {"$addToSet": {"holds": hold_id}, "$set": {"token": None, "owner": None, "lease_until": EPOCH}},
    )


async def _keep(accounts: Sequence[ObjectId], backing: Backing) -> int:
    """Holds everything on these accounts that is not being sent. How many they are."""
    # It stands there for as long as it is held: what is true at the moment is said by `waiting.why`.
    text = "A hold keeps it back. When the hold is ended it goes out as planned, or asks first if its time has passed."
    reason = Reason(code=ON_HOLD, text=text)
    return await keep_back(accounts, reason, backing)


async def _gone(accounts: Sequence[ObjectId], backing: Backing) -> list[Publication]:
    """Those on these accounts that are being sent, once each is concluded or can be handed over no more.

    A part of a thread that goes out leaves the next one in its claim's hands: that is held too, before it is its turn.
    """
    times = backing.settings.times
    most = timedelta(seconds=times.lease - times.http_timeout - times.margin)
    in_hand = {"account_id": {"$in": list(accounts)}} | in_states(TAKEN, OPEN)
    going_out: set[ObjectId] = set()
    while True:
        left = False
        async for found in Publication.engine().find(in_hand, {"sent_at": 1, "state": 1}):
            if found["state"] == State.SENDING:
                going_out.add(found["_id"])
            left = left or found["state"] == State.QUEUED or found["sent_at"] + most > backing.now()
        if not left:
            return await Publication.find({"_id": {"$in": list(going_out)}}).to_list()
        await asyncio.sleep(LOOK)
        await _keep(accounts, backing)


async def _doubt(accounts: Sequence[ObjectId], backing: Backing) -> None:
    """What was being sent on them and ended with its process: nobody takes a held lane, so nobody else would ask."""
    at = backing.now()
    left: Json = {"account_id": {"$in": list(accounts)}} | in_states([State.SENDING], OPEN)
    left |= {"sent_at": {"$lt": at - timedelta(seconds=backing.settings.times.lease)}}
    ids = [found["_id"] async for found in Publication.engine().find(left, {"_id": 1}).limit(TOGETHER)]
    if not ids:
        return
    reason = Reason(code="unknown", text="It was interrupted while going out. Checking whether it did.")
    doubted: Json = {
        "state": State.UNCONFIRMED,
        "ambiguous": True,
        "next_at": at,
        "reason": {"$literal": as_bson(reason)},
        "deaths": {"$add": [{"$ifNull": ["$deaths", 0]}, 1]},
        "token": None,
        "updated_at": {"$max": [at, {"$add": ["$updated_at", 1]}]},
    }
    await Publication.engine().update_many(left | {"_id": {"$in": ids}}, [{"$set": doubted}])
    await tell(ids, backing, {"state": State.UNCONFIRMED})


async def _let_go(accounts: Sequence[ObjectId], backing: Backing) -> Resumed:
    """What a hold has kept on accounts that no other one covers goes on, or asks."""
    lost = {
        found["_id"]
        async for found in Account.get_pymongo_collection().find(
            {"_id": {"$in": list(accounts)}, "state": {"$ne": "connected"}}, {"_id": 1}
        )
    }
    counts = await let_go(accounts, ON_HOLD, lambda each: _after(each, lost, backing), backing)
    return Resumed(**counts)


def _after(publication: Publication, lost: set[ObjectId], backing: Backing) -> tuple[str, Json]:
    """What becomes of one when its hold ends, and what is written for it."""
    at = backing.now()
    if publication.account_id in lost:
        return "held", {"reason": as_bson(Reason(code="disconnected", text=LOST))}
    if publication.ambiguous:
        return "checking", {"state": State.UNCONFIRMED, "next_at": at, "reason": None}
    if publication.due_at > at:
        prepare_at = publication.prepare_for(publication.due_at)
        again: Json = {"state": State.PLANNED, "next_at": publication.due_at, "prepare_at": prepare_at, "reason": None}
        return "planned", again
    if publication.partly_online:
        text = f"{publication.progress.words}. Everything was held then. Send the rest now, or leave it so."
        return "late", {"reason": as_bson(Reason(code=PARTLY, text=text))}
    return "late", {"reason": as_bson(Reason(code="late", text=LATE))}


def _news(made: Hold, type: Literal["hold.begun", "hold.ended"]) -> Announcement:
    return Row.about(workspace_id=made.workspace_id, type=type, data={"id": str(made.id), "scope": made.scope})
