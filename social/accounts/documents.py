"""Connected accounts, the apps they were connected through, and connections that were begun."""

from datetime import datetime
from typing import Annotated, Literal, Self

import msgspec
from beanie import Document, PydanticObjectId
from pydantic import Field
from pymongo import IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession

from social.backing.mongo import BSON_ENCODERS, as_bson, stored
from social.backing.vault import Vault
from social.moments import now
from social.people.roles import Caller
from social.people.workspaces import OfWorkspace
from social.platforms.contract import App, Limits, Realm, Token

AccountState = Literal["connected", "disconnected"]


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why an account is not connected: a code for machines and words for people."""

    code: str
    text: str


class SealedApp(msgspec.Struct, frozen=True, kw_only=True):
    """An OAuth client whose secret is sealed for one place."""

    client_id: str
    secret: bytes

    @classmethod
    def of(cls, app: App, vault: Vault, *, place: str) -> Self:
        """`app`, sealed for `place`."""
        return cls(client_id=app.client_id, secret=vault.seal(app.client_secret, place=place))

    def opened(self, vault: Vault, *, place: str) -> App:
        """The app again. Unsealable if it was sealed for another place."""
        return App(client_id=self.client_id, client_secret=vault.open(self.secret, place=place))


class Account(OfWorkspace):
    """One account on one server of one platform, connected to one workspace. Its secrets open for it alone."""

    noun = "account"

    id: PydanticObjectId = Field(default_factory=PydanticObjectId)
    platform: str
    realm: Realm
    origin: str  # scheme and host of its server
    remote_id: str
    handle: str
    name: str
    avatar_url: str | None = None
    profile_url: str | None = None
    app: Annotated[SealedApp, stored(SealedApp)]
    token: bytes | None = None  # sealed; None once it was given back
    scopes: list[str] = Field(default_factory=list)
    limits: Annotated[Limits | None, stored(Limits | None)] = None  # where its server's differ from the platform's
    limits_read_at: datetime
    state: AccountState = "connected"
    reason: Annotated[Reason | None, stored(Reason | None)] = None
    connected_at: datetime
    connected_by: PydanticObjectId
    updated_at: datetime = Field(default_factory=now)

    class Settings:
        name = "accounts"
        bson_encoders = BSON_ENCODERS
        indexes = (
            IndexModel(
                [("workspace_id", 1), ("realm", 1), ("platform", 1), ("origin", 1), ("remote_id", 1)], unique=True
            ),
            IndexModel([("workspace_id", 1), ("_id", 1)]),
            IndexModel([("state", 1), ("limits_read_at", 1)]),
        )

    def place(self, field: str) -> str:
        """Where a secret of this account belongs: a sealed value moved to another row or field does not open."""
        return f"{self.workspace_id}:{self.id}:{field}"

    def opened_token(self, vault: Vault) -> Token | None:
        """The token in the clear. Call it only where it is used at once."""
        if self.token is None:
            return None
        return msgspec.json.decode(vault.open(self.token, place=self.place("token")), type=Token)

    def sealed_token(self, token: Token, vault: Vault) -> bytes:
        """`token` as this account stores it."""
        return vault.seal(msgspec.json.encode(token).decode(), place=self.place("token"))

    @classmethod
    async def page(cls, caller: Caller, *, after: PydanticObjectId | None, limit: int) -> list["Account"]:
        """The caller's accounts in the order they were first connected, at most `limit`, following `after`."""
        found = cls.of(caller)
        if after is not None:
            found = found.find({"_id": {"$gt": after}})
        return await found.sort("_id").limit(limit).to_list()

    @classmethod
    async def same(
        cls, workspace_id: PydanticObjectId, realm: Realm, platform: str, origin: str, remote_id: str
    ) -> "Account | None":
        """The workspace's account that is this one at the platform."""
        return await cls.find_one(
            {
                "workspace_id": workspace_id,
                "realm": realm,
                "platform": platform,
                "origin": origin,
                "remote_id": remote_id,
            }
        )

    @classmethod
    async def at_server(cls, workspace_id: PydanticObjectId, realm: Realm, platform: str, origin: str) -> bool:
        """Whether the workspace has an account of this server already."""
        where = {"workspace_id": workspace_id, "realm": realm, "platform": platform, "origin": origin}
        return await cls.find_one(where) is not None

    @classmethod
    async def take_stale(cls, before: datetime) -> "Account | None":
        """A connected account, of any workspace, whose profile was last read before then: the caller reads it now."""
        found = await cls.get_pymongo_collection().find_one_and_update(
            {"state": "connected", "limits_read_at": {"$lt": before}},
            {"$set": {"limits_read_at": now()}},
            return_document=True,
        )
        return None if found is None else cls.model_validate(found)

    @classmethod
    async def disconnect(
        cls, account: "Account", reason: Reason, session: AsyncClientSession, *, forget: bool = False
    ) -> "Account | None":
        """Marks it, unless it was connected anew since `account` was read. `forget`: its token was given back."""
        written = {"state": "disconnected", "reason": as_bson(reason), "updated_at": now()}
        found = await cls.get_pymongo_collection().find_one_and_update(
            {"_id": account.id, "token": account.token},
            {"$set": written | ({"token": None} if forget else {})},
            return_document=True,
            session=session,
        )
        return None if found is None else cls.model_validate(found)


class AppRegistration(Document):
    """Our app at one server, used by every workspace of this instance."""

    platform: str
    realm: Realm
    origin: str
    redirect_uri: str
    scopes: list[str]
    app: Annotated[SealedApp, stored(SealedApp)]
    registered_at: datetime = Field(default_factory=now)
    awaited: bool = False  # somebody was sent to the server with it and has not come back

    class Settings:
        name = "app_registrations"
        bson_encoders = BSON_ENCODERS
        indexes = (IndexModel([("realm", 1), ("platform", 1), ("origin", 1), ("redirect_uri", 1)], unique=True),)

    def place(self) -> str:
        """Where its secret belongs."""
        return f"app:{self.platform}:{self.realm}:{self.origin}:{self.redirect_uri}"

    @classmethod
    async def taken(cls, where: dict[str, str], scopes: list[str]) -> "AppRegistration | None":
        """The app to send somebody to its server with.

        None if there is none, if it may do other things than we need, or if the last one it was used for never came
        back: servers forget apps (Mastodon before 4.3 purges unused ones), and tell the person, not us.
        """
        found = await cls.get_pymongo_collection().find_one_and_update(
            where | {"scopes": scopes, "awaited": False}, {"$set": {"awaited": True}}, return_document=True
        )
        return None if found is None else cls.model_validate(found)

    @classmethod
    async def keep(cls, registration: "AppRegistration", where: dict[str, str]) -> None:
        """Stores it in place of an older one."""
        written = registration.model_dump(exclude={"id", "revision_id", "app"}) | {"app": as_bson(registration.app)}
        await cls.get_pymongo_collection().update_one(where, {"$set": written}, upsert=True)

    @classmethod
    async def answered(cls, client_id: str, where: dict[str, str]) -> None:
        """The server knows this app: somebody came back from it."""
        await cls.get_pymongo_collection().update_one(
            where | {"app.client_id": client_id}, {"$set": {"awaited": False}}
        )

    @classmethod
    async def forget(cls, client_id: str, where: dict[str, str]) -> None:
        """The server does not know this app any more."""
        await cls.get_pymongo_collection().delete_one(where | {"app.client_id": client_id})


class Pending(Document):
    """A connection that was begun: bound to a session, a workspace and a platform, used once, for ten minutes."""

    state_hash: str
    session_id: PydanticObjectId
    workspace_id: PydanticObjectId
    platform: str
    realm: Realm
    origin: str
    redirect_uri: str
    app: Annotated[SealedApp, stored(SealedApp)]
    verifier: bytes  # sealed
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
