"""What the AppView and the sandbox's own pages show. Sheet: Metrics, Comments, After a crash; the timeline."""

import re
import time
from typing import Any

import pytest
import requests

from tests.sandbox.bluesky import POST, Xrpc, page_of, tid
from tests.sandbox.conftest import png
from tests.servers.sandbox import Sandbox

FEED = "app.bsky.feed"


def ref(reply: requests.Response) -> dict[str, str]:
    return {"uri": reply.json()["uri"], "cid": reply.json()["cid"]}


def posts(caller: Xrpc, *uris: str) -> list[dict[str, Any]]:
    reply = caller.get(f"{FEED}.getPosts", uris=list(uris))
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["posts"]
    return found


@pytest.fixture
def at_once(sandbox: Sandbox) -> None:
    sandbox.trouble(bluesky={"app_view_lag": 0})


def test_the_app_view_lags_behind_the_repository(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(bluesky={"app_view_lag": 0.4})
    uri = bluesky.create(tid(), text="early").json()["uri"]

    assert bluesky.read(tid()).status_code == 200
    assert posts(bluesky, uri) == []
    assert bluesky.get(f"{FEED}.getAuthorFeed", actor=bluesky.did).json()["feed"] == []
    assert bluesky.get(f"{FEED}.getPostThread", uri=uri).json()["error"] == "NotFound"
    time.sleep(0.45)
    assert posts(bluesky, uri)[0]["record"]["text"] == "early"

    bluesky.put(tid(), text="late")
    bluesky.put(tid(1), text="other")
    assert posts(bluesky, uri)[0]["record"]["text"] == "early"
    time.sleep(0.45)
    assert posts(bluesky, uri)[0]["record"]["text"] == "late"

    bluesky.delete(tid())
    assert bluesky.read(tid()).status_code == 400
    assert len(posts(bluesky, uri)) == 1
    time.sleep(0.45)
    assert posts(bluesky, uri) == []


def test_edits_may_never_be_shown(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(bluesky={"app_view_lag": 0, "edits_shown": False})
    uri = bluesky.put(tid(), text="first").json()["uri"]
    bluesky.put(tid(), text="second")

    assert posts(bluesky, uri)[0]["record"]["text"] == "first"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("app.bsky.actor.getProfile", {"actor": "author.test"}),
        (f"{FEED}.getPosts", {"uris": "at://x/y/z"}),
        (f"{FEED}.getAuthorFeed", {"actor": "author.test"}),
        (f"{FEED}.getPostThread", {"uri": "at://x/y/z"}),
    ],
)
def test_a_host_without_an_app_view(sandbox: Sandbox, bluesky: Xrpc, method: str, params: dict[str, str]) -> None:
    sandbox.trouble(bluesky={"app_view": False})

    reply = bluesky.get(method, **params)

    assert reply.status_code == 400
    assert reply.json()["message"].startswith("No service configured")


def test_reading_through_the_host_needs_a_token(sandbox: Sandbox, bluesky: Xrpc) -> None:
    assert Xrpc(sandbox).get("app.bsky.actor.getProfile", actor=bluesky.did).status_code == 401


@pytest.mark.usefixtures("at_once")
def test_a_profile_counts_its_posts(bluesky: Xrpc) -> None:
    bluesky.create(tid())
    profile = bluesky.get("app.bsky.actor.getProfile", actor=bluesky.did).json()

    assert (profile["did"], profile["handle"], profile["postsCount"]) == (bluesky.did, "author.test", 1)
    assert requests.get(profile["avatar"], timeout=20).headers["Content-Type"] == "image/png"
    assert bluesky.get("app.bsky.actor.getProfile", actor="nobody.test").status_code == 400
    assert bluesky.get("app.bsky.actor.getPreferences").json() == {"preferences": []}


@pytest.mark.usefixtures("at_once")
def test_counts_rise_and_fall(bluesky: Xrpc) -> None:
    head = bluesky.create(tid(1), text="head")

    def other(collection: str, rkey: str) -> requests.Response:
        record = {"$type": collection, "subject": ref(head), "createdAt": "2026-11-22T10:00:00Z"}
        body = {"repo": bluesky.did, "collection": collection, "rkey": rkey, "record": record}
        return bluesky.post("com.atproto.repo.createRecord", body)

    assert other(f"{FEED}.like", tid(2)).status_code == 200
    assert other(f"{FEED}.repost", tid(3)).status_code == 200
    bluesky.create(tid(4), reply={"root": ref(head), "parent": ref(head)})
    bluesky.create(tid(5), embed={"$type": "app.bsky.embed.record", "record": ref(head)})
    counts = ("likeCount", "repostCount", "replyCount", "quoteCount")
    assert [posts(bluesky, head.json()["uri"])[0][name] for name in counts] == [1, 1, 1, 1]

    bluesky.post("com.atproto.repo.deleteRecord", {"repo": bluesky.did, "collection": f"{FEED}.like", "rkey": tid(2)})
    assert posts(bluesky, head.json()["uri"])[0]["likeCount"] == 0


@pytest.mark.usefixtures("at_once")
def test_what_is_missing_is_left_out_and_25_are_the_most(bluesky: Xrpc) -> None:
    uri = bluesky.create(tid()).json()["uri"]

    assert [post["uri"] for post in posts(bluesky, uri, uri.replace(tid(), tid(7)), "at://nonsense")] == [uri]
    assert len(posts(bluesky, *[uri] * 25)) == 25
    assert bluesky.get(f"{FEED}.getPosts", uris=[uri] * 26).status_code == 400
    assert bluesky.get(f"{FEED}.getPosts").status_code == 400


@pytest.mark.usefixtures("at_once")
def test_a_thread_shows_parents_and_replies(bluesky: Xrpc) -> None:
    head = bluesky.create(tid(1), text="head")
    middle = bluesky.create(tid(2), text="middle", reply={"root": ref(head), "parent": ref(head)})
    bluesky.create(tid(3), text="end", reply={"root": ref(head), "parent": ref(middle)})

    thread = bluesky.get(f"{FEED}.getPostThread", uri=middle.json()["uri"]).json()["thread"]
    shallow = bluesky.get(f"{FEED}.getPostThread", uri=middle.json()["uri"], depth=0, parentHeight=0).json()["thread"]

    assert thread["parent"]["post"]["record"]["text"] == "head"
    assert [reply["post"]["record"]["text"] for reply in thread["replies"]] == ["end"]
    assert "parent" not in shallow
    assert "replies" not in shallow


@pytest.mark.usefixtures("at_once")
def test_a_feed_is_sorted_by_the_earlier_time_and_has_filters(bluesky: Xrpc) -> None:
    head = bluesky.create(tid(1), text="now")
    bluesky.create(tid(2), text="from the future", createdAt="2046-01-01T00:00:00Z")
    bluesky.create(tid(3), text="long ago", createdAt="2016-01-01T00:00:00Z")
    bluesky.create(tid(4), text="answer", reply={"root": ref(head), "parent": ref(head)})

    def feed(**query: Any) -> list[str]:
        reply = bluesky.get(f"{FEED}.getAuthorFeed", actor="author.test", **query).json()
        return [item["post"]["record"]["text"] for item in reply["feed"]]

    assert feed() == ["answer", "from the future", "now", "long ago"]
    assert feed(filter="posts_no_replies") == ["from the future", "now", "long ago"]
    assert feed(filter="posts_with_media") == []
    first = bluesky.get(f"{FEED}.getAuthorFeed", actor=bluesky.did, limit=3).json()
    assert feed(cursor=first["cursor"]) == ["long ago"]


def test_a_post_is_on_the_timeline_with_its_links_and_pictures(sandbox: Sandbox, bluesky: Xrpc) -> None:
    text = "Grüße <b> @author #teal"
    link = [{"$type": "app.bsky.richtext.facet#link", "uri": "https://example.com/?a=1&b=2"}]
    mention = [{"$type": "app.bsky.richtext.facet#mention", "did": bluesky.did}]
    tag = [{"$type": "app.bsky.richtext.facet#tag", "tag": "teal"}]
    facets = [
        {"index": {"byteStart": 0, "byteEnd": 7}, "features": link},
        {"index": {"byteStart": 12, "byteEnd": 19}, "features": mention},
        {"index": {"byteStart": 20, "byteEnd": 25}, "features": tag},
        {"index": {"byteStart": 3, "byteEnd": 500}, "features": link},
    ]
    image = {"image": bluesky.blob(png()), "alt": "teal", "aspectRatio": {"width": 8, "height": 6}}
    bluesky.create(tid(), text=text, facets=facets, embed={"$type": "app.bsky.embed.images", "images": [image]})

    shown = requests.get(f"{sandbox.url}/sandbox/timeline", timeout=20).text

    assert '<a href="https://example.com/?a=1&amp;b=2" rel="nofollow noopener">Grüße</a> &lt;b&gt; ' in shown
    assert re.search(rf'<a href="[^"]*/bluesky/profile/{bluesky.did}"[^>]*>@author</a>', shown)
    assert "/bluesky/hashtag/teal" in shown
    source = re.search(r'<img src="([^"]*getBlob[^"]*)" alt="teal" width="8" height="6">', shown)
    assert source is not None
    assert requests.get(source[1].replace("&amp;", "&"), timeout=20).content == png()
    for page in (page_of(sandbox, bluesky.did, tid()), page_of(sandbox, "author.test", tid())):
        assert "Grüße" in requests.get(page, timeout=20).text
    assert "Grüße" in requests.get(f"{sandbox.url}/bluesky/hashtag/Teal", timeout=20).text
    assert "Grüße" in requests.get(f"{sandbox.url}/bluesky/profile/author.test", timeout=20).text


def test_a_thread_a_card_and_a_quote_on_the_timeline(sandbox: Sandbox, bluesky: Xrpc) -> None:
    head = bluesky.create(tid(1), text="head")
    bluesky.create(tid(2), text="answer", reply={"root": ref(head), "parent": ref(head)})
    card = {"uri": "https://example.com/", "title": "A <page>", "description": "about it"}
    bluesky.create(tid(3), text="card", embed={"$type": "app.bsky.embed.external", "external": card})
    bluesky.create(tid(4), text="quote", embed={"$type": "app.bsky.embed.record", "record": ref(head)})

    shown = requests.get(f"{sandbox.url}/sandbox/timeline", timeout=20).text

    assert f'<a class="reply" href="{page_of(sandbox, bluesky.did, tid(1))}">' in shown
    assert '<a href="https://example.com/" rel="nofollow noopener">A &lt;page&gt;</a>' in shown
    assert "<blockquote><p>head</p>" in shown


@pytest.mark.parametrize(
    "record",
    [
        {"text": 7, "facets": "none", "embed": {"$type": "app.bsky.embed.images", "images": [1, {}]}, "langs": 3},
        {"embed": {"$type": "app.bsky.embed.external"}, "reply": [], "labels": {"values": "x"}, "tags": {}},
        {"embed": {"$type": "app.bsky.embed.recordWithMedia", "media": 1, "record": None}, "createdAt": None},
        {"embed": {"$type": "app.bsky.embed.external", "external": {"uri": "javascript:alert(1)"}}},
    ],
)
@pytest.mark.usefixtures("at_once")
def test_whatever_was_stored_unchecked_is_shown(sandbox: Sandbox, bluesky: Xrpc, record: dict[str, Any]) -> None:
    uri = bluesky.create(tid(), top={"validate": False}, **record).json()["uri"]

    assert len(posts(bluesky, uri)) == 1
    shown = requests.get(f"{sandbox.url}/sandbox/timeline", timeout=20)
    assert shown.status_code == 200
    assert '"javascript:' not in shown.text
    assert len(sandbox.statuses()) == 1


def test_the_front_door_leads_to_its_timeline(sandbox: Sandbox, bluesky: Xrpc) -> None:
    bluesky.create(tid(), text="seen")

    assert "seen" in requests.get(f"{sandbox.url}/bluesky/", timeout=20).text
    assert requests.get(f"{sandbox.url}/bluesky/nowhere", timeout=20).status_code == 404


def test_what_is_gone_is_gone_from_the_pages(sandbox: Sandbox, bluesky: Xrpc) -> None:
    bluesky.create(tid(), text="short-lived")
    bluesky.delete(tid())

    assert requests.get(page_of(sandbox, bluesky.did, tid()), timeout=20).status_code == 404
    assert requests.get(f"{sandbox.url}/bluesky/profile/nobody.test", timeout=20).status_code == 404
    assert "short-lived" not in requests.get(f"{sandbox.url}/sandbox/timeline", timeout=20).text


def test_what_is_counted_from_outside(sandbox: Sandbox, bluesky: Xrpc) -> None:
    image = {"image": bluesky.blob(png()), "alt": "teal", "aspectRatio": {"width": 8, "height": 6}}
    embed = {"$type": "app.bsky.embed.images", "images": [image]}
    bluesky.create(tid(), text="counted", langs=["de"], embed=embed)

    [status] = sandbox.statuses(platform="bluesky")

    assert status["id"] == f"at://{bluesky.did}/{POST}/{tid()}"
    assert (status["text"], status["language"], status["idempotency_key"]) == ("counted", "de", tid())
    assert status["account"] == {"id": bluesky.did, "username": "author", "handle": "author.test"}
    assert [(item["mime"], item["alt"], item["size"]) for item in status["media"]] == [("image/png", "teal", [8, 6])]


def test_an_app_password_is_made_on_its_page(sandbox: Sandbox) -> None:
    address = f"{sandbox.url}/bluesky/settings/app-passwords"
    made = requests.post(address, data={"new_username": "ada", "name": "Social"}, timeout=20)
    again = requests.post(address, data={"username": "ada.test", "name": "Social"}, timeout=20)
    nobody = requests.post(address, data={"name": "Social"}, timeout=20)

    password = re.search(r'value="(\w{4}-\w{4}-\w{4}-\w{4})"', made.text)
    assert password is not None
    session = Xrpc(sandbox).post(
        "com.atproto.server.createSession", {"identifier": "ada.test", "password": password[1]}
    )
    assert session.status_code == 200
    assert (again.status_code, nobody.status_code) == (422, 422)
    assert "@ada.test" in requests.get(address, timeout=20).text
