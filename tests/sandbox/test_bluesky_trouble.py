"""Each switch does to Bluesky what it says, and its quotas. Sheet: Rate limits and errors."""

import time
from typing import Any

import pytest
import requests

from tests.sandbox.bluesky import OAuthClient, Xrpc, tid
from tests.sandbox.conftest import png
from tests.servers.sandbox import Sandbox

LOGIN = "com.atproto.server.createSession"
CALLS: dict[str, Any] = {
    "publish": lambda caller: caller.put(tid()),
    "edit": lambda caller: caller.delete(tid()),
    "upload": lambda caller: caller.upload(png()),
    "media": lambda caller: caller.upload(png()),
    "read": lambda caller: caller.read(tid()),
    "oauth": lambda caller: caller.post(LOGIN, {"identifier": "author.test", "password": "x"}, token=""),
    "all": lambda caller: caller.read(tid()),
}


ALSO = {"upload": {"media"}, "media": {"upload"}, "read": {"all"}, "all": set(CALLS)}  # of CALLS, because they overlap


@pytest.mark.parametrize("group", CALLS)
def test_every_group_meets_its_calls_and_no_others(sandbox: Sandbox, bluesky: Xrpc, group: str) -> None:
    sandbox.trouble(**{group: {"status": 503}})

    hit = {name for name, call in CALLS.items() if call(bluesky).status_code == 503}

    assert hit == {group} | ALSO.get(group, set())


@pytest.mark.parametrize("path", [".well-known/oauth-protected-resource", "oauth/jwks", "oauth/authorize"])
def test_connecting_is_one_group(sandbox: Sandbox, path: str) -> None:
    sandbox.trouble(oauth={"status": 500, "count": 1})

    assert requests.get(f"{sandbox.url}/bluesky/{path}", timeout=20).status_code == 500


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_error_before_or_after_the_effect_looks_the_same(sandbox: Sandbox, bluesky: Xrpc, status: int) -> None:
    sandbox.trouble(publish=[{"status": status, "count": 1}, {"status_after": status, "count": 1}])

    before, after = bluesky.put(tid(1), text="not done"), bluesky.put(tid(2), text="done")

    assert (before.status_code, after.status_code) == (status, status)
    assert before.text == after.text
    assert sandbox.texts() == ["done"]


@pytest.mark.parametrize(("when", "online"), [("before", []), ("after", ["hello"])])
def test_hung_up_on(sandbox: Sandbox, bluesky: Xrpc, when: str, online: list[str]) -> None:
    sandbox.trouble(publish={"hang_up": when, "count": 1})

    with pytest.raises(requests.exceptions.ConnectionError):
        bluesky.put(tid())
    assert sandbox.texts() == online
    assert sandbox.requests("POST", "/bluesky/xrpc/com.atproto.repo.putRecord")[-1]["ended"] == "hung up"


def test_half_a_body_and_a_body_that_is_none(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(publish=[{"truncated": True, "count": 1}, {"garbage": True, "count": 1}])

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        bluesky.put(tid(1))
    garbage = bluesky.put(tid(2))
    assert garbage.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        garbage.json()
    assert sandbox.texts() == ["hello", "hello"]


def test_a_dead_token_and_a_missing_scope(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(publish=[{"dead_token": True, "count": 1}, {"missing_scope": True, "count": 1}])

    dead, narrow, well = bluesky.put(tid()), bluesky.put(tid()), bluesky.put(tid())

    assert (dead.status_code, dead.json()) == (400, {"error": "ExpiredToken", "message": "Token has expired"})
    assert (narrow.status_code, narrow.json()["error"]) == (403, "ScopeMissingError")
    assert well.status_code == 200


def test_trouble_of_one_platform_leaves_the_other_alone(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(publish={"status": 503, "platform": "mastodon"})
    assert bluesky.put(tid()).status_code == 200

    sandbox.trouble(publish={"status": 503, "platform": "bluesky"})
    assert bluesky.put(tid()).status_code == 503


def test_a_429_by_switch_names_its_reset(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(publish={"status": 429, "reset_in": 30})

    reply = bluesky.put(tid())

    assert reply.status_code == 429
    assert reply.json() == {"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"}
    assert reply.headers["RateLimit-Remaining"] == "0"
    assert 25 < int(reply.headers["RateLimit-Reset"]) - time.time() < 35
    assert 25 < int(reply.headers["Retry-After"]) < 35


def test_writes_are_counted_in_points(sandbox: Sandbox, bluesky: Xrpc) -> None:
    def remaining(reply: requests.Response) -> int:
        assert reply.status_code == 200
        return int(reply.headers["RateLimit-Remaining"])

    created, put, deleted = bluesky.create(tid(1)), bluesky.put(tid(2)), bluesky.delete(tid(1))

    assert created.headers["RateLimit-Limit"] == "5000"
    assert created.headers["RateLimit-Policy"] == "5000;w=3600"
    assert [remaining(reply) for reply in (created, put, deleted)] == [4_997, 4_995, 4_994]


@pytest.mark.parametrize("quota", ["writes_hour", "writes_day"])
def test_at_the_edge_of_a_quota(sandbox: Sandbox, bluesky: Xrpc, quota: str) -> None:
    sandbox.trouble(bluesky={"quotas": {quota: 6}})

    replies = [bluesky.create(tid(number)) for number in range(3)]

    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert replies[1].headers["RateLimit-Remaining"] == "0"
    assert replies[2].json()["error"] == "RateLimitExceeded"
    assert int(replies[2].headers["Retry-After"]) > 3_500
    assert len(sandbox.texts()) == 2


def test_logins_are_few_per_account(sandbox: Sandbox, bluesky: Xrpc) -> None:
    def login(name: str) -> requests.Response:
        body = {"identifier": name, "password": bluesky.person["app_password"]}
        return bluesky.post(LOGIN, body, token="")

    replies = [login("author.test") for _ in range(31)]

    assert [reply.status_code for reply in replies] == [200] * 30 + [429]
    assert replies[0].headers["RateLimit-Policy"] == "30;w=300"
    assert login("somebody-else.test").status_code == 401


def test_uploads_and_requests_have_quotas_of_their_own(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(bluesky={"quotas": {"uploads": 2}})
    assert [bluesky.upload(png()).status_code for _ in range(3)] == [200, 200, 429]

    sandbox.reset()
    sandbox.trouble(bluesky={"quotas": {"requests": 2}})
    assert [Xrpc(sandbox).get("com.example.nothing").status_code for _ in range(3)] == [501, 501, 429]


def test_a_host_without_limits_sends_no_headers(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(bluesky={"rate_limits": False, "quotas": {"writes_hour": 3}})

    replies = [bluesky.create(tid(number)) for number in range(3)]

    assert [reply.status_code for reply in replies] == [200] * 3
    assert not [name for name in replies[0].headers if name.lower().startswith("ratelimit")]


def test_a_lost_answer_to_a_refresh_by_oauth_costs_the_session(sandbox: Sandbox) -> None:
    client = OAuthClient(sandbox).connected()
    sandbox.trouble(oauth={"hang_up": "after", "count": 1})

    with pytest.raises(requests.exceptions.ConnectionError):
        client.refresh()
    assert client.refresh().json()["error_description"] == "Refresh token replayed"


def test_a_lost_answer_to_a_refresh_by_password_costs_nothing(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(oauth={"hang_up": "after", "count": 1})
    refresh = "com.atproto.server.refreshSession"

    with pytest.raises(requests.exceptions.ConnectionError):
        bluesky.post(refresh, token=bluesky.person["refresh_token"])
    assert bluesky.post(refresh, token=bluesky.person["refresh_token"]).status_code == 200
