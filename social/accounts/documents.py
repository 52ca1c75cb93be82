"""Connected accounts and the apps they were connected through. Connections under way are in `pending.py`."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

import msgspec
from beanie import Document, PydanticObjectId
from pydantic import AfterValidator, Field
from pymongo import IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession

from social.backing.mongo import BSON_ENCODERS, NOW, as_bson, stored
from social.backing.owner import Owner
from social.backing.vault import Vault
from social.errors import Newer, RetryLater
from social.moments import now
from social.people.reading import readable
from social.people.roles import Caller
from social.people.workspaces import OfWorkspace
from social.platforms import known
from social.platforms.contract import App, Endpoints, Limits, Realm, Token

UNREADABLE = "A newer version of this program has changed this account. It goes on when that one runs again."
AccountState = Literal["connected", "disconnected"]
Way = Literal["page", "password"]  # how an account was connected
MARGIN = timedelta(minutes=5)  # a token is refreshed this long before it ends,
SHARE = 10  # or this part of its life before, whichever is shorter


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


class Refreshing(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody gets the account's next token: nobody else may until then. `failed`: it could not be had."""

    by: str
    owner: Owner
    until: datetime
    failed: bool = False


class OwnQuota(msgspec.Struct, frozen=True, kw_only=True):
    """How many posts a person lets an account send in one of its platform's windows, and who said so."""

    posts: int
    by: str
    at: datetime


class ToldQuota(msgspec.Struct, frozen=True, kw_only=True):
    """How many posts the platform itself says that this account may send in one of its windows."""

    posts: int
    at: datetime


class Account(OfWorkspace):
    """One account on one server of one platform, connected to one workspace. Its secrets open for it alone."""

    noun = "account"

    id: PydanticObjectId = Field(default_factory=PydanticObjectId)
    platform: Annotated[str, AfterValidator(known)]
    realm: Realm
    origin: str  # scheme and host of its server; in the sandbox also the path at which it has the platform
    remote_id: str
    handle: str
    name: str
    avatar_url: str | None = None
    profile_url: str | None = None
    way: Way = "page"
    endpoints: Annotated[Endpoints | None, stored(Endpoints | None)] = None  # of its authorisation server
    app: Annotated[SealedApp, stored(SealedApp)]
    token: bytes | None = None  # sealed; None once it was given back
    refresh_at: datetime | None = None  # from then on the token is refreshed before it is used
    token_ends_at: datetime | None = None  # from then on only connecting again helps
    refreshing: Annotated[Refreshing | None, stored(Refreshing | None)] = None
    scopes: list[str] = Field(default_factory=list)
    limits: Annotated[Limits | None, stored(Limits | None)] = None  # where its server's differ from the platform's
    limits_read_at: datetime
    own_quotas: Annotated[dict[str, OwnQuota], stored(dict[str, OwnQuota])] = Field(default_factory=dict)  # by name
    told_quotas: Annotated[dict[str, ToldQuota], stored(dict[str, ToldQuota])] = Field(default_factory=dict)
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
            IndexModel([("remote_id", 1), ("platform", 1)]),
        )

    def place(self, field: str) -> str:
        """Where a secret of this account belongs: a sealed value moved to another row or field does not open."""
        return f"{self.workspace_id}:{self.id}:{field}"

    @property
    def allowed(self) -> tuple[tuple[str, int], ...]:
        """How many posts it may send in windows of these names, where that is not what its platform usually allows."""
        if not self.own_quotas and not self.told_quotas:
            return ()
        told = {name: each.posts for name, each in self.told_quotas.items()}
        return tuple((told | {name: each.posts for name, each in self.own_quotas.items()}).items())

    def opened_token(self, vault: Vault) -> Token | None:
        """The token in the clear. Call it only where it is used at once."""
        if self.token is None:
            return None
        return msgspec.json.decode(vault.open(self.token, place=self.place("token")), type=Token)

    def sealed_token(self, token: Token, vault: Vault) -> bytes:
        """`token` as this account stores it."""
        return vault.seal(msgspec.json.encode(token).decode(), place=self.place("token"))

    def hold(self, token: Token, vault: Vault) -> None:
        """Takes `token` in place of the one before, with the instants that follow from it. Stores nothing."""
        self.token = self.sealed_token(token, vault)
        self.refresh_at, self.token_ends_at = _refresh_at(token, now()), _ends_at(token)
        self.scopes = list(token.scopes)
        self.refreshing = None

    def hold_as(self, other: "Account") -> None:
        """Takes over what `other`, a later reading of the same account, knows of its token."""
        self.token, self.refresh_at, self.token_ends_at = other.token, other.refresh_at, other.token_ends_at
        self.scopes, self.refreshing, self.state, self.reason = (
            other.scopes,
            other.refreshing,
            other.state,
            other.reason,
        )

    @classmethod
    async def readable(cls, id: PydanticObjectId) -> "Account | None":
        """The account with this id, if it is there. RetryLater where a newer version wrote it so that this one cannot
        read it: whoever needs it waits for that one."""
        try:
            return await cls.get(id)
        except Newer:
            raise RetryLater(UNREADABLE, answered=False, code="unreadable") from None

    @classmethod
    async def page(cls, caller: Caller, *, after: PydanticObjectId | None, limit: int) -> list["Account"]:
        """The caller's accounts in the order they were first connected, at most `limit`, following `after`."""
        found = cls.of(caller)
        if after is not None:
            found = found.find({"_id": {"$gt": after}})
        return await found.sort("_id").limit(limit).to_list()

    @classmethod
    async def same_as(cls, account: "Account", session: AsyncClientSession | None = None) -> "Account | None":
        """The workspace's account that is the same one at the platform."""
        return await cls.find_one(
            {
                "workspace_id": account.workspace_id,
                "realm": account.realm,
                "platform": account.platform,
                "origin": account.origin,
                "remote_id": account.remote_id,
            },
            session=session,
        )

    @classmethod
    async def at_server(cls, workspace_id: PydanticObjectId, realm: Realm, platform: str, origin: str) -> bool:
        """Whether the workspace has an account of this server already."""
        where = {"workspace_id": workspace_id, "realm": realm, "platform": platform, "origin": origin}
        return await cls.get_pymongo_collection().find_one(where, {"_id": 1}) is not None

    @classmethod
    async def elsewhere(cls, account: "Account") -> bool:
        """Whether another workspace of this installation is connected to it too."""
        others = account._at_its_platform() | {"state": "connected", "workspace_id": {"$ne": account.workspace_id}}
        return await cls.get_pymongo_collection().find_one(others, {"_id": 1}) is not None

    @classmethod
    async def of_the_same_profile(cls, account: "Account") -> list[PydanticObjectId]:
        """The ids of all accounts of this installation that are this profile: `account`, and other workspaces'."""
        found = cls.get_pymongo_collection().find(account._at_its_platform(), {"_id": 1})
        return [each["_id"] async for each in found]

    def _at_its_platform(self) -> dict[str, Any]:
        names = ("remote_id", "platform", "realm", "origin")
        return {name: getattr(self, name) for name in names}

    @classmethod
    async def take_refresh(
        cls, account: "Account", *, by: str, owner: Owner, seconds: float, instead_of: str | None, over_failed: bool
    ) -> "Account | None":
        """The account, to get its next token for `seconds`. None if its token is another by now, or somebody does it.

        `instead_of` names a holder who is dead; with `over_failed`, one who could not do it is not waited for.
        """
        free: list[dict[str, Any]] = [{"refreshing": None}, {"$expr": {"$lt": ["$refreshing.until", NOW]}}]
        if instead_of is not None:
            free.append({"refreshing.by": instead_of})
        if over_failed:
            free.append({"refreshing.failed": True})
        until = {"$add": [NOW, round(seconds * 1000)]}
        lease = {"by": by, "owner": {"$literal": as_bson(owner)}, "until": until, "failed": False}
        found = await cls.get_pymongo_collection().find_one_and_update(
            {"_id": account.id, "token": account.token, "state": "connected", "$or": free},
            [{"$set": {"refreshing": lease}}],
            return_document=True,
        )
        return None if found is None else cls.model_validate(found)

    @classmethod
    async def refreshed(cls, account: "Account", before: bytes | None) -> bool:
        """Stores the token that `account` holds in place of the one before. False if that is no longer the one."""
        written = {
            "token": account.token,
            "refresh_at": account.refresh_at,
            "token_ends_at": account.token_ends_at,
            "scopes": account.scopes,
            "refreshing": None,
            "updated_at": now(),
        }
        stored = await cls.get_pymongo_collection().update_one(
            {"_id": account.id, "token": before, "state": "connected"}, {"$set": written}
        )
        return stored.matched_count == 1

    @classmethod
    async def not_refreshed(cls, account: "Account", *, by: str, again_in: float) -> None:
        """Nobody who has a token that still works tries again for so many seconds."""
        failed: Mapping[str, Any] = {
            "refreshing.failed": True,
            "refreshing.until": {"$add": [NOW, round(again_in * 1000)]},
        }
        await cls.get_pymongo_collection().update_one({"_id": account.id, "refreshing.by": by}, [{"$set": failed}])

    @classmethod
    async def take_stale(cls, before: datetime) -> "Account | None":
        """A connected account, of any workspace, whose profile was last read before then: the caller reads it now.
        One that this version cannot read is passed by, and so put off as if it had been read."""
        while True:
            found = await cls.get_pymongo_collection().find_one_and_update(
                {"state": "connected", "limits_read_at": {"$lt": before}},
                {"$set": {"limits_read_at": now()}},
                return_document=True,
            )
            account: Account | None = None if found is None else readable(cls, found)
            if found is None or account is not None:
                return account

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


def _refresh_at(token: Token, at: datetime) -> datetime | None:
    """When the token is to be refreshed: before it ends, and before what it is refreshed with lapses unused."""
    if token.refresh is None:
        return None
    due = []
    if token.expires_at is not None:
        due.append(token.expires_at - min(MARGIN, (token.expires_at - at) / SHARE))
    if token.lapses_at is not None:
        due.append(at + (token.lapses_at - at) / 2)
    return min(due, default=None)


def _ends_at(token: Token) -> datetime | None:
    """When connecting again is all that helps."""
    return token.ends_at or (token.expires_at if token.refresh is None else None)
