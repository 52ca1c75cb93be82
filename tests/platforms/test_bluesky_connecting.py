"""Connecting a Bluesky account: sessions of app passwords, who we are to its OAuth servers, whose token it is."""

import asyncio
import dataclasses
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Self

import aiohttp
import msgspec
import pytest

from social.errors import Disconnected, OperatorNeeded, PlatformError, QuotaSpent, RetryLater, TokenExpired
from social.platforms.bluesky import BLUESKY
from social.platforms.bluesky.connecting import client, client_document, discover, login, refresh, revoke
from social.platforms.calls import Call, Empty
from social.platforms.contract import App, Endpoints, Identity, Token
from tests.platforms.scripted import Scripted, answer, calling, scripted

ANNA = "did:plc:anna"
NOBODY = App(client_id="")
OURS, BACK = "https://social.example", "https://social.example/connect/bluesky"


def jwt(**claims: Any) -> str:
    middle = urlsafe_b64encode(msgspec.json.encode(claims)).rstrip(b"=").decode()
    return f"eyJhbGciOiJIUzI1NiJ9.{middle}.c2lnbmVk"


ACCESS, REFRESH = jwt(exp=1_795_400_000, scope="com.atproto.appPass"), jwt(exp=1_803_100_000)
SESSION = {"accessJwt": ACCESS, "refreshJwt": REFRESH, "did": ANNA, "handle": "anna.test", "active": True}
OLD = Token(access="old-access", refresh="old-refresh", subject=ANNA)


def nobody(call: Call) -> Call:
    return dataclasses.replace(call, token=None)


# Sessions


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("anna.bsky.social", "anna.bsky.social"),
        (" @anna.bsky.social\n", "anna.bsky.social"),
        ("\u202aanna.bsky.social\u202c", "anna.bsky.social"),
        ("\u2068@anna.bsky.social\u2069", "anna.bsky.social"),
        ("did:plc:anna", "did:plc:anna"),
        ("anna@example.org", "anna@example.org"),
    ],
)
async def test_a_session_is_made_with_an_app_password(written: str, sent: str) -> None:
    async with scripted(answer(200, SESSION)) as server, calling(BLUESKY, server) as call:
        token = await login(nobody(call), written, " abcd-efgh-ijkl-mnop ")
    request = server.requests[0]
    assert (request.method, request.path) == ("POST", "/xrpc/com.atproto.server.createSession")
    assert "authorization" not in request.headers
    assert msgspec.json.decode(request.body) == {"identifier": sent, "password": "abcd-efgh-ijkl-mnop"}
    assert token == Token(
        access=ACCESS,
        refresh=REFRESH,
        expires_at=datetime.fromtimestamp(1_795_400_000, UTC),
        lapses_at=datetime.fromtimestamp(1_803_100_000, UTC),
        subject=ANNA,
    )


@pytest.mark.parametrize("odd", ["opaque", "a.b.c", jwt(), jwt(exp="soon"), jwt(exp=10**30), "a.W10.c"])
async def test_a_token_that_does_not_say_when_it_ends_is_used_all_the_same(odd: str) -> None:
    async with scripted(answer(200, SESSION | {"accessJwt": odd})) as server, calling(BLUESKY, server) as call:
        token = await login(nobody(call), "anna.test", "abcd-efgh-ijkl-mnop")
    assert (token.access, token.expires_at) == (odd, None)


LOGINS: list[tuple[int, dict[str, str], type[PlatformError], str]] = [
    (
        401,
        {"error": "AuthenticationRequired", "message": "Invalid identifier or password"},
        Disconnected,
        "handle in full",
    ),
    (
        401,
        {"error": "AuthFactorTokenRequired", "message": "A sign in code has been sent"},
        Disconnected,
        "app password",
    ),
    (
        400,
        {"error": "AuthFactorTokenRequired", "message": "A sign in code has been sent"},
        Disconnected,
        "app password",
    ),
    (401, {"error": "AccountTakedown", "message": "Account has been taken down"}, Disconnected, "moderators"),
    (401, {"error": "AccountDeactivated", "message": "Account is deactivated"}, Disconnected, "Activate it"),
    (429, {"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"}, QuotaSpent, "no more for now"),
    (503, {"error": "x"}, RetryLater, "trouble"),
]


@pytest.mark.parametrize(("status", "body", "error", "words"), LOGINS)
async def test_a_refused_login_says_what_to_do(
    status: int, body: dict[str, str], error: type[PlatformError], words: str
) -> None:
    async with scripted(answer(status, body)) as server, calling(BLUESKY, server) as call:
        with pytest.raises(error) as refused:
            await login(nobody(call), "anna.test", "abcd-efgh-ijkl-mnop")
    assert words in refused.value.sentence
    assert "abcd-efgh" not in str(refused.value.facts)


async def test_a_session_is_refreshed_with_its_refresh_token() -> None:
    async with scripted(answer(200, SESSION)) as server, calling(BLUESKY, server) as call:
        token = await refresh(nobody(call), NOBODY, OLD)
    request = server.requests[0]
    assert (request.method, request.path, request.body) == ("POST", "/xrpc/com.atproto.server.refreshSession", b"")
    assert request.headers["authorization"] == "Bearer old-refresh"
    assert (token.access, token.refresh, token.subject) == (ACCESS, REFRESH, ANNA)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (answer(400, {"error": "ExpiredToken", "message": "Token has been revoked"}), Disconnected),
        (answer(400, {"error": "ExpiredToken", "message": "Token has expired"}), Disconnected),
        (answer(400, {"error": "InvalidToken", "message": "Bad token scope"}), Disconnected),
        (answer(401, {"error": "AuthMissing", "message": "Authentication Required"}), Disconnected),
        (answer(401, {"error": "AccountTakedown", "message": "Account has been taken down"}), Disconnected),
        (answer(200, SESSION | {"did": "did:plc:berta"}), Disconnected),
        (answer(200, {"did": ANNA}), RetryLater),
        (answer(503, {"error": "x"}), RetryLater),
        ("hang up", RetryLater),
    ],
)
async def test_a_refresh_that_fails_is_the_end_or_tried_again(said: Any, error: type[PlatformError]) -> None:
    async with scripted(said) as server, calling(BLUESKY, server) as call:
        with pytest.raises(error):
            await refresh(nobody(call), NOBODY, OLD)


async def test_a_session_is_given_back() -> None:
    async with scripted(answer(200)) as server, calling(BLUESKY, server) as call:
        await revoke(nobody(call), NOBODY, OLD)
    request = server.requests[0]
    assert (request.method, request.path) == ("POST", "/xrpc/com.atproto.server.deleteSession")
    assert request.headers["authorization"] == "Bearer old-refresh"


# Who we are


def test_a_public_address_has_a_document_that_says_who_we_are() -> None:
    app = client(OURS, BACK)
    assert app == App(client_id="https://social.example/connect/bluesky/client.json")
    assert client_document(OURS, BACK) == {
        "client_id": app.client_id,
        "client_name": "Social",
        "client_uri": OURS,
        "application_type": "web",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "redirect_uris": [BACK],
        "scope": "atproto transition:generic",
        "token_endpoint_auth_method": "none",
        "dpop_bound_access_tokens": True,
    }


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "[::1]:8000"])
def test_on_this_machine_we_are_the_loopback_client(host: str) -> None:
    app = client(f"http://{host}", f"http://{host}/connect/bluesky")
    back = host.replace("[", "%5B").replace("]", "%5D").replace(":", "%3A")
    redirect = f"http%3A%2F%2F{back}%2Fconnect%2Fbluesky"
    assert app.client_id == f"http://localhost?redirect_uri={redirect}&scope=atproto%20transition%3Ageneric"
    assert app.client_secret == ""


@pytest.mark.parametrize(
    ("ours", "words"),
    [("http://localhost:8000", "http://127.0.0.1:8000"), ("http://192.168.1.5:8000", "app password")],
)
def test_elsewhere_there_is_no_client_and_a_way_out_is_named(ours: str, words: str) -> None:
    with pytest.raises(OperatorNeeded) as refused:
        client(ours, f"{ours}/connect/bluesky")
    assert words in refused.value.sentence


# Its authorisation server


def authority(issuer: str) -> dict[str, str]:
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "pushed_authorization_request_endpoint": f"{issuer}/oauth/par",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
    }


def endpoints(issuer: str) -> Endpoints:
    return Endpoints(
        authorize=f"{issuer}/oauth/authorize",
        token=f"{issuer}/oauth/token",
        revoke=f"{issuer}/oauth/revoke",
        issuer=issuer,
        par=f"{issuer}/oauth/par",
        dpop=True,
    )


class Another:
    """An authorisation server that knows its own address. `heard` is what it was asked."""

    def __init__(self) -> None:
        self.origin = ""
        self.heard: list[str] = []

    @asynccontextmanager
    async def calling_itself(self, name: str | None = None) -> AsyncIterator[Self]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.heard.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(answer(200, authority(name or self.origin)))
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_authorisation_server_is_another_one(slash: str) -> None:
    async with Another().calling_itself() as there:
        resource = answer(200, {"authorization_servers": [there.origin + slash]})
        async with scripted(resource) as server, calling(BLUESKY, server) as call:
            assert await discover(call) == endpoints(there.origin)
    assert [request.path for request in server.requests] == ["/.well-known/oauth-protected-resource"]
    assert [heard.split()[1] for heard in there.heard] == ["/.well-known/oauth-authorization-server"]
    assert "\r\nauthorization:" not in there.heard[0].lower()  # our token is not for it


async def test_a_server_may_be_its_own_authorisation_server() -> None:
    answers = (answer(404, {"error": "x"}), answer(200, authority("https://bsky.social")))
    async with scripted(*answers) as server, calling(BLUESKY, server) as call:
        assert await discover(call) == endpoints("https://bsky.social")


async def test_a_server_that_calls_itself_by_another_name_is_not_trusted() -> None:
    async with Another().calling_itself("https://elsewhere.example") as there:
        resource = answer(200, {"authorization_servers": [there.origin]})
        async with scripted(resource) as server, calling(BLUESKY, server) as call:
            with pytest.raises(Disconnected):
                await discover(call)


@pytest.mark.parametrize("body", [{}, {"authorization_servers": []}, {"authorization_servers": [1]}, []])
async def test_a_server_that_says_nothing_useful_is_asked_later(body: Any) -> None:
    async with scripted(answer(200, body)) as server, calling(BLUESKY, server) as call:
        with pytest.raises(RetryLater):
            await discover(call)


# Whose token


def present(**changes: Any) -> bytes:
    return answer(200, {"did": ANNA, "handle": "anna.test", "active": True} | changes)


PROFILE = answer(200, {"did": ANNA, "handle": "anna.test", "displayName": " Anna ", "avatar": "https://cdn.example/a"})
DESCRIBED = answer(200, {"did": "did:web:example", "availableUserDomains": [], "blobUploadLimit": 52_428_800})


async def told(*answers: bytes) -> tuple[Identity, Scripted]:
    async with scripted(*answers) as server, calling(BLUESKY, server) as call:
        call.towards = _only_https(call.session)
        return await BLUESKY.identify(call), server


async def test_whose_token_it_is_is_told() -> None:
    who, server = await told(present(), PROFILE, DESCRIBED)
    assert who == Identity(
        id=ANNA,
        handle="anna.test",
        name="Anna",
        avatar_url="https://cdn.example/a",
        profile_url=f"https://bsky.app/profile/{ANNA}",
        limits=BLUESKY.limits,
    )
    assert [request.path for request in server.requests] == [
        "/xrpc/com.atproto.server.getSession",
        f"/xrpc/app.bsky.actor.getProfile?actor={ANNA}",
        "/xrpc/com.atproto.server.describeServer",
    ]


NO_APPVIEW = {"error": "InvalidRequest", "message": "No service configured for app.bsky.actor.getProfile"}


@pytest.mark.parametrize(
    "profile",
    [
        answer(400, NO_APPVIEW),
        answer(501, {"error": "MethodNotImplemented", "message": "Method Not Implemented"}),
        answer(400, {"error": "InvalidRequest", "message": "Profile not found"}),
        answer(200, {"did": ANNA, "handle": "anna.test", "displayName": "", "avatar": "javascript:x"}),
    ],
)
async def test_without_a_profile_the_handle_is_the_name(profile: bytes) -> None:
    who, _ = await told(present(), profile, DESCRIBED)
    assert (who.name, who.avatar_url) == ("anna.test", None)


@pytest.mark.parametrize(
    ("described", "takes"),
    [
        (DESCRIBED, 1_000_000),
        (answer(200, {"did": "x", "blobUploadLimit": 500_000}), 500_000),
        (answer(200, {"did": "x"}), 1_000_000),
        (answer(404, {"error": "x"}), 1_000_000),
    ],
)
async def test_a_server_may_take_less_than_others(described: bytes, takes: int) -> None:
    who, _ = await told(present(), PROFILE, described)
    assert who.limits == msgspec.structs.replace(BLUESKY.limits, image_bytes=takes)


def document(endpoint: Any, kind: str = "#atproto_pds") -> dict[str, Any]:
    return {"id": ANNA, "service": [{"id": "#other"}, {"id": kind, "serviceEndpoint": endpoint}]}


HOMES: list[tuple[Any, str | None]] = [
    (document("https://morel.us-east.host.bsky.network"), "https://morel.us-east.host.bsky.network"),
    (document("https://pds.example/", f"{ANNA}#atproto_pds"), "https://pds.example"),
    (document("http://pds.example"), None),
    (document("http://127.0.0.1:1"), None),
    (document("nonsense"), None),
    (document(7), None),
    (document("https://pds.example", "#atproto_labeler"), None),
    ({"service": []}, None),
    ({"service": "x"}, None),
    ([], None),
    (None, None),
]


@pytest.mark.parametrize(("didDoc", "home"), HOMES)
async def test_the_accounts_own_server_is_told_if_we_would_speak_to_it(didDoc: Any, home: str | None) -> None:
    who, _ = await told(present(didDoc=didDoc), PROFILE, DESCRIBED)
    assert who.origin == home


@pytest.mark.parametrize("status", ["deactivated", "suspended", "takendown"])
async def test_an_account_that_is_not_active_is_told(status: str) -> None:
    async with scripted(present(active=False, status=status)) as server, calling(BLUESKY, server) as call:
        with pytest.raises(Disconnected) as refused:
            await BLUESKY.identify(call)
    assert status in refused.value.sentence


async def test_trouble_with_the_profile_is_not_taken_for_having_none() -> None:
    async with (
        scripted(present(), answer(502, {"error": "UpstreamFailure"})) as server,
        calling(BLUESKY, server) as call,
    ):
        with pytest.raises(RetryLater):
            await BLUESKY.identify(call)


async def test_an_expired_token_is_refreshed() -> None:
    expired = answer(400, {"error": "ExpiredToken", "message": "Token has expired"})
    async with scripted(expired) as server, calling(BLUESKY, server) as call:
        with pytest.raises(TokenExpired):
            await BLUESKY.identify(call)


def _only_https(session: aiohttp.ClientSession) -> Any:
    def towards(origin: str) -> aiohttp.ClientSession:
        if not origin.startswith("https://"):
            raise OperatorNeeded("A platform's server is spoken to over https only.", code="no-way")
        return session

    return towards


# The error table, where it is not about connecting

TABLE: list[tuple[int, str, str, str, str, str]] = [
    (400, "ExpiredToken", "Token has expired", "any", "TokenExpired", "token-expired"),
    (400, "ExpiredToken", "Token has been revoked", "any", "Disconnected", "revoked"),
    (400, "InvalidToken", "Malformed token", "publish", "TokenExpired", "token-expired"),
    (401, "AuthMissing", "Authentication Required", "publish", "TokenExpired", "token-expired"),
    (401, "AuthenticationRequired", "Invalid identifier or password", "any", "Disconnected", "wrong-password"),
    (401, "AuthenticationRequired", "Authentication Required", "publish", "Disconnected", "other-account"),
    (401, "AccountDeactivated", "Account is deactivated", "publish", "Disconnected", "deactivated"),
    (401, "AccountTakedown", "Account has been taken down", "publish", "Disconnected", "taken-down"),
    (403, "AccountNotFound", "Account not found", "publish", "Disconnected", "other-account"),
    (403, "ScopeMissingError", "Missing required scope repo:x", "publish", "Disconnected", "forbidden"),
    (403, "Forbidden", "OAuth credentials are not supported", "any", "Disconnected", "forbidden"),
    (400, "invalid_grant", "Refresh token replayed", "any", "Disconnected", "code-dead"),
    (400, "invalid_client_metadata", "Failed to fetch", "any", "OperatorNeeded", "app-unknown"),
    (401, "invalid_client", "x", "any", "OperatorNeeded", "app-unknown"),
    (400, "InvalidRequest", "Invalid app.bsky.feed.post record: $.record.text", "publish", "Rejected", "rejected"),
    (400, "BlobNotFound", "Could not find blob: x", "publish", "PreparationLost", "media-gone"),
    (400, "InvalidSwap", "Record was at x", "publish", "OutcomeUnknown", "place-taken"),
    (413, "PayloadTooLarge", "request entity too large", "media", "Rejected", "too-big"),
    (429, "RateLimitExceeded", "Rate Limit Exceeded", "publish", "QuotaSpent", "quota"),
    (501, "MethodNotImplemented", "Method Not Implemented", "publish", "Rejected", "no-such-route"),
    (400, "InvalidRequest", "No service configured for x", "any", "Rejected", "no-such-route"),
    *((status, "InternalServerError", "x", "publish", "OutcomeUnknown", "unclear") for status in (500, 502, 503, 504)),
    *((status, "UpstreamTimeout", "x", "media", "RetryLater", "trouble") for status in (500, 502, 503, 504)),
]


@pytest.mark.parametrize(("status", "kind", "message", "about", "error", "code"), TABLE)
async def test_every_row_of_the_table(status: int, kind: str, message: str, about: Any, error: str, code: str) -> None:
    said = answer(status, {"error": kind, "message": message}, headers={"RateLimit-Reset": "9999999999"})
    async with scripted(said) as server, calling(BLUESKY, server) as call:
        with pytest.raises(PlatformError) as raised:
            await call.post("/xrpc/x", Empty, json={}, commits=about == "publish", to=about)
    assert (type(raised.value).__name__, raised.value.facts["code"]) == (error, code)
    assert raised.value.facts["status"] == status
    assert raised.value.sentence.endswith(".")
