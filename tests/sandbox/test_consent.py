"""Registration, the consent page and tokens, walked over HTTP as a browser and a client do it."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.sandbox.conftest import Caller
from tests.servers.sandbox import Sandbox

BACK = "http://127.0.0.1:8080/connect/mastodon"
SCOPES = "profile read:statuses write:media write:statuses"
VERIFIER = "a-verifier-that-is-long-enough-for-the-rule-of-43"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def app(anybody: Caller) -> dict[str, Any]:
    wanted = {"client_name": "Social", "redirect_uris": [BACK, "urn:ietf:wg:oauth:2.0:oob"], "scopes": SCOPES}
    reply = anybody.post("/api/v1/apps", json=wanted)
    assert reply.status_code == 200, reply.text
    made: dict[str, Any] = reply.json()
    return made


@pytest.fixture
def asked(app: dict[str, Any]) -> dict[str, str]:
    """The parameters of a good request for consent."""
    return {
        "response_type": "code",
        "client_id": app["client_id"],
        "redirect_uri": BACK,
        "scope": SCOPES,
        "state": "st/ate&=?",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    """Keeps cookies; a redirect is looked at, not followed."""
    with requests.Session() as session:
        yield session


def test_an_app_is_told_what_it_registered(app: dict[str, Any]) -> None:
    assert app["redirect_uris"] == [BACK, "urn:ietf:wg:oauth:2.0:oob"]
    assert app["scopes"] == SCOPES.split()
    assert app["client_secret_expires_at"] == 0
    assert app["client_id"] != app["client_secret"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"client_name": None}, 400),
        ({"redirect_uris": None}, 400),
        ({"client_name": " "}, 422),
        ({"redirect_uris": []}, 422),
        ({"redirect_uris": "not an address"}, 422),
        ({"redirect_uris": "/relative"}, 422),
        ({"scopes": "write:everything"}, 422),
    ],
)
def test_an_app_that_cannot_be_is_refused(anybody: Caller, change: dict[str, Any], status: int) -> None:
    wanted = {"client_name": "Social", "redirect_uris": BACK, "scopes": SCOPES} | change
    reply = anybody.post("/api/v1/apps", json={name: value for name, value in wanted.items() if value is not None})
    assert reply.status_code == status
    assert reply.json()["error"]


def test_the_page_names_app_and_scopes_and_leads_only_back_to_the_app(anybody: Caller, asked: dict[str, str]) -> None:
    page = anybody.get("/oauth/authorize", params=asked)

    assert page.status_code == 200
    assert "Social" in page.text
    assert "write:statuses" in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:8080;" in policy
    assert "<script" not in page.text


def test_consent_becomes_a_code_and_the_code_a_token_once(
    anybody: Caller, app: dict[str, Any], asked: dict[str, str], sandbox: Sandbox
) -> None:
    answer = _decided(anybody, asked, new_username="newcomer")
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(BACK + "?")
    assert back["state"] == ["st/ate&=?"]

    granted = _token(anybody, app, back["code"][0])
    again = _token(anybody, app, back["code"][0])

    token = granted.json()
    assert granted.status_code == 200
    assert token.keys() == {"access_token", "token_type", "scope", "created_at"}
    assert (token["token_type"], token["scope"]) == ("Bearer", SCOPES)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    me = Caller(sandbox, token=token["access_token"])
    assert me.get("/api/v1/accounts/verify_credentials").json()["username"] == "newcomer"
    assert me.status("as Social").json()["application"]["name"] == "Social"
    me.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "never given"},
        {"code_verifier": "another verifier, long enough for the rule of 43"},
        {"code_verifier": None},
        {"redirect_uri": "urn:ietf:wg:oauth:2.0:oob"},
    ],
)
def test_a_code_is_worth_nothing_with_anything_else_wrong(
    anybody: Caller, app: dict[str, Any], asked: dict[str, str], wrong: dict[str, str | None]
) -> None:
    answer = _decided(anybody, asked, new_username="newcomer")
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]

    reply = _token(anybody, app, code, **wrong)

    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_grant")
    assert reply.json()["error_description"]


def test_token_errors(anybody: Caller, app: dict[str, Any], asked: dict[str, str]) -> None:
    unknown = _token(anybody, app | {"client_id": "unknown"}, "code")
    wrong_secret = _token(anybody, app | {"client_secret": "wrong"}, "code")
    no_type = anybody.post("/oauth/token", data={})
    password = anybody.post("/oauth/token", data={"grant_type": "password"})
    too_much = _client_credentials(anybody, app, "admin:write")

    assert (unknown.status_code, unknown.json()["error"]) == (401, "invalid_client")
    assert (wrong_secret.status_code, wrong_secret.json()["error"]) == (401, "invalid_client")
    assert (no_type.status_code, no_type.json()["error"]) == (400, "invalid_request")
    assert (password.status_code, password.json()["error"]) == (400, "unsupported_grant_type")
    assert (too_much.status_code, too_much.json()["error"]) == (400, "invalid_scope")


def test_an_apps_own_token_is_nobody(anybody: Caller, app: dict[str, Any], sandbox: Sandbox) -> None:
    token = _client_credentials(anybody, app, "write:statuses").json()["access_token"]
    caller = Caller(sandbox, token=token)

    reply = caller.status()

    assert (reply.status_code, reply.json()) == (422, {"error": "This method requires an authenticated user"})
    assert caller.get("/api/v1/apps/verify_credentials").json()["name"] == "Social"
    caller.close()


def test_denied_goes_back_with_the_reason_and_the_state(anybody: Caller, asked: dict[str, str]) -> None:
    answer = _decided(anybody, asked, decision="deny")

    back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert answer.status_code == 302
    assert (back["error"], back["state"]) == (["access_denied"], ["st/ate&=?"])
    assert "code" not in back


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_id": "unknown"}, 401, "invalid_client"),
        ({"redirect_uri": "https://elsewhere.example/"}, 400, "invalid_redirect_uri"),
        ({"response_type": "token"}, 400, "unsupported_response_type"),
        ({"scope": "write"}, 400, "invalid_scope"),
        ({"code_challenge_method": "plain"}, 400, "invalid_code_challenge_method"),
    ],
)
def test_a_wrong_request_is_told_to_the_person_and_redirects_nobody(
    anybody: Caller, asked: dict[str, str], change: dict[str, str], status: int, error: str
) -> None:
    for answer in (anybody.get("/oauth/authorize", params=asked | change), _decided(anybody, asked | change)):
        assert answer.status_code == status
        assert error in answer.text
        assert "location" not in answer.headers


def test_out_of_band_shows_the_code(anybody: Caller, app: dict[str, Any], asked: dict[str, str]) -> None:
    oob = asked | {"redirect_uri": "urn:ietf:wg:oauth:2.0:oob"}
    answer = _decided(anybody, oob, new_username="newcomer")
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]

    page = requests.get(answer.headers["location"], timeout=10)

    assert f'value="{code}"' in page.text
    assert _token(anybody, app, code, redirect_uri=oob["redirect_uri"]).status_code == 200


def test_who_signed_in_is_remembered_until_login_is_forced(
    sandbox: Sandbox, browser: requests.Session, asked: dict[str, str]
) -> None:
    url = f"{sandbox.url}/oauth/authorize"
    form = asked | {"decision": "authorize", "new_username": "first"}
    browser.post(url, data=form, allow_redirects=False, timeout=10)

    assert "signed in" in browser.get(url, params=asked, timeout=10).text
    assert "signed in" not in browser.get(url, params=asked | {"force_login": "true"}, timeout=10).text


@pytest.mark.parametrize("name", ["", "two words", "a" * 31, "<script>", "ünal"])
def test_a_username_that_cannot_be_is_asked_for_again(anybody: Caller, asked: dict[str, str], name: str) -> None:
    answer = _decided(anybody, asked, new_username=name)
    assert answer.status_code == 422
    assert "<script>" not in answer.text
    assert 'role="alert"' in answer.text


def test_revoking_is_for_the_tokens_own_app_and_may_be_repeated(
    anybody: Caller, app: dict[str, Any], caller: Caller
) -> None:
    assert caller.person is not None
    theirs = {"token": caller.person["access_token"]}
    own = theirs | {"client_id": caller.person["client_id"], "client_secret": caller.person["client_secret"]}
    foreign = theirs | {"client_id": app["client_id"], "client_secret": app["client_secret"]}

    refused = anybody.post("/oauth/revoke", data=foreign)
    assert (refused.status_code, refused.json()["error"]) == (403, "unauthorized_client")
    assert caller.status().status_code == 200
    for _ in range(2):
        revoked = anybody.post("/oauth/revoke", data=own)
        assert (revoked.status_code, revoked.json()) == (200, {})
    dead = caller.status()
    assert dead.status_code == 401
    assert dead.json() != {"error": "The access token is invalid"}


def test_discovery_and_pkce_came_with_4_3(
    anybody: Caller, app: dict[str, Any], asked: dict[str, str], sandbox: Sandbox
) -> None:
    found = anybody.get("/.well-known/oauth-authorization-server").json()
    assert found["issuer"] == f"{sandbox.url}/"
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["grant_types_supported"] == ["authorization_code", "client_credentials"]

    sandbox.trouble(mastodon={"version": "4.2"})
    assert anybody.get("/.well-known/oauth-authorization-server").status_code == 404
    answer = _decided(anybody, asked, new_username="newcomer")
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
    assert _token(anybody, app, code, code_verifier=None).status_code == 200


def test_a_form_of_another_site_decides_nothing(anybody: Caller, asked: dict[str, str]) -> None:
    form = asked | {"decision": "authorize", "new_username": "victim"}
    for origin in ("https://elsewhere.example", "null"):
        answer = anybody.post("/oauth/authorize", data=form, headers={"Origin": origin}, allow_redirects=False)
        assert answer.status_code == 403


def _decided(anybody: Caller, asked: dict[str, str], **form: str) -> requests.Response:
    data = asked | {"decision": "authorize"} | form
    return anybody.post("/oauth/authorize", data=data, allow_redirects=False)


def _token(anybody: Caller, app: dict[str, Any], good: str, **change: str | None) -> requests.Response:
    form: dict[str, str | None] = {
        "grant_type": "authorization_code",
        "code": good,
        "client_id": app["client_id"],
        "client_secret": app["client_secret"],
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
    }
    return anybody.post("/oauth/token", data=form | change)


def _client_credentials(anybody: Caller, app: dict[str, Any], scope: str) -> requests.Response:
    form = {"grant_type": "client_credentials", "client_id": app["client_id"], "client_secret": app["client_secret"]}
    return anybody.post("/oauth/token", data=form | {"scope": scope})
