"""The authorisation-code flow with PKCE (S256), driven by each platform's data.

RFC 6749, 7009 (revoking), 7636 (PKCE), 9126 (pushed requests), 9207 (`iss`) and 9449 (tokens bound to a key).
"""

import hashlib
import secrets
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import quote, urlencode

import msgspec
from yarl import URL

from social.errors import Disconnected, OperatorNeeded, PlatformError, Rejected
from social.moments import now
from social.platforms.calls import Call
from social.platforms.contract import App, Endpoints, OAuth, Platform, Realm, Token

Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=8192, pattern=r"^[\x21-\x7e]+$")]  # it goes into a header
LONGEST_LIFE = 100 * 365 * 86_400.0  # seconds; a longer one is a mistake that no date holds
LAPSED = "invalid_grant"  # RFC 6749, section 5.2: the code or the refresh token is no good


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """What a token endpoint answers (RFC 6749, section 5.1). `sub` is whose it is, where that is said."""

    access_token: Secret
    token_type: str = ""
    refresh_token: Secret | None = None
    expires_in: float | None = None
    scope: str = ""
    sub: str | None = None


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    """What a pushed authorisation request is answered with (RFC 9126, section 2.2)."""

    request_uri: Secret


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One person asked for one permission: what must be known again when they come back.

    `key` is the private key (a JWK) that the token will be bound to, where the server binds tokens.
    """

    app: App
    redirect_uri: str
    state: str
    verifier: str
    key: str | None = None


def new_secret() -> str:
    """43 characters that nobody guesses: a state, or a PKCE verifier (RFC 7636, section 4.1)."""
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """What is stored of a state: enough to know it again, useless to whoever reads the database."""
    return hashlib.sha256(secret.encode()).hexdigest()


def challenge(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier (RFC 7636, section 4.2)."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


async def endpoints(platform: Platform, call: Call, realm: Realm) -> Endpoints:
    """Where the authorisation server of `call`'s server is: asked for if the platform has a way, else out of its data.

    Addresses that a server names are a stranger's words: OperatorNeeded unless we would speak to each of them.
    """
    if platform.discover is not None:
        found = await platform.discover(call)
        for address in (found.authorize, found.token, found.revoke, found.par):
            if address is not None:
                _at(call, address)
        return found
    return declared(platform, call.origin, realm)


def declared(platform: Platform, origin: str, realm: Realm) -> Endpoints:
    """The addresses of a platform whose data say it all, for a server at `origin`."""
    flow = _flow(platform)
    page = flow.page if flow.page is not None and realm == "live" else origin
    return Endpoints(
        authorize=page + flow.authorize,
        token=origin + flow.token,
        revoke=None if flow.revoke is None else origin + flow.revoke,
    )


async def page(platform: Platform, call: Call, where: Endpoints, asked: Asked, *, another: bool) -> str:
    """Where the person goes to give us permission. `another`: an account of this server is connected already.

    Says nothing to the server unless it takes pushed requests; then PlatformError.
    """
    flow = _flow(platform)
    query = {
        "response_type": "code",
        "client_id": asked.app.client_id,
        "redirect_uri": asked.redirect_uri,
        "scope": " ".join(platform.scopes),
        "state": asked.state,
        "code_challenge": challenge(asked.verifier),
        "code_challenge_method": "S256",
    }
    query |= flow.extra | (flow.for_another if another else {})
    if where.par is not None:
        pushing, path = _at(call, where.par, key=asked.key)
        form, headers = _as_client(flow, asked.app)
        pushed = await pushing.post(path, Pushed, form={**query, **form}, headers=headers)
        query = {"client_id": asked.app.client_id, "request_uri": pushed.request_uri}
    return f"{where.authorize}{'&' if '?' in where.authorize else '?'}{urlencode(query)}"


def answers_for(where: Endpoints, iss: str | None) -> bool:
    """Whether an answer comes from the server that was asked (RFC 9207): one that has a name must say it."""
    return where.issuer is None or iss == where.issuer


async def exchange(platform: Platform, call: Call, where: Endpoints, asked: Asked, code: str) -> Token:
    """The token for a code. PlatformError: Disconnected where the code or the app is no longer good."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": asked.redirect_uri,
        "code_verifier": asked.verifier,
    }
    asked_at = now()
    granted = await _granted(platform, call, where, asked.app, form, asked.key)
    token = _token(granted, _flow(platform), asked_at, key=asked.key if where.dpop else None)
    lasts = _flow(platform).lasts
    if lasts is None or asked.app.client_secret:
        return token
    return msgspec.structs.replace(token, ends_at=asked_at + lasts)


async def refresh(platform: Platform, call: Call, where: Endpoints, app: App, token: Token) -> Token:
    """The next token in place of one whose `refresh` is used up by this.

    PlatformError: Disconnected where the platform refuses it for good; OperatorNeeded where it refuses us.
    """
    form = {"grant_type": "refresh_token", "refresh_token": token.refresh or ""}
    asked_at = now()
    granted = await _granted(platform, call, where, app, form, token.key)
    if token.subject is not None and granted.sub not in {None, token.subject}:
        raise Disconnected("The server answered with somebody else's permission. Connect the account again.")
    new = _token(granted, _flow(platform), asked_at, key=token.key)
    return msgspec.structs.replace(
        new,
        refresh=new.refresh or token.refresh,  # a server that does not rotate says nothing of it
        scopes=new.scopes or token.scopes,
        subject=new.subject or token.subject,
        ends_at=token.ends_at,
    )


async def revoke(platform: Platform, call: Call, where: Endpoints, app: App, token: Token) -> None:
    """Makes the token worthless at the platform, and what it is refreshed with. Nothing where that cannot be asked."""
    if where.revoke is None:
        return
    revoking, path = _at(call, where.revoke, key=token.key)
    form, headers = _as_client(_flow(platform), app)
    for secret in filter(None, (token.refresh, token.access)):
        await revoking.send(path, form={"token": secret, **form}, headers=headers)


def missing(platform: Platform, granted: Iterable[str]) -> list[str]:
    """The scopes we need and did not get. A broad one (`write`) includes its narrow ones (`write:media`)."""
    have = set(granted)
    return [scope for scope in platform.scopes if have and scope not in have and scope.partition(":")[0] not in have]


def _flow(platform: Platform) -> OAuth:
    return platform.oauth or OAuth()


def _at(call: Call, address: str, *, key: str | None = None) -> tuple[Call, str]:
    """A call to the server of `address`, as nobody, and the path there. OperatorNeeded if we do not speak to it."""
    if address.startswith(f"{call.origin}/"):
        origin, path = call.origin, address.removeprefix(call.origin)
    else:
        try:
            url = URL(address)
            origin, path = str(url.origin()) if url.user is None else address, url.raw_path_qs
        except ValueError:
            raise OperatorNeeded(f"{call.host} names an address that is none.", code="no-way") from None
    there = call.at(origin)
    there.key = key
    return there, path


def _as_client(flow: OAuth, app: App) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """How a server knows who asks (RFC 6749, section 2.3): the form and the headers that say it."""
    if not app.client_secret:
        return {"client_id": app.client_id}, {}
    if flow.authenticates == "basic":
        known = f"{quote(app.client_id, safe='')}:{quote(app.client_secret, safe='')}"
        return {}, {"Authorization": f"Basic {b64encode(known.encode()).decode()}"}
    return {"client_id": app.client_id, "client_secret": app.client_secret}, {}


async def _granted(
    platform: Platform, call: Call, where: Endpoints, app: App, form: Mapping[str, str], key: str | None
) -> Granted:
    asking, path = _at(call, where.token, key=key if where.dpop else None)
    known, headers = _as_client(_flow(platform), app)
    try:
        granted = await asking.post(path, Granted, form={**form, **known}, headers=headers)
    except PlatformError as error:
        if isinstance(error, Rejected) and LAPSED in str(error.facts.get("said")):
            raise Disconnected(f"{call.title} no longer takes this permission. Connect the account again.") from error
        raise
    if where.dpop and granted.token_type.lower() != "dpop":
        raise Disconnected(f"{asking.host} gave a token of another kind than was asked for.", code="token-kind")
    return granted


def _token(granted: Granted, flow: OAuth, asked_at: datetime, *, key: str | None) -> Token:
    lasts = granted.expires_in
    return Token(
        access=granted.access_token,
        refresh=granted.refresh_token,
        expires_at=asked_at + timedelta(seconds=lasts) if lasts and 0 < lasts < LONGEST_LIFE else None,
        lapses_at=asked_at + flow.unused if flow.unused is not None and granted.refresh_token else None,
        scopes=tuple(granted.scope.split()),
        kind="bearer" if key is None else "dpop",
        key=key,
        subject=granted.sub,
    )
