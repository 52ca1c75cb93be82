"""Tickets: how somebody signed in opens a socket without a token in its address. Good once, for 30 seconds."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec
from beanie import Document, PydanticObjectId
from pymongo import ASCENDING, IndexModel

from social.moments import now
from social.people.documents import Membership, Session
from social.people.roles import Caller

LASTS = timedelta(seconds=30)


class Admission(msgspec.Struct, frozen=True):
    """Whom a ticket lets in, to hear which workspace, for as long as which session lasts."""

    session_id: PydanticObjectId
    user_id: PydanticObjectId
    workspace_id: PydanticObjectId


class Ticket(Document):
    """Its id is the SHA-256 of what the holder has, in hex."""

    id: str  # type: ignore[assignment]
    session_id: PydanticObjectId
    user_id: PydanticObjectId
    workspace_id: PydanticObjectId
    expires_at: datetime

    class Settings:
        name = "tickets"
        indexes: ClassVar = [IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0)]

    @classmethod
    async def issue(cls, caller: Caller) -> tuple[str, datetime]:
        """A new ticket for the caller in the workspace they act in, and when it runs out."""
        ticket, expires_at = secrets.token_urlsafe(32), now() + LASTS
        await cls(
            id=_digest(ticket),
            session_id=caller.session_id,
            user_id=caller.user_id,
            workspace_id=caller.workspace_id,
            expires_at=expires_at,
        ).insert()
        return ticket, expires_at

    @classmethod
    async def redeem(cls, ticket: str) -> Admission | None:
        """Whom it lets in: once, in time, and while the session lasts and the user is in the workspace. Else None."""
        used = await cls.get_pymongo_collection().find_one_and_delete(
            {"_id": _digest(ticket), "expires_at": {"$gt": now()}}
        )
        if used is None:
            return None
        admission = Admission(used["session_id"], used["user_id"], used["workspace_id"])
        return admission if admission in await admitted([admission]) else None


async def admitted(admissions: Collection[Admission]) -> set[Admission]:
    """Those whose session still lasts and whose user is still in the workspace. Two queries, however many there are."""
    wanted = set(admissions)
    sessions = Session.get_pymongo_collection().find(
        {"_id": {"$in": list({each.session_id for each in wanted})}, "ends_at": {"$gt": now()}}, {"user_id": 1}
    )
    lasting = {(each["_id"], each["user_id"]) async for each in sessions}
    memberships = Membership.get_pymongo_collection().find(
        {"user_id": {"$in": list({each.user_id for each in wanted})}}, {"_id": 0, "user_id": 1, "workspace_id": 1}
    )
    inside = {(each["user_id"], each["workspace_id"]) async for each in memberships}
    return {
        each
        for each in wanted
        if (each.session_id, each.user_id) in lasting and (each.user_id, each.workspace_id) in inside
    }


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()
