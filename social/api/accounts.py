"""Accounts: which platforms there are, connecting one's account there, and parting from it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, get_args, get_type_hints

import msgspec
from litestar import Controller, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta
from yarl import URL

from social.accounts import connect, doctor, link, profile
from social.accounts.apps import redirect_address
from social.accounts.documents import Account, AccountState, Reason
from social.api.callers import needs
from social.api.pages import Limit, Page, after_id, page
from social.backing import Backing
from social.errors import NotFound, OperatorNeeded
from social.moments import now
from social.people.roles import Caller
from social.platforms import PLATFORMS
from social.platforms.contract import Counting, Limits, Platform, Realm
from social.publishing.reconnect import account_back, account_lost

Secret = Annotated[str, Meta(min_length=1, max_length=4096)]


class LimitsOut(msgspec.Struct, kw_only=True):
    """What the account's server takes. Sizes in bytes and pixels, texts in the unit `counted_as` names.

    `thread` is how many parts a post may have, 1 where there are no threads. What becomes of files, animated pictures
    too, shows in the checks of a post.
    """

    text: int
    counted_as: Counting
    text_bytes: int | None
    url_length: int | None
    mentions_without_domain: bool
    media: int
    alt: int
    image_bytes: int
    image_pixels: int | None
    image_types: list[str]
    animated_bytes: int | None
    text_needed: bool
    thread: int


class PageWay(msgspec.Struct, kw_only=True, tag_field="kind", tag="page"):
    """Over the platform's own page, where one gives the permission."""


class PasswordWay(msgspec.Struct, kw_only=True, tag_field="kind", tag="password"):
    """By a name and a password made for this purpose: what the fields are called, and where one makes such a one."""

    name: str
    secret: str
    where: str
    address: str | None


class MissingOut(msgspec.Struct, kw_only=True):
    """What the installation's owner sets, and the redirect address to name at the platform, before it can be used."""

    settings: list[str]
    redirect_address: str


class PlatformOut(msgspec.Struct, kw_only=True):
    """A platform that accounts can be connected of. `sandbox_server` is where its sandbox is, null if that is off.

    `ready` is false while accounts can be connected in the sandbox alone, for `missing` has to be set first.
    """

    name: str
    title: str
    ways: list[PageWay | PasswordWay]
    asks_server: bool
    usual_server: str | None
    sandbox_server: str | None
    ready: bool
    missing: MissingOut | None
    limits: LimitsOut
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


class PasswordIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What to connect, and what opens it. The password is used once and kept nowhere."""

    platform: Annotated[str, Meta(max_length=50)]
    server: Annotated[str, Meta(max_length=500)] = ""
    realm: Realm = "live"
    name: Annotated[str, Meta(min_length=1, max_length=500)]
    secret: Annotated[str, Meta(min_length=1, max_length=500)]


class ConnectionOut(msgspec.Struct, kw_only=True):
    """Where the browser goes next, and until when the permission given there counts."""

    url: str
    expires_at: datetime


class AnswerIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the platform sent the browser back with: a code, or an error; and, from some, who answers."""

    state: Secret
    code: Secret | None = None
    error: Annotated[str, Meta(max_length=500)] | None = None
    iss: Annotated[str, Meta(max_length=2000)] | None = None


class WhoseOut(msgspec.Struct, kw_only=True):
    """Whose account it is, and where."""

    id: str
    platform: str
    realm: Realm
    server: str
    handle: str
    name: str
    avatar_url: str | None
    profile_url: str | None


class FoundOut(WhoseOut, kw_only=True):
    """Whose account it is, before anything is linked. `already`: this workspace has it, and it is connected anew.

    `elsewhere`: another workspace of this installation posts to it too. `warnings` say what will not work, or not long.
    """

    already: bool
    elsewhere: bool
    warnings: list[str]
    expires_at: datetime


class HealthOut(msgspec.Struct, kw_only=True):
    """How the account's login is, and in `text` what to do about it."""

    state: doctor.HealthState
    text: str | None


class AccountOut(WhoseOut, kw_only=True):
    """A connected account. `reason` says why it is not connected any more.

    `token_ends_at` is when it has to be connected again, null if that is not known; `read_at` when its platform was
    asked about it last.
    """

    state: AccountState
    reason: Reason | None
    health: HealthOut
    token_ends_at: datetime | None
    limits: LimitsOut
    connected_at: datetime
    read_at: datetime


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

    @post("/", summary="Begin to connect an account", guards=[needs("admin")], opt={"secret_answer": True})
    async def start(
        self, data: JSONBody[ConnectionIn], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> ConnectionOut:
        """The browser goes to `url`; the platform sends it back to /connect/{platform} with a code."""
        started = await connect.start(caller, data.platform, data.server, data.realm, backing)
        return ConnectionOut(url=started.url, expires_at=started.expires_at)

    @post("/password", summary="Sign in to an account", guards=[needs("admin")])
    async def login(
        self, data: JSONBody[PasswordIn], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> FoundOut:
        """For platforms that take a password made for this purpose. What it opens is shown, not yet linked."""
        found = await connect.login(caller, data.platform, data.server, data.realm, data.name, data.secret, backing)
        return _found(found)

    @post("/{platform:str}/answer", summary="Come back from the platform", guards=[needs("admin")])
    async def answer(
        self,
        platform: FromPath[str],
        data: JSONBody[AnswerIn],
        caller: NamedDependency[Caller],
        backing: NamedDependency[Backing],
    ) -> FoundOut:
        """Whose account the permission is for. It is linked by a POST to `/connections/{id}/account`, not before."""
        found = await connect.finish(
            caller, platform, code=data.code, state=data.state, error=data.error, iss=data.iss, backing=backing
        )
        return _found(found)

    @post("/{found_id:str}/account", summary="Link what was found", guards=[needs("admin")])
    async def link(
        self, found_id: FromPath[str], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> AccountOut:
        """The account. One that was connected before stays itself and works again."""
        account = await link.link(caller, found_id, backing)
        await account_back(account, backing)
        return shown(account)

    @delete("/{found_id:str}", summary="Do not link what was found", guards=[needs("admin")])
    async def drop(
        self, found_id: FromPath[str], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> None:
        """Gives the permission back."""
        await link.drop(caller, found_id, backing)


class AccountController(Controller):
    """The workspace's accounts."""

    path = "/accounts"
    tags = ("accounts",)

    @get("/", summary="All accounts", guards=[needs("viewer")])
    async def list(
        self,
        caller: NamedDependency[Caller],
        cursor: FromQuery[str | None] = None,
        limit: Limit = 50,
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
        await link.disconnect(caller, account, backing)
        await account_lost(account, backing)

    @post("/{account_id:str}/readings", summary="Read an account anew", guards=[needs("editor")])
    async def read_now(
        self, account_id: FromPath[str], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> AccountOut:
        """Asks its platform now for its name, picture and limits, and whether it still takes our permission."""
        account = await Account.found(caller, account_id)
        lost = await profile.read_now(account, backing)
        if lost is not None:
            await account_lost(lost, backing)
        return shown(await Account.found(caller, account_id))


@get("/connect/{platform:str}/client.json", opt={"public": True}, include_in_schema=False)
async def client_document(platform: FromPath[str], backing: NamedDependency[Backing]) -> Response[dict[str, Any]]:
    """Who we are, for authorisation servers that look it up at an address instead of registering us. NotFound."""
    kind = PLATFORMS.get(platform)
    if kind is None or kind.client_document is None:
        raise NotFound("There is nothing at this address.")
    address = backing.settings.public_url
    try:
        document = kind.client_document(address, redirect_address(kind, backing.settings))
    except OperatorNeeded as impossible:
        raise NotFound(impossible.sentence) from impossible
    return Response(document, media_type="application/json", headers={"Cache-Control": "public, max-age=300"})


def shown(account: Account) -> AccountOut:
    """`account` for its workspace's people."""
    health = doctor.health(account, now())
    return AccountOut(
        **_whose(account, str(account.id)),
        state=account.state,
        reason=account.reason,
        health=HealthOut(state=health.state, text=health.text),
        token_ends_at=account.token_ends_at if account.state == "connected" else None,
        limits=_limits(account.limits or PLATFORMS[account.platform].limits),
        connected_at=account.connected_at,
        read_at=account.limits_read_at,
    )


def _found(found: connect.Found) -> FoundOut:
    return FoundOut(
        **_whose(found.account, found.id),
        already=found.already,
        elsewhere=found.elsewhere,
        warnings=found.warnings,
        expires_at=found.expires_at,
    )


def _whose(account: Account, id: str) -> dict[str, Any]:
    same = ("platform", "realm", "handle", "name", "avatar_url", "profile_url")
    return {name: getattr(account, name) for name in same} | {"id": id, "server": URL(account.origin).authority}


def _limits(limits: Limits) -> LimitsOut:
    same = {name: getattr(limits, name) for name in LimitsOut.__struct_fields__}
    return LimitsOut(**same | {"image_types": list(limits.image_types)})


def _platform(platform: Platform, backing: Backing) -> PlatformOut:
    sandbox = backing.outbound.sandbox_origin
    missing = doctor.missing(platform, backing.settings)
    return PlatformOut(
        name=platform.name,
        title=platform.title,
        ways=list(_ways(platform, backing)),
        asks_server=platform.host is None,
        usual_server=platform.usual_server,
        sandbox_server=URL(sandbox).authority if sandbox else None,
        ready=missing is None or platform.login is not None,
        missing=MissingOut(settings=missing.settings, redirect_address=missing.redirect_address) if missing else None,
        limits=_limits(platform.limits),
        text_limit=platform.limits.text,
        counted_as=platform.limits.counted_as,
        media_limit=platform.limits.media,
        alt_limit=platform.limits.alt,
        visibilities=list(get_args(get_type_hints(platform.options).get("visibility"))),
    )


def _ways(platform: Platform, backing: Backing) -> Iterator[PageWay | PasswordWay]:
    if doctor.offers_page(platform, backing.settings):
        yield PageWay()
    form = platform.password
    if form is not None:
        yield PasswordWay(name=form.name, secret=form.secret, where=form.where, address=form.address)
