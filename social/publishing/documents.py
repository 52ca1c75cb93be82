"""A publication: one post on one account; planned, sent once. All queries about it live here.

The engine's own queries cross workspaces and go through `engine()`; doors use `of` and `found`.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import AfterValidator, Field, model_validator
from pymongo import IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection

from social.backing.mongo import BSON_ENCODERS, as_bson, stored
from social.backing.owner import Owner
from social.moments import now
from social.people.lateness import Lateness
from social.people.reading import readable
from social.people.roles import Caller
from social.people.workspaces import OfWorkspace
from social.platforms import known
from social.platforms.contract import Content, Prepared, Realm, Receipt
from social.publishing.facts import FREE, Facts, Json, Refusal, Work
from social.publishing.states import (
    AHEAD,
    CHANGEABLE,
    CLAIMABLE,
    ENDED_BADLY,
    FINAL,
    ON_HOLD,
    OPEN,
    SPACED,
    TAKEN,
    Reason,
    State,
)

SHOWN = ("content.media.rendition", "content.thread.media.rendition")  # where the renditions of a publication stand
KNOWN = {str(each): each for each in State}
LINE = timedelta(days=1)  # ahead, in which those that are kept apart on an account are looked for
FAR = 20  # times as many as are taken are read, so that one account with many does not hide the others


def _of_states(name: str, states: Sequence[State], *keys: str) -> IndexModel:
    """An index that holds the publications in `states` alone."""
    return IndexModel(
        [(key, 1) for key in keys],
        name=name,
        partialFilterExpression={"state": {"$in": [str(each) for each in states]}},
    )


def in_states(states: Sequence[State], index: Sequence[State]) -> Json:
    """The condition of being in one of `states`, which the index over the states `index`, them among others, serves:
    the server sees that only where the index's own condition is repeated."""
    return {"state": {"$in": list(states)}, "$and": [{"state": {"$in": list(index)}}]}


def _renditions(found: Any, *path: str) -> set[str]:
    """What is stored at `path`, as Mongo finds it there, through lists: also of what this version cannot read."""
    if isinstance(found, list):
        return {id for each in found for id in _renditions(each, *path)}
    if path:
        return _renditions(found.get(path[0]), *path[1:]) if isinstance(found, dict) else set()
    return {found} if isinstance(found, str) else set()


class Publication(Facts, OfWorkspace):
    """One post on one account. Its content is frozen inside, so an attempt reads nothing else but the account."""

    noun = "publication"

    id: PydanticObjectId = Field(default_factory=PydanticObjectId)
    post_id: PydanticObjectId
    account_id: PydanticObjectId
    platform: Annotated[str, AfterValidator(known)]
    realm: Realm
    content: Annotated[Content, stored(Content)]
    rev: int = 1  # rises with content, not with a move
    part: int = 0  # whose turn it is; each before it is online
    receipts: Annotated[list[Receipt], stored(list[Receipt])] = Field(default_factory=list)  # of what is online
    key: str  # idempotency key at the platform: of this publication, rev and part, the same for every attempt
    wall: str  # 2026-11-22T09:30:00, as the person reads it in `zone`
    zone: str
    fold: int = 0
    due_at: datetime
    deadline: datetime | None = None  # nothing of it is sent for the first time after this instant; None: whenever
    lateness: Annotated[Lateness | None, stored(Lateness | None)] = None  # where the deadline comes from, and what then
    state: State = State.PLANNED
    reason: Annotated[Reason | None, stored(Reason | None)] = None
    next_at: datetime | None  # when the clock must look again; None only in final states, held, and while owned
    prepare_at: datetime | None = None  # when preparing may begin; None when there is nothing (more) to prepare
    prepared: Annotated[Prepared, stored(Prepared)] = Prepared()
    prepared_until: datetime | None = None
    waits_since: datetime | None = None  # since when the platform has been at work on what was uploaded
    token: str | None = None  # of the claim that holds it; an edit, a hold or a cancellation takes it away
    fence: int = 0
    owner: Annotated[Owner | None, stored(Owner | None)] = None
    work: Annotated[Work | None, stored(Work | None)] = None
    ambiguous: bool = False  # an attempt may be online although no receipt says so
    refusal: Annotated[Refusal | None, stored(Refusal | None)] = None
    attempt_no: int = 0  # intents written, over all parts and revisions
    attempts_before: int = 0  # of them, those before this part and revision
    tries: int = 0  # what the retry budget knows; of this part
    looks: int = 0
    deaths: int = 0  # of processes that had this part in hand
    first_sent_at: datetime | None = None  # this part's first intent
    started_at: datetime | None = None
    begun_at: datetime | None = None  # the latest intent of the first part
    sent_at: datetime | None = None  # the latest intent
    answered_at: datetime | None = None
    planned_at: datetime = Field(default_factory=now)
    updated_at: datetime = Field(default_factory=now)

    class Settings:
        name = "publications"
        bson_encoders = BSON_ENCODERS
        # Most say by a condition what they hold, and not by a key: a state that changes on the way from due to sent is
        # then no work for them.
        indexes = (
            _of_states("ahead", AHEAD, "next_at", "state", "prepare_at", "workspace_id", "account_id"),
            _of_states("taken", TAKEN, "next_at"),
            _of_states("doubted", (State.UNCONFIRMED,), "next_at"),
            _of_states("open_on_account", OPEN, "account_id", "next_at", "_id"),
            _of_states("open_in_workspace", OPEN, "workspace_id", "due_at", "_id"),
            _of_states("ended_badly_in_workspace", ENDED_BADLY, "workspace_id", "due_at", "_id"),
            IndexModel(
                [("deadline", 1)],
                name="open_until",
                partialFilterExpression={"deadline": {"$type": "date"}, "state": {"$in": [str(each) for each in OPEN]}},
            ),
            IndexModel([("workspace_id", 1), ("due_at", 1), ("_id", 1)]),
            IndexModel([("post_id", 1), ("account_id", 1)], unique=True),
            *(IndexModel([(each, 1)], partialFilterExpression={each: {"$type": "string"}}) for each in SHOWN),
            # What must not be, and what seldom is: for the watchdog alone, and of no weight on the way to online.
            IndexModel(
                [("due_at", 1)], name="unproven", partialFilterExpression={"state": str(State.ONLINE), "receipts": []}
            ),
            IndexModel(
                [("answered_at", 1)],
                name="of_parts",
                partialFilterExpression={"answered_at": {"$type": "date"}, "receipts.1": {"$exists": True}},
            ),
            IndexModel([("prepare_at", 1)], partialFilterExpression={"prepare_at": {"$type": "date"}}),
            IndexModel(
                [("account_id", 1), ("answered_at", 1)], partialFilterExpression={"answered_at": {"$type": "date"}}
            ),
        )

    @model_validator(mode="before")
    @classmethod
    def _before_there_were_parts(cls, found: Json) -> Json:
        """What was stored then has its one receipt beside the list."""
        receipt = found.get("receipt") if isinstance(found, dict) else None
        return {**found, "receipts": [receipt]} if receipt else found

    @classmethod
    def engine(cls) -> AsyncCollection[Json]:
        """The collection over all workspaces, for the engine alone."""
        return cls.get_pymongo_collection()

    @classmethod
    async def renditions_shown(cls, ids: Sequence[str], *, since: datetime) -> set[str]:
        """Which of these renditions a publication shows that may still go out, or has been online only since then."""
        shown: set[str] = set()
        alive: Json = {"$or": [{"state": {"$ne": State.ONLINE}}, {"updated_at": {"$gte": since}}]}
        for field in SHOWN:
            found = cls.engine().find({field: {"$in": list(ids), "$type": "string"}, **alive}, {"content": 1})
            async for each in found:
                shown |= _renditions(each, *field.split("."))
        return shown & set(ids)

    # What a person does. Every condition on the state stands in the write itself.

    @classmethod
    async def of_post(
        cls, caller: Caller, post_id: PydanticObjectId, session: AsyncClientSession | None = None
    ) -> list["Publication"]:
        """The publications of one post, by account."""
        return (
            await cls.find({"workspace_id": caller.workspace_id, "post_id": post_id}, session=session)
            .sort("account_id")
            .to_list()
        )

    @classmethod
    async def states_of(
        cls, workspace_id: PydanticObjectId, posts: Collection[PydanticObjectId]
    ) -> dict[PydanticObjectId, list[State]]:
        """By post, the states of its publications, those too that cannot be read: a state that only a newer version
        knows is as good as held."""
        its = {"workspace_id": workspace_id, "post_id": {"$in": list(posts)}}
        states: dict[PydanticObjectId, list[State]] = {}
        async for each in cls.engine().find(its, {"post_id": 1, "state": 1}):
            states.setdefault(each["post_id"], []).append(KNOWN.get(each["state"], State.HELD))
        return states

    @classmethod
    async def forget(cls, post_id: PydanticObjectId, caller: Caller, session: AsyncClientSession) -> None:
        """Removes the publications of a post of which nothing went out."""
        gone = {"workspace_id": caller.workspace_id, "post_id": post_id}
        await cls.get_pymongo_collection().delete_many(gone, session=session)

    @classmethod
    async def change(
        cls,
        publication: "Publication",
        changes: Json,
        session: AsyncClientSession,
        *,
        states: Sequence[State] = CHANGEABLE,
        in_doubt: bool | None = False,
    ) -> "Publication | None":
        """Sets `changes` if it is still in one of `states`, and takes it from whoever holds it. None if it is not, or
        if its content was changed or a part went out since `publication` was read: what is to be prepared is decided
        by the content, and what may be changed by what is online.

        What may be online already (`in_doubt`) is left alone unless the caller means just that, or (None) either.
        """
        free: Json = FREE | {"updated_at": publication.later(now())}
        doubt: Json = {} if in_doubt is None else {"ambiguous": in_doubt}
        return cls._read(
            await cls.engine().find_one_and_update(
                publication.as_it_was()
                | {"workspace_id": publication.workspace_id, "state": {"$in": list(states)}}
                | doubt,
                {"$set": free | changes},
                return_document=True,
                session=session,
            )
        )

    @classmethod
    async def page(
        cls,
        caller: Caller,
        *,
        states: Sequence[State] | None,
        on_hold: bool | None = None,
        since: datetime | None,
        until: datetime | None,
        after: tuple[datetime, PydanticObjectId] | None,
        newest_first: bool,
        limit: int,
    ) -> list["Publication"]:
        """The caller's publications by due time, `since` <= due < `until`, at most `limit`, following `after`; of what
        is held only what a hold keeps back (`on_hold`), or only the rest (False), or all of it (None)."""
        filters: list[Json] = []
        if states:
            held_by = next((each for each in (OPEN, ENDED_BADLY) if set(states) <= set(each)), states)
            filters.append(in_states(states, held_by))
        if on_hold is not None:
            code = ON_HOLD if on_hold else {"$ne": ON_HOLD}
            filters.append({"$or": [{"state": {"$ne": State.HELD}}, {"reason.code": code}]})
        if since is not None:
            filters.append({"due_at": {"$gte": since}})
        if until is not None:
            filters.append({"due_at": {"$lt": until}})
        if after is not None:
            beyond = "$lt" if newest_first else "$gt"
            due_at, id = after
            filters.append({"$or": [{"due_at": {beyond: due_at}}, {"due_at": due_at, "_id": {beyond: id}}]})
        direction = "-" if newest_first else "+"
        return await cls.of(caller, *filters).sort(f"{direction}due_at", f"{direction}_id").limit(limit).to_list()

    # What the engine does.

    @classmethod
    async def concluded(
        cls, publication: "Publication", changes: Json, session: AsyncClientSession, *, token: str | None, state: State
    ) -> "Publication | None":
        """Writes what became of one in `state` under the claim `token`. None if the claim no longer holds it."""
        return cls._read(
            await cls.engine().find_one_and_update(
                publication.as_it_was() | {"token": token, "state": state},
                {"$set": changes},
                return_document=True,
                session=session,
            )
        )

    @classmethod
    async def went_out(
        cls, publication: Facts, changes: Json, session: AsyncClientSession | None = None
    ) -> "Publication | None":
        """Writes a receipt of the part whose turn it was. It needs no claim: a fact passes on the turn, or ends it all,
        in any state but a final one. None if it was final, or its turn had passed on already.
        """
        return cls._read(
            await cls.engine().find_one_and_update(
                publication.as_it_was() | {"state": {"$nin": list(FINAL)}},
                {"$set": changes | FREE},
                return_document=True,
                session=session,
            )
        )

    @classmethod
    def readable(cls, found: Json) -> "Publication | None":
        """It, unless a newer version wrote it so that this one cannot read it, or does not know its platform: then it
        waits for that one, and keeps back nobody else."""
        publication: Publication | None = readable(cls, found)
        return publication

    @classmethod
    async def take_to_prepare(cls, work: Work, *, most: int, at: datetime) -> list["Publication"]:
        """Takes what may be prepared at the instant `at` and is in nobody's hands."""
        states = [State.PLANNED, State.WAITING, State.PREPARING]
        due = {"prepare_at": {"$lte": at, "$type": "date"}, "state": {"$in": states}}
        return await cls._take(due, work, {"state": State.PREPARING}, order="prepare_at", most=most, at=at)

    @classmethod
    async def take_to_settle(
        cls, work: Work, *, most: int, few: int, apart: timedelta, at: datetime
    ) -> list["Publication"]:
        """Takes what is in doubt and due for a look at the instant `at`: of one account `few`, and none while others of
        it are looked for.

        What else is due on an account is put off, `few` at a time, `apart` from one another: each look is a question
        to the platform, whose patience with an account is small, and which may ask money for it.
        """
        doubted: Json = {"state": State.UNCONFIRMED}
        any_time = {"next_at": {"$type": "date"}}  # for the index
        busy = await cls.engine().distinct("account_id", doubted | any_time | {"work.lease_until": {"$gt": at}})
        due = doubted | {"next_at": {"$lte": at}, "account_id": {"$nin": busy}}
        waiting = cls.engine().find(due, {"account_id": 1}).sort("next_at", 1).limit(most * FAR)
        first: list[ObjectId] = []
        later: dict[ObjectId, datetime] = {}
        seen: dict[ObjectId, int] = {}
        async for found in waiting:
            rank = seen[found["account_id"]] = seen.get(found["account_id"], -1) + 1
            if rank < few and len(first) < most:
                first.append(found["_id"])
            elif rank >= few:
                later[found["_id"]] = at + apart * (rank // few)
        if later:
            its = {"$arrayElemAt": [list(later.values()), {"$indexOfArray": [list(later), "$_id"]}]}
            await cls.engine().update_many({"_id": {"$in": list(later)}} | due, [{"$set": {"next_at": its}}])
        if not first:
            return []
        return await cls._take(due | {"_id": {"$in": first}}, work, {}, order="next_at", most=most, at=at)

    @classmethod
    async def kept_apart_until(
        cls,
        account_id: ObjectId,
        *,
        overdue: timedelta,
        spacing: timedelta,
        at: datetime,
        but: Sequence[ObjectId] = (),
    ) -> datetime | None:
        """When the next one that is overdue may go out on an account, `spacing` after the last such that went out or is
        in line at the instant `at`, apart from those of `but`; None if there was none lately."""
        lately = {"account_id": account_id, "answered_at": {"$gt": at - spacing, "$type": "date"}}
        gone = [each async for each in cls.engine().find(lately, {"begun_at": 1, "due_at": 1}) if each.get("begun_at")]
        soon = {"account_id": account_id, "next_at": {"$gt": at, "$lte": at + LINE}, "reason.code": SPACED}
        line = cls.engine().find(soon | in_states(CLAIMABLE, OPEN), {"next_at": 1})
        last = [each["begun_at"] for each in gone if each["begun_at"] - each["due_at"] >= overdue]
        last += [each["next_at"] async for each in line if each["_id"] not in but]
        return max(last) + spacing if last else None

    @classmethod
    async def ids_beside(
        cls, publication: "Publication", accounts: Sequence[ObjectId], since: datetime
    ) -> frozenset[str]:
        """The platform's ids of posts on `accounts` that are known to be others: other publications' and this one's
        other parts', as far as they were made since: the same words may be there twice. Where a person gave a post's
        address, its last part is the id."""
        lately = {"$gte": since - timedelta(days=1), "$type": "date"}
        answered = {"account_id": {"$in": list(accounts)}, "answered_at": lately}
        beside = cls.engine().find(answered, {"receipts.id": 1})
        found = [receipt["id"] async for other in beside for receipt in other.get("receipts", ())]
        found += [receipt.id for receipt in publication.receipts]
        found += [id.rstrip("/").rpartition("/")[2] for id in found if id.startswith("http")]
        return frozenset(found) - {""}

    @classmethod
    async def said_to_be_there_beside(cls, accounts: Sequence[ObjectId], since: datetime) -> list["Publication"]:
        """What was sent on `accounts` since and is online on the word of a person who did not say which post it is."""
        lately = {"$gte": since, "$type": "date"}
        said = {"account_id": {"$in": list(accounts)}, "answered_at": lately, "receipts.evidence": "person"}
        beside = [cls.readable(found) async for found in cls.engine().find(said)]
        return [
            each for each in beside if each and each.receipts[0].id == "" and each.sent_at and each.sent_at >= since
        ]

    @classmethod
    async def unheard_of_beside(cls, publication: "Publication", accounts: Sequence[ObjectId]) -> list["Publication"]:
        """What else on `accounts` is being sent at this moment, or may be online already."""
        states = (State.SENDING, State.UNCONFIRMED, State.WAITING, State.QUEUED, State.HELD)
        others = in_states(states, OPEN) | {
            "account_id": {"$in": list(accounts)},
            "_id": {"$ne": publication.id},
            "$or": [{"state": State.SENDING}, {"ambiguous": True}],
        }
        beside = [cls.readable(found) async for found in cls.engine().find(others)]
        return [each for each in beside if each is not None]

    @classmethod
    async def at_work(
        cls,
        publication: "Publication",
        changes: Json,
        *,
        work: Work,
        at: datetime,
        session: AsyncClientSession | None = None,
    ) -> "Publication | None":
        """Writes what preparing or settling came to. None if it was edited, cancelled or taken over meanwhile, or a
        part went out."""
        return cls._read(
            await cls.engine().find_one_and_update(
                publication.as_it_was() | {"work.token": work.token},
                {"$set": changes | {"updated_at": publication.later(at)}},
                return_document=True,
                session=session,
            )
        )

    @classmethod
    async def needed(cls, workspace_id: PydanticObjectId, renditions: Collection[str]) -> set[str]:
        """Which of these renditions are in what the workspace has planned and what has not ended."""
        among: Json = {"$in": list(renditions), "$type": "string"}
        needed: set[str] = set()
        for field in SHOWN:
            open_ones = {"workspace_id": workspace_id, field: among, "state": {"$in": list(OPEN)}}
            found = cls.get_pymongo_collection().find(open_ones, {"content": 1})
            needed |= {id async for each in found for id in _renditions(each, *field.split("."))}
        return needed & set(renditions)

    @classmethod
    async def longest_overdue(cls, at: datetime) -> tuple[State, datetime] | None:
        """State and `next_at` of what should have been looked at longest before `at` (UTC); None if nothing waits."""
        overdue: list[Json] = []
        for states in (AHEAD, TAKEN, (State.UNCONFIRMED,)):
            due = {"state": {"$in": list(states)}, "next_at": {"$lt": at}}
            found = await cls.engine().find_one(due, {"state": 1, "next_at": 1}, sort=[("next_at", 1)])
            overdue += [found] if found else []
        first = min(overdue, key=lambda each: each["next_at"], default=None)
        return (State(first["state"]), first["next_at"]) if first else None

    @classmethod
    async def _take(
        cls, due: Json, work: Work, changes: Json, *, order: str, most: int, at: datetime
    ) -> list["Publication"]:
        free: Json = {"$or": [{"work": None}, {"work.lease_until": {"$lt": at}}]}
        ids = [found["_id"] async for found in cls.engine().find(due | free, {"_id": 1}).sort(order, 1).limit(most)]
        if not ids:
            return []
        mine: Json = {"_id": {"$in": ids}}
        died = {"$cond": [{"$eq": [{"$type": "$work"}, "object"]}, 1, 0]}  # nobody ended what it had begun
        taken = changes | {
            "work": {"$literal": as_bson(work)},
            "deaths": {"$add": [{"$ifNull": ["$deaths", 0]}, died]},
            "updated_at": {"$max": [at, {"$add": ["$updated_at", 1]}]},
        }
        await cls.engine().update_many(due | free | mine, [{"$set": taken}])
        taken_now = [each async for each in cls.engine().find(mine | {"work.token": work.token})]
        readable = [each for each in map(cls.readable, taken_now) if each is not None]
        if left := {each["_id"] for each in taken_now} - {each.id for each in readable}:  # no process dies of them
            later = {"$set": {"work": None, order: work.lease_until}}
            await cls.engine().update_many({"_id": {"$in": list(left)}, "work.token": work.token}, later)
        return readable

    @classmethod
    def _read(cls, found: Json | None) -> "Publication | None":
        return None if found is None else cls._certain(found)

    @classmethod
    def _certain(cls, found: Json) -> "Publication":
        publication: Publication = cls.model_validate(found)
        return publication
