"""Reading back, who may see what, and the quotas on it all."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.sandbox.conftest import Caller, png
from tests.servers.sandbox import Sandbox


def test_the_look_back_after_a_crash_finds_the_post(caller: Caller) -> None:
    before = caller.status("before").json()
    attempt_ms = int(datetime.now(UTC).timestamp() * 1000)
    sent = caller.status("the one").json()

    found = caller.statuses(limit=40, exclude_reblogs="true", since_id=(attempt_ms - 60_000) << 16)
    newer = caller.statuses(since_id=before["id"])
    source = caller.get(f"/api/v1/statuses/{sent['id']}/source").json()

    assert [status["id"] for status in found] == [sent["id"], before["id"]]
    assert [status["id"] for status in newer] == [sent["id"]]
    assert source == {"id": sent["id"], "text": "the one", "spoiler_text": ""}


def test_a_list_has_20_unless_asked_and_40_at_most(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.trouble(mastodon={"rate_scale": 0})
    for number in range(41):
        caller.status(f"{number}")
    assert len(caller.statuses()) == 20
    assert len(caller.statuses(limit=41)) == 40
    assert len(caller.statuses(limit=5)) == 5


def test_a_list_is_narrowed(caller: Caller, as_person: Callable[..., Caller]) -> None:
    theirs = as_person("other").status("theirs").json()["id"]
    plain = caller.status("plain #tag").json()["id"]
    to_them = caller.status("to them", in_reply_to_id=theirs).json()["id"]
    to_me = caller.status("to me", in_reply_to_id=plain).json()["id"]
    shown = caller.status("shown", media_ids=[caller.upload(png()).json()["id"]]).json()["id"]

    def ids(**query: str) -> list[str]:
        return [status["id"] for status in caller.statuses(**query)]

    assert ids() == [shown, to_me, to_them, plain]
    assert ids(exclude_replies="true") == [shown, to_me, plain]
    assert ids(only_media="1") == [shown]
    assert ids(tagged="tag") == [plain]
    assert ids(pinned="true") == []


def test_who_may_see_what(caller: Caller, anybody: Caller, as_person: Callable[..., Caller]) -> None:
    other = as_person("other")
    posted = {
        kind: caller.status(kind, visibility=kind).json()["id"] for kind in ("public", "unlisted", "private", "direct")
    }

    seen = {
        name: [kind for kind, id in posted.items() if who.get(f"/api/v1/statuses/{id}").status_code == 200]
        for name, who in (("me", caller), ("other", other), ("anybody", anybody))
    }

    assert seen == {
        "me": ["public", "unlisted", "private", "direct"],
        "other": ["public", "unlisted"],
        "anybody": ["public", "unlisted"],
    }
    assert other.status("hi", in_reply_to_id=posted["private"]).status_code == 404


def test_several_at_once_leave_out_what_is_missing(caller: Caller, sandbox: Sandbox) -> None:
    ids = [caller.status(f"{number}").json()["id"] for number in range(3)]
    caller("DELETE", f"/api/v1/statuses/{ids[1]}")

    found = caller.get("/api/v1/statuses", params={"id[]": [*ids, "1", "no id"]})
    assert [status["id"] for status in found.json()] == [ids[0], ids[2]]
    assert caller.get("/api/v1/statuses", params={"id[]": ids * 7}).status_code == 422
    sandbox.trouble(mastodon={"version": "4.2"})
    assert caller.get("/api/v1/statuses", params={"id[]": ids}).status_code == 404


def test_scopes_open_what_they_say_and_no_more(as_person: Callable[..., Caller], sandbox: Sandbox) -> None:
    full = as_person("author")
    posted = full.status().json()["id"]
    calls = {
        "profile": ("GET", "/api/v1/accounts/verify_credentials"),
        "read:statuses": ("GET", f"/api/v1/statuses/{posted}"),
        "write:statuses": ("POST", "/api/v1/statuses"),
        "write:media": ("POST", "/api/v2/media"),
    }
    for scope in calls:
        caller = as_person("author", scopes=[scope])
        opened = {name for name, (method, path) in calls.items() if caller(method, path).status_code != 403}
        assert opened == {scope}
    wide = as_person("author", scopes=["read", "write"])
    assert all(wide(method, path).status_code != 403 for method, path in calls.values())
    sandbox.trouble(mastodon={"version": "4.2"})
    assert as_person("author", scopes=["profile"]).get(calls["profile"][1]).status_code == 403


def test_no_route_and_no_method_is_not_found(anybody: Caller) -> None:
    for method, path in (("GET", "/api/v1/nothing"), ("POST", "/api/v9/statuses"), ("PATCH", "/api/v1/statuses")):
        reply = anybody(method, path)
        assert (reply.status_code, reply.json()) == (404, {"error": "Not Found"})
    assert anybody.get("/api/v1/statuses/1").json() == {"error": "Record not found"}
    assert anybody.get("/api/v1/accounts/9999999999999999999999/statuses").status_code == 404


def test_every_reply_of_the_api_counts_down(caller: Caller, anybody: Caller) -> None:
    first, second = (caller.get("/api/v1/accounts/verify_credentials").headers for _ in range(2))

    reset = datetime.fromisoformat(first["X-RateLimit-Reset"])
    assert first["X-RateLimit-Limit"] == "300"
    assert int(first["X-RateLimit-Remaining"]) - int(second["X-RateLimit-Remaining"]) == 1
    assert int(reset.timestamp()) % 300 == 0
    assert 0 < (reset - datetime.now(UTC)).total_seconds() <= 300
    assert "X-RateLimit-Limit" not in anybody.get("/oauth/authorize").headers
    assert "X-RateLimit-Limit" in anybody.get("/api/v2/instance").headers


def test_posts_and_edits_share_a_three_hour_window_that_refusals_do_not_touch(caller: Caller) -> None:
    first = caller.status("one")
    refused = caller.status("")
    edited = caller("PUT", f"/api/v1/statuses/{first.json()['id']}", json={"status": "two"})

    assert (first.headers["X-RateLimit-Remaining"], edited.headers["X-RateLimit-Remaining"]) == ("299", "298")
    assert refused.status_code == 422
    reset = datetime.fromisoformat(first.headers["X-RateLimit-Reset"])
    assert int(reset.timestamp()) % (3 * 3600) == 0


@pytest.mark.parametrize("bucket", ["uploads", "deletions", "paging", "token", "address"])
def test_each_bucket_runs_dry_by_itself(caller: Caller, anybody: Caller, sandbox: Sandbox, bucket: str) -> None:
    posted = [caller.status(f"{number}").json()["id"] for number in range(3)]
    sandbox.trouble(mastodon={"quotas": {bucket: 100 if bucket in ("token", "address") else 2}})
    spend: dict[str, Callable[[int], int]] = {
        "uploads": lambda _: caller.upload(png()).status_code,
        "deletions": lambda turn: caller("DELETE", f"/api/v1/statuses/{posted[turn]}").status_code,
        "paging": lambda _: caller.get("/api/v1/accounts/1/statuses?since_id=1").status_code,
        "token": lambda _: caller.get("/api/v1/accounts/1").status_code,
        "address": lambda _: anybody.get("/api/v1/accounts/1").status_code,
    }
    if bucket in ("token", "address"):
        answers = [spend[bucket](turn) for turn in range(101)]
        assert 429 in answers[90:]
        assert 429 not in answers[:90]
    else:
        assert [spend[bucket](turn) == 429 for turn in range(3)] == [False, False, True]
    sandbox.trouble(mastodon={"rate_scale": 0})
    assert caller.get("/api/v1/accounts/1").status_code == 404
