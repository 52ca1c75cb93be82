"""Invitations: a link with which one person becomes a member. Good once, for seven days, and only its hash is kept."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import ClassVar, Self

from beanie import PydanticObjectId
from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession

from social.backing.mongo import BSON_ENCODERS
from social.people.documents import Membership
from social.people.roles import REACH, Role
from social.people.workspaces import OfWorkspace

LASTS = timedelta(days=7)
MOST = 100  # open ones in a workspace


class Invitation(OfWorkspace):
    """One that is open: accepting, withdrawing and expiring remove it. `note` helps the inviter to tell it apart."""

    noun = "invitation"

    digest: str  # of the token in the link: SHA-256, in hex
    role: Role
    note: str
    invited_by: PydanticObjectId
    inviter: str  # their name
    created_at: datetime
    expires_at: datetime

    class Settings:
        name = "invitations"
        bson_encoders = BSON_ENCODERS
        indexes: ClassVar = [
            IndexModel([("digest", ASCENDING)], unique=True),
            IndexModel([("workspace_id", ASCENDING)]),
            IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
        ]

    @classmethod
    async def open(cls, token: str, now: datetime, session: AsyncClientSession | None = None) -> Self | None:
        """The one that this token is of, unless it was used, withdrawn or ran out."""
        return await cls.find_one({"digest": digest(token), "expires_at": {"$gt": now}}, session=session)

    @classmethod
    async def use_up(cls, id: PydanticObjectId, session: AsyncClientSession) -> bool:
        """Takes it out of the world; False if somebody else has."""
        used = await cls.get_pymongo_collection().delete_one({"_id": id}, session=session)
        return used.deleted_count == 1

    @classmethod
    async def count_in(cls, workspace_id: PydanticObjectId, now: datetime, session: AsyncClientSession) -> int:
        """How many are open in a workspace."""
        open = {"workspace_id": workspace_id, "expires_at": {"$gt": now}}
        return await cls.get_pymongo_collection().count_documents(open, session=session)

    @classmethod
    async def void(cls, inviter: Membership, role: Role | None, session: AsyncClientSession) -> None:
        """Withdraws what a member who is now `role`, or none any more, could not promise today."""
        beyond = set(Role) - (REACH[role] if role else set())
        await cls.get_pymongo_collection().delete_many(
            {
                "workspace_id": inviter.workspace_id,
                "invited_by": inviter.user_id,
                "role": {"$in": sorted(map(str, beyond))},
            },
            session=session,
        )


def new_token() -> str:
    """256 random bits, fit for a link."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()
