"""X: who it is, making public, taking away, against a server that says exactly what each needs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from social.errors import (
    OutcomeUnknown,
    QuotaSpent,
    RetryLater,
)
from social.platforms.calls import Call
from social.platforms.contract import Content, MediaItem, Part, Prepared, Receipt
from social.platforms.x import LIMITS, X
from social.platforms.x.posts import address
from tests.platforms.scripted import BRIEFLY, Request, Scripted, answer, calling, scripted
from tests.platforms.turns import turn

Json = dict[str, Any]
PLAIN = MediaItem(media_id="1", key="w/1/m/1", mime="image/png", bytes=3, width=1, height=1)
PICTURE = msgspec.structs.replace(PLAIN, alt="a river")
OURS = "2060650000000000007"
CREATED = answer(201, {"data": {"id": OURS, "text": "hello", "edit_history_tweet_ids": [OURS]}})


def body(request: Request) -> Json:
    """The JSON body of a request."""
    return msgspec.json.decode(request.body, type=Json)


async def posted(content: Content, *answers: bytes | str, **more: Any) -> tuple[Receipt, Json, Scripted]:
    """What publishing came to, the body that was sent and the server it was sent to."""
    async with scripted(*(answers or (CREATED,))) as server, calling(X, server) as call:
        receipt = await X.publish(call, turn(content, **more))
    return receipt, body(server.requests[0]), server


ME = {"id": "1072250532645998596", "name": "Anna Writes", "username": "anna_w"}


async def identified(**more: Any) -> Any:
    async with scripted(answer(200, {"data": ME | more})) as server, calling(X, server) as call:
        who = await X.identify(call)
    path = "/2/users/me?user.fields=profile_image_url,verified,verified_type,subscription_type"
    assert [(each.method, each.path) for each in server.requests] == [("GET", path)]
    assert server.requests[0].headers["authorization"] == "Bearer the-access-token"
    return who


async def test_an_account_is_known_by_its_number_and_its_name() -> None:
    who = await identified(profile_image_url="https://example.org/a.png")
    assert (who.id, who.handle, who.name) == ("1072250532645998596", "anna_w", "Anna Writes")
    assert who.avatar_url == "https://example.org/a.png"
    assert who.profile_url.endswith("/anna_w")


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, 280),
        ({"subscription_type": "None"}, 280),
        ({"subscription_type": "Basic"}, 280),
        ({"subscription_type": "Premium"}, 25_000),
        ({"subscription_type": "PremiumPlus"}, 25_000),
        ({"subscription_type": None}, 280),
        ({"subscription_type": "Something new"}, 280),
    ],
)
async def test_who_pays_may_write_long(more: Json, text: Any) -> None:
    who = await identified(**more)
    assert who.limits == msgspec.structs.replace(LIMITS, text=text)


async def test_what_an_account_lacks_is_no_trouble() -> None:
    who = await identified(name=None, profile_image_url="javascript:alert(1)")
    assert (who.name, who.avatar_url) == ("anna_w", None)


@pytest.mark.parametrize("said", [{}, {"errors": [{"detail": "no"}]}, {"data": {"id": "1"}}, {"data": None}, []])
async def test_an_answer_about_nobody_is_not_understood(said: Any) -> None:
    async with scripted(answer(200, said)) as server, calling(X, server) as call:
        with pytest.raises(RetryLater):
            await X.identify(call)


def test_the_flow_is_the_sheets() -> None:
    assert X.oauth is not None
    assert (X.oauth.page, X.oauth.authorize) == ("https://x.com", "/i/oauth2/authorize")
    assert (X.oauth.token, X.oauth.revoke) == ("/2/oauth2/token", "/2/oauth2/revoke")
    assert X.oauth.authenticates == "basic"
    assert X.scopes == ("tweet.read", "tweet.write", "users.read", "media.write", "offline.access")
    assert (X.host, X.sandbox_path, X.settles) == ("api.x.com", "/x", "search")


async def test_a_text_is_posted() -> None:
    receipt, sent, server = await posted(Content(text="hello"), handle="anna_w")
    assert [(each.method, each.path) for each in server.requests] == [("POST", "/2/tweets")]
    assert server.requests[0].headers["authorization"] == "Bearer the-access-token"
    assert server.requests[0].headers["content-type"] == "application/json"
    assert sent == {"text": "hello"}
    assert receipt == Receipt(id=OURS, url=f"{server.origin}/anna_w/status/{OURS}")


@pytest.mark.parametrize(
    ("origin", "handle", "expected"),
    [
        ("https://api.x.com", "anna_w", "https://x.com/anna_w/status/9"),
        ("https://api.x.com", "", "https://x.com/i/status/9"),
        ("http://127.0.0.1:9000/x", "anna_w", "http://127.0.0.1:9000/x/anna_w/status/9"),
    ],
)
async def test_people_see_a_post_where_its_realm_has_its_pages(origin: str, handle: str, expected: str) -> None:
    async with scripted(CREATED) as server, calling(X, server) as call:
        assert address(_elsewhere(call, origin), handle, "9") == expected


def _elsewhere(call: Call, origin: str) -> Call:
    call.origin = origin
    return call


async def test_a_line_ends_as_it_was_counted() -> None:
    _, sent, _ = await posted(Content(text="a\r\nb\rc\nd"))
    assert sent == {"text": "a\nb\nc\nd"}


async def test_pictures_go_with_their_post_and_need_no_text() -> None:
    content = Content(text="", media=(PICTURE, PLAIN))
    _, sent, _ = await posted(content, prepared=Prepared(media=("11", "12")))
    assert sent == {"media": {"media_ids": ["11", "12"]}}


async def test_every_option_is_sent() -> None:
    options = {
        "reply_settings": "mentionedUsers",
        "reply_to": "https://x.com/anna/status/77?s=20",
        "poll": {"options": ["yes", "no"], "duration_minutes": 60},
        "made_with_ai": True,
        "paid_partnership": True,
    }
    _, sent, _ = await posted(Content(text="hello?", options=options))
    assert sent == {
        "text": "hello?",
        "reply": {"in_reply_to_tweet_id": "77"},
        "poll": {"options": ["yes", "no"], "duration_minutes": 60},
        "reply_settings": "mentionedUsers",
        "made_with_ai": True,
        "paid_partnership": True,
    }


async def test_a_quote_is_sent() -> None:
    _, sent, _ = await posted(Content(text="look", options={"quote": "88"}))
    assert sent == {"text": "look", "quote_tweet_id": "88"}


async def test_a_thread_is_a_chain_of_answers() -> None:
    options = {
        "reply_settings": "following",
        "reply_to": "77",
        "quote": "88",
        "poll": {"options": ["a", "b"]},
        "made_with_ai": True,
    }
    content = Content(text="one", thread=(Part(text="two", media=(PICTURE,)), Part(text="three")), options=options)
    before = (Receipt(id="5"), Receipt(id="6"))
    prepared = Prepared(media=("11",))
    _, second, _ = await posted(content, prepared=prepared, part=1, before=before[:1])
    _, third, _ = await posted(content, prepared=prepared, part=2, before=before)
    assert second == {
        "text": "two",
        "media": {"media_ids": ["11"]},
        "reply": {"in_reply_to_tweet_id": "5"},
        "made_with_ai": True,
    }
    assert third == {"text": "three", "reply": {"in_reply_to_tweet_id": "6"}, "made_with_ai": True}


@pytest.mark.parametrize(
    "said",
    [
        answer(201, {}),
        answer(201, b""),
        answer(201, b"<html>"),
        answer(201, {"data": {"text": "hello"}}),
        answer(201, {"data": {"id": 5}}),
        answer(201, {"data": {"id": "", "text": "hello"}}),
        answer(200, {"errors": [{"message": "partly"}]}),
        answer(204),
        answer(302, headers={"Location": "/elsewhere"}),
        answer(400, b"<html>proxy</html>"),
        answer(500, {"title": "Internal"}),
        answer(503, {"title": "Service Unavailable"}),
        answer(201, {"data": {"id": OURS}}, cut=5),
        "hang up",
        "reset",
        "stall",
    ],
)
async def test_what_is_not_clearly_online_is_unknown(said: Any) -> None:
    async with scripted(said) as server, calling(X, server, patience=BRIEFLY) as call:
        with pytest.raises(OutcomeUnknown):
            await X.publish(call, turn(Content(text="hello")))
    assert len(server.requests) == 1


async def test_errors_beside_a_post_do_not_make_it_less_public() -> None:
    said = answer(201, {"data": {"id": OURS, "text": "hello"}, "errors": [{"title": "partial"}]})
    receipt, _, _ = await posted(Content(text="hello"), said)
    assert receipt.id == OURS


async def test_a_spent_day_is_waited_for_although_the_quarter_looks_healthy() -> None:
    day = int((datetime.now(UTC) + timedelta(hours=3)).timestamp())
    headers = {
        "x-rate-limit-limit": "100",
        "x-rate-limit-remaining": "99",
        "x-rate-limit-reset": str(int(datetime.now(UTC).timestamp()) + 60),
        "x-user-limit-24hour-remaining": "0",
        "x-user-limit-24hour-reset": str(day),
    }
    said = answer(429, {"title": "Too Many Requests"}, headers=headers)
    async with scripted(said) as server, calling(X, server) as call:
        with pytest.raises(QuotaSpent) as spent:
            await X.publish(call, turn(Content(text="hello")))
    assert abs(spent.value.until.timestamp() - day) < 10


async def deleted(*answers: bytes) -> list[tuple[str, str]]:
    assert X.delete is not None
    async with scripted(*answers) as server, calling(X, server) as call:
        await X.delete(call, "77")
    return [(each.method, each.path) for each in server.requests]


@pytest.mark.parametrize(
    "said",
    [answer(200, {"data": {"deleted": True}}), answer(404, {"title": "Not Found Error", "status": 404})],
)
async def test_a_post_is_taken_away(said: bytes) -> None:
    assert await deleted(said) == [("DELETE", "/2/tweets/77")]


@pytest.mark.parametrize(
    "said", [answer(200, {"data": {"deleted": False}}), answer(200, {}), answer(204), answer(500, {})]
)
async def test_a_post_that_may_be_there_is_not_taken_away(said: bytes) -> None:
    with pytest.raises(RetryLater):
        await deleted(said)
