"""What X would refuse, told while writing, and what people should know."""

from typing import Any

import msgspec
import pytest

from social.platforms.contract import Content, MediaItem, Part
from social.platforms.x import LIMITS, X
from social.platforms.x.media import CHUNK
from social.platforms.x.rules import XOptions, post_id
from social.posts.check import problems, remarks

Json = dict[str, Any]
PLAIN = MediaItem(media_id="1", key="w/1/m/1", mime="image/png", bytes=3, width=1, height=1)
# Nobody knows for how long the frames of this one are shown, so it cannot become a video where it is too large.
GIF = MediaItem(
    media_id="2", key="w/1/m/2", mime="image/gif", bytes=2 * CHUNK + 5, width=9, height=9, animated=True, alt="a wave"
)
SMALL_GIF = msgspec.structs.replace(GIF, bytes=9, alt="")


@pytest.mark.parametrize(
    "options",
    [
        {"reply_settings": "nobody"},
        {"poll": "yes or no"},
        {"poll": {"options": ["a", "b"], "until": 5}},
        {"made_with_ai": "yes"},
        {"reply_to": 5},
        {"for_super_followers_only": True},
    ],
)
def test_options_that_are_none_are_refused(options: Json) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(options, XOptions)


def test_options_tell_a_form_what_they_are() -> None:
    schema = msgspec.json.schema(XOptions)["$defs"]["XOptions"]
    assert all(one.get("description") or "anyOf" in one for one in schema["properties"].values())
    assert schema["additionalProperties"] is False


def wrong(content: Content) -> list[tuple[str, str]]:
    """Where and what is wrong with a post for X."""
    return [(each.pointer, each.code) for each in problems(content, LIMITS, X)]


ANSWERS = {"options": ["a", "b"]}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (Content(text="x" * 280), []),
        (Content(text="x" * 281), [("/text", "too-long")]),
        (Content(text="日" * 140), []),
        (Content(text="日" * 140 + "x"), [("/text", "too-long")]),
        (Content(text="👨‍👩‍👧‍👦" * 140), []),
        (Content(text="x" * 256 + " https://example.org/" + "a" * 900), []),
        (Content(text="a", thread=(Part(text="b"),) * 24), []),
        (Content(text="a", thread=(Part(text="b"),) * 25), [("/thread", "too-many")]),
        (Content(text="a", thread=(Part(text="x" * 281),)), [("/thread/0/text", "too-long")]),
        (Content(text="a", media=(PLAIN,) * 4), []),
        (Content(text="a", media=(PLAIN,) * 5), [("/media", "too-many")]),
        (Content(text="a", media=(SMALL_GIF,)), []),
        (Content(text="a", media=(SMALL_GIF, PLAIN)), [("/media", "animated")]),
        (Content(text="a", media=(msgspec.structs.replace(PLAIN, alt="x" * 1000),)), []),
        (Content(text="a", media=(msgspec.structs.replace(PLAIN, alt="x" * 1001),)), [("/media/0/alt", "too-long")]),
        (Content(text="a", media=(msgspec.structs.replace(PLAIN, bytes=5 * 2**20),)), []),
        (Content(text="a", media=(msgspec.structs.replace(PLAIN, bytes=5 * 2**20 + 1),)), []),  # it is saved smaller
        (Content(text="a", media=(msgspec.structs.replace(GIF, bytes=15 * 2**20),)), []),
        (Content(text="a", media=(msgspec.structs.replace(GIF, bytes=15 * 2**20 + 1),)), [("/media/0", "too-large")]),
        (Content(text="a", media=(msgspec.structs.replace(GIF, width=1280, height=1080),)), []),
        (Content(text="a", media=(msgspec.structs.replace(GIF, width=1281),)), [("/media/0", "too-large")]),
        (
            Content(text="a", thread=(Part(text="b", media=(msgspec.structs.replace(GIF, height=1081),)),)),
            [("/thread/0/media/0", "too-large")],
        ),
        (Content(text="a", media=(msgspec.structs.replace(PLAIN, mime="image/bmp"),)), []),
        (Content(text="a\ufeffb"), [("/text", "character")]),
        (Content(text="a", thread=(Part(text="\uffff"),)), [("/thread/0/text", "character")]),
        (Content(text="$ABC up, costs $5 and 3$"), []),
        (Content(text="$ABC and $DEF"), [("/text", "cashtags")]),
        (Content(text="$ABC", thread=(Part(text="$DEF"),)), []),
        (Content(text="a?", options={"poll": ANSWERS}), []),
        (Content(text="a?", media=(PLAIN,), options={"poll": ANSWERS}), [("/options/x/poll", "excluded")]),
        (Content(text="a?", thread=(Part(text="b", media=(PLAIN,)),), options={"poll": ANSWERS}), []),
        (Content(text="a?", options={"poll": ANSWERS, "quote": "8"}), [("/options/x/poll", "excluded")]),
        (Content(text="a", media=(PLAIN,), options={"quote": "8"}), [("/options/x/quote", "excluded")]),
        (Content(text="a", options={"poll": {}}), [("/options/x/poll/options", "poll-options")]),
        (Content(text="a", options={"poll": {"options": ["a"]}}), [("/options/x/poll/options", "poll-options")]),
        (Content(text="a", options={"poll": {"options": [*"abcd"]}}), []),
        (Content(text="a", options={"poll": {"options": [*"abcde"]}}), [("/options/x/poll/options", "poll-options")]),
        (Content(text="a", options={"poll": {"options": ["a", " "]}}), [("/options/x/poll/options/1", "missing")]),
        (Content(text="a", options={"poll": {"options": ["a", "b" * 25]}}), []),
        (
            Content(text="a", options={"poll": {"options": ["a", "b" * 26]}}),
            [("/options/x/poll/options/1", "too-long")],
        ),
        (
            Content(text="a", options={"poll": {"options": ["a", "b\ufffe"]}}),
            [("/options/x/poll/options/1", "character")],
        ),
        (
            Content(text="a", options={"poll": ANSWERS | {"duration_minutes": 4}}),
            [("/options/x/poll/duration_minutes", "poll-duration")],
        ),
        (Content(text="a", options={"poll": ANSWERS | {"duration_minutes": 5}}), []),
        (Content(text="a", options={"poll": ANSWERS | {"duration_minutes": 10_080}}), []),
        (
            Content(text="a", options={"poll": ANSWERS | {"duration_minutes": 10_081}}),
            [("/options/x/poll/duration_minutes", "poll-duration")],
        ),
        (Content(text="a", options={"poll": "?"}), [("/options/x", "options")]),
    ],
)
def test_what_x_would_refuse_is_told_while_writing(content: Content, expected: list[tuple[str, str]]) -> None:
    assert wrong(content) == expected


@pytest.mark.parametrize(
    ("given", "id"),
    [
        ("77", "77"),
        (" 1456012973835788293 ", "1456012973835788293"),
        ("https://x.com/anna/status/77", "77"),
        ("https://x.com/anna/status/77/photo/1", "77"),
        ("https://twitter.com/anna/status/77?s=20", "77"),
        ("https://mobile.twitter.com/anna/status/77", "77"),
        ("https://www.x.com/anna/statuses/77#top", "77"),
        ("https://x.com/i/web/status/77", "77"),
        ("https://x.com/i/status/77", "77"),
        ("http://127.0.0.1:9000/x/anna/status/77", "77"),
        ("https://x.com/anna", None),
        ("https://example.social/@anna/77", None),
        ("https://example.org/anna/status/77", None),
        ("https://x.com.example.org/anna/status/77", None),
        ("anna", None),
        ("0", None),
        ("77777777777777777777", None),
    ],
)
def test_a_post_is_named_by_its_address_or_its_number(given: str, id: str | None) -> None:
    for name in ("reply_to", "quote"):
        content = Content(text="a", options={name: given})
        assert wrong(content) == ([] if id else [(f"/options/x/{name}", "post")])
        assert post_id(given) == id


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (Content(text="hello"), []),
        (Content(text="see example.org"), ["A post with an address costs $0.20"]),
        (Content(text="a", thread=(Part(text="https://example.org"),)), ["1 of 2 parts"]),
        (Content(text="a", options={"quote": "8"}), ["no longer quote"]),
        (Content(text="a", options={"reply_to": "8"}), ["mentioned or quoted"]),
        (Content(text="see example.org", options={"poll": "?"}), ["A post with an address costs $0.20"]),
    ],
)
def test_what_people_should_know_is_told_while_writing(content: Content, said: list[str]) -> None:
    told = remarks(content, X)
    assert len(told) == len(said)
    assert all(words in sentence for words, sentence in zip(said, told, strict=True))
