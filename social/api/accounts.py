"""Accounts: which platforms there are, connecting one's account there, and parting from it."""

from datetime import datetime
from typing import Annotated, get_args, get_type_hints

import msgspec
from litestar import Controller, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta
from yarl import URL

from social.accounts import connect
from social.accounts.documents import Account, AccountState, Reason
from social.api.callers import needs
from social.api.pages import Page, after_id, page
from social.backing import Backing
from social.people.roles import Caller
from social.platforms import PLATFORMS
from social.platforms.contract import Counting, Limits, Platform, Realm
from social.publishing.reconnect import account_back, account_lost

Secret = Annotated[str, Meta(min_length=1, max_length=4096)]


class PlatformOut(msgspec.Struct, kw_only=True):
    """A platform that accounts can be connected of. `sandbox_server` is where its sandbox is, null if that is off."""

    name: str
    title: str
    asks_server: bool
    sandbox_server: str | None
    text_limit: int
    counted_as: Counting
    media_limit: int
    alt_limit: int
    visibilities: list[str]


class ConnectionIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What to connect. `server` as one says it: mastodon.example, @anna@mastodon.example; the sandbox needs none."""

    platform: Annotated[str, Meta(max_length=50)]
    server: Annotated[str, Meta(max_length=500)] = ""
    realm: Realm = "live"


class ConnectionOut(msgspec.Struct, kw_only=True):
    """Where the browser goes next, and until when the permission given there counts."""

    url: str
    expires_at: datetime


class AnswerIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the platform sent the browser back with: a code, or an error."""

    state: Secret
    code: Secret | None = None
    error: Annotated[str, Meta(max_length=500)] | None = None


class LimitsOut(msgspec.Struct, kw_only=True):
    """What the account's server takes. Sizes in bytes and pixels, texts in the unit `counted_as` names."""

    text: int
    counted_as: Counting
    url_length: int | None
    mentions_without_domain: bool
    media: int
    alt: int
    image_bytes: int
    image_pixels: int | None
    image_types: list[str]


class AccountOut(msgspec.Struct, kw_only=True):
    """A connected account. `reason` says why it is not connected any more."""

    id: str
    platform: str
    realm: Realm
    server: str
    handle: str
    name: str
    avatar_url: str | None
    profile_url: str | None
    state: AccountState
    reason: Reason | None
    limits: LimitsOut
    connected_at: datetime


class PlatformController(Controller):
    """What there is to connect to."""

    path = "/platforms"
    tags = ("accounts",)

    @get("/", summary="All platforms", guards=[needs("viewer")])
    async def list(self, caller: NamedDependency[Caller], backing: NamedDependency[Backing]) -> list[PlatformOut]:
        """Every platform with its usual limits; an account's server may have others."""
        return [_platform(platform, backing) for platform in PLATFORMS.values()]


class ConnectionController(Controller):
    """Connecting an account: there and back."""

    path = "/connections"
    tags = ("accounts",)

    @post("/", summary="Begin to connect an account", guards=[needs("admin")])
    async def start(
        self, data: JSONBody[ConnectionIn], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> ConnectionOut:
        """The browser goes to `url`; the platform sends it back to /connect/{platform} with a code."""
        started = await connect.start(caller, data.platform, data.server, data.realm, backing)
        return ConnectionOut(url=started.url, expires_at=started.expires_at)

    @post("/{platform:str}/answer", summary="Come back from the platform", guards=[needs("admin")])
    async def answer(
        self,
        platform: FromPath[str],
        data: JSONBody[AnswerIn],
        caller: NamedDependency[Caller],
        backing: NamedDependency[Backing],
    ) -> AccountOut:
        """The account. One that was connected before stays itself and works again."""
        account = await connect.finish(
            caller, platform, code=data.code, state=data.state, error=data.error, backing=backing
        )
        await account_back(account, backing)
        return shown(account)


class AccountController(Controller):
    """The workspace's accounts."""

    path = "/accounts"
    tags = ("accounts",)

    @get("/", summary="All accounts", guards=[needs("viewer")])
    async def list(
        self,
        caller: NamedDependency[Caller],
        cursor: FromQuery[str | None] = None,
        limit: FromQuery[Annotated[int, Meta(ge=1, le=100)]] = 50,
    ) -> Page[AccountOut]:
        """In the order they were first connected, disconnected ones too."""
        found = await Account.page(caller, after=after_id(cursor), limit=limit + 1)
        return page(found, limit, lambda each: each.id, [shown(each) for each in found[:limit]])

    @get("/{account_id:str}", summary="One account", guards=[needs("viewer")])
    async def read(self, account_id: FromPath[str], caller: NamedDependency[Caller]) -> AccountOut:
        """With the limits of its server."""
        return shown(await Account.found(caller, account_id))

    @delete("/{account_id:str}", summary="Disconnect an account", guards=[needs("admin")])
    async def disconnect(
        self, account_id: FromPath[str], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> None:
        """Gives the permission back. What is planned there is held until the account is connected again."""
        account = await Account.found(caller, account_id)
        await connect.disconnect(caller, account, backing)
        await account_lost(account, backing)


def shown(account: Account) -> AccountOut:
    """`account` for its workspace's people."""
    return AccountOut(
        id=str(account.id),
        platform=account.platform,
        realm=account.realm,
        server=URL(account.origin).authority,
        handle=account.handle,
        name=account.name,
        avatar_url=account.avatar_url,
        profile_url=account.profile_url,
        state=account.state,
        reason=account.reason,
        limits=_limits(account.limits or PLATFORMS[account.platform].limits),
        connected_at=account.connected_at,
    )


def _limits(limits: Limits) -> LimitsOut:
    return LimitsOut(
        text=limits.text,
        counted_as=limits.counted_as,
        url_length=limits.url_length,
        mentions_without_domain=limits.mentions_without_domain,
        media=limits.media,
        alt=limits.alt,
        image_bytes=limits.image_bytes,
        image_pixels=limits.image_pixels,
        image_types=list(limits.image_types),
    )


def _platform(platform: Platform, backing: Backing) -> PlatformOut:
    sandbox = backing.outbound.sandbox_origin
    return PlatformOut(
        name=platform.name,
        title=platform.title,
        asks_server=platform.host is None,
        sandbox_server=URL(sandbox).authority if sandbox else None,
        text_limit=platform.limits.text,
        counted_as=platform.limits.counted_as,
        media_limit=platform.limits.media,
        alt_limit=platform.limits.alt,
        visibilities=list(get_args(get_type_hints(platform.options).get("visibility"))),
    )
