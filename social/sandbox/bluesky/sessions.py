"""Sessions with a password: begun, refreshed, ended; and app passwords. Sheet: App password."""

import secrets
import time

import jwt
from litestar import Response

from social.sandbox.bluesky.auth import (
    STATES,
    access_token,
    caller,
    full_caller,
    refresh_token,
    session_of,
)
from social.sandbox.bluesky.call import Call, empty, field, optional, reply
from social.sandbox.bluesky.errors import Refused, revoked, wrong_password
from social.sandbox.bluesky.pds import DOMAIN, Pds
from social.sandbox.bluesky.quotas import LOGINS
from social.sandbox.bluesky.records import Account, AppPassword, Json, Session
from social.sandbox.bluesky.scopes import lacking_for_service
from social.sandbox.clock import iso, now_ms

SERVICE_TOKEN_LIVES = 60  # seconds, unless asked for otherwise
SERVICE_TOKEN_MOST = 3_600


async def create_session(call: Call) -> Response[bytes]:
    """By handle, DID or e-mail address, with the account's password or one of its app passwords."""
    body = await call.body()
    identifier, password = field(body, "identifier"), field(body, "password")
    call.spend(LOGINS, identifier.lower())
    pds = call.pds
    account = pds.archive.account_named(identifier.strip().lower())
    if account is None:
        raise wrong_password()
    app_password = _app_password(pds, account, password)
    if app_password is None and not secrets.compare_digest(account.password.encode(), password.encode()):
        raise wrong_password()
    _ask_second_factor(pds, app_password, optional(body, "authFactorToken"))
    if pds.oddities.account_state == "takendown":
        raise Refused(401, *STATES["takendown"])
    return reply(begun(pds, account, app_password))


async def create_account(call: Call) -> Response[bytes]:
    body = await call.body()
    handle = field(body, "handle")
    email = optional(body, "email") or f"{handle}@example.test"
    account = call.pds.new_account(handle, email, optional(body, "password") or secrets.token_urlsafe(12))
    return reply(begun(call.pds, account, None))


async def refresh_session(call: Call) -> Response[bytes]:
    """A new pair. Within its grace a spent token answers with the same successor: the answer may have been lost."""
    pds, session = call.pds, session_of(call)
    account = pds.archive.account(session.did)
    if account is None:
        raise revoked()
    if session.successor is None:
        following = _new_session(pds, session.did, session.app_password, privileged=session.privileged)
        session.successor = following.id
        session.grace_until_ms = now_ms() + int(pds.oddities.refresh_grace * 1000)
        with pds.archive.transaction():
            pds.archive.save_session(following)
            pds.archive.save_session(session)
    elif session.grace_until_ms <= now_ms():
        raise revoked()
    successor = pds.archive.session(session.successor)
    if successor is None or successor.revoked:
        raise revoked()
    return reply(_tokens(pds, successor) | _about(pds, account))


async def delete_session(call: Call) -> Response[bytes]:
    """With the refresh JWT; the access JWT lives on until it expires."""
    session = session_of(call)
    session.revoked = True
    call.pds.archive.save_session(session)
    return empty()


async def get_session(call: Call) -> Response[bytes]:
    who = caller(call, active=False)
    return reply(_about(call.pds, who.account))


async def create_app_password(call: Call) -> Response[bytes]:
    account = full_caller(call).account
    body = await call.body()
    privileged = bool(optional(body, "privileged", bool))
    made = call.pds.new_app_password(account, field(body, "name"), privileged=privileged)
    return reply({**_listed(made), "password": made.password})


async def list_app_passwords(call: Call) -> Response[bytes]:
    account = full_caller(call).account
    return reply({"passwords": [_listed(password) for password in call.pds.archive.app_passwords(account.did)]})


async def revoke_app_password(call: Call) -> Response[bytes]:
    account = full_caller(call).account
    call.pds.archive.drop_app_password(account.did, field(await call.body(), "name"))
    return empty()


async def get_service_auth(call: Call) -> Response[bytes]:
    """Signed with this host's secret, which the video service here knows (the original: with the repository's key)."""
    who = caller(call)
    audience, method, now = call.needed("aud"), call.text("lxm"), int(time.time())
    if who.scopes is not None:
        who.need(lacking_for_service(who.scopes, method or "*", audience))
    asked = call.number("exp", now + SERVICE_TOKEN_LIVES, 0, 2**53)
    if asked < now:
        raise Refused(400, "BadExpiration", "expiration is in past")
    if asked > now + SERVICE_TOKEN_MOST:
        raise Refused(400, "BadExpiration", "cannot request a token with an expiration more than an hour in the future")
    claims = {"iss": who.account.did, "aud": audience, "exp": asked, "iat": now, "jti": secrets.token_hex(16)}
    if method:
        claims["lxm"] = method
    return reply({"token": jwt.encode(claims, call.pds.archive.secret(), "HS256")})


async def describe_server(call: Call) -> Response[bytes]:
    pds = call.pds
    return reply(
        {
            "did": pds.did,
            "availableUserDomains": [DOMAIN],
            "inviteCodeRequired": False,
            "phoneVerificationRequired": False,
            "links": {},
            "contact": {},
            "blobUploadLimit": pds.oddities.upload_limit,
        }
    )


def begun(pds: Pds, account: Account, app_password: AppPassword | None) -> Json:
    """A session of this account, as createSession answers it."""
    name = app_password.name if app_password else None
    session = _new_session(pds, account.did, name, privileged=bool(app_password and app_password.privileged))
    pds.archive.save_session(session)
    return _tokens(pds, session) | _about(pds, account)


def _new_session(pds: Pds, did: str, app_password: str | None, *, privileged: bool) -> Session:
    now = int(time.time())
    return Session(
        id=secrets.token_urlsafe(24),
        did=did,
        app_password=app_password,
        privileged=privileged,
        issued_s=now,
        expires_s=now + int(pds.oddities.refresh_lives),
    )


def _tokens(pds: Pds, session: Session) -> Json:
    return {
        "accessJwt": access_token(session, pds, int(time.time())),
        "refreshJwt": refresh_token(session, pds),
    }


def _about(pds: Pds, account: Account) -> Json:
    state = pds.oddities.account_state
    about: Json = {
        "did": account.did,
        "handle": account.handle,
        "email": account.email,
        "emailConfirmed": pds.oddities.email_confirmed,
        "active": state == "active",
    }
    if state != "active":
        about["status"] = state
    if pds.oddities.did_document:
        about["didDoc"] = pds.did_document(account)
    return about


def _app_password(pds: Pds, account: Account, password: str) -> AppPassword | None:
    known = pds.archive.app_passwords(account.did)
    return next((one for one in known if secrets.compare_digest(one.password.encode(), password.encode())), None)


def _ask_second_factor(pds: Pds, app_password: AppPassword | None, given: str | None) -> None:
    """Any code will do: no mail leaves this machine."""
    asked = pds.oddities.second_factor
    if not given and (asked == "all" or (asked == "password" and app_password is None)):
        raise Refused(401, "AuthFactorTokenRequired", "A sign in code has been sent to your email address")


def _listed(password: AppPassword) -> Json:
    return {"name": password.name, "createdAt": iso(password.created_ms), "privileged": password.privileged}


QUERIES = {
    "com.atproto.server.getSession": get_session,
    "com.atproto.server.listAppPasswords": list_app_passwords,
    "com.atproto.server.getServiceAuth": get_service_auth,
    "com.atproto.server.describeServer": describe_server,
}
PROCEDURES = {
    "com.atproto.server.createSession": create_session,
    "com.atproto.server.createAccount": create_account,
    "com.atproto.server.refreshSession": refresh_session,
    "com.atproto.server.deleteSession": delete_session,
    "com.atproto.server.createAppPassword": create_app_password,
    "com.atproto.server.revokeAppPassword": revoke_app_password,
}
