"""OAuth for programs: discovery, pushed requests, tokens, their end. Sheet: OAuth (PAR, PKCE S256, DPoP ES256)."""

import hashlib
import secrets
import time
from urllib.parse import parse_qs

import jwt
from litestar import Response, get, post
from litestar.di import NamedDependency

from social.sandbox.bluesky.auth import grant_of, oauth_token
from social.sandbox.bluesky.call import FORM_LIMIT, Web, reply, whole
from social.sandbox.bluesky.clients import client_of
from social.sandbox.bluesky.dpop import ALGORITHMS, base64url
from social.sandbox.bluesky.errors import OAuthRefused, Refused
from social.sandbox.bluesky.pds import Pds
from social.sandbox.bluesky.records import Asking, Code, Grant, Json
from social.sandbox.clock import now_ms

ASKING_LIVES = 300  # seconds
NO_STORE = (("Cache-Control", "no-store"),)
Form = dict[str, str]


@get("/.well-known/oauth-protected-resource")
async def resource(pds: NamedDependency[Pds]) -> Response[bytes]:
    _offered(pds)
    return reply(
        {
            "resource": pds.origin,
            "authorization_servers": [pds.origin],
            "scopes_supported": [],
            "bearer_methods_supported": ["header"],
            "resource_documentation": "https://atproto.com",
        }
    )


@get("/.well-known/oauth-authorization-server")
async def server(pds: NamedDependency[Pds]) -> Response[bytes]:
    _offered(pds)
    at = f"{pds.origin}/oauth"
    return reply(
        {
            "issuer": pds.origin,
            "authorization_endpoint": f"{at}/authorize",
            "token_endpoint": f"{at}/token",
            "pushed_authorization_request_endpoint": f"{at}/par",
            "revocation_endpoint": f"{at}/revoke",
            "jwks_uri": f"{at}/jwks",
            "require_pushed_authorization_requests": True,
            "authorization_response_iss_parameter_supported": True,
            "client_id_metadata_document_supported": True,
            "scopes_supported": ["atproto", "transition:email", "transition:generic", "transition:chat.bsky"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "dpop_signing_alg_values_supported": ALGORITHMS,
        }
    )


@get("/oauth/jwks")
async def keys() -> Response[bytes]:
    """None: the tokens of this host are its own business."""
    return reply({"keys": []})


@post("/oauth/par")
async def push(request: Web, pds: NamedDependency[Pds]) -> Response[bytes]:
    form = await _form(request)
    jkt = _proof(request, pds, "/oauth/par")
    if form.get("response_type") != "code":
        raise OAuthRefused("unsupported_response_type", 'Only "code" response type is allowed')
    if form.get("code_challenge_method") != "S256" or len(form.get("code_challenge", "")) != 43:
        raise OAuthRefused("invalid_request", "code_challenge with code_challenge_method S256 is required")
    scopes, redirect_uri = _needed(form, "scope").split(), _needed(form, "redirect_uri")
    asking = Asking(
        uri=f"urn:ietf:params:oauth:request_uri:req-{secrets.token_hex(16)}",
        client=await client_of(_needed(form, "client_id"), redirect_uri, scopes, pds),
        redirect_uri=redirect_uri,
        scopes=scopes,
        state=form.get("state"),
        challenge=form["code_challenge"],
        login_hint=form.get("login_hint"),
        jkt=jkt,
        expires_ms=now_ms() + ASKING_LIVES * 1000,
    )
    pds.archive.save_asking(asking)
    return reply({"request_uri": asking.uri, "expires_in": ASKING_LIVES - 1}, 201, NO_STORE)


@post("/oauth/token", status_code=200)
async def token(request: Web, pds: NamedDependency[Pds]) -> Response[bytes]:
    form = await _form(request)
    jkt = _proof(request, pds, "/oauth/token")
    grant_type = _needed(form, "grant_type")
    if grant_type == "authorization_code":
        grant = _by_code(form, jkt, pds)
    elif grant_type == "refresh_token":
        grant = _by_refresh(form, jkt, pds)
    else:
        raise OAuthRefused("unsupported_grant_type", f'Grant type "{grant_type}" is not allowed')
    return reply(_handed_out(grant, pds), headers=NO_STORE)


@post("/oauth/revoke", status_code=200)
async def revoke(request: Web, pds: NamedDependency[Pds]) -> Response[bytes]:
    """By access or refresh token; the whole session ends. An unknown token is as good as revoked."""
    form = await _form(request)
    given = _needed(form, "token")
    try:
        grant = pds.archive.granted_with(given) or grant_of(given, pds, expired_too=True)
    except jwt.PyJWTError:
        grant = None
    if grant is not None and grant.client_id == form.get("client_id"):
        pds.archive.drop_grant(grant.id)
    return reply({})


def _by_code(form: Form, jkt: str, pds: Pds) -> Grant:
    """A code that comes a second time ends the session that it made."""
    code = pds.archive.code(_needed(form, "code"))
    if code is None:
        raise OAuthRefused("invalid_grant", "Invalid code")
    if code.grant is not None:
        pds.archive.drop_grant(code.grant)
        raise OAuthRefused("invalid_grant", "Code replayed")
    asking = code.asking
    if code.expires_ms <= now_ms():
        raise OAuthRefused("invalid_grant", "Code expired")
    if form.get("client_id") != asking.client.id or form.get("redirect_uri") != asking.redirect_uri:
        raise OAuthRefused("invalid_grant", "The code was issued to another client or redirect_uri")
    _match_key(asking.jkt, jkt)
    verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    if not secrets.compare_digest(base64url(verifier), asking.challenge):
        raise OAuthRefused("invalid_grant", "Invalid code_verifier")
    grant = Grant(
        id=secrets.token_hex(16),
        did=code.did,
        client_id=asking.client.id,
        client_name=asking.client.name,
        scopes=asking.scopes,
        jkt=jkt,
        created_ms=now_ms(),
        access=secrets.token_hex(16),
        refresh=_fresh_refresh(),
        refresh_expires_ms=_refresh_expires(pds),
    )
    code.grant = grant.id
    with pds.archive.transaction():
        pds.archive.save_grant(grant)
        pds.archive.save_code(code)
    return grant


def _by_refresh(form: Form, jkt: str, pds: Pds) -> Grant:
    """A spent token that comes again ends the session, new tokens included: no grace here."""
    given = _needed(form, "refresh_token")
    grant = pds.archive.granted_with(given)
    if grant is None:
        raise OAuthRefused("invalid_grant", "Invalid refresh token")
    if grant.client_id != form.get("client_id"):
        raise OAuthRefused("invalid_grant", "Token was not issued to this client")
    if grant.refresh != given:
        pds.archive.drop_grant(grant.id)
        raise OAuthRefused("invalid_grant", "Refresh token replayed")
    _match_key(grant.jkt, jkt)
    session_ends = grant.created_ms + int(pds.oddities.oauth_session_lives * 1000)
    if min(grant.refresh_expires_ms, session_ends) <= now_ms():
        pds.archive.drop_grant(grant.id)
        raise OAuthRefused("invalid_grant", "Refresh token expired")
    grant.access, grant.refresh = secrets.token_hex(16), _fresh_refresh()
    grant.refresh_expires_ms = _refresh_expires(pds)
    with pds.archive.transaction():
        pds.archive.save_grant(grant)
    return grant


def _handed_out(grant: Grant, pds: Pds) -> Json:
    now, lives = int(time.time()), int(pds.oddities.oauth_access_lives)
    return {
        "access_token": oauth_token(grant, pds, now, now + lives),
        "token_type": "DPoP",
        "refresh_token": grant.refresh,
        "scope": " ".join(grant.scopes),
        "expires_in": max(0, lives - 1),
        "sub": grant.did,
    }


def code_for(asking: Asking, did: str, pds: Pds) -> str:
    """What the browser carries back, once somebody has agreed."""
    made = Code(code=f"cod-{secrets.token_hex(32)}", asking=asking, did=did, expires_ms=now_ms() + ASKING_LIVES * 1000)
    asking.answered = True
    with pds.archive.transaction():
        pds.archive.save_asking(asking)
        pds.archive.save_code(made)
    return made.code


def _proof(request: Web, pds: Pds, path: str) -> str:
    return pds.proofs.checked("authorization", request.headers.get("dpop"), request.method, path)


def _match_key(expected: str, given: str) -> None:
    if expected != given:
        raise OAuthRefused("invalid_dpop_proof", "Invalid DPoP key binding")


async def _form(request: Web) -> Form:
    """Raises Refused 413."""
    body = await whole(request, FORM_LIMIT)
    pairs = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[-1] for name, values in pairs.items()}


def _needed(form: Form, name: str) -> str:
    value = form.get(name)
    if not value:
        raise OAuthRefused("invalid_request", f'"{name}" is required')
    return value


def _offered(pds: Pds) -> None:
    if not pds.oddities.oauth:
        raise Refused(404, "NotFound")


def _fresh_refresh() -> str:
    return f"ref-{secrets.token_hex(32)}"


def _refresh_expires(pds: Pds) -> int:
    return now_ms() + int(pds.oddities.oauth_refresh_lives * 1000)


ROUTES = (resource, server, keys, push, token, revoke)
