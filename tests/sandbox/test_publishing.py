"""Posting: limits at, below and above each edge, keys and their oddities, what versions do differently."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.sandbox.conftest import MP4, Caller, moving_gif, png
from tests.servers.sandbox import Sandbox

FAMILY = "👨‍👩‍👧‍👦"  # one grapheme cluster, seven code points
LONG_URL = "https://example.com/" + "a" * 300


@pytest.mark.parametrize(
    ("text", "more", "status"),
    [
        ("x" * 499, {}, 200),
        ("x" * 500, {}, 200),
        ("x" * 501, {}, 422),
        (FAMILY * 500, {}, 200),
        (FAMILY * 501, {}, 422),
        ("e\u0301" * 500, {}, 200),
        (f"{'x' * 476} {LONG_URL}", {}, 200),
        (f"{'x' * 477} {LONG_URL}", {}, 422),
        (f"{'x' * 476} http://a.de", {}, 200),
        (f"{'x' * 477} http://a.de", {}, 422),
        (f"{'x' * 490} example.com/longer", {}, 422),
        (f"{'x' * 496} @me@somewhere.example", {}, 200),
        (f"{'x' * 497} @me@somewhere.example", {}, 422),
        ("x" * 400, {"spoiler_text": "y" * 100}, 200),
        ("x" * 400, {"spoiler_text": "y" * 101}, 422),
        ("", {}, 422),
        (" \n", {}, 422),
        ("", {"spoiler_text": "becomes the text"}, 200),
        ("hello", {"visibility": "everyone"}, 422),
    ],
)
def test_text_is_counted_as_the_sheet_says(
    caller: Caller, sandbox: Sandbox, text: str, more: dict[str, Any], status: int
) -> None:
    reply = caller.status(text, **more)
    assert reply.status_code == status, reply.text
    assert len(sandbox.statuses()) == (1 if status == 200 else 0)


def test_the_limit_of_a_fork_is_the_limit(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.trouble(mastodon={"characters": 5_000})
    assert caller.get("/api/v2/instance").json()["configuration"]["statuses"]["max_characters"] == 5_000
    assert caller.status("x" * 5_000).status_code == 200
    assert caller.status("x" * 5_001).status_code == 422


def test_a_warning_alone_becomes_the_text_and_a_warning_makes_it_sensitive(caller: Caller) -> None:
    alone = caller.status("", spoiler_text="only this").json()
    beside = caller.status("text", spoiler_text="warning", sensitive=False).json()

    assert (alone["content"], alone["spoiler_text"], alone["sensitive"]) == ("<p>only this</p>", "", False)
    assert (beside["spoiler_text"], beside["sensitive"]) == ("warning", True)


def test_form_multipart_and_json_say_the_same(caller: Caller) -> None:
    media = [caller.upload(png()).json()["id"] for _ in range(3)]
    as_form = caller.post("/api/v1/statuses", data=[("status", "a"), ("media_ids[]", media[0]), ("sensitive", "1")])
    fields = [("status", (None, "a")), ("media_ids[]", (None, media[1])), ("sensitive", (None, "true"))]
    as_multipart = caller.post("/api/v1/statuses", files=fields)
    as_json = caller.post("/api/v1/statuses", json={"status": "a", "media_ids": [media[2]], "sensitive": True})

    for reply in (as_form, as_multipart, as_json):
        assert reply.status_code == 200, reply.text
        assert len(reply.json()["media_attachments"]) == 1
        assert reply.json()["sensitive"] is True


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "application/json"),
        (b'{"status": "\\ud800"}', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"", "multipart/form-data"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_400(caller: Caller, body: bytes, kind: str) -> None:
    reply = caller.post("/api/v1/statuses", data=body, headers={"Content-Type": kind})
    assert reply.status_code == 400
    assert reply.json() == {"error": "Bad Request"}


@pytest.mark.parametrize(
    "body",
    [
        {"status": {"a": "dict"}},
        {"status": ["a list"]},
        {"status": None},
        {"status": "x" * 3_000_000},
        {"status": "ok", "media_ids": [{"id": 1}, None, True, 10**30, "x"]},
        {"status": "ok", "in_reply_to_id": "99999999999999999999"},
        {"status": "ok", "poll": {"options": ["a", "b"], "expires_in": "soon"}},
        {"status": "ok", "poll": {"options": {"0": "a"}}},
        {"status": "ok\u0000null", "language": "<b>"},
        "not an object",
    ],
)
def test_no_input_is_the_servers_fault(caller: Caller, body: Any) -> None:
    reply = caller.post("/api/v1/statuses", json=body)
    assert reply.status_code in (200, 404, 413, 422), reply.text


def test_media_rules(caller: Caller, as_person: Callable[..., Caller]) -> None:
    pictures = [caller.upload(png()).json()["id"] for _ in range(6)]
    theirs = as_person("other").upload(png()).json()["id"]

    too_many = caller.status(media_ids=pictures[:5])
    with_poll = caller.status(media_ids=pictures[:1], poll={"options": ["a", "b"], "expires_in": 300})
    foreign = caller.status(media_ids=[theirs])
    four = caller.status(media_ids=pictures[3::-1])
    used = caller.status(media_ids=[pictures[4], pictures[0]])
    alone = caller.status("", media_ids=[pictures[5]])

    assert (too_many.status_code, too_many.json()["error"]) == (422, "Cannot attach more than 4 files")
    assert with_poll.status_code == 422
    assert foreign.json()["error"] == f"Media {theirs} not found or already attached to another post"
    assert [item["id"] for item in four.json()["media_attachments"]] == pictures[3::-1]
    assert used.json()["error"] == f"Media {pictures[0]} not found or already attached to another post"
    assert alone.status_code == 200
    assert alone.json()["content"] == ""


def test_a_video_or_an_animation_stands_alone(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.trouble(mastodon={"processing": 0})
    video, animation = caller.upload(MP4, "video/mp4"), caller.upload(moving_gif(), "image/gif")
    picture = caller.upload(png()).json()["id"]

    assert (video.json()["type"], animation.json()["type"]) == ("video", "gifv")
    for item in (video, animation):
        mixed = caller.status(media_ids=[picture, item.json()["id"]])
        assert (mixed.status_code, "already contains images" in mixed.json()["error"]) == (422, True)
        assert caller.status(media_ids=[item.json()["id"]]).status_code == 200


@pytest.mark.parametrize(
    ("poll", "status"),
    [
        ({"options": ["a", "b"], "expires_in": 300}, 200),
        ({"options": ["a", "b"], "expires_in": 299}, 422),
        ({"options": ["a", "b"], "expires_in": 2_629_746}, 200),
        ({"options": ["a", "b"], "expires_in": 2_629_747}, 422),
        ({"options": list("abcd"), "expires_in": 300}, 200),
        ({"options": list("abcde"), "expires_in": 300}, 422),
        ({"options": ["a"], "expires_in": 300}, 422),
        ({"options": ["a", "a"], "expires_in": 300}, 422),
        ({"options": ["a", "x" * 50], "expires_in": 300}, 200),
        ({"options": ["a", "x" * 51], "expires_in": 300}, 422),
    ],
)
def test_poll_limits(caller: Caller, poll: dict[str, Any], status: int) -> None:
    assert caller.status(poll=poll).status_code == status


def test_a_key_is_looked_at_before_anything_else(caller: Caller, sandbox: Sandbox) -> None:
    first = caller.status("fine", key="k").json()
    too_long = caller.status("x" * 900, key="k")
    refused = caller.status("x" * 900, key="not stored")
    after_refusal = caller.status("shorter", key="not stored")

    assert (too_long.status_code, too_long.json()["id"]) == (200, first["id"])
    assert refused.status_code == 422
    assert after_refusal.status_code == 200
    assert sandbox.texts() == ["fine", "shorter"]


def test_a_key_is_its_accounts_own_and_ends_with_its_post(caller: Caller, as_person: Callable[..., Caller]) -> None:
    mine = caller.status("mine", key="k").json()["id"]
    theirs = as_person("other").status("theirs", key="k").json()["id"]
    caller("DELETE", f"/api/v1/statuses/{mine}")

    assert theirs != mine
    assert caller.status("mine", key="k").status_code == 404


def test_on_4_6_1_a_repeat_answers_500_although_it_is_posted(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.trouble(mastodon={"version": "4.6.1"})
    assert [caller.status("once", key="k").status_code for _ in range(3)] == [200, 500, 500]
    assert sandbox.texts() == ["once"]

    sandbox.trouble(mastodon={"version": "4.6.1", "repeat_fails": False})
    assert caller.status("once", key="k").status_code == 200
    assert sandbox.texts() == ["once"]


def test_a_server_that_ignores_keys_posts_again(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.trouble(mastodon={"key_ignored": True})
    assert caller.status("twice", key="k").json()["id"] != caller.status("twice", key="k").json()["id"]
    assert sandbox.texts() == ["twice", "twice"]


def test_before_the_lock_two_sends_at_once_both_post(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.trouble(mastodon={"version": "4.5", "working": 0.3})
    with ThreadPoolExecutor(2) as both:
        replies = list(both.map(lambda _: caller.status("both", key="k").status_code, range(2)))
    assert replies == [200, 200]
    assert sandbox.texts() == ["both", "both"]


def test_before_4_3_unknown_media_are_dropped_without_a_word(caller: Caller, sandbox: Sandbox) -> None:
    known = caller.upload(png()).json()["id"]
    sandbox.trouble(mastodon={"version": "4.2"})
    reply = caller.status(media_ids=["1", known])
    assert reply.status_code == 200
    assert [item["id"] for item in reply.json()["media_attachments"]] == [known]


def test_versions_tell_themselves_apart(caller: Caller, sandbox: Sandbox) -> None:
    seen = {}
    for version in ("4.2", "4.5", "4.6.1", "4.6.4"):
        sandbox.trouble(mastodon={"version": version})
        about = caller.get("/api/v2/instance").json()
        posted = caller.status(version).json()
        limits = about["configuration"]["media_attachments"]
        shape = ("/ap/" in posted["uri"], "quotes_count" in posted)
        seen[version] = (about.get("api_versions"), limits.get("description_limit"), shape)
    assert seen["4.2"] == (None, None, (False, False))
    assert seen["4.5"] == ({"mastodon": 7}, 1_500, (False, True))
    assert seen["4.6.4"] == ({"mastodon": 11}, 10_000, (True, True))


def test_a_time_less_than_five_minutes_ahead(caller: Caller, sandbox: Sandbox) -> None:
    def at(**ahead: float) -> str:
        return (datetime.now(UTC) + timedelta(**ahead)).isoformat()

    assert caller.status("soon", scheduled_at=at(minutes=4)).status_code == 422
    assert "scheduled_at" in caller.status("later", scheduled_at=at(minutes=6)).json()
    assert "content" in caller.status("past", scheduled_at=at(minutes=-6)).json()
    sandbox.trouble(mastodon={"version": "4.2"})
    assert "content" in caller.status("soon, on 4.2", scheduled_at=at(minutes=4)).json()
    assert sandbox.texts() == ["past", "soon, on 4.2"]


def test_a_repeated_key_with_a_scheduled_time(caller: Caller, sandbox: Sandbox) -> None:
    due = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert [caller.status("a", key="k", scheduled_at=due).status_code for _ in range(2)] == [200, 404]
    sandbox.trouble(mastodon={"scheduled_repeat": "same"})
    assert [caller.status("b", key="l", scheduled_at=due).status_code for _ in range(2)] == [200, 200]
    assert len(caller.get("/api/v1/scheduled_statuses").json()) == 2
    sandbox.trouble(mastodon={"version": "4.2"})
    assert [caller.status("c", key="m", scheduled_at=due).status_code for _ in range(2)] == [200, 200]
    assert len(caller.get("/api/v1/scheduled_statuses").json()) == 4


async def test_a_scheduled_post_comes_out_at_its_time_with_its_picture(caller: Caller, sandbox: Sandbox) -> None:
    media = caller.upload(png(), description="teal").json()["id"]
    due = datetime.now(UTC) + timedelta(minutes=5, seconds=2)
    waiting = caller.status("later", media_ids=[media], scheduled_at=due.isoformat()).json()
    assert caller.status(media_ids=[media]).status_code == 422, "the scheduled post has it"

    sandbox.advance_scheduled(waiting["id"])

    await sandbox.until(lambda: sandbox.texts() == ["later"])
    assert sandbox.statuses()[0]["media"][0]["alt"] == "teal"
    assert caller.get("/api/v1/scheduled_statuses").json() == []


def test_an_edit_that_changes_nothing_is_none_and_visibility_stays(caller: Caller, sandbox: Sandbox) -> None:
    media = caller.upload(png()).json()["id"]
    posted = caller.status("same", media_ids=[media], visibility="private").json()
    path = f"/api/v1/statuses/{posted['id']}"

    same = caller("PUT", path, json={"status": "same", "media_ids": [media], "visibility": "public"}).json()
    dropped = caller("PUT", path, json={"status": "without"}).json()
    sandbox.trouble(mastodon={"edit_drops_media": False})
    caller("PUT", path, json={"status": "with", "media_ids": [media]})
    kept = caller("PUT", path, json={"status": "still with"}).json()

    assert (same["edited_at"], same["visibility"]) == (None, "private")
    assert dropped["media_attachments"] == []
    assert len(kept["media_attachments"]) == 1
    assert caller("PUT", path, json={"status": "x" * 501}).status_code == 422
    assert len(caller.get(f"{path}/history").json()) == 4


def test_what_is_not_mine_cannot_be_changed(caller: Caller, as_person: Callable[..., Caller]) -> None:
    posted = caller.status().json()["id"]
    other = as_person("other")
    assert other("PUT", f"/api/v1/statuses/{posted}", json={"status": "mine now"}).status_code == 404
    assert other("DELETE", f"/api/v1/statuses/{posted}").status_code == 404
    assert caller("DELETE", f"/api/v1/statuses/{posted}").status_code == 200
    assert caller("DELETE", f"/api/v1/statuses/{posted}").status_code == 404


def test_mentions_tags_and_links_are_linked_and_everything_else_is_escaped(
    caller: Caller, as_person: Callable[..., Caller], sandbox: Sandbox
) -> None:
    as_person("friend")
    host = sandbox.url.removeprefix("http://").partition(":")[0]
    reply = caller.status(
        f"<script>alert(1)</script> @friend @nobody @friend@elsewhere.example #Tag1 #2024 "
        f"(https://example.com/a_(b)?q=<x>) & https://{host}/."
    ).json()

    assert "<script>" not in reply["content"]
    assert "&lt;script&gt;" in reply["content"]
    assert [mention["username"] for mention in reply["mentions"]] == ["friend"]
    assert [tag["name"] for tag in reply["tags"]] == ["tag1"]
    assert 'href="https://example.com/a_(b)?q="' in reply["content"]
    assert f'href="https://{host}/"' in reply["content"]
    assert "@nobody" in reply["content"]
