"""From "connect" to an account we were let into: over the platform's page, or by a password made for this purpose.

Nothing is linked here: what was found is shown to the person first, and `link.py` does what they decide.
"""

from datetime import datetime, timedelta

import msgspec
import structlog
from beanie import PydanticObjectId
from yarl import URL

from social.accounts import apps, doctor, servers
from social.accounts.documents import Account, AppRegistration, SealedApp, Way
from social.accounts.link import account_of, give_back_found
from social.accounts.pending import FoundAccount, Pending
from social.backing import Backing
from social.errors import Invalid, OperatorNeeded, PlatformError, QuotaSpent, Refused, RetryLater, Unavailable, Wrong
from social.moments import now
from social.people.roles import Caller
from social.platforms import PLATFORMS, dpop, oauth
from social.platforms.calls import Call
from social.platforms.contract import App, Endpoints, Identity, Platform, Realm, Token

log = structlog.get_logger()
OPEN_FOR = timedelta(minutes=10)
NOT_A_SERVER = frozenset({"unreachable", "unclear", "redirected", "no-such-route"})  # the name is wrong, most likely


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """Where the person gives the permission, and until when that counts."""

    url: str
    expires_at: datetime


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Whose account we were let into. `already`: the workspace has it; `elsewhere`: another workspace has it too."""

    id: str
    account: Account  # as it would be linked; not stored
    already: bool
    elsewhere: bool
    warnings: list[str]
    expires_at: datetime


async def start(caller: Caller, platform: str, server: str, realm: Realm, backing: Backing) -> Started:
    """Begins to connect an account of `server`, as a person would name it; the sandbox needs no name.

    Invalid if there is no such platform, way or server, Unavailable if the server has trouble.
    """
    kind = known(platform)
    if kind.oauth is None:
        raise _refused(f"{kind.title} has no page for this: it takes a password.", "/platform", "no-page")
    origin = origin_of(kind, server, realm, backing)
    try:
        call = _call(kind, origin, realm, backing)
        app = await apps.app_at(kind, call, realm, backing)
        where = await oauth.endpoints(kind, call, realm)
        asked = oauth.Asked(
            app=app,
            redirect_uri=apps.redirect_address(kind, backing.settings),
            state=oauth.new_secret(),
            verifier=oauth.new_secret(),
            key=dpop.new_key() if where.dpop else None,
        )
        another = await Account.at_server(caller.workspace_id, realm, kind.name, origin)
        url = await oauth.page(kind, call, where, asked, another=another)
    except PlatformError as error:
        raise _to_the_caller(error, "/server") from error
    pending = _pending(caller, kind, realm, origin, where, asked, backing)
    await pending.insert()
    return Started(url=url, expires_at=pending.expires_at)


async def finish(
    caller: Caller,
    platform: str,
    *,
    code: str | None,
    state: str,
    error: str | None,
    iss: str | None = None,
    backing: Backing,
) -> Found:
    """The account the permission was given for. Not linked yet: the caller is asked first, for ten minutes.

    Invalid if the state is not one the caller's session began in this workspace, is used or too old, if the answer
    comes from another server than was asked (`iss`), or if the permission was refused; Unavailable if the server has
    trouble. Each time, one begins again.
    """
    kind = known(platform)
    pending = await Pending.taken(oauth.hashed(state), kind.name, caller)
    if pending is None:
        raise _again("This connection was not begun here, took too long, or is finished already.", "/state", "state")
    where = apps.where(kind.name, pending.realm, pending.origin, pending.redirect_uri)
    await AppRegistration.answered(pending.app.client_id, where)
    if not oauth.answers_for(pending.endpoints, iss):
        raise _again("This answer comes from another server than the one that was asked.", "/iss", "issuer")
    if error is not None or not code:
        raise _again("The permission was not given, so nothing was connected.", "/error", "refused")
    asked = _asked(pending, state, backing)
    call = _call(kind, pending.origin, pending.realm, backing)
    try:
        token = await oauth.exchange(kind, call, pending.endpoints, asked, code)
        return await _found(caller, kind, call, pending.realm, token, "page", pending.endpoints, asked.app, backing)
    except PlatformError as failed:
        if failed.facts.get("code") == "app-unknown":
            await AppRegistration.forget(pending.app.client_id, where)
        raise _to_the_caller(failed, "/code") from failed


async def login(
    caller: Caller, platform: str, server: str, realm: Realm, name: str, secret: str, backing: Backing
) -> Found:
    """The account that `name` and `secret` open, a password made for this purpose. Not linked yet, as with `finish`.

    The password is used for this and kept nowhere. Invalid if they open nothing, Unavailable if the server has trouble.
    """
    kind = known(platform)
    if kind.login is None:
        raise _refused(f"{kind.title} is connected over its own page, not by a password.", "/platform", "no-password")
    origin = origin_of(kind, server, realm, backing)
    try:
        call = _call(kind, origin, realm, backing)
        token = await kind.login(call, name.strip(), secret.strip())
    except PlatformError as failed:
        raise _to_the_caller(failed, "/secret") from failed
    try:
        return await _found(caller, kind, call, realm, token, "password", None, App(client_id=""), backing)
    except PlatformError as failed:
        raise _to_the_caller(failed, "/server") from failed


def known(platform: str) -> Platform:
    """The platform called `platform`. Invalid if there is none."""
    found = PLATFORMS.get(platform)
    if found is None:
        words = f"There is no platform of this name. There are: {', '.join(sorted(PLATFORMS))}."
        raise _refused(words, "/platform", "unknown")
    return found


def origin_of(platform: Platform, server: str, realm: Realm, backing: Backing) -> str:
    """Where `server`, as a person would name it, has the platform in `realm`. Invalid if it is no server."""
    if realm == "sandbox":
        origin = backing.outbound.sandbox_origin
        if origin is None:
            raise _refused("The sandbox is switched off on this installation.", "/realm", "sandbox-away")
        return f"{origin}{platform.sandbox_path}"
    if platform.host is not None:
        return f"https://{platform.host}"
    return servers.origin(server if server.strip() or platform.usual_server is None else platform.usual_server)


async def _found(
    caller: Caller,
    platform: Platform,
    call: Call,
    realm: Realm,
    token: Token,
    way: Way,
    endpoints: Endpoints | None,
    app: App,
    backing: Backing,
) -> Found:
    """Asks whose token this is, and keeps both until the caller has decided. A token we cannot use is given back."""
    found = FoundAccount(
        session_id=caller.session_id,
        workspace_id=caller.workspace_id,
        platform=platform.name,
        realm=realm,
        origin=call.origin,
        way=way,
        endpoints=endpoints,
        app=SealedApp(client_id=app.client_id, secret=b""),
        token=b"",
        identity=Identity(id="", handle="", name=""),
        expires_at=now() + OPEN_FOR,
    )
    found.app = SealedApp.of(app, backing.vault, place=found.place("app"))
    found.token = backing.vault.seal(msgspec.json.encode(token).decode(), place=found.place("token"))
    try:
        found.identity = await platform.identify(_call(platform, call.origin, realm, backing, token))
        if token.subject is not None and token.subject != found.identity.id:
            raise _again("The permission is somebody else's than the server says.", "/code", "subject")
        found.origin = _own_origin(platform, found.identity, realm, call.origin, backing)
    except (PlatformError, Refused):
        await give_back_found(found, backing)
        raise
    await found.insert()
    account = account_of(found, caller, PydanticObjectId(), backing)
    return Found(
        id=str(found.id),
        account=account,
        already=await Account.same_as(account) is not None,
        elsewhere=await Account.elsewhere(account),
        warnings=doctor.warnings(platform, token, realm, backing.settings, now()),
        expires_at=found.expires_at,
    )


def _own_origin(platform: Platform, identity: Identity, realm: Realm, asked: str, backing: Backing) -> str:
    """The account's own server, if the platform names another than the one that was asked. Invalid if it is none."""
    if identity.origin is None or identity.origin == asked:
        return asked
    try:
        origin = identity.origin if realm == "sandbox" else str(URL(identity.origin).origin())
    except ValueError:
        raise _refused("The server names an address for this account that is none.", "/server", "origin") from None
    backing.outbound.towards(origin, sandbox=realm == "sandbox", path=platform.sandbox_path)
    return origin


def _pending(
    caller: Caller,
    platform: Platform,
    realm: Realm,
    origin: str,
    where: Endpoints,
    asked: oauth.Asked,
    backing: Backing,
) -> Pending:
    pending = Pending(
        state_hash=oauth.hashed(asked.state),
        session_id=caller.session_id,
        workspace_id=caller.workspace_id,
        platform=platform.name,
        realm=realm,
        origin=origin,
        redirect_uri=asked.redirect_uri,
        endpoints=where,
        app=SealedApp(client_id=asked.app.client_id, secret=b""),
        verifier=b"",
        expires_at=now() + OPEN_FOR,
    )
    pending.app = SealedApp.of(asked.app, backing.vault, place=pending.place("app"))
    pending.verifier = backing.vault.seal(asked.verifier, place=pending.place("verifier"))
    if asked.key is not None:
        pending.key = backing.vault.seal(asked.key, place=pending.place("key"))
    return pending


def _asked(pending: Pending, state: str, backing: Backing) -> oauth.Asked:
    return oauth.Asked(
        app=pending.app.opened(backing.vault, place=pending.place("app")),
        redirect_uri=pending.redirect_uri,
        state=state,
        verifier=backing.vault.open(pending.verifier, place=pending.place("verifier")),
        key=backing.vault.open(pending.key, place=pending.place("key")) if pending.key is not None else None,
    )


def _call(platform: Platform, origin: str, realm: Realm, backing: Backing, token: Token | None = None) -> Call:
    patience = backing.settings.times.http_timeout
    return Call.to(platform, origin, realm, outbound=backing.outbound, patience=patience, token=token)


def _to_the_caller(error: PlatformError, pointer: str) -> Refused:
    """A platform's trouble, in the words of a door."""
    code = str(error.facts.get("code", "platform"))
    if isinstance(error, QuotaSpent):
        wait = max(1, round((error.until - now()).total_seconds()))
        return Unavailable(error.sentence, retry_after=wait, code=code)
    if isinstance(error, RetryLater) and code not in NOT_A_SERVER:
        return Unavailable(f"{error.sentence} Please try again.", retry_after=30, code=code)
    sentence = error.sentence
    if pointer == "/server" and not isinstance(error, OperatorNeeded):
        sentence += " Is this the server's name, as you see it in the browser's address bar?"
    return _refused(sentence, pointer, code)


def _again(sentence: str, pointer: str, code: str) -> Invalid:
    return _refused(f"{sentence} Please begin again.", pointer, code)


def _refused(sentence: str, pointer: str, code: str) -> Invalid:
    return Invalid(sentence, [Wrong(pointer=pointer, detail=sentence, code=code)], code=code)
