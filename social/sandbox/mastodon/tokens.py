"""From a code to a token, and the token's end. Sheet: Connecting an account, 3 and 4."""

import hashlib
import secrets
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterable

from litestar import Response, get, post
from litestar.di import NamedDependency

from social.sandbox.clock import now_ms
from social.sandbox.mastodon.apps import BAD_SCOPE, SCOPES, UNKNOWN_CLIENT
from social.sandbox.mastodon.errors import NO_ROUTE, Refused
from social.sandbox.mastodon.instance import Instance, carries, fresh_secret, reply
from social.sandbox.mastodon.params import Call, Params, read_params
from social.sandbox.mastodon.records import App, Token

GRANT_LIVES_MS = 600_000
BAD_GRANT = (
    "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the "
    "authorization request, or was issued to another client."
)


@post("/oauth/token")
async def token(request: Call, instance: NamedDependency[Instance]) -> Response[bytes]:
    params = await read_params(request, instance.incoming_folder)
    params.drop_uploads()
    grant_type = params.text("grant_type")
    if not grant_type:
        raise Refused(400, "invalid_request", description="Missing required parameter: grant_type.")
    if grant_type not in ("authorization_code", "client_credentials"):
        kind = "The authorization grant type is not supported by the authorization server."
        raise Refused(400, "unsupported_grant_type", description=kind)
    app = _client(request, params, instance)
    if app is None:
        raise Refused(401, "invalid_client", description=UNKNOWN_CLIENT)
    granted = _by_code(app, params, instance) if grant_type == "authorization_code" else _for_app(app, params)
    instance.archive.save_token(granted)
    body = {
        "access_token": granted.token,
        "token_type": "Bearer",
        "scope": " ".join(granted.scopes),
        "created_at": granted.created_ms // 1000,
    }
    return reply(body, headers={"Cache-Control": "no-store"})


@post("/oauth/revoke")
async def revoke(request: Call, instance: NamedDependency[Instance]) -> Response[bytes]:
    """Idempotent; an unknown token is as good as revoked, another app's is not yours to revoke."""
    params = await read_params(request, instance.incoming_folder)
    params.drop_uploads()
    app = _client(request, params, instance)
    held = instance.archive.token(params.text("token") or "")
    if app is None or (held is not None and held.client_id != app.client_id):
        raise Refused(403, "unauthorized_client", description="You are not authorized to revoke this token")
    if held is not None:
        held.revoked = True
        instance.archive.save_token(held)
    return reply({})


@get("/.well-known/oauth-authorization-server")
async def discovery(instance: NamedDependency[Instance]) -> Response[bytes]:
    if not instance.oddities.since(4, 3):
        raise Refused(404, NO_ROUTE)
    origin = instance.origin
    return reply(
        {
            "issuer": f"{origin}/",
            "authorization_endpoint": f"{origin}/oauth/authorize",
            "token_endpoint": f"{origin}/oauth/token",
            "revocation_endpoint": f"{origin}/oauth/revoke",
            "app_registration_endpoint": f"{origin}/api/v1/apps",
            "scopes_supported": SCOPES,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "grant_types_supported": ["authorization_code", "client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "service_documentation": "https://docs.joinmastodon.org/",
        }
    )


def _client(request: Call, params: Params, instance: Instance) -> App | None:
    """The app whose id and secret are given, in the body or as Basic; None where they fit no app."""
    client_id, secret = params.text("client_id"), params.text("client_secret")
    kind, _, encoded = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            client_id, _, secret = b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            return None
    app = instance.archive.app(client_id)
    matches = app is not None and secrets.compare_digest(app.client_secret.encode(), (secret or "").encode())
    return app if matches else None


def _by_code(app: App, params: Params, instance: Instance) -> Token:
    grant = instance.archive.grant(params.text("code") or "")
    fits = (
        grant is not None
        and not grant.used
        and grant.client_id == app.client_id
        and grant.redirect_uri == params.text("redirect_uri")
        and grant.created_ms + GRANT_LIVES_MS > now_ms()
        and _verified(grant.challenge, params.text("code_verifier"))
    )
    if grant is None or not fits:
        raise Refused(400, "invalid_grant", description=BAD_GRANT)
    grant.used = True
    instance.archive.save_grant(grant)
    return _token(app, grant.account_id, grant.scopes)


def _for_app(app: App, params: Params) -> Token:
    scopes = (params.text("scope") or "read").split()
    if not all(carries(app.scopes, scope) for scope in scopes):
        raise Refused(400, "invalid_scope", description=BAD_SCOPE)
    return _token(app, None, scopes)


def _token(app: App, account_id: int | None, scopes: Iterable[str]) -> Token:
    return Token(
        token=fresh_secret(), client_id=app.client_id, account_id=account_id, scopes=list(scopes), created_ms=now_ms()
    )


def _verified(challenge: str | None, verifier: str | None) -> bool:
    if challenge is None:
        return True
    digest = hashlib.sha256((verifier or "").encode()).digest()
    return secrets.compare_digest(urlsafe_b64encode(digest).rstrip(b"=").decode(), challenge)


ROUTES = (token, revoke, discovery)
