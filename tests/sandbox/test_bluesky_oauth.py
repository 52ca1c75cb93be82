"""The OAuth of the protocol, with a client of our own: PAR, PKCE, DPoP. Sheet: OAuth."""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from tests.sandbox.bluesky import POST, REDIRECT, SCOPE, Key, OAuthClient, Xrpc, tid
from tests.servers.sandbox import Sandbox

SESSION = "com.atproto.server.getSession"


@pytest.fixture
def client(sandbox: Sandbox) -> OAuthClient:
    return OAuthClient(sandbox)


@pytest.fixture
def connected(client: OAuthClient) -> OAuthClient:
    return client.connected()


def test_discovery_leads_from_the_host_to_the_endpoints(sandbox: Sandbox, client: OAuthClient) -> None:
    resource = requests.get(f"{client.base}/.well-known/oauth-protected-resource", timeout=20).json()
    [issuer] = resource["authorization_servers"]
    server = requests.get(f"{issuer}/.well-known/oauth-authorization-server", timeout=20).json()

    assert server["issuer"] == issuer == client.base
    assert server["pushed_authorization_request_endpoint"] == f"{client.base}/oauth/par"
    assert server["require_pushed_authorization_requests"] is True
    assert server["dpop_signing_alg_values_supported"] == ["ES256"]
    assert "atproto" in server["scopes_supported"]
    assert requests.get(server["jwks_uri"], timeout=20).json() == {"keys": []}


def test_a_host_without_oauth_has_no_documents(sandbox: Sandbox, client: OAuthClient) -> None:
    sandbox.trouble(bluesky={"oauth": False})

    assert requests.get(f"{client.base}/.well-known/oauth-protected-resource", timeout=20).status_code == 404


def test_the_first_push_learns_the_nonce(client: OAuthClient) -> None:
    proof = client.key.proof("POST", f"{client.base}/oauth/par")
    first = requests.post(f"{client.base}/oauth/par", data={}, headers={"DPoP": proof}, timeout=20)
    pushed = client.push()

    assert (first.status_code, first.json()["error"]) == (400, "use_dpop_nonce")
    assert first.headers["DPoP-Nonce"]
    assert pushed.status_code == 201
    assert pushed.json()["expires_in"] == 299
    assert pushed.json()["request_uri"].startswith("urn:ietf:params:oauth:request_uri:")


def test_the_whole_way_to_a_post(sandbox: Sandbox, client: OAuthClient) -> None:
    answer = client.decided(client.push().json()["request_uri"])
    reply = client.exchange(answer["code"])
    client.tokens = tokens = reply.json()

    assert (answer["state"], answer["iss"]) == ("the-state", client.base)
    assert reply.status_code == 200
    assert reply.headers["Cache-Control"] == "no-store"
    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == ("DPoP", 3_599, SCOPE)
    assert client.call("GET", SESSION).json()["did"] == tokens["sub"]
    assert client.write(rkey=tid()).status_code == 200
    assert client.write("putRecord", rkey=tid(1)).status_code == 200
    assert sandbox.texts() == ["by OAuth", "by OAuth"]


def test_the_page_offers_who_is_there_and_denying_comes_back_as_an_error(sandbox: Sandbox, client: OAuthClient) -> None:
    sandbox.person("author", platform="bluesky")
    request_uri = client.push(login_hint="author.test").json()["request_uri"]

    shown = requests.get(client.page(request_uri), timeout=20)
    answer = client.decided(request_uri, deny=True)
    walked = sandbox.consent_now(client.page(client.push().json()["request_uri"]), "author")

    assert walked.startswith(f"{REDIRECT}?state=the-state&iss=")
    assert "@author.test" in shown.text
    assert "checked" in shown.text
    assert "Sandbox" in shown.text
    assert f"form-action 'self' {REDIRECT.removesuffix('/cb')};" in shown.headers["Content-Security-Policy"]
    assert answer["error"] == "access_denied"
    assert (answer["state"], answer["iss"]) == ("the-state", client.base)
    assert requests.get(client.page(request_uri), timeout=20).status_code == 400  # once


def test_a_request_that_was_never_pushed_gets_a_page_and_no_redirect(client: OAuthClient) -> None:
    reply = requests.get(client.page("urn:ietf:params:oauth:request_uri:req-none"), timeout=20)

    assert reply.status_code == 400
    assert "cannot be authorized" in reply.text


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"redirect_uri": "http://127.0.0.1:9999/elsewhere"}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/cb"}, "invalid_request"),
        ({"scope": "transition:generic"}, "invalid_scope"),
        ({"scope": "atproto everything"}, "invalid_scope"),
        ({"scope": "atproto transition:email"}, "invalid_scope"),
        ({"client_id": "social"}, "invalid_client_metadata"),
        ({"client_id": "http://example.com/client.json"}, "invalid_client_metadata"),
        ({"client_id": "http://localhost?redirect_uri=https%3A%2F%2Fevil.example%2F"}, "invalid_client_metadata"),
    ],
)
def test_what_cannot_be_pushed(client: OAuthClient, wrong: dict[str, str], error: str) -> None:
    reply = client.push(**wrong)

    assert (reply.status_code, reply.json()["error"]) == (400, error)
    assert reply.json()["error_description"]


def test_a_loopback_client_may_listen_on_any_port(client: OAuthClient) -> None:
    assert client.push(redirect_uri="http://127.0.0.1:12345/cb").status_code == 201


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"code_verifier": "x" * 43}, "code_verifier"),
        ({"redirect_uri": "http://127.0.0.1:1/cb"}, "redirect_uri"),
        ({"client_id": "http://localhost"}, "client"),
        ({"code": "cod-never-issued"}, "Invalid code"),
    ],
)
def test_what_cannot_be_exchanged(client: OAuthClient, wrong: dict[str, str], words: str) -> None:
    code = client.decided(client.push().json()["request_uri"])["code"]

    reply = client.exchange(code, **wrong)

    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_grant")
    assert words in reply.json()["error_description"]
    assert client.exchange(code).status_code == 200  # a mistake costs nothing


def test_a_code_used_twice_kills_the_session(client: OAuthClient) -> None:
    code = client.decided(client.push().json()["request_uri"])["code"]
    client.tokens = client.exchange(code).json()

    again = client.exchange(code)

    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert client.call("GET", SESSION).status_code == 401
    assert client.refresh().json()["error"] == "invalid_grant"


def test_a_refresh_rotates_and_the_old_access_token_dies_at_once(connected: OAuthClient) -> None:
    old = connected.tokens
    connected.tokens = connected.refresh().json()

    dead = connected.call("GET", SESSION, token=old["access_token"])

    assert connected.tokens["refresh_token"] != old["refresh_token"]
    assert connected.call("GET", SESSION).status_code == 200
    assert (dead.status_code, dead.json()["error"]) == (401, "invalid_token")
    assert 'error="invalid_token"' in dead.headers["WWW-Authenticate"]


def test_a_refresh_token_used_twice_kills_the_new_tokens_too(connected: OAuthClient) -> None:
    old = connected.tokens["refresh_token"]
    connected.tokens = connected.refresh().json()

    replayed = connected.refresh(old)

    assert replayed.status_code == 400
    assert replayed.json() == {"error": "invalid_grant", "error_description": "Refresh token replayed"}
    assert connected.call("GET", SESSION).status_code == 401
    assert connected.refresh().json()["error"] == "invalid_grant"


def test_two_refreshes_at_once_leave_no_session(connected: OAuthClient) -> None:
    connected.refresh("not one")  # the nonce is known from here on
    fields = {"grant_type": "refresh_token", "refresh_token": connected.tokens["refresh_token"]}
    fields["client_id"] = connected.client_id
    url, replies = f"{connected.base}/oauth/token", []

    def refresh() -> None:
        proof = connected.key.proof("POST", url, connected.nonces["as"])
        replies.append(requests.post(url, data=fields, headers={"DPoP": proof}, timeout=20))

    threads = [threading.Thread(target=refresh) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(reply.status_code for reply in replies) == [200, 400]
    connected.tokens = next(reply.json() for reply in replies if reply.status_code == 200)
    assert connected.call("GET", SESSION).status_code == 401


def test_lifetimes_end(sandbox: Sandbox, client: OAuthClient) -> None:
    sandbox.trouble(bluesky={"oauth_access_lives": 0, "oauth_refresh_lives": 0.3})
    client.connected()
    time.sleep(0.35)

    dead, over = client.call("GET", SESSION), client.refresh()

    assert (dead.status_code, dead.json()["error"]) == (401, "invalid_token")
    assert (over.status_code, over.json()["error"]) == (400, "invalid_grant")


def test_a_session_ends_although_it_was_refreshed(sandbox: Sandbox, client: OAuthClient) -> None:
    sandbox.trouble(bluesky={"oauth_session_lives": 1})
    client.connected()
    client.tokens = client.refresh().json()
    time.sleep(1.05)

    assert client.refresh().json()["error"] == "invalid_grant"


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_revoked_by_either_token_it_is_over(connected: OAuthClient, which: str) -> None:
    revoked = connected.revoke(connected.tokens[which])

    assert (revoked.status_code, revoked.json()) == (200, {})
    assert connected.revoke("never issued").status_code == 200
    assert connected.call("GET", SESSION).json()["error"] == "invalid_token"
    assert connected.refresh().json()["error"] == "invalid_grant"


def test_each_server_has_a_nonce_of_its_own_on_every_reply(connected: OAuthClient) -> None:
    reply = connected.call("GET", SESSION)

    assert reply.headers["DPoP-Nonce"] == connected.nonces["rs"] != connected.nonces["as"]
    assert connected.call("GET", "com.example.nothing").headers["DPoP-Nonce"]
    crossed = connected.call("GET", SESSION, retry=False, odd={"nonce": connected.nonces["as"]})
    assert (crossed.status_code, crossed.json()["error"]) == (401, "use_dpop_nonce")
    assert crossed.headers["WWW-Authenticate"].startswith('DPoP error="use_dpop_nonce"')


def test_nonces_turn_and_the_turned_one_is_good_for_a_while(sandbox: Sandbox, connected: OAuthClient) -> None:
    sandbox.trouble(bluesky={"nonce_turns": 1})
    old = connected.call("GET", SESSION).headers["DPoP-Nonce"]
    assert connected.call("GET", SESSION, retry=False, odd={"nonce": old}).status_code == 200
    time.sleep(3.1)

    late = connected.call("GET", SESSION, retry=False, odd={"nonce": old})

    assert late.json()["error"] == "use_dpop_nonce"
    assert connected.call("GET", SESSION, retry=False, odd={"nonce": late.headers["DPoP-Nonce"]}).status_code == 200


@pytest.mark.parametrize(
    "odd",
    [
        {"htm": "POST"},
        {"htu": "http://127.0.0.1:1/bluesky/xrpc/" + SESSION},
        {"iat": 1},
        {"iat": 4_000_000_000},
        {"ath": "x" * 43},
        {"ath": None},
        {"jti": None},
        {"header": {"typ": "JWT"}},
    ],
)
def test_a_proof_that_does_not_fit_is_refused(connected: OAuthClient, odd: dict[str, Any]) -> None:
    connected.call("GET", SESSION)

    reply = connected.call("GET", SESSION, retry=False, odd=odd)

    assert (reply.status_code, reply.json()["error"]) == (401, "invalid_dpop_proof")
    assert connected.call("GET", SESSION).status_code == 200


def test_a_proof_is_good_once_and_only_by_its_key(connected: OAuthClient) -> None:
    connected.call("GET", SESSION)

    assert connected.call("GET", SESSION, retry=False, odd={"jti": "once"}).status_code == 200
    assert connected.call("GET", SESSION, retry=False, odd={"jti": "once"}).json()["error"] == "invalid_dpop_proof"
    stolen = connected.call("GET", SESSION, retry=False, odd={"key": Key()})
    assert (stolen.status_code, stolen.json()["error"]) == (401, "invalid_token")
    assert connected.refresh(key=Key()).json()["error"] == "invalid_dpop_proof"


def test_no_proof_and_bearer_are_told_apart(sandbox: Sandbox, connected: OAuthClient) -> None:
    token = connected.tokens["access_token"]
    nobody = Xrpc(sandbox)

    bare = nobody.get(SESSION, headers={"Authorization": f"DPoP {token}"})
    bearer = nobody.get(SESSION, token=token)

    assert (bare.status_code, bare.json()["error"]) == (401, "invalid_dpop_proof")
    assert (bearer.status_code, bearer.json()["error"]) == (400, "InvalidToken")


def test_oauth_may_not_manage_app_passwords(connected: OAuthClient) -> None:
    reply = connected.call("POST", "com.atproto.server.createAppPassword", json={"name": "more"})

    assert (reply.status_code, reply.json()["error"]) == (403, "Forbidden")


def test_narrow_scopes_let_through_what_they_name(sandbox: Sandbox) -> None:
    client = OAuthClient(sandbox, scope=f"atproto repo:{POST}?action=create blob:image/*").connected()
    upload: dict[str, Any] = {"data": b"\x89PNG\r\n\x1a\n", "headers": {"Content-Type": "image/png"}}
    film: dict[str, Any] = {"data": b"\0", "headers": {"Content-Type": "video/mp4"}}

    assert client.write(rkey=tid()).status_code == 200
    put = client.write("putRecord", rkey=tid(1))
    assert (put.status_code, put.json()["error"]) == (403, "ScopeMissingError")
    assert put.json()["message"].startswith("Missing required scope")
    assert client.write("deleteRecord", rkey=tid()).status_code == 403
    assert client.call("POST", "com.atproto.repo.uploadBlob", **upload).status_code == 200
    assert client.call("POST", "com.atproto.repo.uploadBlob", **film).status_code == 403


def test_a_token_for_a_service_needs_a_scope_of_its_own(sandbox: Sandbox) -> None:
    method, host = "com.atproto.repo.uploadBlob", "did:web:example.com"
    asked: dict[str, Any] = {"params": {"aud": host, "lxm": method}}

    narrow = OAuthClient(sandbox, scope="atproto blob:*/*").connected()
    wide = OAuthClient(sandbox, scope=f"atproto rpc:{method}?aud={host}").connected()

    assert narrow.call("GET", "com.atproto.server.getServiceAuth", **asked).status_code == 403
    assert wide.call("GET", "com.atproto.server.getServiceAuth", **asked).json()["token"]


def test_create_and_update_together_let_put(sandbox: Sandbox) -> None:
    client = OAuthClient(sandbox, scope=f"atproto repo:{POST}?action=create&action=update").connected()

    assert client.write("putRecord", rkey=tid()).status_code == 200
    assert client.write("deleteRecord", rkey=tid()).status_code == 403


def test_a_client_on_loopback_is_read_from_its_document(sandbox: Sandbox) -> None:
    with served() as (address, document):
        document |= {
            "client_id": address,
            "client_name": "Social of Example Ltd",
            "application_type": "web",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "redirect_uris": [REDIRECT],
            "scope": SCOPE,
            "dpop_bound_access_tokens": True,
            "token_endpoint_auth_method": "none",
        }
        client = OAuthClient(sandbox, client_id=address)
        request_uri = client.push().json()["request_uri"]
        assert "Social of Example Ltd" in requests.get(client.page(request_uri), timeout=20).text
        assert client.push(redirect_uri="http://127.0.0.1:9999/other").json()["error"] == "invalid_request"
        assert client.connected().call("GET", SESSION).status_code == 200

        document["dpop_bound_access_tokens"] = False
        wrong = client.push()
        assert wrong.json()["error"] == "invalid_client_metadata"
        assert "dpop_bound_access_tokens" in wrong.json()["error_description"]


def test_a_client_from_elsewhere_is_taken_by_its_shape_or_refused(sandbox: Sandbox) -> None:
    client = OAuthClient(sandbox, client_id="https://social.example.com/oauth/client.json")

    assert client.push(redirect_uri="https://social.example.com/oauth/answer").status_code == 201
    assert client.push(redirect_uri="https://evil.example/answer").json()["error"] == "invalid_request"
    sandbox.trouble(bluesky={"foreign_clients": "refused"})
    refused = client.push(redirect_uri="https://social.example.com/oauth/answer")
    assert refused.json()["error"] == "invalid_client_metadata"


@contextmanager
def served() -> Iterator[tuple[str, dict[str, Any]]]:
    """A JSON document on a loopback address."""
    document: dict[str, Any] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/oauth/client.json", document
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
