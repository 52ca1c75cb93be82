"""Mastodon's error table, row by row, and what its sandbox can do that other platforms' cannot."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from social.backing.outbound import Outbound
from social.errors import (
    Disconnected,
    OutcomeUnknown,
    PlatformError,
    PreparationLost,
    QuotaSpent,
    Rejected,
    RetryLater,
)
from social.platforms import PLATFORMS
from social.platforms.calls import Empty
from social.platforms.contract import Content, Part, Prepared
from social.platforms.limits import length
from social.platforms.mastodon import MASTODON, objections
from tests.platforms.rigs.mastodon import MastodonRig
from tests.platforms.scripted import answer, calling, scripted
from tests.servers.sandbox import Sandbox

BUSY = "Cannot attach files that have not finished processing. Try again in a moment!"
USED = "Media 1, 2 not found or already attached to another post"
SCOPES = "This action is outside the authorized scopes"

# status, words, what the request is about, what happens next, code, what the person reads
TABLE = [
    (400, "param is missing", "publish", Rejected, "rejected", "Change the post"),
    (400, "invalid_grant", "any", Disconnected, "code-dead", "Connect the account again"),
    (401, "invalid_client", "any", Disconnected, "app-unknown", "Connect the account again"),
    (401, "The access token is invalid", "publish", Disconnected, "disconnected", "Connect it again"),
    (401, "Der Zugriffstoken wurde widerrufen", "any", Disconnected, "disconnected", "Connect it again"),
    (403, SCOPES, "publish", Disconnected, "forbidden", SCOPES),
    (403, "Your login is currently disabled", "any", Disconnected, "forbidden", "login is currently disabled"),
    (403, "This action is not allowed", "publish", Rejected, "not-allowed", "This action is not allowed"),
    (404, "Record not found", "publish", Rejected, "gone", "deleted"),
    (404, "Record not found", "media", PreparationLost, "media-gone", "uploaded again"),
    (404, "Not Found", "any", Rejected, "no-such-route", "too old, or other software"),
    (413, "", "media", Rejected, "too-big", "smaller picture"),
    (422, BUSY, "publish", RetryLater, "media-busy", "still works"),
    (422, USED, "publish", PreparationLost, "media-gone", "uploaded again"),
    (422, "This method requires an authenticated user", "any", Disconnected, "app-token", "Connect it again"),
    (422, "Validation failed: File content type is wrong", "media", Rejected, "bad-file", "Replace it"),
    (422, "Validation failed: Text limit of 500 exceeded", "publish", Rejected, "rejected", "limit of 500 exceeded"),
    (429, "Too many requests", "publish", QuotaSpent, "quota", "no more for now"),
    *((status, "x", "publish", OutcomeUnknown, "unclear", "does not tell") for status in (500, 502, 503, 504)),
    *((status, "x", "media", RetryLater, "trouble", "has trouble") for status in (500, 502, 503, 504)),
]


@pytest.mark.parametrize(("status", "said", "about", "error", "code", "words"), TABLE)
async def test_every_row_of_the_table(
    status: int, said: Any, about: str, error: type[Exception], code: Any, words: str
) -> None:
    body = b"<html>413</html>" if status == 413 else {"error": said}
    async with scripted(answer(status, body)) as server, calling(MASTODON, server) as call:
        with pytest.raises(PlatformError) as raised:
            await call.post("/x", Empty, json={}, commits=about == "publish", to=about)
    assert type(raised.value) is error
    assert raised.value.facts["status"] == status
    assert raised.value.facts["code"] == code
    assert words in raised.value.sentence


@pytest.fixture
def mastodon(sandbox: Sandbox, outbound: Outbound) -> MastodonRig:
    return MastodonRig(PLATFORMS["mastodon"], sandbox, outbound)


async def test_swept_media_is_prepared_anew(mastodon: MastodonRig) -> None:
    person = mastodon.person()
    content = Content(text="hello", media=(mastodon.picture(),))
    prepared = await mastodon.prepared(person, content)
    mastodon.sandbox.trouble(mastodon={"media_kept": 0})
    with pytest.raises(PreparationLost):
        await mastodon.platform.ready(mastodon.call(person), prepared)
    with pytest.raises(PreparationLost):
        await mastodon.published(person, content, prepared)


@pytest.mark.parametrize("language", [None, "de", "ja"])
async def test_media_that_another_post_has_is_prepared_anew(language: str | None, mastodon: MastodonRig) -> None:
    mastodon.sandbox.trouble(mastodon={"localised": language})
    person = mastodon.person()
    content = Content(text="hello", media=(mastodon.picture(),))
    prepared = await mastodon.prepared(person, content)
    await mastodon.published(person, content, prepared)
    with pytest.raises(PreparationLost):
        await mastodon.published(person, content, prepared)
    assert len(mastodon.online()) == 1


async def test_media_that_is_not_ready_is_waited_for(mastodon: MastodonRig) -> None:
    mastodon.sandbox.trouble(mastodon={"image_processing": 0.4})
    person = mastodon.person()
    content = Content(text="hello", media=(mastodon.picture(),))
    prepared = await mastodon.prepared(person, content)
    assert not await mastodon.platform.ready(mastodon.call(person), prepared)
    with pytest.raises(RetryLater):
        await mastodon.published(person, content, prepared)
    await mastodon.until_ready(person, prepared)
    await mastodon.published(person, content, prepared)
    assert len(mastodon.online()) == 1


async def test_media_that_cannot_be_processed_is_for_its_author(mastodon: MastodonRig) -> None:
    mastodon.sandbox.trouble(mastodon={"image_processing": 0.1, "processing_fails": True})
    person = mastodon.person()
    prepared = await mastodon.prepared(person, Content(text="hello", media=(mastodon.picture(),)))
    with pytest.raises(Rejected) as refused:
        await mastodon.until_ready(person, prepared)
    assert refused.value.facts["code"] == "bad-file"


async def test_before_4_3_media_is_lost_without_a_word_and_we_say_so(mastodon: MastodonRig) -> None:
    mastodon.sandbox.trouble(mastodon={"version": "4.2"})
    person = mastodon.person()
    content = Content(text="hello", media=(mastodon.picture("a"), mastodon.picture("b")))
    prepared = await mastodon.prepared(person, content)
    dropped = Prepared(media=(prepared.media[0], "1"))
    receipt = await mastodon.published(person, content, dropped)
    assert receipt.notes == ("Only 1 of 2 pictures are in the post.",)


async def test_a_silenced_account_is_told(mastodon: MastodonRig) -> None:
    mastodon.sandbox.trouble(mastodon={"silenced": True})
    receipt = await mastodon.published(mastodon.person(), Content(text="hello"))
    assert receipt.notes == ("The server made this unlisted although public was asked for.",)


async def test_a_post_that_a_filter_dropped_is_not_online(mastodon: MastodonRig) -> None:
    mastodon.sandbox.trouble(mastodon={"spam_filtered": True})
    with pytest.raises(OutcomeUnknown):
        await mastodon.published(mastodon.person(), Content(text="hello"))
    assert mastodon.online() == []


async def test_a_key_whose_post_was_deleted_is_used_up(mastodon: MastodonRig) -> None:
    person = mastodon.person()
    turn = await mastodon.turn(person, Content(text="hello"))
    receipt = await mastodon.publish(person, turn)
    await mastodon.deleted(person, receipt.id)
    with pytest.raises(Rejected) as gone:
        await mastodon.publish(person, turn)
    assert gone.value.facts["code"] == "gone"


async def test_a_repeat_that_fails_although_posted_is_found(mastodon: MastodonRig) -> None:
    mastodon.sandbox.trouble(mastodon={"version": "4.6.1"})
    person = mastodon.person()
    turn = await mastodon.turn(person, Content(text="hello"))
    receipt = await mastodon.publish(person, turn)
    with pytest.raises(OutcomeUnknown):
        await mastodon.publish(person, turn)
    found = await mastodon.look(person, turn)
    assert found is not None
    assert found.id == receipt.id


async def test_a_post_that_shows_late_is_found_later(mastodon: MastodonRig) -> None:
    person, content = mastodon.person(), Content(text="hello")
    mastodon.sandbox.trouble(publish={"hang_up": "after"}, mastodon={"read_lag": 0.5})
    turn = await mastodon.turn(person, content)
    with pytest.raises(OutcomeUnknown):
        await mastodon.publish(person, turn)
    assert await mastodon.look(person, turn) is None
    await asyncio.sleep(0.6)
    assert await mastodon.look(person, turn) is not None


@pytest.mark.parametrize("in_full", [True, False])
@pytest.mark.parametrize(
    ("spoiler", "piece"),
    [("careful", "x"), ("https://a.de ", "日"), ("see https://example.org/a/long/way/from/home/indeed ", "x")],
)
async def test_a_text_that_we_let_through_with_its_warning_fits(
    spoiler: str, piece: str, in_full: bool, mastodon: MastodonRig
) -> None:
    mastodon.sandbox.trouble(mastodon={"spoiler_urls_in_full": in_full})
    options = {"spoiler": spoiler}
    taken = sum(length(part, MASTODON.limits) for part in MASTODON.counted_text(Content(text="", options=options), 0))
    content = Content(text=piece * (500 - taken), options=options)
    await mastodon.published(mastodon.person(), content)
    assert len(mastodon.online()) == 1


@pytest.mark.parametrize("visibility", ["public", "unlisted", "private", "direct"])
async def test_every_option_arrives(visibility: str, mastodon: MastodonRig) -> None:
    options = {"visibility": visibility, "language": "de", "sensitive": True, "spoiler": "Vorsicht"}
    person, content = mastodon.person(), Content(text="hallo", options=options)
    turn = await mastodon.turn(person, content)
    await mastodon.publish(person, turn)
    there = mastodon.sandbox.statuses()[0]
    assert {name: there[name] for name in ("visibility", "language", "sensitive", "spoiler_text")} == {
        "visibility": visibility,
        "language": "de",
        "sensitive": True,
        "spoiler_text": "Vorsicht",
    }
    assert await mastodon.look(person, turn) is not None


async def test_a_warning_alone_becomes_the_text_and_is_found(mastodon: MastodonRig) -> None:
    person = mastodon.person()
    content = Content(text="", media=(mastodon.picture(),), options={"spoiler": "careful"})
    turn = await mastodon.turn(person, content)
    await mastodon.publish(person, turn)
    assert await mastodon.look(person, turn) is not None


async def test_a_poll_goes_out_with_the_first_part_alone(mastodon: MastodonRig) -> None:
    poll = {"options": ["tea", "coffee"], "expires_in": 3600, "multiple": True}
    content = Content(text="What?", thread=(Part(text="Say why."),), options={"poll": poll})
    assert objections(content, MASTODON.limits) == ()
    await mastodon.thread(mastodon.person(), content)
    assert [post["poll"] for post in mastodon.sandbox.statuses()] == [["tea", "coffee"], None]


POLLS: dict[str, tuple[dict[str, Any], str]] = {
    "short": ({"options": ["a", "b"], "expires_in": 299}, "range"),
    "long": ({"options": ["a", "b"], "expires_in": 2_629_747}, "range"),
    "many": ({"options": list("abcde")}, "too-many"),
    "empty": ({"options": ["a", " "]}, "missing"),
    "wordy": ({"options": ["a", "b" * 51]}, "too-long"),
    "twice": ({"options": ["a", "a"]}, "repeated"),
}


@pytest.mark.parametrize(("poll", "code"), POLLS.values(), ids=POLLS)
async def test_a_poll_that_the_server_refuses_is_refused_before(
    poll: dict[str, Any], code: str, mastodon: MastodonRig
) -> None:
    content = Content(text="What?", options={"poll": poll})
    assert [wrong.code for wrong in objections(content, MASTODON.limits)] == [code]
    with pytest.raises(Rejected):
        await mastodon.published(mastodon.person(), content)


async def test_a_poll_beside_pictures_is_refused_before(mastodon: MastodonRig) -> None:
    content = Content(text="What?", media=(mastodon.picture(),), options={"poll": {"options": ["a", "b"]}})
    assert [wrong.code for wrong in objections(content, MASTODON.limits)] == ["poll-and-media"]
    with pytest.raises(Rejected):
        await mastodon.published(mastodon.person(), content)


async def test_uploads_have_a_quota_of_their_own(mastodon: MastodonRig) -> None:
    mastodon.sandbox.trouble(mastodon={"rate_scale": 0.1})  # 3 in 30 minutes
    content = Content(text="hello", media=tuple(mastodon.picture() for _ in range(4)))
    with pytest.raises(QuotaSpent) as spent:
        await mastodon.prepared(mastodon.person(), content)
    assert timedelta(0) < spent.value.until - datetime.now(UTC) <= timedelta(minutes=30, seconds=6)


async def test_a_server_of_a_fork_lets_us_write_more(mastodon: MastodonRig) -> None:
    mastodon.sandbox.trouble(mastodon={"characters": 15_000})
    who = await mastodon.platform.identify(mastodon.call(mastodon.person()))
    assert who.limits is not None
    assert who.limits.text == 15_000
