"""The control API and the trouble page."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.sandbox.conftest import Caller, png
from tests.servers.sandbox import Sandbox


def test_a_person_is_made_ready_to_post(anybody: Caller, sandbox: Sandbox) -> None:
    first = sandbox.person("alice", scopes=["read", "write:statuses"], display_name="Alice A.", app_name="Bench")
    again = sandbox.person("Alice")

    assert first["account_id"] == again["account_id"]
    assert first["access_token"] != again["access_token"]
    caller = Caller(sandbox, first)
    assert caller.status().json()["application"]["name"] == "Bench"
    assert caller.get("/api/v1/accounts/verify_credentials").json()["display_name"] == "Alice A."
    assert caller.upload(png()).status_code == 403
    caller.close()


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({}, "username"),
        ({"username": "two words"}, "username"),
        ({"username": 5}, "username"),
        ({"username": "alice", "scopes": ["write:everything"]}, "scopes"),
        ({"username": "alice", "age": 5}, "age"),
    ],
)
def test_a_person_that_cannot_be_is_refused_by_field(anybody: Caller, wanted: dict[str, Any], field: str) -> None:
    reply = anybody.post("/sandbox/people", json=wanted)
    assert (reply.status_code, reply.json()["field"]) == (400, field)


def test_the_evidence_has_what_counts_from_outside(caller: Caller, sandbox: Sandbox) -> None:
    media = caller.upload(png(), description="teal").json()["id"]
    kept = caller.status("kept  as sent\n", key="k1", media_ids=[media], language="de", spoiler_text="cw").json()
    gone = caller.status("gone", key="k2").json()
    caller("DELETE", f"/api/v1/statuses/{gone['id']}")

    first, second = sandbox.statuses(deleted=True)

    assert (first["id"], first["text"], first["spoiler_text"]) == (kept["id"], "kept  as sent\n", "cw")
    assert first["media"][0]["alt"] == "teal"
    assert first["account"]["username"] == "author"
    assert (first["idempotency_key"], first["deleted"], second["deleted"]) == ("k1", False, True)
    arrived, created = (datetime.fromisoformat(first[name]) for name in ("arrived_at", "created_at"))
    assert 0 <= (created - arrived).total_seconds() < 5
    assert sandbox.texts() == ["kept  as sent\n"]


def test_requests_are_noted_with_how_they_ended(caller: Caller, sandbox: Sandbox) -> None:
    caller.status()
    caller.status("")

    assert [call["status"] for call in sandbox.requests("POST", "/api/v1/statuses")] == [200, 422]
    assert {call["path"] for call in sandbox.requests()} == {"/api/v1/statuses"}, "the sandbox's own are not noted"


def test_a_reset_leaves_nothing(caller: Caller, sandbox: Sandbox) -> None:
    caller.status(media_ids=[caller.upload(png()).json()["id"]])
    sandbox.trouble(publish={"status": 503})

    sandbox.reset()

    assert (sandbox.statuses(), sandbox.requests(), sandbox.present_trouble()) == ([], [], {})
    assert not any((sandbox.folder / "media").iterdir())
    assert caller.status().status_code == 401


def test_another_sites_page_changes_nothing(anybody: Caller, sandbox: Sandbox, caller: Caller) -> None:
    caller.status("stays")
    for method, path in (("POST", "/sandbox/reset"), ("PUT", "/sandbox/trouble"), ("POST", "/sandbox/trouble/preset")):
        reply = anybody(method, path, data="{}", headers={"Origin": "https://elsewhere.example"})
        assert reply.status_code == 403
    assert sandbox.texts() == ["stays"]
    own = anybody("PUT", "/sandbox/trouble", data="{}", headers={"Origin": sandbox.url})
    assert own.status_code == 200


def test_the_page_switches_what_the_api_does(anybody: Caller, sandbox: Sandbox, caller: Caller) -> None:
    form = {"group": "publish", "kind": "delay_after", "seconds": "2", "count": ""}
    assert anybody.post("/sandbox/trouble/add", data=form).status_code == 200
    assert anybody.post("/sandbox/trouble/preset", data={"preset": "0"}).status_code == 200
    mastodon = {"version": "4.5", "silenced": "true", "localised": "de", "image_processing": "3", "read_lag": "0"}
    page = anybody.post("/sandbox/trouble/mastodon", data=mastodon)

    assert sandbox.present_trouble() == {
        "publish": [{"delay_after": 2.0}, {"count": 1, "hang_up": "after"}],
        "mastodon": {"version": "4.5", "silenced": True, "localised": "de", "image_processing": 3.0},
    }
    assert "answers 2 s late, until switched off" in page.text
    anybody.post("/sandbox/trouble/clear")
    assert sandbox.present_trouble() == {}


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("add", {"group": "nothing", "kind": "500"}),
        ("add", {"group": "publish", "kind": "explode"}),
        ("add", {"group": "publish", "kind": "500", "count": "-1"}),
        ("add", {"group": "publish", "kind": "delay_before", "seconds": "soon"}),
        ("add", {"group": "publish", "kind": "delay_before", "seconds": "nan"}),
        ("mastodon", {"version": "3.5"}),
        ("mastodon", {"read_lag": "inf"}),
        ("preset", {"preset": "99"}),
        ("preset", {}),
    ],
)
def test_the_page_says_what_it_cannot_do(anybody: Caller, sandbox: Sandbox, path: str, form: dict[str, str]) -> None:
    reply = anybody.post(f"/sandbox/trouble/{path}", data=form)
    assert reply.status_code == 422
    assert 'role="alert"' in reply.text
    assert sandbox.present_trouble() == {}


def test_every_page_is_escaped_and_runs_no_foreign_script(
    anybody: Caller, as_person: Callable[..., Caller], sandbox: Sandbox
) -> None:
    nasty = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    caller = as_person("author", display_name=nasty, app_name=nasty[:60])
    media = caller.upload(png(), description=nasty).json()["id"]
    posted = caller.status(nasty, spoiler_text=nasty, media_ids=[media], language="de").json()
    caller.status("poll", poll={"options": [nasty[:50], "b"], "expires_in": 300})

    for path in ("/sandbox/timeline", "/@author", f"/@author/{posted['id']}", "/sandbox/", f"/tags/{nasty}"):
        page = anybody.get(path, headers={"Accept": "text/html"})
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert "unsafe" not in page.headers["content-security-policy"]
