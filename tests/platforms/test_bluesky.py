"""What Bluesky is asked, request by request, against a server that says exactly what each needs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from social.errors import OutcomeUnknown, PlatformError, PreparationLost, QuotaSpent, Rejected, RetryLater, TokenExpired
from social.platforms.bluesky import BLUESKY, BlueskyOptions
from social.platforms.bluesky.publishing import delete, find, prepare, prepares, publish
from social.platforms.bluesky.references import post_named
from social.platforms.bluesky.tids import tid
from social.platforms.calls import Call
from social.platforms.contract import Content, MediaItem, Part, Prepared, Receipt, Turn
from social.posts.check import problems, remarks
from tests.platforms.scripted import BRIEFLY, Scripted, answer, calling, scripted
from tests.platforms.turns import SENT, sought, turn

ANNA, BERTA = "did:plc:anna", "did:plc:berta"
PICTURE = MediaItem(media_id="1", key="w/1/m/1", mime="image/png", bytes=3, width=640, height=480, alt="a river")
POSTS = "app.bsky.feed.post"
CID = "bafyreigm7jpafllw2apmnysmhwxqye5qm34dbwm4gbwlzuxtplubehx4t4"
GET = "/xrpc/com.atproto.repo.getRecord"
RKEY = tid("k", SENT)
URI = f"at://{ANNA}/{POSTS}/{RKEY}"
WRITTEN = answer(200, {"uri": URI, "cid": CID, "commit": {"cid": CID, "rev": "3"}, "validationStatus": "valid"})
NO_RECORD = answer(400, {"error": "RecordNotFound", "message": f"Could not locate record: {URI}"})
TAKEN = answer(400, {"error": "InvalidSwap", "message": f"Record was at {CID}"})
HELLO = {"$type": POSTS, "text": "hello", "createdAt": "2026-11-22T09:30:00.000Z"}


def blob(name: str = "a", mime: str = "image/png") -> dict[str, Any]:
    return {"$type": "blob", "ref": {"$link": f"bafkrei{name}"}, "mimeType": mime, "size": 3}


def kept(*names: str) -> tuple[str, ...]:
    return tuple(msgspec.json.encode(blob(name)).decode() for name in names)


def sent_json(server: Scripted, place: int = 0) -> dict[str, Any]:
    return msgspec.json.decode(server.requests[place].body, type=dict[str, Any])


def paths(server: Scripted) -> list[str]:
    return [request.path for request in server.requests]


def mine(content: Content, prepared: Prepared | None = None, **more: Any) -> Turn:
    return turn(content, prepared, remote_account=ANNA, **more)


async def sent(one: Turn) -> dict[str, Any]:
    """The record that goes out."""
    async with scripted(WRITTEN) as server, calling(BLUESKY, server) as call:
        await publish(call, one)
    record: dict[str, Any] = sent_json(server)["record"]
    return record


def there(value: dict[str, Any], cid: str = CID) -> bytes:
    return answer(200, {"uri": URI, "cid": cid, "value": value})


# Publishing


async def test_a_post_is_written_where_nothing_is_yet() -> None:
    async with scripted(WRITTEN) as server, calling(BLUESKY, server) as call:
        receipt = await publish(call, mine(Content(text="hello")))
    assert (server.requests[0].method, paths(server)) == ("POST", ["/xrpc/com.atproto.repo.putRecord"])
    assert sent_json(server) == {
        "repo": ANNA,
        "collection": POSTS,
        "rkey": RKEY,
        "record": HELLO,
        "swapRecord": None,
    }
    page = f"https://bsky.app/profile/{ANNA}/post/{RKEY}"
    assert receipt == Receipt(id=URI, url=page, facts={"cid": CID})


async def test_every_attempt_sends_the_same_bytes() -> None:
    prepared = Prepared(media=kept("a", "b"), facts={"mentions": [["anna.test", ANNA], ["b.test", ""]]})
    content = Content(text="@anna.test @b.test #a https://a.de", media=(PICTURE, PICTURE))
    async with scripted(WRITTEN) as server, calling(BLUESKY, server) as call:
        for _ in range(2):
            await publish(call, mine(content, prepared))
    assert server.requests[0].body == server.requests[1].body


async def test_every_option_is_sent() -> None:
    options = {"languages": ["de", "en-GB"], "labels": ["nudity", "nudity"], "tags": ["a"], "reply_to": URI}
    refs = {"uri": f"at://{BERTA}/{POSTS}/3aa", "cid": "c1"}, {"uri": f"at://{BERTA}/{POSTS}/3bb", "cid": "c2"}
    prepared = Prepared(facts={"reply": {"root": refs[0], "parent": refs[1]}})
    assert await sent(mine(Content(text="hello", options=options), prepared)) == HELLO | {
        "langs": ["de", "en-GB"],
        "labels": {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "nudity"}]},
        "tags": ["a"],
        "reply": {"root": refs[0], "parent": refs[1]},
    }


def image(name: str, *, gallery: bool = False) -> dict[str, Any]:
    plain = {"image": blob(name), "alt": "a river", "aspectRatio": {"width": 640, "height": 480}}
    return plain | ({"$type": "app.bsky.embed.gallery#image"} if gallery else {})


IMAGES = {"$type": "app.bsky.embed.images", "images": [image("a")]}
QUOTED = {"uri": f"at://{BERTA}/{POSTS}/3aa", "cid": "c1"}
QUOTE = {"$type": "app.bsky.embed.record", "record": QUOTED}
CARD = {"url": "https://example.org", "title": "T", "description": "D"}
EXTERNAL = {"uri": "https://example.org", "title": "T", "description": "D"}
EMBEDS: dict[str, tuple[int, dict[str, Any], dict[str, Any] | None]] = {
    "nothing": (0, {}, None),
    "one picture": (1, {}, IMAGES),
    "four": (4, {}, IMAGES | {"images": [image(name) for name in "abcd"]}),
    "five": (5, {}, {"$type": "app.bsky.embed.gallery", "items": [image(name, gallery=True) for name in "abcde"]}),
    "a card": (0, {"card": CARD}, {"$type": "app.bsky.embed.external", "external": EXTERNAL}),
    "a card with a picture": (
        1,
        {"card": CARD},
        {"$type": "app.bsky.embed.external", "external": EXTERNAL | {"thumb": blob("a")}},
    ),
    "a quote": (0, {"quote": URI}, QUOTE),
    "a quote with a picture": (
        1,
        {"quote": URI},
        {"$type": "app.bsky.embed.recordWithMedia", "record": QUOTE, "media": IMAGES},
    ),
}


@pytest.mark.parametrize(("count", "options", "embed"), EMBEDS.values(), ids=EMBEDS)
async def test_what_is_shown_under_the_text(count: int, options: dict[str, Any], embed: dict[str, Any] | None) -> None:
    content = Content(text="hello", media=(PICTURE,) * count, options=options)
    prepared = Prepared(media=kept(*"abcde"[:count]), facts={"quote": QUOTED})
    assert (await sent(mine(content, prepared))).get("embed") == embed


async def test_a_later_part_answers_the_one_before_in_the_first_ones_thread() -> None:
    content = Content(
        text="one",
        media=(PICTURE,),
        thread=(Part(text="two", media=(PICTURE, PICTURE)), Part(text="three")),
        options={"card": CARD, "quote": URI, "tags": ["a"], "languages": ["de"], "labels": ["porn"]},
    )
    prepared = Prepared(media=kept("a", "b", "c"), facts={"quote": QUOTED})
    first = Receipt(id=f"at://{ANNA}/{POSTS}/3one", facts={"cid": "c1"})
    second = Receipt(id=f"at://{ANNA}/{POSTS}/3two", facts={"cid": "c2"})
    root, parent = {"uri": first.id, "cid": "c1"}, {"uri": second.id, "cid": "c2"}

    two = await sent(mine(content, prepared, part=1, before=(first,)))
    assert (two["text"], two["reply"]) == ("two", {"root": root, "parent": root})
    assert two["embed"] == IMAGES | {"images": [image("b"), image("c")]}
    assert (two["langs"], two["labels"]["values"], "tags" in two) == (["de"], [{"val": "porn"}], False)

    three = await sent(mine(content, prepared, part=2, before=(first, second)))
    assert (three["text"], three["reply"], "embed" in three) == ("three", {"root": root, "parent": parent}, False)


async def test_a_thread_under_another_post_keeps_its_root() -> None:
    refs = {"uri": f"at://{BERTA}/{POSTS}/3aa", "cid": "c1"}, {"uri": f"at://{BERTA}/{POSTS}/3bb", "cid": "c2"}
    prepared = Prepared(facts={"reply": {"root": refs[0], "parent": refs[1]}})
    content = Content(text="one", thread=(Part(text="two"),), options={"reply_to": URI})
    first = Receipt(id=f"at://{ANNA}/{POSTS}/3one", facts={"cid": "c3"})
    two = await sent(mine(content, prepared, part=1, before=(first,)))
    assert two["reply"] == {"root": refs[0], "parent": {"uri": first.id, "cid": "c3"}}


@pytest.mark.parametrize("known", [URI, f"https://bsky.app/profile/{ANNA}/post/{RKEY}"])
async def test_a_part_that_somebody_says_is_online_is_asked_for(known: str) -> None:
    content = Content(text="one", thread=(Part(text="two"),))
    async with scripted(there(HELLO), there(HELLO), WRITTEN) as server, calling(BLUESKY, server) as call:
        await publish(call, mine(content, part=1, before=(Receipt(id=known, evidence="person"),)))
    assert sent_json(server, 2)["record"]["reply"]["root"] == {"uri": URI, "cid": CID}


async def test_a_part_of_which_nothing_is_known_cannot_be_answered() -> None:
    content = Content(text="one", thread=(Part(text="two"),))
    async with scripted(WRITTEN) as server, calling(BLUESKY, server) as call:
        with pytest.raises(Rejected):
            await publish(call, mine(content, part=1, before=(Receipt(id=""),)))
    assert server.requests == []


@pytest.mark.parametrize(
    "content",
    [
        Content(text="hello", media=(PICTURE,)),
        Content(text="hello", options={"quote": URI}),
        Content(text="hello", options={"reply_to": URI}),
    ],
)
async def test_what_was_not_prepared_is_not_sent(content: Content) -> None:
    async with scripted(WRITTEN) as server, calling(BLUESKY, server) as call:
        with pytest.raises(PreparationLost):
            await publish(call, mine(content))
    assert server.requests == []


# Once


async def test_what_is_there_already_and_ours_is_success() -> None:
    async with scripted(TAKEN, there(HELLO)) as server, calling(BLUESKY, server) as call:
        receipt = await publish(call, mine(Content(text="hello")))
    assert (receipt.id, receipt.facts) == (URI, {"cid": CID})
    assert paths(server)[1] == f"{GET}?repo={ANNA}&collection={POSTS}&rkey={RKEY}"


async def test_what_is_there_already_and_not_ours_is_said() -> None:
    changes: list[dict[str, Any]] = [{"text": "other"}, {"createdAt": "2026-11-22T09:30:00.001Z"}, {"langs": []}]
    for value in (HELLO | change for change in changes):
        async with scripted(TAKEN, there(value)) as server, calling(BLUESKY, server) as call:
            with pytest.raises(Rejected) as refused:
                await publish(call, mine(Content(text="hello")))
        assert refused.value.facts == {"code": "not-ours", "status": 400}


@pytest.mark.parametrize(
    "look", [NO_RECORD, answer(503, {"error": "x"}), answer(400, {"error": "ExpiredToken"}), "reset"]
)
async def test_while_nobody_can_see_what_is_there_the_outcome_is_open(look: Any) -> None:
    async with scripted(TAKEN, look) as server, calling(BLUESKY, server) as call:
        with pytest.raises(OutcomeUnknown):
            await publish(call, mine(Content(text="hello")))


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (answer(500, {"error": "InternalServerError", "message": "Internal Server Error"}), OutcomeUnknown),
        (answer(502, {"error": "UpstreamFailure"}), OutcomeUnknown),
        (answer(200, {"uri": "https://nowhere", "cid": CID}), OutcomeUnknown),
        (answer(200, b"<html>"), OutcomeUnknown),
        ("hang up", OutcomeUnknown),
        (answer(400, {"error": "BlobNotFound", "message": "Could not find blob: x"}), PreparationLost),
        (answer(400, {"error": "InvalidRequest", "message": "Invalid app.bsky.feed.post record: x"}), Rejected),
        (answer(429, {"error": "RateLimitExceeded"}, headers={"RateLimit-Reset": "9999999999"}), QuotaSpent),
    ],
)
async def test_an_answer_is_taken_for_what_it_is(said: Any, error: type[PlatformError]) -> None:
    async with scripted(said) as server, calling(BLUESKY, server) as call:
        with pytest.raises(error):
            await publish(call, mine(Content(text="hello")))
    assert len(server.requests) == 1


# Finding


async def test_our_post_is_found_by_its_key() -> None:
    async with scripted(there(HELLO)) as server, calling(BLUESKY, server) as call:
        found = await find(call, sought(Content(text="hello"), remote_account=ANNA))
    page = f"https://bsky.app/profile/{ANNA}/post/{RKEY}"
    assert found == Receipt(id=URI, url=page, evidence="lookup", facts={"cid": CID})
    assert paths(server) == [f"{GET}?repo={ANNA}&collection={POSTS}&rkey={RKEY}"]


@pytest.mark.parametrize("look", [NO_RECORD, there(HELLO | {"text": "other"}), answer(404, {"error": "NotFound"})])
async def test_nothing_or_something_else_is_not_found(look: bytes) -> None:
    async with scripted(look) as server, calling(BLUESKY, server) as call:
        assert await find(call, sought(Content(text="hello"), remote_account=ANNA)) is None


@pytest.mark.parametrize("look", [answer(400, {"error": "InvalidRequest"}), answer(500, {"error": "x"}), "hang up"])
async def test_another_trouble_is_no_proof_of_absence(look: Any) -> None:
    async with scripted(look) as server, calling(BLUESKY, server) as call:
        with pytest.raises((Rejected, RetryLater)):
            await find(call, sought(Content(text="hello"), remote_account=ANNA))


# Who may reply and quote

GATED = {"replies_from": ["mentioned", "followers", "followed"], "quotes_allowed": False}


async def test_who_may_reply_and_quote_is_written_beside_the_post() -> None:
    async with scripted(WRITTEN) as server, calling(BLUESKY, server) as call:
        receipt = await publish(call, mine(Content(text="hello", options=GATED)))
    at = {"post": URI, "createdAt": "2026-11-22T09:30:00.000Z"}
    gate = "app.bsky.feed.threadgate"
    assert [sent_json(server, place) for place in (1, 2)] == [
        {
            "repo": ANNA,
            "collection": gate,
            "rkey": RKEY,
            "record": {"$type": gate}
            | at
            | {"allow": [{"$type": f"{gate}#{rule}Rule"} for rule in ("mention", "follower", "following")]},
        },
        {
            "repo": ANNA,
            "collection": "app.bsky.feed.postgate",
            "rkey": RKEY,
            "record": {"$type": "app.bsky.feed.postgate"}
            | at
            | {"embeddingRules": [{"$type": "app.bsky.feed.postgate#disableRule"}]},
        },
    ]
    assert receipt.notes == ()


async def test_nobody_may_reply() -> None:
    async with scripted(WRITTEN) as server, calling(BLUESKY, server) as call:
        await publish(call, mine(Content(text="hello", options={"replies_from": []})))
    assert sent_json(server, 1)["record"]["allow"] == []
    assert len(server.requests) == 2


async def test_a_later_part_has_no_gate_for_replies_but_one_for_quotes() -> None:
    content = Content(text="one", thread=(Part(text="two"),), options=GATED)
    first = Receipt(id=f"at://{ANNA}/{POSTS}/3one", facts={"cid": "c1"})
    async with scripted(WRITTEN) as server, calling(BLUESKY, server) as call:
        await publish(call, mine(content, part=1, before=(first,)))
    assert [sent_json(server, place)["collection"] for place in range(2)] == [POSTS, "app.bsky.feed.postgate"]


async def test_a_look_writes_the_gates_that_a_crash_left_out() -> None:
    async with scripted(there(HELLO), WRITTEN) as server, calling(BLUESKY, server) as call:
        found = await find(call, sought(Content(text="hello", options={"replies_from": []}), remote_account=ANNA))
    assert found is not None
    assert found.notes == ()
    assert sent_json(server, 1)["record"]["allow"] == []


@pytest.mark.parametrize("said", [answer(500, {"error": "x"}), "hang up", "stall", answer(429, {"error": "x"})])
async def test_a_gate_that_fails_is_said_and_the_post_stands(said: Any) -> None:
    async with scripted(WRITTEN, said) as server, calling(BLUESKY, server, patience=BRIEFLY) as call:
        receipt = await publish(call, mine(Content(text="hello", options={"replies_from": []})))
    assert receipt.id == URI
    assert receipt.notes[0].startswith("It is online, but everybody may reply. Set it at Bluesky.")


async def test_a_look_with_an_old_token_is_made_again_with_a_new_one() -> None:
    expired = answer(400, {"error": "ExpiredToken", "message": "Token has expired"})
    async with scripted(there(HELLO), expired) as server, calling(BLUESKY, server) as call:
        with pytest.raises(TokenExpired):  # the look itself needs none
            await find(call, sought(Content(text="hello", options={"replies_from": []}), remote_account=ANNA))


# Preparing


@asynccontextmanager
async def reading(key: str, start: int, end: int) -> AsyncIterator[AsyncIterator[bytes]]:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"png"

    yield pieces()


async def prepared(
    call: Call, content: Content, before: Prepared | None = None
) -> tuple[Prepared, list[tuple[tuple[str, ...], list[str]]]]:
    """What was prepared, and what was kept of it on the way."""
    saved: list[tuple[tuple[str, ...], list[str]]] = []

    async def save(state: Prepared) -> None:
        saved.append((state.media, list(state.facts)))

    call.reading = reading
    return await prepare(call, content, before or Prepared(), save), saved


async def test_an_upload_that_was_interrupted_goes_on_where_it_was() -> None:
    content = Content(text="", media=(PICTURE, PICTURE), thread=(Part(text="", media=(PICTURE,)),))
    answers = (answer(200, {"blob": blob("b")}), answer(200, {"blob": blob("c")}))
    async with scripted(*answers) as server, calling(BLUESKY, server) as call:
        done, saved = await prepared(call, content, Prepared(media=kept("a")))
    assert done.media == kept("a", "b", "c")
    assert saved == [(kept("a", "b"), []), (kept("a", "b", "c"), [])]
    assert [(each.path, each.headers["content-type"], each.body) for each in server.requests] == [
        ("/xrpc/com.atproto.repo.uploadBlob", "image/png", b"png")
    ] * 2


async def test_a_file_that_is_no_picture_is_refused_when_the_server_sees_it() -> None:
    async with (
        scripted(answer(200, {"blob": blob(mime="application/pdf")})) as server,
        calling(BLUESKY, server) as call,
    ):
        with pytest.raises(Rejected) as refused:
            await prepared(call, Content(text="", media=(PICTURE,)))
    assert refused.value.facts["code"] == "bad-file"


async def test_handles_are_looked_up_once_and_kept() -> None:
    content = Content(text="@Anna.test @b.test @anna.test", thread=(Part(text="@c.test and @anna.test"),))
    answers = (
        answer(200, {"did": ANNA}),
        answer(400, {"error": "InvalidRequest", "message": "Unable to resolve handle"}),
        answer(400, {"error": "HandleNotFound", "message": "Unable to resolve handle"}),
    )
    async with scripted(*answers) as server, calling(BLUESKY, server) as call:
        done, saved = await prepared(call, content)
        assert (await prepared(call, content, done))[1] == []
    asked = "/xrpc/com.atproto.identity.resolveHandle?handle="
    assert paths(server) == [f"{asked}anna.test", f"{asked}b.test", f"{asked}c.test"]
    assert done.facts == {"mentions": [["anna.test", ANNA], ["b.test", ""], ["c.test", ""]]}
    assert saved == [((), ["mentions"])]


@pytest.mark.parametrize("said", [answer(503, {"error": "x"}), "hang up"])
async def test_a_handle_is_not_given_up_because_of_trouble(said: Any) -> None:
    async with scripted(said) as server, calling(BLUESKY, server) as call:
        with pytest.raises(RetryLater):
            await prepared(call, Content(text="@anna.test"))


async def test_a_handle_without_an_account_is_told_where_it_is_written() -> None:
    facts = {"mentions": [["anna.test", ANNA], ["b.test", ""]]}
    content = Content(text="@anna.test", thread=(Part(text="@b.test"),))
    first = Receipt(id=f"at://{ANNA}/{POSTS}/3one", facts={"cid": "c1"})
    async with scripted(WRITTEN) as server, calling(BLUESKY, server) as call:
        one = await publish(call, mine(content, Prepared(facts=facts)))
        two = await publish(call, mine(content, Prepared(facts=facts), part=1, before=(first,)))
    assert (one.notes, two.notes) == ((), ("@b.test was not found on Bluesky and stays plain text.",))
    assert "facets" not in sent_json(server, 1)["record"]


async def test_posts_that_are_referred_to_are_looked_up_and_kept() -> None:
    root = {"uri": f"at://{BERTA}/{POSTS}/3root", "cid": "c0"}
    inside = HELLO | {"reply": {"root": root, "parent": root}}
    page = "https://bsky.app/profile/anna.test/post/3kq?ref=x"
    content = Content(text="hello", options={"quote": page, "reply_to": URI})
    answers = (answer(200, {"did": ANNA}), there(HELLO), there(inside))
    async with scripted(*answers) as server, calling(BLUESKY, server) as call:
        done, saved = await prepared(call, content)
    assert paths(server) == [
        "/xrpc/com.atproto.identity.resolveHandle?handle=anna.test",
        f"{GET}?repo={ANNA}&collection={POSTS}&rkey=3kq",
        f"{GET}?repo={ANNA}&collection={POSTS}&rkey={RKEY}",
    ]
    ref = {"uri": URI, "cid": CID}
    assert done.facts == {"quote": ref, "reply": {"root": root, "parent": ref}}
    assert saved == [((), ["quote"]), ((), ["quote", "reply"])]


async def test_a_post_that_began_its_thread_is_the_root() -> None:
    async with scripted(there(HELLO)) as server, calling(BLUESKY, server) as call:
        done, _ = await prepared(call, Content(text="hello", options={"reply_to": URI}))
    assert done.facts["reply"]["root"] == done.facts["reply"]["parent"] == {"uri": URI, "cid": CID}


@pytest.mark.parametrize(
    "said", [NO_RECORD, answer(400, {"error": "InvalidRequest", "message": "Could not locate record"})]
)
@pytest.mark.parametrize("option", ["quote", "reply_to"])
async def test_a_post_that_is_gone_is_said_before_anything_is_sent(option: str, said: bytes) -> None:
    async with scripted(said) as server, calling(BLUESKY, server) as call:
        with pytest.raises(Rejected) as refused:
            await prepared(call, Content(text="hello", options={option: URI}))
    assert refused.value.facts["code"] == "gone"
    assert URI in refused.value.sentence


@pytest.mark.parametrize(
    ("content", "needed"),
    [
        (Content(text="hello #a https://a.de"), False),
        (Content(text="", media=(PICTURE,)), True),
        (Content(text="", thread=(Part(text="", media=(PICTURE,)),)), True),
        (Content(text="", thread=(Part(text="@anna.test"),)), True),
        (Content(text="", options={"quote": URI}), True),
        (Content(text="", options={"reply_to": URI}), True),
        (Content(text="", options={"card": CARD}), False),
    ],
)
def test_what_needs_preparing_is_known(content: Content, needed: bool) -> None:
    assert prepares(content) == needed


async def test_everything_prepared_is_ready() -> None:
    async with scripted("hang up") as server, calling(BLUESKY, server) as call:
        assert await BLUESKY.ready(call, Prepared(media=kept("a"))) == Prepared(media=kept("a"))
    assert server.requests == []


# Deleting


@pytest.mark.parametrize("body", [{"commit": {"cid": CID, "rev": "3"}}, {}])
async def test_a_post_is_deleted_there_or_not(body: dict[str, Any]) -> None:
    async with scripted(answer(200, body)) as server, calling(BLUESKY, server) as call:
        await delete(call, URI)
    assert paths(server) == ["/xrpc/com.atproto.repo.deleteRecord"]
    assert sent_json(server) == {"repo": ANNA, "collection": POSTS, "rkey": RKEY}


async def test_what_has_no_address_cannot_be_deleted() -> None:
    async with scripted("hang up") as server, calling(BLUESKY, server) as call:
        with pytest.raises(Rejected):
            await delete(call, "https://example.org")
    assert server.requests == []


# Options

WRONG_OPTIONS: list[dict[str, Any]] = [
    {"languages": ["de", "en", "fr", "it"]},
    {"languages": ["german language"]},
    {"labels": ["rude"]},
    {"tags": ["a"] * 9},
    {"card": {"title": "T"}},
    {"card": {"url": "https://a.de", "thumb": "x"}},
    {"replies_from": ["everybody"]},
    {"rkey": "3aa"},
]


@pytest.mark.parametrize("options", WRONG_OPTIONS, ids=str)
def test_options_that_are_none_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(options, BlueskyOptions)


OBJECTIONS: list[tuple[dict[str, Any], int, str | None, str | None]] = [
    ({"quote": URI, "reply_to": "https://bsky.app/profile/a.test/post/3kq"}, 0, None, None),
    ({"quote": "https://example.org"}, 0, "/options/bluesky/quote", "address"),
    ({"quote": "at://did:plc:anna/app.bsky.feed.generator/x"}, 0, "/options/bluesky/quote", "address"),
    ({"reply_to": ""}, 0, "/options/bluesky/reply_to", "address"),
    ({"reply_to": URI, "replies_from": []}, 0, "/options/bluesky/replies_from", "reply-and-gate"),
    ({"card": CARD}, 1, None, None),
    ({"card": CARD}, 2, "/options/bluesky/card", "card-and-media"),
    ({"card": {"url": "example.org"}}, 0, "/options/bluesky/card/url", "address"),
    ({"card": {"url": "https://a b.de"}}, 0, "/options/bluesky/card/url", "address"),
    ({"card": {"url": "https://[a"}}, 0, "/options/bluesky/card/url", "address"),
    ({"tags": ["a", "two words"]}, 0, None, None),
    ({"tags": ["#a"]}, 0, "/options/bluesky/tags/0", "hashtag"),
    ({"tags": ["x" * 64]}, 0, None, None),
    ({"tags": ["a", "x" * 65]}, 0, "/options/bluesky/tags/1", "too-long"),
    ({"tags": ["👨‍👩‍👧‍👦" * 26]}, 0, "/options/bluesky/tags/0", "too-long"),
    ({}, 10, None, None),
    ({}, 11, "/media", "too-many"),
]


@pytest.mark.parametrize(("options", "count", "pointer", "code"), OBJECTIONS, ids=range(len(OBJECTIONS)))
def test_what_would_be_refused_is_said_before(
    options: dict[str, Any], count: int, pointer: str | None, code: str | None
) -> None:
    content = Content(text="hello", media=(PICTURE,) * count, options=options)
    wrong = problems(content, BLUESKY.limits, BLUESKY)
    assert [(each.pointer, each.code) for each in wrong] == ([(pointer, code)] if pointer else [])
    assert all(each.detail.endswith(".") for each in wrong)


MOVING = msgspec.structs.replace(PICTURE, mime="image/gif", animated=True)
FILM = msgspec.structs.replace(PICTURE, mime="video/mp4")


@pytest.mark.parametrize("item", [MOVING, FILM], ids=["an animation", "a video"])
def test_the_preview_of_a_link_does_not_move(item: MediaItem) -> None:
    wrong = problems(Content(text="hello", media=(item,), options={"card": CARD}), BLUESKY.limits, BLUESKY)
    assert ("/options/bluesky/card", "card-and-video") in [(each.pointer, each.code) for each in wrong]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (Content(text="a"), []),
        (Content(text="a", media=(PICTURE,) * 4), []),
        (Content(text="a", media=(PICTURE,) * 5), ["gallery"]),
        (Content(text="a", media=(PICTURE,), options={"card": CARD}), ["alt text"]),
        (Content(text="a", options={"quotes_allowed": False}), ["right after"]),
    ],
)
def test_what_one_might_not_expect_is_said(content: Content, words: list[str]) -> None:
    said = remarks(content, BLUESKY)
    assert len(said) == len(words)
    assert all(word in sentence for word, sentence in zip(words, said, strict=True))


@pytest.mark.parametrize(
    ("address", "named"),
    [
        (URI, (ANNA, RKEY)),
        (f" {URI} ", (ANNA, RKEY)),
        ("https://bsky.app/profile/anna.test/post/3kq", ("anna.test", "3kq")),
        ("https://bsky.app/profile/did%3Aplc%3Aanna/post/3kq/", (ANNA, "3kq")),
        ("http://www.bsky.app/profile/@anna.test/post/3kq?ref=a#b", ("anna.test", "3kq")),
        ("http://127.0.0.1:9000/bluesky/profile/did:plc:anna/post/3kq", (ANNA, "3kq")),
        ("https://bsky.app.example/profile/anna.test/post/3kq", None),
        ("https://bsky.app/profile/anna.test", None),
        ("https://bsky.app/profile/anna.test/post/3kq/liked-by", None),
        ("at://did:plc:anna/app.bsky.feed.like/3kq", None),
        ("", None),
    ],
)
def test_the_address_of_a_post_is_read(address: str, named: tuple[str, str] | None) -> None:
    assert post_named(address) == named
