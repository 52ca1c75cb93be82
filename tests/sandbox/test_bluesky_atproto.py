"""A maintained client library of others does its real work against the simulated Bluesky."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from atproto import AtUri, Client, client_utils, models
from atproto_client.exceptions import BadRequestError, RequestException, UnauthorizedError

from tests.sandbox.bluesky import POST, Xrpc, tid
from tests.sandbox.conftest import MP4, moving_gif, picture, png
from tests.servers.sandbox import Sandbox

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=")  # the library's own way with httpx


@pytest.fixture
def clients(sandbox: Sandbox) -> Iterator[Callable[[], Client]]:
    """`clients()`: the library, nobody signed in."""
    made: list[Client] = []

    def one() -> Client:
        made.append(Client(base_url=f"{sandbox.url}/bluesky"))
        return made[-1]

    yield one
    for client in made:
        client.request.close()


@pytest.fixture
def client(sandbox: Sandbox, bluesky: Xrpc, clients: Callable[[], Client]) -> Client:
    """Signed in as the same person as `bluesky`, whose AppView does not lag."""
    sandbox.trouble(bluesky={"app_view_lag": 0})
    made = clients()
    made.login("author.test", bluesky.person["app_password"])
    return made


def strong(reference: Any) -> models.ComAtprotoRepoStrongRef.Main:
    return models.create_strong_ref(reference)


def error_of(caught: pytest.ExceptionInfo[RequestException]) -> tuple[int, str]:
    response = caught.value.response
    assert response is not None
    return response.status_code, response.content.error


@pytest.mark.parametrize("did_document", [True, False])
def test_signing_in_reads_the_profile(
    sandbox: Sandbox, bluesky: Xrpc, clients: Callable[[], Client], did_document: bool
) -> None:
    sandbox.trouble(bluesky={"did_document": did_document})
    client = clients()

    profile = client.login(bluesky.did, bluesky.person["app_password"])

    assert (profile.did, profile.handle) == (bluesky.did, "author.test")
    assert client.me == profile
    assert client.send_post("from wherever the host is").uri.startswith(f"at://{bluesky.did}/{POST}/")


def test_a_session_is_kept_as_text_and_taken_up_again(client: Client, clients: Callable[[], Client]) -> None:
    again = clients()

    again.login(session_string=client.export_session_string())

    assert again.send_post("again").cid


def test_a_session_near_its_end_is_refreshed_by_the_library(
    sandbox: Sandbox, bluesky: Xrpc, clients: Callable[[], Client]
) -> None:
    sandbox.trouble(bluesky={"access_lives": 600})  # the library takes a quarter of an hour for near
    client = clients()
    client.login("author.test", bluesky.person["app_password"])
    first = client.export_session_string()

    assert client.send_post("after a while").cid
    assert client.export_session_string() != first
    assert sandbox.requests("POST", "/bluesky/xrpc/com.atproto.server.refreshSession")[-1]["status"] == 200


def test_text_with_links_mentions_and_tags(sandbox: Sandbox, client: Client, bluesky: Xrpc) -> None:
    text = client_utils.TextBuilder().text("Grüße 👨‍👩‍👧 an ").mention("@author", bluesky.did).text(" ")
    text.link("hier", "https://example.com/ä").text(" ").tag("#früh", "früh")

    sent = client.send_post(text, langs=["de"])
    found = client.get_post(AtUri.from_str(sent.uri).rkey)
    [view] = client.get_posts([sent.uri]).posts

    assert found.cid == sent.cid == view.cid
    assert found.value.text == text.build_text() == sandbox.texts()[0]
    assert found.value.langs == ["de"]
    facets = found.value.facets or []
    assert [facet.features[0].py_type.partition("#")[2] for facet in facets] == ["mention", "link", "tag"]
    raw = found.value.text.encode()
    parts = [raw[facet.index.byte_start : facet.index.byte_end].decode() for facet in facets]
    assert parts == ["@author", "hier", "#früh"]
    assert view.author.handle == "author.test"


def test_pictures_one_to_four(client: Client, sandbox: Sandbox) -> None:
    files = [png(), picture("JPEG"), picture("WEBP"), moving_gif()]
    ratios = [models.AppBskyEmbedDefs.AspectRatio(width=8, height=6)] * 4

    one = client.send_image("one", png(), "teal")
    four = client.send_images("four", files, ["a", "b", "c", "d"], image_aspect_ratios=ratios)

    for sent, alts in ((one, ["teal"]), (four, ["a", "b", "c", "d"])):
        [view] = client.get_posts([sent.uri]).posts
        assert [image.alt for image in view.embed.images] == alts
        assert httpx.get(view.embed.images[0].fullsize).content == png()
    kinds = [item["mime"] for item in sandbox.statuses()[1]["media"]]
    assert kinds == ["image/png", "image/jpeg", "image/webp", "image/gif"]


def test_a_gallery_and_a_film(client: Client) -> None:
    blob = client.upload_blob(png()).blob
    ratio = models.AppBskyEmbedDefs.AspectRatio(width=8, height=6)
    items = [models.AppBskyEmbedGallery.Image(alt="", image=blob, aspect_ratio=ratio)] * 10

    gallery = client.send_post("ten", embed=models.AppBskyEmbedGallery.Main(items=items))
    film = client.send_video("a film", MP4, video_alt="what happens")

    views = client.get_posts([gallery.uri, film.uri]).posts
    assert len(views[0].embed.items) == 10
    assert views[1].embed.alt == "what happens"


def test_a_thread_of_replies(client: Client) -> None:
    root = strong(client.send_post("head"))
    middle = strong(client.send_post("middle", reply_to=models.AppBskyFeedPost.ReplyRef(root=root, parent=root)))
    end = client.send_post("end", reply_to=models.AppBskyFeedPost.ReplyRef(root=root, parent=middle))

    below: Any = client.get_post_thread(root.uri).thread
    above: Any = client.get_post_thread(end.uri).thread

    assert below.replies[0].post.record.text == "middle"
    assert below.replies[0].replies[0].post.uri == end.uri
    assert above.parent.parent.post.uri == root.uri


def test_a_link_card_a_quote_and_reply_controls(client: Client, bluesky: Xrpc) -> None:
    thumb = client.upload_blob(png()).blob
    card = models.AppBskyEmbedExternal.External(
        uri="https://example.com/", title="A page", description="about it", thumb=thumb
    )
    head = client.send_post("card", embed=models.AppBskyEmbedExternal.Main(external=card))
    quote = client.send_post("quote", embed=models.AppBskyEmbedRecord.Main(record=strong(head)))
    gate = models.AppBskyFeedThreadgate.Record(post=head.uri, allow=[], created_at=client.get_current_time_iso())
    client.app.bsky.feed.threadgate.create(bluesky.did, gate, AtUri.from_str(head.uri).rkey)

    views: Any = client.get_posts([head.uri, quote.uri]).posts
    assert (views[0].embed.external.title, views[0].quote_count) == ("A page", 1)
    assert views[1].embed.record.value.text == "card"


def test_likes_reposts_and_the_end_of_them(client: Client) -> None:
    head = client.send_post("head")
    like, repost = client.like(head.uri, head.cid), client.repost(head.uri, head.cid)

    assert [(view.like_count, view.repost_count) for view in client.get_posts([head.uri]).posts] == [(1, 1)]
    client.unlike(like.uri)
    client.unrepost(repost.uri)
    assert [(view.like_count, view.repost_count) for view in client.get_posts([head.uri]).posts] == [(0, 0)]


def test_deleted_it_is_gone(client: Client, sandbox: Sandbox) -> None:
    sent = client.send_post("short-lived")

    assert client.delete_post(sent.uri) is True
    assert client.delete_post(sent.uri) is True
    with pytest.raises(BadRequestError) as caught:
        client.get_post(AtUri.from_str(sent.uri).rkey)
    assert error_of(caught) == (400, "RecordNotFound")
    assert client.get_posts([sent.uri]).posts == []
    assert sandbox.texts() == []


def test_a_feed_and_a_list_of_records(client: Client, bluesky: Xrpc) -> None:
    sent = [client.send_post(str(number)) for number in range(5)]

    feed = client.get_author_feed(bluesky.did, limit=3)
    following = client.get_author_feed(bluesky.did, cursor=feed.cursor)
    listed = client.app.bsky.feed.post.list(bluesky.did, limit=100)

    assert [item.post.uri for item in feed.feed + following.feed] == [post.uri for post in reversed(sent)]
    assert set(listed.records) == {post.uri for post in sent}


def test_a_chosen_key_twice_is_a_server_error(client: Client, bluesky: Xrpc, sandbox: Sandbox) -> None:
    record = models.AppBskyFeedPost.Record(text="once", created_at=datetime.now(UTC).isoformat())
    client.app.bsky.feed.post.create(bluesky.did, record, tid())

    with pytest.raises(RequestException) as caught:
        client.app.bsky.feed.post.create(bluesky.did, record, tid())

    assert error_of(caught) == (500, "InternalServerError")
    assert sandbox.texts() == ["once"]


def test_refusals_come_as_the_librarys_errors(sandbox: Sandbox, client: Client, clients: Callable[[], Client]) -> None:
    with pytest.raises(BadRequestError) as too_long:
        client.send_post("x" * 301)
    with pytest.raises(UnauthorizedError) as stranger:
        clients().login("author.test", "xxxx-xxxx-xxxx-xxxx")
    with pytest.raises(BadRequestError) as unknown:
        client.resolve_handle("nobody.test")

    assert error_of(too_long) == (400, "InvalidRequest")
    assert error_of(stranger) == (401, "AuthenticationRequired")
    assert error_of(unknown) == (400, "InvalidRequest")
    assert sandbox.texts() == []


def test_a_spent_quota_names_its_reset(sandbox: Sandbox, client: Client) -> None:
    sandbox.trouble(bluesky={"quotas": {"writes_hour": 6}})
    client.send_post("one")
    client.send_post("two")

    with pytest.raises(RequestException) as caught:
        client.send_post("one too many")

    assert error_of(caught) == (429, "RateLimitExceeded")
    assert caught.value.response is not None
    assert int(caught.value.response.headers["ratelimit-reset"]) > time.time()


def test_a_lost_answer_is_a_network_error_and_the_record_is_there(client: Client, sandbox: Sandbox) -> None:
    sandbox.trouble(publish={"hang_up": "after", "count": 1}, bluesky={"app_view_lag": 0})

    with pytest.raises(httpx.RemoteProtocolError):
        client.send_post("said once")

    assert sandbox.texts() == ["said once"]
