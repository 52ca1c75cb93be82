"""Who an OAuth client is: its id is the address of its metadata. Sheet: OAuth.

Only metadata on a loopback address are fetched, since nothing here talks to the world. A client that lives elsewhere is
taken at its id, with redirect addresses on its own host, or refused: a switch.
"""

import ipaddress
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

import aiohttp
import msgspec

from social.sandbox.bluesky.errors import OAuthRefused
from social.sandbox.bluesky.pds import Pds
from social.sandbox.bluesky.records import Client
from social.sandbox.bluesky.scopes import is_scope

FETCH_WITHIN = 5.0  # seconds
METADATA_LIMIT = 65_536  # bytes
LOOPBACKS = ("127.0.0.1", "[::1]")


async def client_of(client_id: str, redirect_uri: str, scopes: list[str], pds: Pds) -> Client:
    """The client of this id, as far as this request goes. Raises OAuthRefused."""
    try:
        parts = urlsplit(client_id)
        on_loopback = _is_loopback(parts.hostname or "")
    except ValueError:
        raise _bad_client("client_id is no address") from None
    if parts.scheme == "http" and parts.hostname == "localhost" and parts.port is None and parts.path in ("", "/"):
        client = _loopback_client(client_id, parts)
    elif on_loopback and parts.scheme in ("http", "https"):
        client = _described(client_id, await _fetched(client_id))
    else:
        client = _unseen(client_id, parts, redirect_uri, scopes, pds)
    _check(client, redirect_uri, scopes)
    return client


def _check(client: Client, redirect_uri: str, scopes: list[str]) -> None:
    if not any(_same_place(redirect_uri, known, client) for known in client.redirect_uris):
        raise OAuthRefused("invalid_request", f"Invalid redirect_uri {redirect_uri}")
    if "atproto" not in scopes:
        raise OAuthRefused("invalid_scope", 'The "atproto" scope is required')
    for scope in scopes:
        if not is_scope(scope) or scope not in client.scopes:
            raise OAuthRefused("invalid_scope", f'Scope "{scope}" is not declared in the client metadata')


def _same_place(asked: str, known: str, client: Client) -> bool:
    """On loopback a client may listen on any port."""
    if asked == known or not client.loopback:
        return asked == known
    one, other = urlsplit(asked), urlsplit(known)
    return (one.scheme, one.hostname, one.path) == (other.scheme, other.hostname, other.path)


def _loopback_client(client_id: str, parts: SplitResult) -> Client:
    """The client of somebody's own machine: everything about it is in its id."""
    query = parse_qs(parts.query)
    if set(query) - {"redirect_uri", "scope"}:
        raise _bad_client("Invalid loopback client ID: unexpected query parameter")
    redirect_uris = query.get("redirect_uri") or [f"http://{host}/" for host in LOOPBACKS]
    for uri in redirect_uris:
        place = urlsplit(uri)
        if place.scheme != "http" or place.hostname not in ("127.0.0.1", "::1"):
            raise _bad_client("Invalid loopback client ID: redirect_uri must be on 127.0.0.1 or [::1]")
    return Client(
        id=client_id,
        name="An app on your own machine",
        redirect_uris=redirect_uris,
        scopes=(query.get("scope") or ["atproto"])[-1].split(),
        loopback=True,
    )


def _described(client_id: str, metadata: dict[str, Any]) -> Client:
    """What a metadata document says, checked."""
    wrong = [
        what
        for what, holds in {
            "client_id must be the address of the document": metadata.get("client_id") == client_id,
            "redirect_uris must be addresses": _texts(metadata.get("redirect_uris")),
            'response_types must include "code"': "code" in (metadata.get("response_types") or ()),
            'grant_types must include "authorization_code"': "authorization_code"
            in (metadata.get("grant_types") or ()),
            "dpop_bound_access_tokens must be true": metadata.get("dpop_bound_access_tokens") is True,
            'scope must include "atproto"': "atproto" in str(metadata.get("scope")).split(),
            'token_endpoint_auth_method must be "none"': metadata.get("token_endpoint_auth_method") == "none",
        }.items()
        if not holds
    ]
    if wrong:
        raise _bad_client(f"Invalid client metadata: {'; '.join(wrong)}")
    return Client(
        id=client_id,
        name=str(metadata.get("client_name") or urlsplit(client_id).netloc),
        redirect_uris=metadata["redirect_uris"],
        scopes=metadata["scope"].split(),
    )


def _unseen(client_id: str, parts: SplitResult, redirect_uri: str, scopes: list[str], pds: Pds) -> Client:
    """A client in the world out there, by its shape alone."""
    if parts.scheme != "https" or not parts.hostname or len(parts.path) < 2 or parts.fragment:
        raise _bad_client("client_id must be an https address with a path")
    if pds.oddities.foreign_clients == "refused":
        raise _bad_client("Failed to fetch client metadata")
    place = urlsplit(redirect_uri)
    own = place.scheme == "https" and place.netloc == parts.netloc
    return Client(id=client_id, name=parts.netloc, redirect_uris=[redirect_uri] if own else [], scopes=scopes)


async def _fetched(client_id: str) -> dict[str, Any]:
    """Raises OAuthRefused."""
    limits = aiohttp.ClientTimeout(total=FETCH_WITHIN)
    try:
        async with (
            aiohttp.ClientSession(timeout=limits) as session,
            session.get(client_id, allow_redirects=False, headers={"Accept": "application/json"}) as answer,
        ):
            body = await answer.content.read(METADATA_LIMIT)
            metadata = msgspec.json.decode(body) if answer.status == 200 else None
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
        metadata = None
    if not isinstance(metadata, dict):
        raise _bad_client("Failed to fetch client metadata")
    return metadata


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def _bad_client(message: str) -> OAuthRefused:
    return OAuthRefused("invalid_client_metadata", message)
