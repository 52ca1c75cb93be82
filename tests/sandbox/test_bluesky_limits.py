"""What a post may hold: at each edge, one below and one above. Sheet: Limits; Facets; Images; Video."""

from typing import Any

import pytest

from tests.sandbox.bluesky import Xrpc, at, tid
from tests.sandbox.conftest import MP4, png
from tests.servers.sandbox import Sandbox

FAMILY = "👨‍👩‍👧‍👦"  # one grapheme, 25 bytes
IMAGES, GALLERY, VIDEO = "app.bsky.embed.images", "app.bsky.embed.gallery", "app.bsky.embed.video"
LINK = "app.bsky.richtext.facet#link"


def facet(start: int, end: int, feature: dict[str, Any]) -> dict[str, Any]:
    return {"index": {"byteStart": start, "byteEnd": end}, "features": [feature]}


def refused(caller: Xrpc, **record: Any) -> str:
    """The words of the refusal."""
    reply = caller.create(tid(), **record)
    assert (reply.status_code, reply.json()["error"]) == (400, "InvalidRequest"), reply.text
    message: str = reply.json()["message"]
    assert message.startswith("Invalid app.bsky.feed.post record: ")
    return message


@pytest.mark.parametrize("text", ["x" * 299, "x" * 300, "é" * 300, FAMILY * 110, "", "👍🏽" * 300])
def test_texts_that_fit(bluesky: Xrpc, text: str) -> None:
    assert bluesky.create(tid(), text=text).status_code == 200


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x" * 301, "maximum 300 graphemes, got 301"),
        (FAMILY * 300, "maximum 3000, got 7500"),
        ("e" + "\u0301" * 1_500, "maximum 3000, got 3001"),
    ],
)
def test_texts_that_do_not(sandbox: Sandbox, bluesky: Xrpc, text: str, words: str) -> None:
    message = refused(bluesky, text=text)

    assert words in message
    assert message.endswith("$.record.text")
    assert sandbox.texts() == []


def test_bytes_are_counted_at_their_edge(bluesky: Xrpc) -> None:
    assert bluesky.create(tid(1), text="e" + "\u0301" * 1_499 + "x").status_code == 200  # 3,000
    assert "maximum 3000, got 3001" in refused(bluesky, text="e" + "\u0301" * 1_500)


@pytest.mark.parametrize(
    ("field", "fits", "too_many"),
    [
        ("langs", ["en", "de-AT", "ja"], ["en", "de", "ja", "fr"]),
        ("tags", ["tag"] * 8, ["tag"] * 9),
        ("tags", ["x" * 64], ["x" * 65]),
        ("tags", ["👨‍👩‍👧‍👦" * 25], ["👨‍👩‍👧‍👦" * 26]),  # 625 and 650 bytes
        ("langs", ["zh-Hans-CN"], ["not a language"]),
        ("createdAt", "2026-11-22T10:00:00.123Z", "2026-11-22T10:00:00.123"),
        ("createdAt", "2036-11-22T10:00:00+02:00", "2026-11-22"),
        ("createdAt", "1985-04-12T23:20:50.123456789Z", "2026-02-30T10:00:00Z"),
    ],
)
def test_fields_at_their_edges(bluesky: Xrpc, field: str, fits: Any, too_many: Any) -> None:
    assert bluesky.create(tid(1), **{field: fits}).status_code == 200
    assert f"$.record.{field}" in refused(bluesky, **{field: too_many})


@pytest.mark.parametrize("field", ["text", "createdAt"])
def test_fields_that_are_needed(bluesky: Xrpc, field: str) -> None:
    record = {"$type": "app.bsky.feed.post", "text": "hello", "createdAt": at()}
    record.pop(field)
    body = {"repo": bluesky.did, "collection": "app.bsky.feed.post", "record": record}

    reply = bluesky.post("com.atproto.repo.createRecord", body)

    assert reply.status_code == 400
    assert f'missing required key "{field}"' in reply.json()["message"]


def test_facets_may_lie_beyond_the_text_but_not_below_it(bluesky: Xrpc) -> None:
    link = {"$type": LINK, "uri": "https://example.com/"}

    assert bluesky.create(tid(1), facets=[facet(90, 100, link)]).status_code == 200
    assert "integer too small" in refused(bluesky, facets=[facet(-1, 3, link)])
    assert "byteEnd" in refused(bluesky, facets=[{"index": {"byteStart": 0}, "features": [link]}])


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("mention", {"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz"}, {"did": "author.test"}),
        ("link", {"uri": "https://example.com/"}, {"uri": "example.com"}),
        ("tag", {"tag": "x" * 64}, {"tag": "x" * 65}),
    ],
)
def test_features_of_facets_are_checked(bluesky: Xrpc, kind: str, good: dict[str, str], bad: dict[str, str]) -> None:
    name = f"app.bsky.richtext.facet#{kind}"

    assert bluesky.create(tid(1), facets=[facet(0, 5, {"$type": name} | good)]).status_code == 200
    assert "$.record.facets[0].features[0]" in refused(bluesky, facets=[facet(0, 5, {"$type": name} | bad)])
    unknown = facet(0, 5, {"$type": "com.example#sparkle", "did": 7})
    assert bluesky.create(tid(2), facets=[unknown]).status_code == 200


@pytest.mark.parametrize(("number", "status"), [(0, 200), (1, 200), (4, 200), (5, 400)])
def test_one_to_four_images(bluesky: Xrpc, number: int, status: int) -> None:
    image = {"image": bluesky.blob(png()), "alt": ""}

    reply = bluesky.create(tid(), embed={"$type": IMAGES, "images": [image] * number})

    assert reply.status_code == status
    if status == 400:
        assert "array too big (maximum 4" in reply.json()["message"]


@pytest.mark.parametrize(("number", "status"), [(10, 200), (20, 200), (21, 400)])
def test_a_gallery_holds_twenty(bluesky: Xrpc, number: int, status: int) -> None:
    item = {"$type": f"{GALLERY}#image", "image": bluesky.blob(png()), "alt": ""}
    item |= {"aspectRatio": {"width": 8, "height": 6}}

    assert bluesky.create(tid(), embed={"$type": GALLERY, "items": [item] * number}).status_code == status


def test_what_an_image_needs(bluesky: Xrpc) -> None:
    blob = bluesky.blob(png())

    def image(kind: str = IMAGES, **fields: Any) -> dict[str, Any]:
        name = "images" if kind == IMAGES else "items"
        return {"$type": kind, name: [{"$type": f"{kind}#image", "image": blob} | fields]}

    assert 'missing required key "alt"' in refused(bluesky, embed=image())
    assert "aspectRatio" in refused(bluesky, embed=image(GALLERY, alt=""))
    assert "integer too small" in refused(bluesky, embed=image(alt="", aspectRatio={"width": 0, "height": 1}))
    assert bluesky.create(tid(), embed=image(alt="x" * 20_000)).status_code == 200


def test_before_galleries_one_is_stored_unseen(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(bluesky={"version": "0.4.217"})

    assert bluesky.create(tid(), embed={"$type": GALLERY, "items": "anything"}).status_code == 200


@pytest.mark.parametrize(("version", "limit"), [("0.5.35", 2_000_000), ("0.4.217", 1_000_000)])
def test_an_image_is_too_big_when_it_is_posted_not_when_it_is_uploaded(
    sandbox: Sandbox, bluesky: Xrpc, version: str, limit: int
) -> None:
    sandbox.trouble(bluesky={"version": version})

    def posted(size: int) -> Any:
        image = {"image": bluesky.blob(png().ljust(size, b"\0")), "alt": ""}
        return bluesky.create(embed={"$type": IMAGES, "images": [image]})

    assert posted(limit).status_code == 200
    over = posted(limit + 1)
    assert over.status_code == 400
    if version == "0.5.35":
        assert f"blob too big (maximum 2000000, got {limit + 1}) at $.record.embed.images[0].image" in over.text
    else:
        assert over.json()["error"] == "BlobTooLarge"
        assert "976.56KB" in over.json()["message"]


def test_a_smaller_limit_by_switch(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(bluesky={"image_bytes": 100})
    small, large = bluesky.blob(png()), bluesky.blob(png().ljust(101, b"\0"))

    def embed(blob: dict[str, Any]) -> dict[str, Any]:
        return {"$type": IMAGES, "images": [{"image": blob, "alt": ""}]}

    assert bluesky.create(tid(1), embed=embed(small)).status_code == 200
    assert "blob too big (maximum 100" in refused(bluesky, embed=embed(large))


def test_only_images_are_images_and_only_mp4_is_video(bluesky: Xrpc) -> None:
    image, film = bluesky.blob(png()), bluesky.blob(MP4, "video/mp4")
    words = bluesky.blob(b"WEBVTT\n", "text/vtt")

    assert "mime type" in refused(bluesky, embed={"$type": IMAGES, "images": [{"image": film, "alt": ""}]})
    assert "mime type" in refused(bluesky, embed={"$type": VIDEO, "video": image})
    embed = {"$type": VIDEO, "video": film, "alt": "a film", "aspectRatio": {"width": 16, "height": 9}}
    captions = [{"lang": "en", "file": words}] * 20
    assert bluesky.create(tid(1), embed=embed | {"captions": captions}).status_code == 200
    assert "maximum 20" in refused(bluesky, embed=embed | {"captions": [*captions, captions[0]]})


@pytest.mark.parametrize(("size", "status"), [(20_000, 200), (20_001, 400)])
def test_captions_are_small(bluesky: Xrpc, size: int, status: int) -> None:
    film, words = bluesky.blob(MP4, "video/mp4"), bluesky.blob(b"WEBVTT\n".ljust(size), "text/vtt")

    embed = {"$type": VIDEO, "video": film, "captions": [{"lang": "en", "file": words}]}

    assert bluesky.create(tid(), embed=embed).status_code == status


@pytest.mark.parametrize(("size", "status"), [(1_000_000, 200), (1_000_001, 400)])
def test_a_link_cards_picture_is_a_megabyte(bluesky: Xrpc, size: int, status: int) -> None:
    card = {"uri": "https://example.com/", "title": "A page", "description": "", "thumb": None}
    card["thumb"] = bluesky.blob(png().ljust(size, b"\0"))  # type: ignore[assignment]

    reply = bluesky.create(tid(), embed={"$type": "app.bsky.embed.external", "external": card})

    assert reply.status_code == status


def test_cards_quotes_and_quotes_with_media(bluesky: Xrpc) -> None:
    head = bluesky.create(tid(1)).json()
    quote = {"record": {"uri": head["uri"], "cid": head["cid"]}}
    images = {"$type": IMAGES, "images": [{"image": bluesky.blob(png()), "alt": ""}]}
    card = {"uri": "https://example.com/", "title": "A page"}

    assert bluesky.create(tid(2), embed={"$type": "app.bsky.embed.record"} | quote).status_code == 200
    both = {"$type": "app.bsky.embed.recordWithMedia", "record": quote, "media": images}
    assert bluesky.create(tid(3), embed=both).status_code == 200
    assert "description" in refused(bluesky, embed={"$type": "app.bsky.embed.external", "external": card})
    assert "$.record.embed.record" in refused(bluesky, embed={"$type": "app.bsky.embed.record", "record": {}})


def test_replies_need_both_references(bluesky: Xrpc) -> None:
    head = bluesky.create(tid(1)).json()
    ref = {"uri": head["uri"], "cid": head["cid"]}

    assert bluesky.create(tid(2), reply={"root": ref, "parent": ref}).status_code == 200
    assert 'missing required key "root"' in refused(bluesky, reply={"parent": ref})
    assert "at-uri" in refused(bluesky, reply={"root": ref, "parent": ref | {"uri": "https://example.com/"}})


def test_a_records_json_is_a_megabyte(bluesky: Xrpc) -> None:
    assert bluesky.create(tid(1), more="x" * 990_000).status_code == 200
    over = bluesky.create(tid(2), more="x" * 1_000_001)
    assert (over.status_code, over.json()["error"]) == (413, "PayloadTooLarge")
