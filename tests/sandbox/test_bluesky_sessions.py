"""Sessions with a password, and how they end. Sheet: App password; the table of errors."""

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
import requests

from tests.sandbox.bluesky import Xrpc, tid
from tests.servers.sandbox import Sandbox

SERVER = "com.atproto.server"


def login(caller: Xrpc, password: str, identifier: str = "author.test", **more: Any) -> requests.Response:
    body = {"identifier": identifier, "password": password} | more
    return caller.post(f"{SERVER}.createSession", body, token="")


def refresh(caller: Xrpc, token: str) -> requests.Response:
    return caller.post(f"{SERVER}.refreshSession", token=token)


def said(reply: requests.Response) -> tuple[int, str, str]:
    return reply.status_code, reply.json()["error"], reply.json()["message"]


@pytest.fixture
def full(bluesky: Xrpc) -> dict[str, Any]:
    """A session of the account's own password."""
    session: dict[str, Any] = login(bluesky, bluesky.person["password"]).json()
    return session


def test_a_session_by_handle_did_or_address(bluesky: Xrpc) -> None:
    for identifier in ("author.test", "AUTHOR.test", bluesky.did, "author@example.test"):
        session = login(bluesky, bluesky.person["app_password"], identifier).json()
        assert session["did"] == bluesky.did
        assert session["handle"] == "author.test"
        assert session["active"] is True


def test_lifetimes_are_in_the_tokens(full: dict[str, Any]) -> None:
    tokens = (full["accessJwt"], full["refreshJwt"])
    access, renewal = (jwt.decode(token, options={"verify_signature": False}) for token in tokens)

    assert access["exp"] - access["iat"] == 7_200
    assert renewal["exp"] - renewal["iat"] == 7_776_000


@pytest.mark.parametrize(("identifier", "password"), [("author.test", "wrong"), ("nobody.test", "any")])
def test_a_wrong_password_is_401(bluesky: Xrpc, identifier: str, password: str) -> None:
    reply = login(bluesky, password, identifier)

    assert said(reply) == (401, "AuthenticationRequired", "Invalid identifier or password")


def test_the_hosts_address_is_in_the_did_document_where_the_host_gives_it(sandbox: Sandbox, bluesky: Xrpc) -> None:
    [service] = bluesky.get(f"{SERVER}.getSession").json()["didDoc"]["service"]
    assert service["id"] == "#atproto_pds"
    assert service["serviceEndpoint"] == f"{sandbox.url}/bluesky"

    sandbox.trouble(bluesky={"did_document": False})
    assert "didDoc" not in bluesky.get(f"{SERVER}.getSession").json()


def test_a_spent_refresh_token_answers_with_the_same_successor(bluesky: Xrpc) -> None:
    first = refresh(bluesky, bluesky.person["refresh_token"]).json()
    again = refresh(bluesky, bluesky.person["refresh_token"]).json()

    assert first["refreshJwt"] != bluesky.person["refresh_token"]
    assert again["refreshJwt"] == first["refreshJwt"]
    assert bluesky.get(f"{SERVER}.getSession", token=again["accessJwt"]).json()["did"] == bluesky.did
    assert refresh(bluesky, first["refreshJwt"]).status_code == 200


def test_after_its_grace_it_is_revoked(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(bluesky={"refresh_grace": 0.2})
    first = refresh(bluesky, bluesky.person["refresh_token"])
    time.sleep(0.25)

    assert first.status_code == 200
    assert said(refresh(bluesky, bluesky.person["refresh_token"])) == (400, "ExpiredToken", "Token has been revoked")
    assert refresh(bluesky, first.json()["refreshJwt"]).status_code == 200


def test_logged_out_the_access_token_lives_on(bluesky: Xrpc) -> None:
    ended = bluesky.post(f"{SERVER}.deleteSession", token=bluesky.person["refresh_token"])

    assert (ended.status_code, ended.content) == (200, b"")
    assert said(refresh(bluesky, bluesky.person["refresh_token"])) == (400, "ExpiredToken", "Token has been revoked")
    assert bluesky.create(tid()).status_code == 200


def test_an_expired_access_token_is_400(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(bluesky={"access_lives": 0})
    session = refresh(bluesky, bluesky.person["refresh_token"]).json()

    reply = bluesky.get(f"{SERVER}.getSession", token=session["accessJwt"])

    assert said(reply) == (400, "ExpiredToken", "Token has expired")


def test_an_expired_refresh_token_is_400(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(bluesky={"refresh_lives": 0})
    session = refresh(bluesky, bluesky.person["refresh_token"]).json()

    assert said(refresh(bluesky, session["refreshJwt"])) == (400, "ExpiredToken", "Token has expired")


def test_tokens_that_are_none_are_told_apart(bluesky: Xrpc) -> None:
    def look(token: str) -> tuple[int, str]:
        return said(bluesky.get(f"{SERVER}.getSession", token=token))[:2]

    assert look("") == (401, "AuthMissing")
    assert look("never issued") == (400, "InvalidToken")
    assert look(bluesky.person["refresh_token"]) == (400, "InvalidToken")
    assert said(refresh(bluesky, bluesky.person["access_token"]))[:2] == (400, "InvalidToken")
    basic = bluesky.get(f"{SERVER}.getSession", token="", headers={"Authorization": "Basic eA=="})
    assert basic.status_code in (400, 401)


def test_app_passwords_are_made_listed_and_revoked(bluesky: Xrpc, full: dict[str, Any]) -> None:
    token = full["accessJwt"]
    made = bluesky.post(f"{SERVER}.createAppPassword", {"name": "Social"}, token=token).json()
    session = login(bluesky, made["password"]).json()
    listed = bluesky.get(f"{SERVER}.listAppPasswords", token=token).json()["passwords"]
    revoked = bluesky.post(f"{SERVER}.revokeAppPassword", {"name": "Social"}, token=token)

    assert [len(part) for part in made["password"].split("-")] == [4, 4, 4, 4]
    assert made["privileged"] is False
    assert "Social" in [password["name"] for password in listed]
    assert "password" not in listed[0]
    assert revoked.status_code == 200
    assert bluesky.create(tid(), top={}).status_code == 200
    assert bluesky.get(f"{SERVER}.getSession", token=session["accessJwt"]).status_code == 200  # until it expires
    assert said(refresh(bluesky, session["refreshJwt"])) == (400, "ExpiredToken", "Token has been revoked")
    assert said(login(bluesky, made["password"]))[:2] == (401, "AuthenticationRequired")


def test_an_app_passwords_session_may_not_manage_app_passwords(bluesky: Xrpc) -> None:
    reply = bluesky.post(f"{SERVER}.createAppPassword", {"name": "more"})

    assert said(reply) == (400, "InvalidToken", "Bad token scope")


def test_a_second_factor_is_asked_for(sandbox: Sandbox, bluesky: Xrpc) -> None:
    own, app = bluesky.person["password"], bluesky.person["app_password"]
    sandbox.trouble(bluesky={"second_factor": "password"})
    assert said(login(bluesky, own))[:2] == (401, "AuthFactorTokenRequired")
    assert login(bluesky, own, authFactorToken="ABCDE-FGHIJ").status_code == 200
    assert login(bluesky, app).status_code == 200

    sandbox.trouble(bluesky={"second_factor": "all"})
    assert said(login(bluesky, app))[:2] == (401, "AuthFactorTokenRequired")


@pytest.mark.parametrize(("state", "error"), [("deactivated", "AccountDeactivated"), ("takendown", "AccountTakedown")])
def test_an_account_that_is_not_active_may_not_write(sandbox: Sandbox, bluesky: Xrpc, state: str, error: str) -> None:
    sandbox.trouble(bluesky={"account_state": state})

    assert said(bluesky.create(tid()))[:2] == (401, error)
    if state == "deactivated":
        session = bluesky.get(f"{SERVER}.getSession").json()
        assert (session["active"], session["status"]) == (False, "deactivated")


def test_a_token_for_a_service_lives_an_hour_at_most(bluesky: Xrpc) -> None:
    asked = {"aud": "did:web:example.com", "lxm": "com.atproto.repo.uploadBlob"}
    now = int(time.time())

    token = bluesky.get(f"{SERVER}.getServiceAuth", **asked, exp=now + 1_800).json()["token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    far = bluesky.get(f"{SERVER}.getServiceAuth", **asked, exp=now + 3_700)
    past = bluesky.get(f"{SERVER}.getServiceAuth", **asked, exp=now - 10)

    assert (claims["iss"], claims["aud"], claims["lxm"], claims["exp"]) == (bluesky.did, *asked.values(), now + 1_800)
    assert [said(reply)[:2] for reply in (far, past)] == [(400, "BadExpiration")] * 2


def test_what_the_server_says_of_itself(sandbox: Sandbox, bluesky: Xrpc) -> None:
    anybody = Xrpc(sandbox)

    assert anybody.get("_health").json() == {"version": "0.5.35"}
    assert anybody.get(f"{SERVER}.describeServer").json()["blobUploadLimit"] == 50 * 2**20
    assert anybody.get("com.atproto.identity.resolveHandle", handle="author.test").json() == {"did": bluesky.did}
    assert anybody.get("com.atproto.identity.resolveHandle", handle="nobody.test").status_code == 400
    assert said(anybody.get("com.example.nothing"))[:2] == (501, "MethodNotImplemented")
    assert anybody.get("com.atproto.repo.createRecord").status_code == 400
    sandbox.trouble(bluesky={"version": "0.4.217"})
    assert anybody.get("_health").json() == {"version": "0.4.217"}


def test_an_account_made_by_the_protocol(sandbox: Sandbox) -> None:
    anybody = Xrpc(sandbox)
    wanted = {"handle": "newcomer.test", "email": "new@example.test", "password": "a-long-password"}

    made = anybody.post(f"{SERVER}.createAccount", wanted)
    again = anybody.post(f"{SERVER}.createAccount", wanted)

    assert made.json()["handle"] == "newcomer.test"
    assert login(anybody, "a-long-password", "newcomer.test").status_code == 200
    assert said(again)[:2] == (400, "HandleNotAvailable")


def test_a_person_of_the_control_api_keeps_did_and_password(as_bluesky: Callable[..., Xrpc]) -> None:
    one, again = as_bluesky("author").person, as_bluesky("author").person

    assert one["account_id"] == again["account_id"]
    assert one["password"] == again["password"]
    assert one["app_password"] != again["app_password"]


@pytest.mark.parametrize("wanted", [{"username": "no_underscores"}, {"username": "a b"}, {"scopes": ["atproto"]}])
def test_a_person_who_cannot_be_is_refused_in_words(sandbox: Sandbox, wanted: dict[str, Any]) -> None:
    asked = {"username": "author", "platform": "bluesky"} | wanted

    reply = requests.post(f"{sandbox.url}/sandbox/people", json=asked, timeout=20)

    assert reply.status_code == 400
    assert reply.json()["field"] == next(iter(wanted))
