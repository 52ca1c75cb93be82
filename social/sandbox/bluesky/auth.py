"""Who calls, by whichever kind of token. Sheet: Connecting an account; the table of errors."""

from typing import Any, NamedTuple

import jwt

from social.sandbox.bluesky.call import Call
from social.sandbox.bluesky.errors import (
    Refused,
    auth_missing,
    expired,
    forbidden,
    invalid_token,
    missing_scope,
    revoked,
)
from social.sandbox.bluesky.pds import Pds
from social.sandbox.bluesky.records import Account, Grant, Session

FULL, APP, PRIVILEGED = "com.atproto.access", "com.atproto.appPass", "com.atproto.appPassPrivileged"
REFRESH = "com.atproto.refresh"
ACCESS_TYPE, REFRESH_TYPE = "at+jwt", "refresh+jwt"
STATES = {
    "deactivated": ("AccountDeactivated", "Account is deactivated"),
    "takendown": ("AccountTakedown", "Account has been taken down"),
}


class Caller(NamedTuple):
    """`scopes` is None with a session of a password, which may do everything but what `full` is for."""

    account: Account
    application: str | None
    full: bool
    scopes: list[str] | None = None

    def need(self, lacking: str | None) -> None:
        """Raises Refused 403 for a scope that is lacking."""
        if lacking is not None:
            raise missing_scope(lacking)

    def need_own(self, repo: str) -> None:
        """Raises Refused 403 where `repo` is not the caller's, by DID or handle."""
        if repo not in (self.account.did, self.account.handle):
            raise Refused(403, "AccountNotFound", "Could not find account")


def caller(call: Call, *, active: bool = True) -> Caller:
    """Raises Refused 400 for a bad session token, 401 for a bad OAuth one, none at all, or an account's state."""
    scheme, token = call.authorization
    if not scheme:
        raise auth_missing()
    found = _by_dpop(call, token) if scheme == "dpop" else _by_session(call, scheme, token)
    state = call.pds.oddities.account_state
    if state != "active" and (active or state == "takendown"):
        raise Refused(401, *STATES[state])
    return found


def full_caller(call: Call) -> Caller:
    """Only with the account's own password. Raises Refused 400, 401, 403."""
    found = caller(call)
    if found.scopes is not None:
        raise forbidden("OAuth credentials are not supported for this endpoint")
    if not found.full:
        raise invalid_token("Bad token scope")
    return found


def session_of(call: Call) -> Session:
    """The session that the call's refresh JWT stands for. Raises Refused."""
    scheme, token = call.authorization
    if not scheme:
        raise auth_missing()
    claims = _claims(call.pds, token if scheme == "bearer" else "", REFRESH_TYPE)
    session = call.pds.archive.session(str(claims.get("jti")))
    if claims.get("scope") != REFRESH:
        raise invalid_token("Bad token scope")
    if session is None or session.revoked:
        raise revoked()
    return session


def access_token(session: Session, pds: Pds, now_s: int) -> str:
    scope = FULL if session.app_password is None else (PRIVILEGED if session.privileged else APP)
    claims = {"iat": now_s, "exp": now_s + int(pds.oddities.access_lives)}
    return _signed(pds, session, scope, claims, ACCESS_TYPE)


def refresh_token(session: Session, pds: Pds) -> str:
    """The same each time for one session."""
    claims = {"jti": session.id, "iat": session.issued_s, "exp": session.expires_s}
    return _signed(pds, session, REFRESH, claims, REFRESH_TYPE)


def oauth_token(grant: Grant, pds: Pds, now_s: int, expires_s: int) -> str:
    claims = {
        "jti": grant.access,
        "sid": grant.id,
        "sub": grant.did,
        "iss": pds.origin,
        "aud": pds.did,
        "iat": now_s,
        "exp": expires_s,
        "scope": " ".join(grant.scopes),
        "client_id": grant.client_id,
        "cnf": {"jkt": grant.jkt},
    }
    return jwt.encode(claims, pds.archive.secret(), "HS256", {"typ": ACCESS_TYPE})


def grant_of(token: str, pds: Pds, *, expired_too: bool = False) -> Grant | None:
    """The session of an OAuth access token that is its present one."""
    options: Any = {"verify_aud": False, "verify_exp": not expired_too}
    claims = jwt.decode(token, pds.archive.secret(), ["HS256"], options=options)
    grant = pds.archive.grant(str(claims.get("sid")))
    return grant if grant is not None and grant.access == claims.get("jti") else None


def _by_session(call: Call, scheme: str, token: str) -> Caller:
    if scheme != "bearer":
        raise invalid_token("Unexpected authorization type")
    claims = _claims(call.pds, token, ACCESS_TYPE)
    account = call.pds.archive.account(str(claims.get("sub")))
    if claims.get("scope") not in (FULL, APP, PRIVILEGED) or account is None:
        raise invalid_token("Bad token scope")
    return Caller(account, claims.get("app"), claims["scope"] == FULL)


def _by_dpop(call: Call, token: str) -> Caller:
    request = call.request
    key = call.pds.proofs.checked(
        "resource", request.headers.get("dpop"), request.method, f"/xrpc/{call.nsid}", access_token=token
    )
    try:
        grant = grant_of(token, call.pds)
    except jwt.ExpiredSignatureError:
        raise _dead('"exp" claim timestamp check failed') from None
    except jwt.PyJWTError:
        raise _dead("Malformed token") from None
    account = call.pds.archive.account(grant.did) if grant else None
    if grant is None or account is None:
        raise _dead("Token revoked")
    if grant.jkt != key:
        raise _dead("Invalid DPoP key binding")
    return Caller(account, grant.client_name, False, grant.scopes)


def _claims(pds: Pds, token: str, kind: str) -> dict[str, Any]:
    try:
        if jwt.get_unverified_header(token).get("typ") != kind:
            raise invalid_token("Bad token scope")
        claims: dict[str, Any] = jwt.decode(token, pds.archive.secret(), ["HS256"], options={"verify_aud": False})
    except jwt.ExpiredSignatureError:
        raise expired() from None
    except jwt.PyJWTError:
        raise invalid_token() from None
    if "cnf" in claims:  # an OAuth token, sent as if it were bearer's
        raise invalid_token("Malformed token")
    return claims


def _signed(pds: Pds, session: Session, scope: str, claims: dict[str, Any], kind: str) -> str:
    named = {"app": session.app_password} if session.app_password is not None else {}
    body = {"scope": scope, "sub": session.did, "aud": pds.did, **claims, **named}
    return jwt.encode(body, pds.archive.secret(), "HS256", {"typ": kind})


def _dead(message: str) -> Refused:
    challenge = f'DPoP error="invalid_token", error_description="{message.replace(chr(34), chr(39))}"'
    return Refused(401, "invalid_token", message, headers=(("WWW-Authenticate", challenge),))
