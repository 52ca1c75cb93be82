"""Each switch does what it says, seen from a caller that reads the raw connection."""

import socket
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.sandbox.conftest import MP4, Caller, png
from tests.servers.sandbox import Sandbox


def raw(caller: Caller, text: str = "hello") -> bytes:
    """Everything the server says to a POST of a status until the connection ends. ConnectionResetError for RST."""
    assert caller.person is not None
    place = urlsplit(caller.sandbox.url)
    body = f"status={text}"
    head = (
        f"POST /api/v1/statuses HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: {len(body)}\r\n"
        f"Authorization: Bearer {caller.person['access_token']}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((place.hostname, place.port), timeout=10) as line:
        line.sendall((head + body).encode())
        heard = b""
        while part := line.recv(65536):
            heard += part
        return heard


def test_hung_up_before_the_effect_nothing_is_said_and_nothing_done(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.trouble(publish={"hang_up": "before"})

    assert raw(caller) == b""
    assert sandbox.statuses() == []
    assert sandbox.requests("POST", "/api/v1/statuses")[-1]["ended"] == "hung up"


def test_hung_up_after_the_effect_nothing_is_said_and_it_is_online(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.trouble(publish={"hang_up": "after"})

    assert raw(caller) == b""
    assert sandbox.texts() == ["hello"]


def test_a_reset_is_a_reset(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.trouble(publish={"hang_up": "after", "reset": True})

    with pytest.raises(ConnectionResetError):
        raw(caller)
    assert sandbox.texts() == ["hello"]


def test_half_a_body_ends_before_its_length(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.trouble(publish={"truncated": True})

    head, _, body = raw(caller).partition(b"\r\n\r\n")

    promised = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert head.startswith(b"HTTP/1.1 200")
    assert 0 < len(body) < promised
    assert sandbox.texts() == ["hello"]
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        caller.status("seen by a client")


def test_garbage_is_a_200_that_is_no_json(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.trouble(publish={"garbage": True})

    reply = caller.status()

    assert reply.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        reply.json()
    assert sandbox.texts() == ["hello"]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_error_before_or_after_the_effect_looks_the_same(sandbox: Sandbox, caller: Caller, status: int) -> None:
    sandbox.trouble(publish=[{"status": status, "count": 1}, {"status_after": status, "count": 1}])

    before, after = caller.status("not done"), caller.status("done")

    assert (before.status_code, after.status_code) == (status, status)
    assert before.text == after.text
    assert sandbox.texts() == ["done"]


def test_a_429_names_its_reset_and_no_retry_after(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.trouble(publish={"status": 429, "reset_in": 30})

    reply = caller.status()

    reset = time.strptime(reply.headers["X-RateLimit-Reset"][:19], "%Y-%m-%dT%H:%M:%S")
    assert reply.status_code == 429
    assert reply.json() == {"error": "Too many requests"}
    assert reply.headers["X-RateLimit-Remaining"] == "0"
    assert "Retry-After" not in reply.headers
    assert 25 < time.mktime(reset) - time.mktime(time.gmtime()) < 35
    assert sandbox.statuses() == []


def test_a_dead_token_and_a_missing_scope(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.trouble(publish=[{"dead_token": True, "count": 1}, {"missing_scope": True, "count": 1}])

    dead, narrow, well = caller.status(), caller.status(), caller.status()

    assert (dead.status_code, dead.json()) == (401, {"error": "The access token is invalid"})
    assert (narrow.status_code, narrow.json()) == (403, {"error": "This action is outside the authorized scopes"})
    assert well.status_code == 200


def test_slow_before_the_effect_and_slow_after_it(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.trouble(publish=[{"delay_before": 0.4, "count": 1}, {"delay_after": 0.4, "count": 1}])

    for text in ("slow to do", "slow to say"):
        began = time.monotonic()
        assert caller.status(text).status_code == 200
        assert time.monotonic() - began > 0.4

    before, after = sandbox.statuses()
    assert _ms(before["created_at"]) - _ms(before["arrived_at"]) >= 400
    assert _ms(after["created_at"]) - _ms(after["arrived_at"]) < 400


async def test_a_caller_who_leaves_early_does_not_stop_the_effect(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.trouble(publish={"delay_before": 0.5})

    with pytest.raises(requests.exceptions.ReadTimeout):
        caller.post("/api/v1/statuses", json={"status": "landed late"}, timeout=0.1)

    assert sandbox.statuses() == []
    await sandbox.until(lambda: sandbox.texts() == ["landed late"])


def test_a_count_runs_out_and_what_is_left_is_told(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.trouble(publish={"status": 503, "count": 2})

    assert caller.status().status_code == 503
    assert sandbox.present_trouble()["publish"] == [{"count": 1, "status": 503}]
    assert [caller.status().status_code for _ in range(2)] == [503, 200]
    assert sandbox.present_trouble().get("publish", []) == []


def test_trouble_meets_only_the_calls_it_is_meant_for(sandbox: Sandbox, caller: Caller) -> None:
    posted = caller.status().json()["id"]
    media = caller.upload(png()).json()["id"]
    calls: dict[str, tuple[Any, ...]] = {
        "publish": ("POST", "/api/v1/statuses", {"json": {"status": "x"}}),
        "edit": ("PUT", f"/api/v1/statuses/{posted}", {"json": {"status": "y"}}),
        "upload": ("POST", "/api/v2/media", {"files": {"file": png()}}),
        "poll": ("GET", f"/api/v1/media/{media}", {}),
        "read": ("GET", f"/api/v1/statuses/{posted}", {}),
        "oauth": ("POST", "/oauth/token", {"data": {}}),
    }
    for group in calls:
        sandbox.trouble(**{group: {"status": 503}})
        met = {name for name, (method, path, sent) in calls.items() if caller(method, path, **sent).status_code == 503}
        assert met == {group}
    sandbox.trouble(all={"status": 503})
    assert {caller(method, path, **sent).status_code for method, path, sent in calls.values()} == {503}
    assert sandbox.statuses(), "the sandbox's own pages stay"


def test_media_fail_in_processing_are_swept_and_stay_busy(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.trouble(mastodon={"processing_fails": True, "image_processing": 0})
    failed = caller.upload(png()).json()["id"]
    assert caller.get(f"/api/v1/media/{failed}").status_code == 422
    assert "not finished processing" in caller.status(media_ids=[failed]).json()["error"]

    sandbox.trouble(mastodon={"processing_polls": 2})
    busy = caller.upload(png())
    assert (busy.status_code, busy.json()["url"]) == (202, None)
    looks = [caller.get(f"/api/v1/media/{busy.json()['id']}").status_code for _ in range(3)]
    assert looks == [206, 206, 200]

    sandbox.trouble(mastodon={"media_kept": 0})
    assert caller.get(f"/api/v1/media/{busy.json()['id']}").status_code == 404
    assert caller.status(media_ids=[busy.json()["id"]]).status_code == 422
    sandbox.trouble()
    assert caller.status(media_ids=[busy.json()["id"]]).status_code == 200


def test_processing_takes_its_time(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.trouble(mastodon={"processing": 0.4})
    video = caller.upload(MP4, "video/mp4")
    assert (video.status_code, video.json()["type"], video.json()["url"]) == (202, "video", None)

    busy = caller.get(f"/api/v1/media/{video.json()['id']}")
    assert busy.status_code == 206
    assert caller.status(media_ids=[video.json()["id"]]).status_code == 422
    deadline = time.monotonic() + 5
    while caller.get(f"/api/v1/media/{video.json()['id']}").status_code == 206:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert caller.status(media_ids=[video.json()["id"]]).status_code == 200


def test_a_silenced_account_posts_unlisted(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.trouble(mastodon={"silenced": True})
    assert caller.status(visibility="public").json()["visibility"] == "unlisted"
    assert caller.status(visibility="private").json()["visibility"] == "private"


def test_a_spam_filter_answers_with_a_post_that_is_nowhere(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.trouble(mastodon={"spam_filtered": True})
    reply = caller.status()
    assert reply.status_code == 200
    assert caller.get(f"/api/v1/statuses/{reply.json()['id']}").status_code == 404


async def test_read_back_lags_behind(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.trouble(mastodon={"read_lag": 0.6})
    posted = caller.status().json()["id"]

    assert caller.statuses() == []
    assert caller.get(f"/api/v1/statuses/{posted}").status_code == 404
    await sandbox.until(lambda: [status["id"] for status in caller.statuses()] == [posted])


def test_errors_are_localised_and_the_call_may_say_otherwise(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.trouble(mastodon={"localised": "ja"})
    too_long = {"status": "x" * 501}

    japanese = caller.post("/api/v1/statuses", json=too_long)
    english = caller.post("/api/v1/statuses?lang=en", json=too_long)
    german = caller.post("/api/v1/statuses?lang=de", json=too_long)

    assert {japanese.status_code, english.status_code, german.status_code} == {422}
    assert "500文字" in japanese.json()["error"]
    assert "character limit of 500" in english.json()["error"]
    assert "Zeichenlimit von 500" in german.json()["error"]


@pytest.mark.parametrize(
    ("switches", "field"),
    [
        ({"publish": {"count": 0, "status": 503}}, "publish.count"),
        ({"publish": {"status": 418}}, "publish.status"),
        ({"publish": {"status": 503, "hang_up": "after"}}, "publish"),
        ({"publish": {}}, "publish"),
        ({"publish": {"explode": True}}, "publish.explode"),
        ({"publish": [{"status": 503}, {"delay_after": -1}]}, "publish[1].delay_after"),
        ({"nothing": {}}, "nothing"),
        ({"mastodon": {"version": "3.5"}}, "mastodon.version"),
        ([], "$"),
    ],
)
def test_a_switch_that_cannot_be_is_named(sandbox: Sandbox, anybody: Caller, switches: Any, field: str) -> None:
    reply = anybody("PUT", "/sandbox/trouble", json=switches)

    assert (reply.status_code, reply.json()["field"]) == (400, field)
    assert sandbox.present_trouble() == {}


def _ms(moment: str) -> int:
    whole, fraction = moment.removesuffix("Z").split(".")
    return int(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))) * 1000 + int(fraction)
