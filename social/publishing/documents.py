"""A publication: one post on one account; planned, sent once. All queries about it live here.

The engine's own queries cross workspaces and go through `engine()`; doors use `of` and `found`.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Self

import msgspec
from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field, model_validator
from pymongo import IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection

from social.backing.mongo import BSON_ENCODERS, as_bson, stored
from social.backing.owner import Owner
from social.moments import now
from social.people.roles import Caller
from social.people.workspaces import OfWorkspace
from social.platforms import PLATFORMS
from social.platforms.contract import Content, Prepared, Realm, Receipt, Turn
from social.publishing.states import CHANGEABLE, FINAL, Progress, Reason, State, Step

KEYS = uuid.UUID("7f0c6f5e-6a0e-4b57-9a4d-3a1f6f2b8f10")  # namespace of idempotency keys
Json = dict[str, Any]
FAR = 20  # times as many as are taken are read, so that one account with many does not hide the others
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
FREE: Json = {"token": None, "owner": None, "work": None}  # in nobody's hands


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A definite no that came while an earlier attempt was in doubt: the error's class, sentence and facts."""

    kind: str
    sentence: str
    until: datetime | None = None


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """Who prepares or settles a publication, until when. Never the lane's claim."""

    token: str
    lease_until: datetime
    owner: Owner


def key_of(id: ObjectId, rev: int, part: int = 0) -> str:
    """The idempotency key of a part: a function of publication, revision and part, so every attempt has the same."""
    return str(uuid.uuid5(KEYS, f"{id}:{rev}:{part}"))


def preparing_begins(content: Content, platform: str, due_at: datetime) -> datetime | None:
    """When `content` may begin to be prepared for `due_at`, or None where there is nothing to prepare."""
    kind = PLATFORMS[platform]
    return max(now(), due_at - kind.prepare_ahead) if kind.prepares(content) else None


class Publication(OfWorkspace):
    """One post on one account. Its content is frozen inside, so an attempt reads nothing else but the account."""

    noun = "publication"

    id: PydanticObjectId = Field(default_factory=PydanticObjectId)
    post_id: PydanticObjectId
    account_id: PydanticObjectId
    platform: str
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
        indexes = (
            IndexModel([("state", 1), ("next_at", 1)]),
            IndexModel([("prepare_at", 1)], partialFilterExpression={"prepare_at": {"$type": "date"}}),
            IndexModel([("account_id", 1), ("state", 1), ("next_at", 1), ("_id", 1)]),
            IndexModel([("workspace_id", 1), ("due_at", 1), ("_id", 1)]),
            IndexModel([("workspace_id", 1), ("state", 1), ("due_at", 1), ("_id", 1)]),
            IndexModel([("post_id", 1), ("account_id", 1)], unique=True),
            IndexModel([("account_id", 1), ("answered_at", 1)]),
            IndexModel([("token", 1)], partialFilterExpression={"token": {"$type": "string"}}),
        )

    @model_validator(mode="before")
    @classmethod
    def _before_there_were_parts(cls, found: Json) -> Json:
        """What was stored then has its one receipt beside the list."""
        receipt = found.get("receipt") if isinstance(found, dict) else None
        return {**found, "receipts": [receipt]} if receipt else found

    @classmethod
    def kept(cls, found: Json) -> Self:
        """What the engine itself stored, read back without the checks that `model_validate` makes: a tenth of its cost,
        at every one of the thousands that fall due in a second."""
        read = {**DEFAULTS, **found}
        read["id"] = read.pop("_id")
        read["state"] = State(read["state"])
        for name, kind in STRUCTS.items():
            read[name] = msgspec.convert(read[name], kind)
        kept: Self = cls.model_construct(**read)
        return kept

    def with_changes(self, changes: Json) -> Self:
        """It after `changes`, whole fields as they are stored, were written into it."""
        changed = {
            name: msgspec.convert(value, STRUCTS[name]) if name in STRUCTS else value for name, value in changes.items()
        }
        after: Self = self.model_construct(**{**self.__dict__, **changed})
        return after

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return Progress(online=len(self.receipts), parts=len(self.content.parts))

    @property
    def partly_online(self) -> bool:
        """Whether some of its parts are online, but not all, and it may go on."""
        return bool(self.receipts) and self.state not in FINAL

    @property
    def receipt(self) -> Receipt | None:
        """Proof that it is online: its first part's, with what is to be said about any. None while nothing is."""
        if not self.receipts:
            return None
        notes = tuple(note for each in self.receipts for note in each.notes)
        return msgspec.structs.replace(self.receipts[0], notes=notes)

    def first_media(self) -> str | None:
        """The id of its first file, which stands for it in lists."""
        return self.content.files[0].media_id if self.content.files else None

    def turn(self, remote_account: str, handle: str = "") -> Turn:
        """What the platform is given to make public, as it was frozen. `remote_account`: its id of the account."""
        return Turn(
            content=self.content,
            prepared=self.prepared,
            key=self.key,
            first_sent_at=self.first_sent_at or self.sent_at or self.due_at,
            remote_account=remote_account,
            handle=handle,
            part=self.part,
            before=tuple(self.receipts),
        )

    def prepare_for(self, due_at: datetime) -> datetime | None:
        """When preparing for `due_at` may begin; None where nothing is to be prepared (any more)."""
        if self.prepared_until is not None and self.prepared_until > due_at:
            return None
        return preparing_begins(self.content, self.platform, due_at)

    def after(self, step: Step, at: datetime) -> Json:
        """What `step`, decided for this publication at the instant `at`, writes into it."""
        written: Json = {
            "state": step.state,
            "next_at": step.again_at,
            "reason": as_bson(step.reason) if step.reason else None,
            "tries": self.tries + step.counts,
            "updated_at": at,
        }
        if step.ambiguous is not None:
            written["ambiguous"] = step.ambiguous
        if step.ambiguous is False:
            written |= {"refusal": None, "looks": 0}
        if step.prepare_anew:
            written |= {"prepared": {}, "prepared_until": None, "prepare_at": step.again_at, "waits_since": None}
        return written

    def turn_passes(self, receipt: Receipt) -> Json:
        """What the receipt of the part whose turn it is writes besides: the next one begins without a past."""
        receipts = [as_bson(each) for each in (*self.receipts, receipt)]
        if len(receipts) == len(self.content.parts):
            return {"receipts": receipts}
        return {
            "receipts": receipts,
            "part": self.part + 1,
            "key": key_of(self.id, self.rev, self.part + 1),
            "first_sent_at": None,
            "attempts_before": self.attempt_no,
            "tries": 0,
            "deaths": 0,
        }

    def as_it_was(self) -> Json:
        """The condition that neither its content nor the part whose turn it is has changed since it was read.

        What was planned before there were parts has none stored.
        """
        return {"_id": self.id, "rev": self.rev, "part": self.part if self.part else {"$in": [0, None]}}

    @classmethod
    def engine(cls) -> AsyncCollection[Json]:
        """The collection over all workspaces, for the engine alone."""
        return cls.get_pymongo_collection()

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
        free: Json = {"token": None, "owner": None, "work": None, "updated_at": now()}
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
    async def on_account(cls, account_id: PydanticObjectId | None, states: Sequence[State]) -> list["Publication"]:
        """The publications of one account (it belongs to one workspace) in `states`."""
        there = cls.engine().find({"account_id": account_id, "state": {"$in": list(states)}})
        return [cls._certain(found) async for found in there]

    @classmethod
    async def page(
        cls,
        caller: Caller,
        *,
        states: Sequence[State] | None,
        since: datetime | None,
        until: datetime | None,
        after: tuple[datetime, PydanticObjectId] | None,
        newest_first: bool,
        limit: int,
    ) -> list["Publication"]:
        """The caller's publications by due time, `since` <= due < `until`, at most `limit`, following `after`."""
        filters: list[Json] = []
        if states:
            filters.append({"state": {"$in": list(states)}})
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
        cls, publication: "Publication", changes: Json, session: AsyncClientSession
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
        busy = await cls.engine().distinct("account_id", doubted | {"work.lease_until": {"$gt": at}})
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
    async def ids_beside(cls, publication: "Publication", since: datetime) -> frozenset[str]:
        """The platform's ids of posts of this account that are known to be others: other publications' and this one's
        other parts', as far as they were made since: the same words may be there twice."""
        answered = {"account_id": publication.account_id, "answered_at": {"$gte": since - timedelta(days=1)}}
        beside = cls.engine().find(answered, {"receipts.id": 1})
        found = [receipt["id"] async for other in beside for receipt in other.get("receipts", ())]
        return frozenset([*found, *(receipt.id for receipt in publication.receipts)]) - {""}

    @classmethod
    async def unheard_of_beside(cls, publication: "Publication") -> list["Publication"]:
        """What else on its account is being sent at this moment, or may be online already."""
        others = {
            "account_id": publication.account_id,
            "state": {"$in": [State.SENDING, State.UNCONFIRMED, State.WAITING, State.QUEUED, State.HELD]},
            "_id": {"$ne": publication.id},
            "$or": [{"state": State.SENDING}, {"ambiguous": True}],
        }
        return [cls._certain(found) async for found in cls.engine().find(others)]

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
                {"$set": changes | {"updated_at": at}},
                return_document=True,
                session=session,
            )
        )

    @classmethod
    async def longest_overdue(cls, at: datetime) -> tuple[State, datetime] | None:
        """State and `next_at` of what should have been looked at longest before `at` (UTC); None if nothing waits."""
        due = {"state": {"$in": [state for state in State if state not in FINAL]}, "next_at": {"$lt": at}}
        found = await cls.engine().find_one(due, {"state": 1, "next_at": 1}, sort=[("next_at", 1)])
        return (State(found["state"]), found["next_at"]) if found else None

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
            "updated_at": at,
        }
        await cls.engine().update_many(due | free | mine, [{"$set": taken}])
        return [cls._certain(found) async for found in cls.engine().find(mine | {"work.token": work.token})]

    @classmethod
    def _read(cls, found: Json | None) -> "Publication | None":
        return None if found is None else cls._certain(found)

    @classmethod
    def _certain(cls, found: Json) -> "Publication":
        publication: Publication = cls.model_validate(found)
        return publication


STRUCTS: dict[str, Any] = {
    "content": Content,
    "receipts": list[Receipt],
    "reason": Reason | None,
    "prepared": Prepared,
    "owner": Owner | None,
    "work": Work | None,
    "refusal": Refusal | None,
}
DEFAULTS: Json = {
    name: field.get_default(call_default_factory=True)
    for name, field in Publication.model_fields.items()
    if not field.is_required() and name != "id"
}
