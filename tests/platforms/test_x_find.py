"""Is it there? Our post among the newest, as X shows it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from social.errors import (
    RetryLater,
)
from social.platforms.contract import Content, MediaItem, Part, Prepared, Receipt
from social.platforms.x import X
from tests.platforms.scripted import answer, calling, scripted
from tests.platforms.turns import SENT, sought

Json = dict[str, Any]
EPOCH = datetime(2010, 11, 4, 1, 42, 54, 657_000, tzinfo=UTC)
PLAIN = MediaItem(media_id="1", key="w/1/m/1", mime="image/png", bytes=3, width=1, height=1)


def snowflake(moment: datetime) -> str:
    """An id as X makes one at `moment`."""
    return str(((moment - EPOCH) // timedelta(milliseconds=1) << 22) + 7)


OURS = snowflake(SENT + timedelta(seconds=1))


def post(id: str = OURS, text: str = "hello", **more: Any) -> Json:
    """A post as it is read back."""
    made = EPOCH + timedelta(milliseconds=int(id) >> 22)
    return {
        "id": id,
        "text": text,
        "created_at": f"{made:%Y-%m-%dT%H:%M:%S.000Z}",
        "edit_history_tweet_ids": [id],
        **more,
    }


def page(*posts: Json, token: str | None = None) -> bytes:
    """A page of posts."""
    meta = {"result_count": len(posts), **({"next_token": token} if token else {})}
    return answer(200, {"data": posts, "meta": meta} if posts else {"meta": meta})


async def looked(
    *answers: bytes | str, content: Content | None = None, **more: Any
) -> tuple[str | None, list[dict[str, list[str]]]]:
    """The id that was found and what was asked."""
    async with scripted(*answers) as server, calling(X, server) as call:
        found = await X.find(call, sought(content or Content(text="hello"), **more))
    assert found is None or found.evidence == "lookup"
    assert all(urlsplit(each.path).path == "/2/users/42/tweets" for each in server.requests)
    return found.id if found else None, [parse_qs(urlsplit(each.path).query) for each in server.requests]


async def test_the_newest_posts_are_read_narrowly() -> None:
    found, asked = await looked(page(post()), handle="anna_w")
    assert found == OURS
    assert asked == [
        {
            "max_results": ["20"],
            "start_time": ["2026-11-22T09:29:00Z"],
            "tweet.fields": [
                "created_at,text,note_tweet,entities,attachments,referenced_tweets,in_reply_to_user_id,"
                "conversation_id,edit_history_tweet_ids"
            ],
            "expansions": ["attachments.media_keys"],
            "exclude": ["retweets"],
        }
    ]


async def test_without_posts_there_is_nothing() -> None:
    assert (await looked(page()))[0] is None


@pytest.mark.parametrize(
    "said",
    [
        answer(200, {}),
        answer(200, []),
        answer(200, {"data": []}),
        answer(200, {"errors": [{"title": "Not Found Error"}]}),
        answer(200, {"meta": {}}),
        answer(200, {"meta": {"result_count": 2}, "data": [post(text="x")]}),
        answer(200, {"meta": {"result_count": 1}}),
        answer(200, {"meta": {"result_count": 1}, "data": [{"id": "x", "text": "hello"}]}),
        answer(500, {"title": "x"}),
        "hang up",
    ],
)
async def test_an_answer_that_proves_nothing_is_no_absence(said: Any) -> None:
    with pytest.raises(RetryLater):
        await looked(said)


def link(url: str, expanded: str, **more: Any) -> Json:
    """An address as X found it in a text."""
    return {"url": url, "expanded_url": expanded, "display_url": "…", "start": 0, "end": 1, **more}


@pytest.mark.parametrize(
    ("sent", "text", "links"),
    [
        ("Tom & Jerry <3 \"x\" 'y'", "Tom &amp; Jerry &lt;3 \"x\" 'y'", []),
        ("write &amp; for &", "write &amp;amp; for &amp;", []),
        ("  hello \r\n world ", "hello\nworld", []),
        ("cafe\u0301", "café", []),
        ("see https://example.org/a?b=1&lt=2", "see https://t.co/a", [link("https://t.co/a", "https://example.org/a?b=1&lt=2")]),
        ("see example.org.", "see https://t.co/a.", [link("https://t.co/a", "http://example.org")]),
        ("see https://example.org", "see https://t.co/a", [link("https://t.co/a", "https://example.org/")]),
        ("see HTTPS://Example.org/A", "see https://t.co/a", [link("https://t.co/a", "https://example.org/A")]),
        ("https://münchen.de/x", "https://t.co/a", [link("https://t.co/a", "https://xn--mnchen-3ya.de/x")]),
        (
            "https://example.org/1 https://example.org/2 https://example.org/1",
            "https://t.co/a https://t.co/b https://t.co/a",
            [
                link("https://t.co/a", "https://example.org/1"),
                link("https://t.co/b", "https://example.org/2"),
                link("https://t.co/a", "https://example.org/1"),
            ],
        ),
        ("日本語example.org日本語", "日本語https://t.co/a日本語", [link("https://t.co/a", "http://example.org")]),
        ("https://example.kids", "https://t.co/a", [link("https://t.co/a", "https://example.kids")]),
        ("https://example.nosuchdomain/x", "https://example.nosuchdomain/x", []),
    ],
)  # fmt: skip
async def test_a_text_is_known_again(sent: str, text: str, links: list[Json]) -> None:
    there = post(text=text, entities={"urls": links})
    assert (await looked(page(there), content=Content(text=sent)))[0] == OURS


@pytest.mark.parametrize("text", ["hello!", "Hello", "hello https://t.co/a", "RT hello", ""])
async def test_another_text_is_another_post(text: str) -> None:
    links = [link("https://t.co/a", "https://example.org")]
    assert (await looked(page(post(text=text, entities={"urls": links}))))[0] is None


@pytest.mark.parametrize(
    "more",
    [
        {"id": snowflake(SENT - timedelta(seconds=61))},
        {"id": snowflake(SENT + timedelta(minutes=61))},
        {"id": "77"},
        {"referenced_tweets": [{"type": "replied_to", "id": "5"}]},
        {"attachments": {"media_keys": ["3_1"]}},
    ],
)
async def test_a_post_that_cannot_be_ours_is_not(more: Json) -> None:
    assert (await looked(page(post(**more))))[0] is None


async def test_another_publications_post_is_not_ours() -> None:
    assert (await looked(page(post()), known=frozenset({OURS})))[0] is None


async def test_an_edit_of_another_publications_post_is_not_ours() -> None:
    newer = snowflake(SENT + timedelta(seconds=30))
    for name in ("edit_history_tweet_ids", "edit_history_post_ids"):
        edited = post(newer) | {name: [OURS, newer]}
        assert (await looked(page(edited), known=frozenset({OURS})))[0] is None


async def test_without_a_time_the_id_tells_it() -> None:
    there = post()
    del there["created_at"]
    assert (await looked(page(there)))[0] == OURS


@pytest.mark.parametrize("name", ["note_tweet", "note_post"])
async def test_a_long_post_is_compared_as_a_whole(name: str) -> None:
    long = "word " * 400 + "https://example.org/a & out"
    written = "word " * 400 + "https://t.co/a &amp; out"
    note = {"text": written, "entities": {"urls": [link("https://t.co/a", "https://example.org/a")]}}
    there = post(text=written[:270] + "… https://t.co/z") | {name: note}
    assert (await looked(page(there), content=Content(text=long)))[0] == OURS
    assert (await looked(page(there), content=Content(text=long + "!")))[0] is None


@pytest.mark.parametrize("name", ["referenced_tweets", "referenced_posts"])
async def test_an_answer_is_known_by_what_it_answers(name: str) -> None:
    reply = post(text="@anna @bob hello") | {name: [{"type": "replied_to", "id": "77"}]}
    asked = Content(text="hello", options={"reply_to": "https://x.com/anna/status/77"})
    assert (await looked(page(reply), content=asked))[0] == OURS
    assert (await looked(page(reply), content=Content(text="hello", options={"reply_to": "78"})))[0] is None
    assert (await looked(page(reply)))[0] is None


async def test_a_part_of_a_thread_is_known_by_the_part_before() -> None:
    content = Content(text="one", thread=(Part(text="two"), Part(text="two")))
    second = post(text="two", referenced_tweets=[{"type": "replied_to", "id": "500"}])
    before = (Receipt(id="500"),)
    assert (await looked(page(second), content=content, part=1, before=before))[0] == OURS
    later = (*before, Receipt(id="600"))
    assert (await looked(page(second), content=content, part=2, before=later))[0] is None


async def test_a_quote_is_known_by_what_it_shows() -> None:
    links = [link("https://t.co/q", "https://twitter.com/anna/status/88")]
    quote = post(
        text="look https://t.co/q", entities={"urls": links}, referenced_tweets=[{"type": "quoted", "id": "88"}]
    )
    assert (await looked(page(quote), content=Content(text="look", options={"quote": "88"})))[0] == OURS
    assert (await looked(page(quote), content=Content(text="look", options={"quote": "89"})))[0] is None


def pictured(id: str, *keys: str, **more: Any) -> Json:
    """A post with pictures, as it is read back: an address of its own at its end."""
    links = [link("https://t.co/m", f"https://x.com/anna/status/{id}/photo/1", media_key=keys[0])]
    return post(id, "hello https://t.co/m", attachments={"media_keys": list(keys)}, entities={"urls": links}) | more


WITH_PICTURE = {
    "content": Content(text="hello", media=(PLAIN,)),
    "prepared": Prepared(media=("11",), facts={"keys": ["3_11"]}),
}
OTHER = snowflake(SENT + timedelta(seconds=20))


async def test_of_two_alike_the_one_with_our_pictures_is_ours() -> None:
    answers = page(pictured(OTHER, "3_99"), pictured(OURS, "3_11"), pictured(snowflake(SENT), "3_98"))
    assert (await looked(answers, **WITH_PICTURE))[0] == OURS


@pytest.mark.parametrize("facts", [{"keys": ["3_11"]}, {"keys": [""]}, {}])
async def test_pictures_whose_keys_changed_are_counted(facts: Json) -> None:
    given = WITH_PICTURE | {"prepared": Prepared(media=("11",), facts=facts)}
    assert (await looked(page(pictured(OURS, "3_99")), **given))[0] == OURS
    assert (await looked(page(pictured(OURS, "3_98", "3_99")), **given))[0] is None


async def test_the_address_of_a_picture_is_left_out_although_nobody_names_it() -> None:
    there = pictured(OURS, "3_11", entities={})
    assert (await looked(page(there), **WITH_PICTURE))[0] == OURS


async def test_the_pictures_of_a_part_are_its_own() -> None:
    content = Content(text="one", media=(PLAIN,), thread=(Part(text="hello", media=(PLAIN,)),))
    prepared = Prepared(media=("11", "12"), facts={"keys": ["3_11", "3_12"]})
    reply = {"referenced_tweets": [{"type": "replied_to", "id": "500"}]}
    answers = page(pictured(OTHER, "3_11", **reply), pictured(OURS, "3_12", **reply))
    found, _ = await looked(answers, content=content, prepared=prepared, part=1, before=(Receipt(id="500"),))
    assert found == OURS


async def test_the_look_goes_on_only_as_far_as_needed() -> None:
    other = post(OTHER, "something else")
    found, asked = await looked(page(other, token="next1"), page(post(), token="next2"))
    assert found == OURS
    assert [each.get("pagination_token") for each in asked] == [None, ["next1"]]


async def test_a_look_that_does_not_reach_back_far_enough_proves_nothing() -> None:
    with pytest.raises(RetryLater) as raised:
        await looked(page(post(OTHER, "something else"), token="more"))
    assert raised.value.facts["code"] == "too-many-posts"
