"""The authorisation-code flow, as far as it needs no server."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from social.errors import Disconnected, RetryLater
from social.platforms import PLATFORMS, oauth
from social.platforms.contract import App
from tests.platforms.scripted import answer, calling, scripted

MASTODON = PLATFORMS["mastodon"]
APP = App(client_id="id 1", client_secret="s3cr3t")


def test_the_challenge_is_the_standards() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636, appendix B
    assert oauth.challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_secret_is_a_good_verifier_and_never_the_same() -> None:
    secrets = {oauth.new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43,128}", secret) for secret in secrets)


@pytest.mark.parametrize("another", [True, False])
def test_the_person_is_sent_with_everything_the_server_needs(another: bool) -> None:
    url = oauth.authorize_url(
        MASTODON,
        "https://example.social",
        APP,
        redirect_uri="https://social.example/connect/mastodon",
        state="st&ate",
        verifier="v",
        another=another,
    )
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert url.startswith("https://example.social/oauth/authorize?")
    assert asked.pop("force_login", None) == ("true" if another else None)
    assert asked == {
        "response_type": "code",
        "client_id": "id 1",
        "redirect_uri": "https://social.example/connect/mastodon",
        "scope": "read:accounts read:statuses write:media write:statuses",
        "state": "st&ate",
        "code_challenge": oauth.challenge("v"),
        "code_challenge_method": "S256",
    }


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
            await oauth.exchange(call, MASTODON.oauth, APP, code="c", verifier="v", redirect_uri="https://x.example/")


async def test_a_token_is_got_for_a_code() -> None:
    granted = {"access_token": "t0ken", "token_type": "Bearer", "scope": "read write", "created_at": 1}
    async with scripted(answer(200, granted)) as server, calling(MASTODON, server) as call:
        call.token = None
        token = await oauth.exchange(
            call, MASTODON.oauth, APP, code="c", verifier="v", redirect_uri="https://x.example/"
        )
    sent = parse_qs(server.requests[0].body.decode())
    assert (token.access, token.refresh, token.expires_at, token.scopes) == ("t0ken", None, None, ("read", "write"))
    assert sent == {
        "grant_type": ["authorization_code"],
        "code": ["c"],
        "client_id": ["id 1"],
        "client_secret": ["s3cr3t"],
        "redirect_uri": ["https://x.example/"],
        "code_verifier": ["v"],
    }
    assert "authorization" not in server.requests[0].headers
