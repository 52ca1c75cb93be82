"""Codes into tokens, old tokens into new ones, and their end. Sheet: Connecting an account, 2 to 4."""

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qsl

from litestar import Response, post
from litestar.di import NamedDependency

from social.sandbox.clock import now_ms
from social.sandbox.x.errors import Refused, token_error
from social.sandbox.x.records import Client, Grant, Token
from social.sandbox.x.service import Call, Service, new_secret, reply

DEAD = "Value passed for the token was invalid."
BAD_CODE = "Value passed for the authorization code was invalid."
NO_CLIENT = "Missing valid authorization header"


@post("/2/oauth2/token", status_code=200)
async def token(request: Call, x: NamedDependency[Service]) -> Response[bytes]:
    """`authorization_code` or `refresh_token`."""
    form = await _form(request)
    client = _client(request, form, x)
    match form.get("grant_type"):
        case "authorization_code":
            grant = _exchanged(form, client, x)
        case "refresh_token":
            grant = _refreshed(form, client, x)
        case _:
            raise token_error("Value passed for the grant_type was invalid.")
    return reply(handed_out(grant, x, form.get("refresh_token")))


@post("/2/oauth2/revoke", status_code=200)
async def revoke(request: Call, x: NamedDependency[Service]) -> Response[bytes]:
    """An access token ends alone; with a refresh token everything of its grant does. Twice changes nothing."""
    form = await _form(request)
    client = _client(request, form, x)
    found = x.archive.token(form.get("token", ""))
    grant = x.archive.grant(found.grant_id) if found else None
    if found is not None and grant is not None and grant.client_id == client.id:
        if found.kind == "refresh":
            grant.revoked = True
            x.archive.save_grant(grant)
        found.expires_ms = 0
        x.archive.save_token(found)
    return reply({"revoked": True} if x.oddities.revoked_answer == "true" else {})


def handed_out(grant: Grant, x: Service, spent: str | None = None) -> dict[str, Any]:
    """A fresh pair for the grant. `spent` is the refresh token that asked for it, which stays good if X lets it."""
    lives = round(x.oddities.access_lives)
    now = now_ms()
    access = Token(token=new_secret(), grant_id=grant.id, kind="access", created_ms=now, expires_ms=now + lives * 1000)
    x.archive.save_token(access)
    answer = {
        "token_type": "bearer",
        "expires_in": lives,
        "access_token": access.token,
        "scope": " ".join(grant.scopes),
    }
    if "offline.access" not in grant.scopes:
        return answer
    if spent and x.oddities.refresh == "stays":
        return answer | {"refresh_token": spent}
    refresh = Token(token=new_secret(), grant_id=grant.id, kind="refresh", created_ms=now)
    x.archive.save_token(refresh)
    return answer | {"refresh_token": refresh.token}


def _exchanged(form: dict[str, str], client: Client, x: Service) -> Grant:
    grant = x.archive.grant_with(form.get("code", ""))
    late = grant is not None and now_ms() > grant.created_ms + x.oddities.code_lives * 1000
    if grant is None or grant.exchanged or late or grant.client_id != client.id:
        raise token_error(BAD_CODE)
    if form.get("redirect_uri") != grant.redirect_uri:
        raise token_error("Value passed for the redirect uri did not match the uri of the authorization code.")
    if _challenge(form.get("code_verifier", ""), grant.method) != grant.challenge:
        raise token_error("Value passed for the code verifier did not match the code challenge.")
    grant.exchanged = True
    x.archive.save_grant(grant)
    return grant


def _refreshed(form: dict[str, str], client: Client, x: Service) -> Grant:
    found = x.archive.token(form.get("refresh_token", ""))
    grant = x.archive.grant(found.grant_id) if found else None
    if found is None or found.kind != "refresh" or grant is None or grant.revoked or grant.client_id != client.id:
        raise token_error(DEAD)
    if found.spent:
        if x.oddities.replay == "kills":
            grant.revoked = True
            x.archive.save_grant(grant)
        raise token_error(DEAD)
    if x.oddities.refresh == "rotates":
        found.spent = True
        x.archive.save_token(found)
    return grant


def _client(request: Call, form: dict[str, str], x: Service) -> Client:
    """The app, known by Basic if it has a secret. Raises Refused 401 in the token endpoint's words."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            id, _, secret = base64.b64decode(given, validate=True).decode().partition(":")
        except ValueError:
            raise _unauthorized() from None
        client = x.archive.client(id)
        if client is None or client.secret is None or client.secret != secret:
            raise _unauthorized()
        return client
    client = x.archive.client(form.get("client_id", ""))
    if client is None or client.secret is not None:
        raise _unauthorized()
    return client


def _unauthorized() -> Refused:
    return token_error(NO_CLIENT, "unauthorized_client", 401)


def _challenge(verifier: str, method: str) -> str:
    if method == "plain":
        return verifier
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


async def _form(request: Call) -> dict[str, str]:
    body = await request.body()
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


ROUTES = (token, revoke)
