"""Connections under way: somebody was sent to a platform, or came back and is asked whether this is the account."""

from datetime import datetime
from typing import Annotated

import msgspec
from beanie import Document, PydanticObjectId
from pydantic import Field
from pymongo import IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession

from social.accounts.documents import SealedApp, Way
from social.backing.mongo import BSON_ENCODERS, stored
from social.backing.vault import Vault
from social.moments import now
from social.people.roles import Caller
from social.platforms.contract import Endpoints, Identity, Realm, Token

KEPT_FOR = 86_400  # seconds after its end in which an account that nobody linked is given back


class Pending(Document):
    """A connection that was begun: bound to a session, a workspace and a platform, used once, for ten minutes."""

    state_hash: str
    session_id: PydanticObjectId
    workspace_id: PydanticObjectId
    platform: str
    realm: Realm
    origin: str
    redirect_uri: str
    endpoints: Annotated[Endpoints, stored(Endpoints)]
    app: Annotated[SealedApp, stored(SealedApp)]
    verifier: bytes  # sealed
    key: bytes | None = None  # sealed; what the token will be bound to, where the server does that
    expires_at: datetime

    class Settings:
        name = "pending_connections"
        bson_encoders = BSON_ENCODERS
        indexes = (
            IndexModel([("state_hash", 1)], unique=True),
            IndexModel([("expires_at", 1)], expireAfterSeconds=0),
        )

    def place(self, field: str) -> str:
        """Where a secret of this connection belongs."""
        return f"{self.workspace_id}:{self.state_hash}:{field}"

    @classmethod
    async def taken(cls, state_hash: str, platform: str, caller: Caller) -> "Pending | None":
        """The connection the caller began, which nobody can take again. None if there is none, or it is too old."""
        found = await cls.get_pymongo_collection().find_one_and_delete(
            {
                "state_hash": state_hash,
                "platform": platform,
                "session_id": caller.session_id,
                "workspace_id": caller.workspace_id,
                "expires_at": {"$gt": now()},
            }
        )
        return None if found is None else cls.model_validate(found)


class FoundAccount(Document):
    """An account we were let into and that nobody has linked yet: bound to a session and a workspace, for ten minutes.

    Taken once: to be linked, or to be given back.
    """

    id: PydanticObjectId = Field(default_factory=PydanticObjectId)
    session_id: PydanticObjectId
    workspace_id: PydanticObjectId
    platform: str
    realm: Realm
    origin: str
    way: Way
    endpoints: Annotated[Endpoints | None, stored(Endpoints | None)]
    app: Annotated[SealedApp, stored(SealedApp)]
    token: bytes  # sealed
    identity: Annotated[Identity, stored(Identity)]
    expires_at: datetime

    class Settings:
        name = "found_accounts"
        bson_encoders = BSON_ENCODERS
        indexes = (IndexModel([("expires_at", 1)], expireAfterSeconds=KEPT_FOR),)

    def place(self, field: str) -> str:
        """Where a secret of it belongs."""
        return f"{self.workspace_id}:{self.id}:found:{field}"

    def opened_token(self, vault: Vault) -> Token:
        """The token in the clear. Unsealable if it was sealed for something else."""
        return msgspec.json.decode(vault.open(self.token, place=self.place("token")), type=Token)

    @classmethod
    async def taken(
        cls, id: PydanticObjectId, caller: Caller, session: AsyncClientSession | None = None
    ) -> "FoundAccount | None":
        """What the caller found, which nobody can take again. None if there is none, or it is too old."""
        mine = {"_id": id, "session_id": caller.session_id, "workspace_id": caller.workspace_id}
        found = await cls.get_pymongo_collection().find_one_and_delete(
            mine | {"expires_at": {"$gt": now()}}, session=session
        )
        return None if found is None else cls.model_validate(found)

    @classmethod
    async def take_forgotten(cls) -> "FoundAccount | None":
        """One that nobody linked in time, of any workspace: the caller gives it back now."""
        found = await cls.get_pymongo_collection().find_one_and_delete({"expires_at": {"$lte": now()}})
        return None if found is None else cls.model_validate(found)
