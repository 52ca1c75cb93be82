"""Users, workspaces, memberships and sessions, and every query on them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from beanie import Document, PydanticObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from social.backing.mongo import BSON_ENCODERS, as_bson, stored
from social.people.lateness import USUAL, Lateness
from social.people.roles import Role
from social.people.workspaces import OfWorkspace

IDLE = timedelta(days=30)  # a session not used for so long ends
LIFE = timedelta(days=60)  # and every session ends after this


class User(Document):
    """A person who can sign in."""

    email: str  # as they wrote it
    email_folded: str  # what makes it unique: `folded(email)`
    password_hash: str
    password_rev: int = 0  # rises with each change of the password, so that a sign-in by the one before is found out
    name: str
    zone: str  # IANA
    created_at: datetime

    class Settings:
        name = "users"
        indexes = (IndexModel([("email_folded", ASCENDING)], unique=True),)
        bson_encoders = BSON_ENCODERS

    @classmethod
    async def by_email(cls, email: str) -> Self | None:
        """The user with this e-mail, whatever its case."""
        return await cls.find_one({"email_folded": folded(email)})

    async def rehash(self, password_hash: str) -> None:
        """Stores a hash with today's parameters, unless the password was changed meanwhile."""
        await self.get_pymongo_collection().update_one(
            {"_id": self.id, "password_hash": self.password_hash}, {"$set": {"password_hash": password_hash}}
        )

    async def new_password(self, password_hash: str, session: AsyncClientSession, *, instead: bool = False) -> bool:
        """Stores the hash of another password; with `instead` only in place of the one known here, else False."""
        which = {"_id": self.id} | ({"password_hash": self.password_hash} if instead else {})
        changed = await self.get_pymongo_collection().update_one(
            which, {"$set": {"password_hash": password_hash}, "$inc": {"password_rev": 1}}, session=session
        )
        return changed.matched_count == 1

    async def has_this_password(self) -> bool:
        """Whether the password is still the one that is known here."""
        found = await self.get_pymongo_collection().find_one({"_id": self.id}, {"password_rev": 1})
        return found is not None and found.get("password_rev", 0) == self.password_rev


Originals = Literal["keep", "drop"]


class Workspace(Document):
    """People and accounts that belong together. The founding one was made by the set-up; there is one at most."""

    name: str
    founding: bool = False
    created_at: datetime
    people_rev: int = 0  # rises with each change of its people, so that two changes at once are one after the other
    files_rev: int = 0  # the same for what takes room
    lateness: Annotated[Lateness, stored(Lateness)] = USUAL  # of posts that say nothing else
    originals: Originals = "keep"  # what becomes of files once all that shows them is online

    class Settings:
        name = "workspaces"
        indexes = (
            IndexModel([("founding", ASCENDING)], unique=True, partialFilterExpression={"founding": True}),
            IndexModel([("originals", ASCENDING)], partialFilterExpression={"originals": "drop"}),
        )
        bson_encoders = BSON_ENCODERS

    @classmethod
    async def founded(cls) -> bool:
        """Whether the set-up has been done."""
        return await cls.get_pymongo_collection().find_one({"founding": True}, {"_id": 1}) is not None

    @classmethod
    async def people_change(cls, id: PydanticObjectId, session: AsyncClientSession) -> None:
        """Begins a change of its people, in a transaction: another one that has begun will be done anew after it."""
        await cls.get_pymongo_collection().update_one({"_id": id}, {"$inc": {"people_rev": 1}}, session=session)

    @classmethod
    async def files_change(cls, id: PydanticObjectId, session: AsyncClientSession) -> None:
        """Begins, in a transaction, what takes room: another one that has begun will be done anew after it."""
        await cls.get_pymongo_collection().update_one({"_id": id}, {"$inc": {"files_rev": 1}}, session=session)

    @classmethod
    async def lateness_of(cls, id: PydanticObjectId, session: AsyncClientSession | None = None) -> Lateness:
        """How late its posts may go out unless they say otherwise."""
        found = await cls.find_one({"_id": id}, session=session)
        return found.lateness if found else USUAL

    @classmethod
    async def set_lateness(cls, id: PydanticObjectId, lateness: Lateness) -> None:
        """Holds for what is planned from now on."""
        await cls.get_pymongo_collection().update_one({"_id": id}, {"$set": {"lateness": as_bson(lateness)}})

    @classmethod
    async def originals_of(cls, id: PydanticObjectId) -> Originals:
        """What becomes of its files."""
        found = await cls.find_one({"_id": id})
        return found.originals if found else "keep"

    @classmethod
    async def set_originals(cls, id: PydanticObjectId, originals: Originals) -> None:
        """Holds for all its files, those too that are there."""
        await cls.get_pymongo_collection().update_one({"_id": id}, {"$set": {"originals": originals}})

    @classmethod
    async def dropping(cls) -> list[PydanticObjectId]:
        """The workspaces that do not keep originals."""
        return [each["_id"] async for each in cls.get_pymongo_collection().find({"originals": "drop"}, {"_id": 1})]

    @classmethod
    async def all_with(cls, ids: Sequence[PydanticObjectId]) -> list[Self]:
        """Those with these ids, in their order."""
        there = {workspace.id: workspace async for workspace in cls.find({"_id": {"$in": list(ids)}})}
        return [there[id] for id in ids if id in there]


class Membership(OfWorkspace):
    """What a user is in a workspace."""

    noun = "member"

    user_id: PydanticObjectId
    role: Role
    created_at: datetime

    class Settings:
        name = "memberships"
        indexes = (
            IndexModel([("user_id", ASCENDING), ("workspace_id", ASCENDING)], unique=True),
            IndexModel([("workspace_id", ASCENDING)]),
        )
        bson_encoders = BSON_ENCODERS

    @classmethod
    async def of_user(cls, user_id: PydanticObjectId, session: AsyncClientSession | None = None) -> list[Self]:
        """All workspaces a user is in, the first they joined first. At most 200."""
        found = await cls.listed({"user_id": user_id}).set_session(session).limit(200).to_list()
        return sorted(found, key=lambda membership: (membership.created_at, str(membership.id)))

    @classmethod
    async def between(
        cls, user_id: PydanticObjectId, workspace_id: PydanticObjectId, session: AsyncClientSession
    ) -> Self | None:
        """What a user is in a workspace, seen from a transaction; None if they are not in it."""
        return await cls.find_one({"user_id": user_id, "workspace_id": workspace_id}, session=session)

    @classmethod
    async def count_in(
        cls, workspace_id: PydanticObjectId, session: AsyncClientSession, role: Role | None = None
    ) -> int:
        """How many members a workspace has, or how many of them are `role`, seen from a transaction."""
        which = {"workspace_id": workspace_id} | ({} if role is None else {"role": str(role)})
        return await cls.get_pymongo_collection().count_documents(which, session=session)


class Session(Document):
    """One signed-in browser or program: the family of refresh tokens that followed one another since the sign-in.

    Tokens are stored as SHA-256. The successor of the previous one is kept sealed for a few seconds' retries.
    """

    user_id: PydanticObjectId
    version: int = 1  # of the access tokens that count; raising it ends those that are out
    current: bytes
    previous: bytes | None = None
    successor: bytes | None = None
    rotated_at: datetime | None = None
    created_at: datetime
    used_at: datetime
    ends_at: datetime
    user_agent: str = ""

    class Settings:
        name = "sessions"
        indexes = (
            IndexModel([("user_id", ASCENDING), ("used_at", DESCENDING)]),
            IndexModel([("ends_at", ASCENDING)], expireAfterSeconds=0),
        )
        bson_encoders = BSON_ENCODERS

    @classmethod
    async def alive(cls, id: PydanticObjectId, now: datetime) -> Self | None:
        """The session, unless it ended."""
        return await cls.find_one({"_id": id, "ends_at": {"$gt": now}})

    @classmethod
    async def rotate(
        cls, id: PydanticObjectId, used: bytes, new: bytes, successor: bytes, now: datetime
    ) -> datetime | None:
        """Makes `new` the current token if `used` is it: one of many that try at once. When the session then ends,
        or None if `used` is not the current one, or the session ended."""
        ends_at = {"$min": [now + IDLE, {"$add": ["$created_at", LIFE // timedelta(milliseconds=1)]}]}
        rotated = await cls.get_pymongo_collection().find_one_and_update(
            {"_id": id, "current": used, "ends_at": {"$gt": now}},
            [
                {
                    "$set": {
                        "current": new,
                        "previous": used,
                        "successor": successor,
                        "rotated_at": now,
                        "used_at": now,
                        "ends_at": ends_at,
                    }
                }
            ],
            projection={"ends_at": 1},
            return_document=ReturnDocument.AFTER,
        )
        return None if rotated is None else rotated["ends_at"]

    @classmethod
    async def end(cls, id: PydanticObjectId) -> None:
        """Signs it out: neither its refresh tokens nor its access tokens count any more."""
        await cls.get_pymongo_collection().delete_one({"_id": id})

    @classmethod
    async def of_user(cls, user_id: PydanticObjectId, now: datetime) -> list[Self]:
        """Where a user is signed in, what was used last at the front. At most 200."""
        mine = cls.find({"user_id": user_id, "ends_at": {"$gt": now}})
        return await mine.sort([("used_at", DESCENDING)]).limit(200).to_list()  # type: ignore[list-item]

    @classmethod
    async def end_one(cls, id: PydanticObjectId, user_id: PydanticObjectId) -> bool:
        """Ends a session of this user; False if they have none with this id."""
        ended = await cls.get_pymongo_collection().delete_one({"_id": id, "user_id": user_id})
        return ended.deleted_count == 1

    @classmethod
    async def end_others(
        cls, user_id: PydanticObjectId, kept: PydanticObjectId | None, session: AsyncClientSession | None = None
    ) -> None:
        """Ends all sessions of this user but one, or none."""
        await cls.get_pymongo_collection().delete_many({"user_id": user_id, "_id": {"$ne": kept}}, session=session)


class Tries(Document):
    """How much of an allowance is used up, as the instant at which it is whole again. See `tries.py`."""

    id: str  # type: ignore[assignment]  # what is tried, and by whom
    whole_at: datetime

    class Settings:
        name = "tries"
        indexes = (IndexModel([("whole_at", ASCENDING)], expireAfterSeconds=0),)

    @classmethod
    async def take(cls, key: str, *, every: timedelta, burst: int) -> timedelta | None:
        """Takes one of `burst`, of which one comes back `every` so often. None if there was one, else how long to wait.

        One atomic update by the server's clock, so many instances share one allowance.
        """
        step, room = every // timedelta(milliseconds=1), burst * every // timedelta(milliseconds=1)
        start = {"$max": [{"$ifNull": ["$whole_at", "$$NOW"]}, "$$NOW"]}
        update: list[dict[str, Any]] = [
            {"$set": {"now": "$$NOW", "then": {"$add": [start, step]}, "start": start}},
            {"$set": {"taken": {"$lte": [{"$subtract": ["$then", "$now"]}, room]}}},
            {"$set": {"whole_at": {"$cond": ["$taken", "$then", "$start"]}}},
        ]
        tries = cls.get_pymongo_collection()
        try:
            after = await tries.find_one_and_update(
                {"_id": key}, update, upsert=True, return_document=ReturnDocument.AFTER
            )
        except DuplicateKeyError:  # two made it at once
            after = await tries.find_one_and_update({"_id": key}, update, return_document=ReturnDocument.AFTER)
        if after is None or after["taken"]:  # None: expired and swept between the two, so it was whole
            return None
        waiting: timedelta = after["then"] - after["now"] - burst * every
        return waiting

    @classmethod
    async def forget(cls, key: str) -> None:
        """Gives the whole allowance back."""
        await cls.get_pymongo_collection().delete_one({"_id": key})


def folded(email: str) -> str:
    """What two spellings of one e-mail address have in common."""
    return email.strip().casefold()
