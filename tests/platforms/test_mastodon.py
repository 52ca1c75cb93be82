"""Mastodon's oddities, one by one, against a server that says exactly what each needs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from social.errors import OutcomeUnknown, PreparationLost, Rejected, RetryLater
from social.platforms.contract import Content, MediaItem, Prepared, Receipt
from social.platforms.limits import length
from social.platforms.mastodon import MASTODON, MastodonOptions, counted_text, find, identify, prepare, publish
from tests.platforms.scripted import BRIEFLY, Scripted, answer, calling, scripted
from tests.platforms.turns import SENT, sought, turn

PICTURE = MediaItem(media_id="1", key="w/1/m/1", mime="image/png", bytes=3, width=1, height=1, alt="a river")


def status(id: str = "9", **changes: Any) -> dict[str, Any]:
    """A Status as servers of 4.6 give it, as far as it matters."""
    usual: dict[str, Any] = {
        "id": id,
        "created_at": "2026-11-22T09:30:00.100Z",
        "url": f"https://example.social/@anna/{id}",
        "visibility": "public",
        "spoiler_text": "",
        "content": "<p>hello</p>",
        "in_reply_to_id": None,
        "application": {"name": "Social", "website": None},
        "media_attachments": [],
    }
    return usual | changes


def sent_json(server: Scripted, place: int = 0) -> dict[str, object]:
    """The JSON body of a request."""
    return msgspec.json.decode(server.requests[place].body, type=dict[str, object])


async def test_a_post_is_sent_with_its_key_and_its_visibility() -> None:
    content = Content(text="hello", media=(PICTURE, PICTURE))
    there = status(media_attachments=[{"id": "m1"}, {"id": "m2"}])
    async with scripted(answer(200, there)) as server, calling(MASTODON, server) as call:
        receipt = await publish(call, turn(content, Prepared(media=("m1", "m2")), "key-1"))
    first = server.requests[0]
    assert (first.method, first.path, first.headers["idempotency-key"]) == ("POST", "/api/v1/statuses?lang=en", "key-1")
    assert sent_json(server) == {"status": "hello", "visibility": "public", "media_ids": ["m1", "m2"]}
    assert receipt == Receipt(id="9", url="https://example.social/@anna/9")


async def test_every_option_is_sent() -> None:
    options = {"visibility": "private", "language": "de", "sensitive": True, "spoiler": "careful"}
    there = status(visibility="private")
    async with scripted(answer(200, there)) as server, calling(MASTODON, server) as call:
        await publish(call, turn(Content(text="hello", options=options), Prepared(), "k"))
    assert sent_json(server) == {
        "status": "hello",
        "visibility": "private",
        "sensitive": True,
        "spoiler_text": "careful",
        "language": "de",
    }


@pytest.mark.parametrize(
    "options",
    [
        {"visibility": "everyone"},
        {"language": "german"},
        {"sensitive": "yes"},
        {"spoiler": None},
        {"scheduled_at": "2026-01-01T00:00:00Z"},
    ],
)
def test_options_that_are_none_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(options, MastodonOptions)


@pytest.mark.parametrize(
    ("spoiler", "text", "expected"),
    [
        ("careful", "hello", 12),
        ("careful", "https://a.de", 7 + 23),  # each for itself: the address does not touch the warning
        ("https://a.de", "", 23),
        ("https://example.org/a/long/way/home", "", 35),
        ("@anna@example.social", "", 20),
    ],
)
def test_the_warning_counts_as_text(spoiler: str, text: str, expected: Any) -> None:
    pieces = counted_text(Content(text=text, options={"spoiler": spoiler}), 0)
    assert sum(length(piece, MASTODON.limits) for piece in pieces) == expected


@pytest.mark.parametrize(
    ("there", "note"),
    [
        (status(visibility="unlisted"), "The server made this unlisted although public was asked for."),
        (status(media_attachments=[{"id": "m1"}]), "Only 1 of 2 pictures are in the post."),
    ],
)
async def test_what_became_of_a_post_without_a_word_is_told(there: dict[str, Any], note: str) -> None:
    content = Content(text="hello", media=(PICTURE, PICTURE))
    there = {"media_attachments": [{"id": "m1"}, {"id": "m2"}]} | there
    there["media_attachments"] = there["media_attachments"] or [{"id": "m1"}, {"id": "m2"}]
    async with scripted(answer(200, there)) as server, calling(MASTODON, server) as call:
        receipt = await publish(call, turn(content, Prepared(media=("m1", "m2")), "k"))
    assert (receipt.id, receipt.notes) == ("9", (note,))


async def test_a_scheduled_status_is_not_taken_for_a_post() -> None:
    scheduled = {"id": "3", "scheduled_at": "2026-11-22T10:00:00Z", "params": {}, "media_attachments": []}
    async with scripted(answer(200, scheduled)) as server, calling(MASTODON, server) as call:
        with pytest.raises(OutcomeUnknown):
            await publish(call, turn(Content(text="hello"), Prepared(), "k"))


async def test_a_post_that_the_server_did_not_keep_is_not_online() -> None:
    answers = (answer(200, status()), answer(404, {"error": "Record not found"}))
    async with scripted(*answers) as server, calling(MASTODON, server) as call:
        with pytest.raises(OutcomeUnknown) as unknown:
            await publish(call, turn(Content(text="hello"), Prepared(), "k"))
    assert unknown.value.facts["code"] == "not-kept"


@pytest.mark.parametrize("said", [answer(500, {"error": "x"}), "hang up", "stall", answer(200, b"nonsense")])
async def test_the_answer_stands_when_the_look_afterwards_fails(said: Any) -> None:
    async with scripted(answer(200, status()), said) as server, calling(MASTODON, server, patience=BRIEFLY) as call:
        assert (await publish(call, turn(Content(text="hello"), Prepared(), "k"))).id == "9"


JAPANESE = {"error": "バリデーションに失敗しました"}


@pytest.mark.parametrize(
    ("media", "error"),
    [
        ((answer(200, {"id": "m1"}), answer(404, {"error": "見つかりません"})), PreparationLost),
        ((answer(206, {"id": "m1"}),), RetryLater),
        ((answer(200, {"id": "m1"}), answer(200, {"id": "m2"})), Rejected),
        ((answer(503, {"error": "x"}),), RetryLater),
    ],
)
async def test_a_refusal_in_another_language_is_understood_by_asking_for_the_media(
    media: tuple[bytes, ...], error: type[Exception]
) -> None:
    content = Content(text="hello", media=(PICTURE, PICTURE))
    async with scripted(answer(422, JAPANESE), *media) as server, calling(MASTODON, server) as call:
        with pytest.raises(error):
            await publish(call, turn(content, Prepared(media=("m1", "m2")), "k"))


async def test_an_upload_that_was_interrupted_goes_on_where_it_was() -> None:
    @asynccontextmanager
    async def reading(_: str, start: int = 0, end: int | None = None) -> AsyncIterator[AsyncIterator[bytes]]:
        async def read() -> AsyncIterator[bytes]:
            yield b"png"

        yield read()

    saved = []

    async def save(prepared: Prepared) -> None:
        saved.append(prepared.media)

    content = Content(text="", media=(PICTURE, PICTURE, msgspec.structs.replace(PICTURE, alt="")))
    answers = (answer(200, {"id": "m2"}), answer(202, {"id": "m3", "url": None}))
    async with scripted(*answers) as server, calling(MASTODON, server) as call:
        call.reading = reading
        prepared = await prepare(call, content, Prepared(media=("m1",)), save)
    assert prepared.media == ("m1", "m2", "m3")
    assert saved == [("m1", "m2"), ("m1", "m2", "m3")]
    assert b"a river" in server.requests[0].body
    assert b"description" not in server.requests[1].body


SOURCE = answer(200, {"id": "9", "text": "hello", "spoiler_text": ""})


async def looked(*answers: bytes | str, **changes: object) -> tuple[Receipt | None, list[str]]:
    async with scripted(*answers, answer(200, [])) as server, calling(MASTODON, server) as call:
        found = await find(call, sought(**({"content": Content(text="hello")} | changes)))
    return found, [request.path for request in server.requests]


async def test_our_post_is_found() -> None:
    found, paths = await looked(answer(200, [status()]), SOURCE, answer(200, []))
    assert found == Receipt(id="9", url="https://example.social/@anna/9", evidence="lookup")
    assert paths[0] == "/api/v1/accounts/42/statuses?limit=40&exclude_reblogs=true"
    assert "/api/v1/statuses/9/source" in paths


@pytest.mark.parametrize(
    "other",
    [
        status(created_at="2026-11-22T09:28:59.000Z"),
        status(created_at="2026-11-22T10:30:01.000Z"),
        status(application={"name": "Web"}),
        status(in_reply_to_id="8"),
        status(media_attachments=[{"id": "m"}]),
    ],
)
async def test_a_post_that_cannot_be_ours_is_not(other: dict[str, Any]) -> None:
    found, paths = await looked(answer(200, [other]))
    assert found is None
    assert not any("source" in path for path in paths)


async def test_another_text_is_another_post() -> None:
    found, _ = await looked(answer(200, [status()]), answer(200, {"id": "9", "text": "hello!", "spoiler_text": ""}))
    assert found is None


async def test_another_publications_post_is_not_ours() -> None:
    found, _ = await looked(answer(200, [status()]), known=frozenset({"9"}))
    assert found is None


async def test_of_two_like_it_the_one_with_our_pictures_is_ours() -> None:
    two = [
        status("11", media_attachments=[{"id": "m2"}]),
        status("10", media_attachments=[{"id": "m1"}]),
        status("9", media_attachments=[{"id": "m0"}]),
    ]
    same = [answer(200, {"id": "x", "text": "hello"})] * 3
    content = Content(text="hello", media=(PICTURE,))
    found, _ = await looked(answer(200, two), *same, content=content, prepared=Prepared(media=("m1",)))
    assert found is not None
    assert found.id == "10"


async def test_the_look_goes_back_to_the_first_attempt() -> None:
    other = {"created_at": "2026-11-22T09:50:00Z", "application": {"name": "Web"}}
    newer = [status(str(id), **other) for id in range(90, 50, -1)]
    found, paths = await looked(answer(200, newer), answer(200, [status()]), SOURCE)
    assert found is not None
    assert paths[1].endswith("&max_id=51")


async def test_a_look_that_does_not_reach_back_far_enough_proves_nothing() -> None:
    newer = [status("90", created_at="2026-11-22T09:50:00Z", application={"name": "Web"})]
    async with scripted(answer(200, newer)) as server, calling(MASTODON, server) as call:
        with pytest.raises(RetryLater):
            await find(call, sought(Content(text="hello")))


@pytest.mark.parametrize(
    ("content", "page", "found"),
    [
        ("hello  world\nhttps://a.de/b & more", "<p>hello  world<br>https://a.de/b &amp; more</p>", True),
        ("see https://example.org/long", '<p>see <a href="https://example.org/long"><span class="invisible">https://'
         '</span><span>example.org/long</span></a></p>', True),
        ("hello", "<p>hello!</p>", False),
    ],
)  # fmt: skip
async def test_where_a_server_has_no_source_the_page_is_compared(content: str, page: str, found: bool) -> None:
    no_source = answer(404, {"error": "Record not found"})
    seen, _ = await looked(answer(200, [status(content=page)]), no_source, content=Content(text=content))
    assert (seen is not None) is found


@pytest.mark.parametrize(
    ("text", "spoiler", "stored"),
    [
        ("hello", "careful", {"text": "hello", "spoiler_text": "careful"}),
        ("", "careful", {"text": "careful", "spoiler_text": ""}),
        (" hello\r\nworld ", "", {"text": "hello\nworld", "spoiler_text": ""}),
    ],
)
async def test_a_text_is_known_again_as_the_server_keeps_it(text: str, spoiler: str, stored: dict[str, str]) -> None:
    content = Content(text=text, options={"spoiler": spoiler})
    found, _ = await looked(answer(200, [status()]), answer(200, {"id": "9"} | stored), content=content)
    assert found is not None


PERSON = {
    "id": "42",
    "username": "anna",
    "acct": "anna",
    "display_name": "Anna",
    "avatar": "https://example.social/a.png",
    "url": "javascript:alert(1)",
}


async def test_an_account_brings_its_servers_limits() -> None:
    instance = {
        "domain": "example.social",
        "configuration": {
            "statuses": {"max_characters": 5000, "max_media_attachments": 6, "characters_reserved_per_url": 30},
            "media_attachments": {"description_limit": 10000, "image_size_limit": 5, "image_matrix_limit": 7},
        },
    }
    async with scripted(answer(200, PERSON), answer(200, instance)) as server, calling(MASTODON, server) as call:
        who = await identify(call)
    assert (who.id, who.handle, who.name) == ("42", "anna@example.social", "Anna")
    assert (who.avatar_url, who.profile_url) == ("https://example.social/a.png", None)
    assert who.limits is not None
    assert (who.limits.text, who.limits.media, who.limits.url_length, who.limits.alt) == (5000, 6, 30, 10000)
    assert (who.limits.image_bytes, who.limits.image_pixels) == (5, 7)


@pytest.mark.parametrize(
    "configuration",
    [None, [], {"statuses": None}, {"statuses": {"max_characters": "many", "max_media_attachments": -1}}],
)
async def test_limits_that_make_no_sense_are_the_usual_ones(configuration: Any) -> None:
    older = (answer(404, {"error": "Not Found"}), answer(200, {"configuration": configuration}))
    async with scripted(answer(200, PERSON), *older) as server, calling(MASTODON, server) as call:
        who = await identify(call)
    assert who.limits == MASTODON.limits
    assert who.handle == f"anna@127.0.0.1:{server.port}"
    assert server.requests[2].path == "/api/v1/instance"


async def test_what_was_sent_long_ago_is_still_looked_for_in_its_hour() -> None:
    late = status(created_at=(SENT + timedelta(minutes=50)).isoformat().replace("+00:00", "Z"))
    found, _ = await looked(answer(200, [late]), SOURCE, last_sent_at=SENT + timedelta(minutes=45))
    assert found is not None
