"""The authorisation-code flow, as far as it needs no server."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from social.errors import Disconnected, Rejected, RetryLater
from social.moments import now
from social.platforms import PLATFORMS, dpop, oauth
from social.platforms.contract import App, Endpoints, Fault, OAuth, Token
from tests.platforms.scripted import Request, answer, calling, scripted

MASTODON = PLATFORMS["mastodon"]
APP = App(client_id="id 1", client_secret="s3cr3t")
ASKED = oauth.Asked(
    app=APP, redirect_uri="https://social.example/connect/mastodon", state="st&ate", verifier="the-verifier"
)
QUERY = {
    "response_type": "code",
    "client_id": "id 1",
    "redirect_uri": "https://social.example/connect/mastodon",
    "scope": "read:accounts read:statuses write:media write:statuses",
    "state": "st&ate",
    "code_challenge": oauth.challenge("the-verifier"),
    "code_challenge_method": "S256",
}


def test_the_challenge_is_the_standards() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636, appendix B
    assert oauth.challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_secret_is_a_good_verifier_and_never_the_same() -> None:
    secrets = {oauth.new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43,128}", secret) for secret in secrets)


@pytest.mark.parametrize("another", [True, False])
async def test_the_person_is_sent_with_everything_the_server_needs(another: bool) -> None:
    async with scripted("hang up") as server, calling(MASTODON, server) as call:
        where = oauth.declared(MASTODON, "https://example.social", "live")
        url = await oauth.page(MASTODON, call, where, ASKED, another=another)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert url.startswith("https://example.social/oauth/authorize?")
    assert server.requests == []
    assert asked.pop("force_login", None) == ("true" if another else None)
    assert asked == QUERY


@pytest.mark.parametrize(
    ("granted", "lacking"),
    [
        (["read:accounts", "read:statuses", "write:media", "write:statuses"], []),
        (["read", "write"], []),
        (["read", "write:media"], ["write:statuses"]),
        ([], []),  # some servers do not say
    ],
)
def test_what_is_lacking_of_a_permission_is_named(granted: list[str], lacking: list[str]) -> None:
    assert oauth.missing(MASTODON, granted) == lacking


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (answer(400, {"error": "invalid_grant", "error_description": "The grant is invalid"}), Disconnected),
        (answer(401, {"error": "invalid_client", "error_description": "Client authentication failed"}), Disconnected),
        (answer(200, {"access_token": "bad\r\nHeader: x", "token_type": "Bearer"}), RetryLater),
        (answer(200, {"access_token": ""}), RetryLater),
        (answer(200, {}), RetryLater),
        (answer(503, b"<html>"), RetryLater),
    ],
)
async def test_a_code_that_brings_no_token_says_what_to_do(said: Any, error: type[Exception]) -> None:
    async with scripted(said) as server, calling(MASTODON, server) as call:
        with pytest.raises(error):
            await oauth.exchange(MASTODON, call, oauth.declared(MASTODON, call.origin, "live"), ASKED, "c")


async def test_a_token_is_got_for_a_code() -> None:
    granted = {"access_token": "t0ken", "token_type": "Bearer", "scope": "read write", "created_at": 1}
    async with scripted(answer(200, granted)) as server, calling(MASTODON, server) as call:
        token = await oauth.exchange(MASTODON, call, oauth.declared(MASTODON, call.origin, "live"), ASKED, "c")
    assert (token.access, token.refresh, token.expires_at, token.scopes) == ("t0ken", None, None, ("read", "write"))
    assert sent(server.requests[0]) == {
        "grant_type": "authorization_code",
        "code": "c",
        "client_id": "id 1",
        "client_secret": "s3cr3t",
        "redirect_uri": ASKED.redirect_uri,
        "code_verifier": "the-verifier",
    }
    assert "authorization" not in server.requests[0].headers


PAGE = OAuth(
    authorize="/authorize", token="/token", revoke="/revoke", page="https://www.example", authenticates="basic"
)
BASIC = replace(MASTODON, oauth=PAGE, faults=())
GRANTED = {"access_token": "t2", "token_type": "bearer", "refresh_token": "r2", "expires_in": 7200, "scope": "a b"}


def sent(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


def test_a_page_may_live_on_another_host_but_not_in_the_sandbox() -> None:
    assert oauth.declared(BASIC, "https://api.example", "live").authorize == "https://www.example/authorize"
    assert oauth.declared(BASIC, "http://127.0.0.1:9/x", "sandbox").authorize == "http://127.0.0.1:9/x/authorize"
    assert oauth.declared(BASIC, "https://api.example", "live").token == "https://api.example/token"


@pytest.mark.parametrize(
    ("app", "authorization", "form"),
    [
        (App(client_id="i:d", client_secret="s/x"), "Basic aSUzQWQ6cyUyRng=", {}),
        (App(client_id="public"), None, {"client_id": "public"}),
    ],
)
async def test_a_client_says_who_it_is_as_the_platform_wants_it(
    app: App, authorization: str | None, form: dict[str, str]
) -> None:
    async with scripted(answer(200, GRANTED)) as server, calling(BASIC, server) as call:
        where = oauth.declared(BASIC, call.origin, "live")
        token = await oauth.refresh(BASIC, call, where, app, Token(access="t1", refresh="r1", scopes=("a",)))
        await oauth.revoke(BASIC, call, where, app, token)
    assert [request.headers.get("authorization") for request in server.requests] == [authorization] * 3
    assert [request.path for request in server.requests] == ["/token", "/revoke", "/revoke"]
    assert sent(server.requests[0]) == {"grant_type": "refresh_token", "refresh_token": "r1", **form}
    assert [sent(request)["token"] for request in server.requests[1:]] == ["r2", "t2"]


async def test_the_next_token_keeps_what_is_not_said_anew() -> None:
    end = now() + timedelta(days=14)
    old = Token(access="t1", refresh="r1", scopes=("a",), subject="s", ends_at=end)
    async with scripted(answer(200, {"access_token": "t2"})) as server, calling(BASIC, server) as call:
        new = await oauth.refresh(BASIC, call, oauth.declared(BASIC, call.origin, "live"), APP, old)
    assert (new.access, new.refresh, new.scopes, new.subject, new.ends_at) == ("t2", "r1", ("a",), "s", end)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (answer(400, {"error": "invalid_grant"}), Disconnected),
        (answer(200, GRANTED | {"sub": "somebody else"}), Disconnected),
        (answer(500, {"error": "x"}), RetryLater),
        ("hang up", RetryLater),
    ],
)
async def test_only_a_definite_refusal_of_a_refresh_disconnects(said: Any, error: type[Exception]) -> None:
    platform = replace(BASIC, faults=(Fault(status=400, then=Rejected),))
    async with scripted(said) as server, calling(platform, server) as call:
        where = oauth.declared(platform, call.origin, "live")
        with pytest.raises(error):
            await oauth.refresh(platform, call, where, APP, Token(access="t", refresh="r", subject="s"))


@pytest.mark.parametrize("lasts", [0, -5, 1e300, None])
async def test_a_life_that_makes_no_sense_is_not_believed(lasts: Any) -> None:
    async with scripted(answer(200, GRANTED | {"expires_in": lasts})) as server, calling(BASIC, server) as call:
        token = await oauth.exchange(BASIC, call, oauth.declared(BASIC, call.origin, "live"), ASKED, "c")
    assert token.expires_at is None


async def test_a_connection_of_a_public_client_has_an_end_and_an_unused_one_an_earlier_one() -> None:
    flow = OAuth(authorize="/a", token="/t", unused=timedelta(days=2), lasts=timedelta(days=14))
    platform = replace(MASTODON, oauth=flow, faults=())
    public = msgspec.structs.replace(ASKED, app=App(client_id="public"))
    async with scripted(answer(200, GRANTED)) as server, calling(platform, server) as call:
        where = oauth.declared(platform, call.origin, "live")
        short = await oauth.exchange(platform, call, where, public, "c")
        long = await oauth.exchange(platform, call, where, ASKED, "c")
    assert short.ends_at is not None
    assert short.lapses_at is not None
    assert short.ends_at - short.lapses_at == timedelta(days=12)
    assert long.ends_at is None


async def test_a_request_is_pushed_and_proven_where_the_server_wants_that() -> None:
    wants = answer(400, {"error": "use_dpop_nonce"}, headers={"DPoP-Nonce": "n1"})
    pushed = answer(201, {"request_uri": "urn:x", "expires_in": 299}, headers={"DPoP-Nonce": "n2"})
    granted = answer(200, GRANTED | {"token_type": "DPoP", "sub": "did:x"})
    asked = msgspec.structs.replace(ASKED, app=App(client_id="public"), key=dpop.new_key())
    async with scripted(wants, pushed, granted) as server, calling(MASTODON, server) as call:
        where = Endpoints(
            authorize="https://a.example/authorize",
            token=f"{server.origin}/token",
            par=f"{server.origin}/par",
            issuer="https://a.example",
            dpop=True,
        )
        url = await oauth.page(MASTODON, call, where, asked, another=False)
        token = await oauth.exchange(MASTODON, call, where, asked, "c")
    assert url == "https://a.example/authorize?client_id=public&request_uri=urn%3Ax"
    assert sent(server.requests[1]) == QUERY | {"client_id": "public"}
    assert all("dpop" in request.headers for request in server.requests)
    assert all("authorization" not in request.headers for request in server.requests)
    assert (token.kind, token.key, token.subject) == ("dpop", asked.key, "did:x")


async def test_a_token_that_is_not_bound_is_not_taken_for_one_that_is() -> None:
    asked = msgspec.structs.replace(ASKED, key=dpop.new_key())
    async with scripted(answer(200, GRANTED)) as server, calling(MASTODON, server) as call:
        where = Endpoints(authorize="https://a.example/", token=f"{server.origin}/token", dpop=True)
        with pytest.raises(Disconnected):
            await oauth.exchange(MASTODON, call, where, asked, "c")


@pytest.mark.parametrize(
    ("issuer", "iss", "good"),
    [
        (None, None, True),
        (None, "https://a.example", True),
        ("https://a.example", "https://a.example", True),
        ("https://a.example", None, False),
        ("https://a.example", "https://a.example/", False),
        ("https://a.example", "https://evil.example", False),
    ],
)
def test_an_answer_must_come_from_who_was_asked(issuer: str | None, iss: str | None, good: bool) -> None:
    where = Endpoints(authorize="https://a.example/", token="https://a.example/t", issuer=issuer)
    assert oauth.answers_for(where, iss) is good
