"""From "connect" through the platform's consent page to an Account, and back again."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import msgspec
import structlog
from beanie import PydanticObjectId
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from social.accounts import servers
from social.accounts.documents import Account, AppRegistration, Pending, Reason, SealedApp
from social.accounts.tokens import call_as, changed
from social.backing import Backing
from social.backing.vault import Unsealable
from social.errors import Conflict, Invalid, PlatformError, QuotaSpent, Refused, RetryLater, Unavailable, Wrong
from social.moments import now
from social.outbox.documents import Row, announce
from social.people.roles import Caller
from social.platforms import PLATFORMS, oauth
from social.platforms.calls import Call
from social.platforms.contract import App, Identity, Platform, Realm, Token

log = structlog.get_logger()
OPEN_FOR = timedelta(minutes=10)
NOT_A_SERVER = frozenset({"unreachable", "unclear", "redirected", "no-such-route"})  # the name is wrong, most likely


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """Where the person gives the permission, and until when that counts."""

    url: str
    expires_at: datetime


async def start(caller: Caller, platform: str, server: str, realm: Realm, backing: Backing) -> Started:
    """Begins to connect an account of `server`, as a person would name it; the sandbox needs no name.

    Invalid if there is no such platform or server, Unavailable if the server has trouble.
    """
    kind = known(platform)
    origin = _origin(kind, server, realm, backing)
    redirect_uri = f"{backing.settings.public_url}/connect/{kind.name}"
    try:
        app = await _app(kind, origin, realm, redirect_uri, backing)
    except PlatformError as error:
        raise _to_the_caller(error, "/server") from error
    state, verifier = oauth.new_secret(), oauth.new_secret()
    pending = Pending(
        state_hash=oauth.hashed(state),
        session_id=caller.session_id,
        workspace_id=caller.workspace_id,
        platform=kind.name,
        realm=realm,
        origin=origin,
        redirect_uri=redirect_uri,
        app=SealedApp(client_id=app.client_id, secret=b""),
        verifier=b"",
        expires_at=now() + OPEN_FOR,
    )
    pending.app = SealedApp.of(app, backing.vault, place=pending.place("app"))
    pending.verifier = backing.vault.seal(verifier, place=pending.place("verifier"))
    await pending.insert()
    another = await Account.at_server(caller.workspace_id, realm, kind.name, origin)
    url = oauth.authorize_url(
        kind, origin, app, redirect_uri=redirect_uri, state=state, verifier=verifier, another=another
    )
    return Started(url=url, expires_at=pending.expires_at)


async def finish(
    caller: Caller, platform: str, *, code: str | None, state: str, error: str | None, backing: Backing
) -> Account:
    """The account the permission was given for. One that was connected before stays itself, with all its posts.

    Invalid if the state is not one the caller's session began in this workspace, is used or too old, or if the
    permission was refused or is not complete; Unavailable if the server has trouble. Each time, one begins again.
    """
    kind = known(platform)
    pending = await Pending.taken(oauth.hashed(state), kind.name, caller)
    if pending is None:
        raise _again("This connection was not begun here, took too long, or is finished already.", "/state", "state")
    where = _where(kind.name, pending.realm, pending.origin, pending.redirect_uri)
    await AppRegistration.answered(pending.app.client_id, where)
    if error is not None or not code:
        raise _again("The permission was not given, so nothing was connected.", "/error", "refused")
    app = pending.app.opened(backing.vault, place=pending.place("app"))
    try:
        token = await _exchanged(kind, pending, app, code, backing)
        identity = await kind.identify(_call(kind, pending.origin, pending.realm, backing, token))
    except PlatformError as failed:
        if failed.facts.get("code") == "app-unknown":
            await AppRegistration.forget(pending.app.client_id, where)
        raise _to_the_caller(failed, "/code") from failed
    return await _connected(caller, kind, pending, app, token, identity, backing)


async def disconnect(caller: Caller, account: Account, backing: Backing) -> Account:
    """Gives the token back to the platform, as far as that can be done now, and forgets it.

    Conflict if the account was connected anew in the meantime.
    """
    reason = Reason(code="by-hand", text=f"Disconnected by {caller.name}.")

    async def body(session: AsyncClientSession) -> Account | None:
        marked = await Account.disconnect(account, reason, session)
        if marked is not None:
            await announce([changed(marked)], session)
        return marked

    marked = await backing.transaction(body)
    if marked is None:
        raise Conflict("This account was connected anew just now. Look again.")
    await _given_back(marked, backing)
    return await _forgotten(marked, backing)


def known(platform: str) -> Platform:
    """The platform called `platform`. Invalid if there is none."""
    found = PLATFORMS.get(platform)
    if found is None:
        words = f"There is no platform of this name. There are: {', '.join(sorted(PLATFORMS))}."
        raise Invalid(words, [Wrong(pointer="/platform", detail=words, code="unknown")])
    return found


def _origin(platform: Platform, server: str, realm: Realm, backing: Backing) -> str:
    if realm == "sandbox":
        origin = backing.outbound.sandbox_origin
        if origin is None:
            words = "The sandbox is switched off on this installation."
            raise Invalid(words, [Wrong(pointer="/realm", detail=words, code="sandbox-away")])
        return origin
    return f"https://{platform.host}" if platform.host else servers.origin(server)


async def _app(platform: Platform, origin: str, realm: Realm, redirect_uri: str, backing: Backing) -> App:
    """Our app at the server: the one we have, or a new one."""
    if platform.register is None:
        raise Invalid(f"{platform.title} needs an app that this installation does not have.", code="no-app")
    where = _where(platform.name, realm, origin, redirect_uri)
    scopes = list(platform.scopes)
    kept = await AppRegistration.taken(where, scopes)
    if kept is not None:
        with suppress(Unsealable):  # the master key was changed: then a new one is made
            return kept.app.opened(backing.vault, place=kept.place())
    call = _call(platform, origin, realm, backing)
    app = await platform.register(call, redirect_uri, backing.settings.public_url)
    made = AppRegistration(
        platform=platform.name,
        realm=realm,
        origin=origin,
        redirect_uri=redirect_uri,
        scopes=scopes,
        app=SealedApp(client_id=app.client_id, secret=b""),
        awaited=True,
    )
    made.app = SealedApp.of(app, backing.vault, place=made.place())
    await AppRegistration.keep(made, where)
    return app


def _where(platform: str, realm: Realm, origin: str, redirect_uri: str) -> dict[str, str]:
    return {"platform": platform, "realm": realm, "origin": origin, "redirect_uri": redirect_uri}


def _call(platform: Platform, origin: str, realm: Realm, backing: Backing, token: Token | None = None) -> Call:
    patience = backing.settings.times.http_timeout
    return Call.to(platform, origin, realm, outbound=backing.outbound, patience=patience, token=token)


async def _exchanged(platform: Platform, pending: Pending, app: App, code: str, backing: Backing) -> Token:
    token = await oauth.exchange(
        _call(platform, pending.origin, pending.realm, backing),
        platform.oauth,
        app,
        code=code,
        verifier=backing.vault.open(pending.verifier, place=pending.place("verifier")),
        redirect_uri=pending.redirect_uri,
    )
    lacking = oauth.missing(platform, token.scopes)
    if lacking:
        raise _again(f"The permission is not complete; this is lacking: {', '.join(lacking)}.", "/code", "scopes")
    return token


async def _connected(
    caller: Caller, platform: Platform, pending: Pending, app: App, token: Token, identity: Identity, backing: Backing
) -> Account:
    """Stores the account: the one we have of it, or a new one."""
    for _ in range(2):  # the second time, if somebody connected the same one in the same moment
        same = (caller.workspace_id, pending.realm, platform.name, pending.origin, identity.id)
        before = await Account.same(*same)
        account = Account(
            id=before.id if before else PydanticObjectId(),
            workspace_id=caller.workspace_id,
            platform=platform.name,
            realm=pending.realm,
            origin=pending.origin,
            remote_id=identity.id,
            handle=identity.handle,
            name=identity.name,
            avatar_url=identity.avatar_url,
            profile_url=identity.profile_url,
            app=SealedApp(client_id=app.client_id, secret=b""),
            scopes=list(token.scopes),
            limits=identity.limits,
            limits_read_at=now(),
            connected_at=now(),
            connected_by=caller.user_id,
        )
        account.app = SealedApp.of(app, backing.vault, place=account.place("app"))
        account.token = account.sealed_token(token, backing.vault)
        with suppress(DuplicateKeyError):
            await _stored(account, new=before is None, backing=backing)
            return account
    raise Conflict("This account was connected by somebody else in the same moment. Look again.")


async def _stored(account: Account, *, new: bool, backing: Backing) -> None:
    row = Row.about(workspace_id=account.workspace_id, type="account.connected", data={"id": str(account.id)})

    async def body(session: Any) -> None:
        if new:
            await account.insert(session=session)
        else:
            await account.replace(session=session)
        await announce([row], session)

    await backing.transaction(body)


async def _given_back(account: Account, backing: Backing) -> None:
    """Revokes the token. What goes wrong is logged: the person asked to be rid of the account, not of the server."""
    if account.token is None:
        return
    platform = PLATFORMS[account.platform]
    try:
        call = await call_as(account, backing)
        app = account.app.opened(backing.vault, place=account.place("app"))
        if call.token is not None:
            revoking = _call(platform, account.origin, account.realm, backing)
            await oauth.revoke(revoking, platform.oauth, app, call.token)
    except (PlatformError, Unsealable) as error:
        log.warning("account.not_revoked", account=str(account.id), error=type(error).__name__)


async def _forgotten(account: Account, backing: Backing) -> Account:
    if account.token is None:
        return account
    await Account.get_pymongo_collection().update_one(
        {"_id": account.id, "token": account.token, "state": "disconnected"}, {"$set": {"token": None}}
    )
    account.token = None
    return account


def _to_the_caller(error: PlatformError, pointer: str) -> Refused:
    """A platform's trouble, in the words of a door."""
    code = str(error.facts.get("code", "platform"))
    if isinstance(error, QuotaSpent):
        wait = max(1, round((error.until - now()).total_seconds()))
        return Unavailable(error.sentence, retry_after=wait, code=code)
    if isinstance(error, RetryLater) and code not in NOT_A_SERVER:
        return Unavailable(f"{error.sentence} Please try again.", retry_after=30, code=code)
    sentence = error.sentence
    if pointer == "/server":
        sentence += " Is this the server's name, as you see it in the browser's address bar?"
    return Invalid(sentence, [Wrong(pointer=pointer, detail=sentence, code=code)], code=code)


def _again(sentence: str, pointer: str, code: str) -> Invalid:
    sentence += " Please begin again."
    return Invalid(sentence, [Wrong(pointer=pointer, detail=sentence, code=code)], code=code)
