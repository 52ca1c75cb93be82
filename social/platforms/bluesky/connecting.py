"""Connecting accounts: by an app password, or over the page of their authorisation server. Sheet: Connecting."""

from base64 import urlsafe_b64decode
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from msgspec import Meta
from yarl import URL

from social.errors import Disconnected, OperatorNeeded, TokenExpired
from social.platforms.answers import web_address
from social.platforms.bluesky.pages import profile_page
from social.platforms.bluesky.records import Did
from social.platforms.calls import Call
from social.platforms.contract import App, Endpoints, Identity, Limits, Password, Token

APP = "Social"
SCOPES = ("atproto", "transition:generic")
PASSWORD = Password(
    name="Handle",
    secret="App password",  # noqa: S106 - what the field is called
    where="Make one in Bluesky's settings, under Privacy and Security, App Passwords.",
    address="https://bsky.app/settings/app-passwords",
)
# Some PDSes have no AppView behind them, and some AppViews do not know a new account yet.
NO_PROFILE = ((400, "No service configured"), (400, "Profile not found"), (501, None), (404, None))
UNSEEN = dict.fromkeys([0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF])

Jwt = Annotated[str, Meta(min_length=1, max_length=8192, pattern=r"^[\x21-\x7e]+$")]
Address = Annotated[str, Meta(min_length=1, max_length=2000)]


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A new pair of tokens and whose it is."""

    accessJwt: Jwt
    refreshJwt: Jwt
    did: Did


class Present(msgspec.Struct, frozen=True, kw_only=True):
    """Whose session this is, and how their account is."""

    did: Did
    handle: Annotated[str, Meta(min_length=1, max_length=253)]
    active: bool = True
    status: str | None = None
    didDoc: Any = None


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """How an account shows itself."""

    displayName: str | None = None
    avatar: str | None = None


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """What a PDS says of itself. An older one says nothing of how much it takes."""

    blobUploadLimit: int | None = None


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """Who may let us into a PDS (RFC 9728)."""

    authorization_servers: Annotated[tuple[Address, ...], Meta(min_length=1)]


class Authority(msgspec.Struct, frozen=True, kw_only=True):
    """An authorisation server (RFC 8414)."""

    issuer: Address
    authorization_endpoint: Address
    token_endpoint: Address
    pushed_authorization_request_endpoint: Address
    revocation_endpoint: Address | None = None


async def login(call: Call, name: str, secret: str) -> Token:
    """A session for a handle, a DID or an e-mail address and an app password."""
    identifier = name.strip().translate(UNSEEN).strip().removeprefix("@")
    body = {"identifier": identifier, "password": secret.strip()}
    return _token(await call.post("/xrpc/com.atproto.server.createSession", Session, json=body))


async def refresh(call: Call, app: App, token: Token) -> Token:
    """The next pair. An old refresh token gives the same one for two hours, so that a lost answer does no harm."""
    try:
        session = await call.post("/xrpc/com.atproto.server.refreshSession", Session, headers=_as_refresh(token))
    except TokenExpired as ended:
        sentence = "Bluesky has ended this connection. Connect the account again."
        raise Disconnected(sentence, **ended.facts) from ended
    if token.subject is not None and session.did != token.subject:
        raise Disconnected("The server answered with somebody else's session. Connect the account again.")
    return _token(session)


async def revoke(call: Call, app: App, token: Token) -> None:
    """Ends a session. Its access token works on until it ends by itself, two hours at most."""
    await call.send("/xrpc/com.atproto.server.deleteSession", headers=_as_refresh(token))


def client(ours: str, redirect: str) -> App:
    """Who we are at every authorisation server: the address of our own document, or the loopback client.

    OperatorNeeded where our address is neither public https nor this machine's.
    """
    here, back = URL(ours), URL(redirect)
    if here.scheme == "https":
        return App(client_id=document_address(ours))
    if back.host in {"127.0.0.1", "::1"}:
        asked = f"redirect_uri={quote(redirect, safe='')}&scope={quote(' '.join(SCOPES), safe='')}"
        return App(client_id=f"http://localhost?{asked}")
    if back.host == "localhost":
        sentence = (
            "Bluesky sends people back to 127.0.0.1, not to localhost. Set SOCIAL_PUBLIC_URL to "
            f"{here.with_host('127.0.0.1').origin()} and open Social there, or use an app password."
        )
    else:
        sentence = "Bluesky's page wants a public https address of this installation. Use an app password instead."
    raise OperatorNeeded(sentence, code="no-public-address")


def client_document(ours: str, redirect: str) -> dict[str, Any]:
    """What authorisation servers read at our address to know us."""
    return {
        "client_id": document_address(ours),
        "client_name": APP,
        "client_uri": ours,
        "application_type": "web",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "redirect_uris": [redirect],
        "scope": " ".join(SCOPES),
        "token_endpoint_auth_method": "none",
        "dpop_bound_access_tokens": True,
    }


def document_address(ours: str) -> str:
    """Where that document is."""
    return f"{ours}/connect/bluesky/client.json"


async def discover(call: Call) -> Endpoints:
    """The authorisation server of the PDS that is called; a server that is one itself says so.

    Disconnected if it does not say its own name.
    """
    resource = await call.get_or_none("/.well-known/oauth-protected-resource", Resource)
    issuer = resource.authorization_servers[0].removesuffix("/") if resource else call.origin
    asked = call if issuer == call.origin else call.at(issuer)
    authority = await asked.get("/.well-known/oauth-authorization-server", Authority)
    if resource and authority.issuer.removesuffix("/") != issuer:
        raise Disconnected(f"{asked.host} calls itself by another name. It cannot be trusted with this.", code="issuer")
    return Endpoints(
        authorize=authority.authorization_endpoint,
        token=authority.token_endpoint,
        revoke=authority.revocation_endpoint,
        issuer=authority.issuer,
        par=authority.pushed_authorization_request_endpoint,
        dpop=True,
    )


async def identify(call: Call, usual: Limits) -> Identity:
    """Whose token this is, where their account lives, and what their server takes if that is less than `usual`."""
    session = await call.get("/xrpc/com.atproto.server.getSession", Present)
    if not session.active:
        state = session.status or "inactive"
        raise Disconnected(f"Bluesky says that this account is {state}. Put that right there, then connect it again.")
    path, actor = "/xrpc/app.bsky.actor.getProfile", {"actor": session.did}
    profile = await call.get_or_none(path, Profile, params=actor, gone=NO_PROFILE) or Profile()
    server = await call.get_or_none("/xrpc/com.atproto.server.describeServer", Server) or Server()
    takes = min(server.blobUploadLimit or usual.image_bytes, usual.image_bytes)
    return Identity(
        id=session.did,
        handle=session.handle,
        name=(profile.displayName or "").strip()[:200] or session.handle,
        avatar_url=web_address(profile.avatar),
        profile_url=profile_page(call, session.did),
        limits=msgspec.structs.replace(usual, image_bytes=takes),
        origin=_home(call, session.didDoc),
    )


def _token(session: Session) -> Token:
    return Token(
        access=session.accessJwt,
        refresh=session.refreshJwt,
        expires_at=_end(session.accessJwt),
        lapses_at=_end(session.refreshJwt),
        subject=session.did,
    )


def _as_refresh(token: Token) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.refresh}"}


def _end(jwt: str) -> datetime | None:
    """When a token ends, as it says itself; None if it does not say."""
    try:
        claims = jwt.split(".")[1]
        end = msgspec.json.decode(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
        return datetime.fromtimestamp(int(end), UTC)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, OSError):
        return None


def _home(call: Call, document: Any) -> str | None:
    """The origin of the account's own server, as its DID document has it, if that is another one and one to talk to."""
    try:
        services = [each for each in document["service"] if str(each["id"]).endswith("#atproto_pds")]
        home = str(URL(services[0]["serviceEndpoint"]).origin())
        call.at(home)
    except (OperatorNeeded, KeyError, TypeError, IndexError, ValueError):
        return None
    return home if home != call.origin else None
