"""What every platform has to pass against its sandbox, which another head wrote from the same sheet."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
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
from social.platforms import PLATFORMS, oauth
from social.platforms.contract import App, Content, Prepared
from social.platforms.limits import length
from tests.platforms.rigs import REDIRECT, RIGS, Rig, new_key, until_ready
from tests.servers.sandbox import Person, Sandbox

HELLO = Content(text="hello")


# Connecting


async def test_an_account_is_connected_through_the_consent_page(rig: Rig) -> None:
    _, token = await rig.connected("anna")
    who = await rig.platform.identify(rig.call(token=token.access))
    assert who.handle.startswith("anna@")
    assert (who.id, who.name) == (rig.sandbox.person("anna")["account_id"], "anna")
    assert oauth.missing(rig.platform, token.scopes) == []
    assert who.limits is not None
    assert (who.limits.text, who.limits.media, who.limits.alt) == (500, 4, 10_000)


async def test_a_code_counts_once(rig: Rig) -> None:
    app = await rig.registered()
    code, verifier = await rig.permission(app)
    how = {"code": code, "verifier": verifier, "redirect_uri": REDIRECT}
    await oauth.exchange(rig.call(), rig.platform.oauth, app, **how)
    with pytest.raises(Disconnected) as dead:
        await oauth.exchange(rig.call(), rig.platform.oauth, app, **how)
    assert dead.value.facts["code"] == "code-dead"


async def test_a_code_is_worth_nothing_without_its_verifier(rig: Rig) -> None:
    app = await rig.registered()
    code, _ = await rig.permission(app)
    with pytest.raises(Disconnected):
        await oauth.exchange(
            rig.call(), rig.platform.oauth, app, code=code, verifier=oauth.new_secret(), redirect_uri=REDIRECT
        )


async def test_an_app_that_the_server_forgot_is_told_by_name(rig: Rig) -> None:
    app = await rig.registered()
    code, verifier = await rig.permission(app)
    forgotten = App(client_id="nobody", client_secret="nothing")
    with pytest.raises(Disconnected) as unknown:
        await oauth.exchange(
            rig.call(), rig.platform.oauth, forgotten, code=code, verifier=verifier, redirect_uri=REDIRECT
        )
    assert unknown.value.facts["code"] == "app-unknown"


async def test_a_token_that_was_given_back_opens_nothing(rig: Rig) -> None:
    app, token = await rig.connected()
    await oauth.revoke(rig.call(), rig.platform.oauth, app, token)
    await oauth.revoke(rig.call(), rig.platform.oauth, app, token)  # a second time does no harm
    with pytest.raises(Disconnected) as dead:
        await rig.platform.identify(rig.call(token=token.access))
    assert "Connect it again" in dead.value.sentence


# Publishing


async def test_a_text_is_published(rig: Rig) -> None:
    key = new_key()
    receipt = await rig.published(rig.person(), HELLO, key)
    post = rig.online()[0]
    assert (post["text"], post["key"]) == ("hello", key)
    assert (receipt.id, receipt.url, receipt.evidence, receipt.notes) == (post["id"], post["url"], "reply", ())


@pytest.mark.parametrize("alts", [["a river"], ["", "b", "", "d"]], ids=["one", "four"])
async def test_pictures_are_published_in_order_with_their_words(alts: list[str], rig: Rig) -> None:
    content = Content(text="look", media=tuple(rig.picture(alt) for alt in alts))
    await rig.published(rig.person(), content)
    assert rig.online()[0]["alts"] == alts


async def test_pictures_need_no_text(rig: Rig) -> None:
    await rig.published(rig.person(), Content(text="", media=(rig.picture(),)))
    assert [len(post["alts"]) for post in rig.online()] == [1]


async def test_the_same_key_publishes_once(rig: Rig) -> None:
    person, key = rig.person(), new_key()
    first = await rig.published(person, HELLO, key)
    again = await rig.published(person, HELLO, key)
    assert first.id == again.id
    assert len(rig.online()) == 1


async def test_a_post_is_deleted_and_deleting_again_does_no_harm(rig: Rig) -> None:
    person = rig.person()
    receipt = await rig.published(person, Content(text="hello", media=(rig.picture(),)))
    await rig.deleted(person, receipt.id)
    await rig.deleted(person, receipt.id)
    assert rig.online() == []


# Limits

TEXTS = {
    "letters": "x",
    "families": "👨‍👩‍👧‍👦",
    "flags": "🇩🇪",
    "accents": "e\u0301",
    "ideographs": "日",
    "links": "https://a.de ",
    "long links": "https://example.org/a/very/long/path/that/nobody/types?with=a&query=too ",
    "links in brackets": "(https://example.org/a_(b)) ",
    "links after ideographs": "日本https://a.de。 ",
    "mentions": "@anna@example.social ",
    "bare addresses": "example.org ",
}


@pytest.mark.parametrize("piece", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("beyond", [-1, 0, 1])
async def test_we_count_as_the_platform_does(beyond: int, piece: str, rig: Rig) -> None:
    limits = rig.platform.limits
    text = piece
    while length(text + piece, limits) <= limits.text + beyond:
        text += piece
    text += "." * (limits.text + beyond - length(text, limits))
    assert length(text, limits) == limits.text + beyond
    if beyond <= 0:
        await rig.published(rig.person(), Content(text=text))
    else:
        with pytest.raises(Rejected):
            await rig.published(rig.person(), Content(text=text))
    assert len(rig.online()) == (beyond <= 0)


async def test_one_picture_too_many_is_refused(rig: Rig) -> None:
    most = rig.platform.limits.media
    content = Content(text="hello", media=tuple(rig.picture() for _ in range(most + 1)))
    with pytest.raises(Rejected):
        await rig.published(rig.person(), content)


async def test_words_for_a_picture_may_be_as_long_as_the_account_says(rig: Rig) -> None:
    person = rig.person()
    who = await rig.platform.identify(rig.call(person))
    assert who.limits is not None
    await rig.published(person, Content(text="a", media=(rig.picture("x" * who.limits.alt),)))
    with pytest.raises(Rejected):
        await rig.prepared(person, Content(text="a", media=(rig.picture("x" * (who.limits.alt + 1)),)))


@pytest.mark.parametrize("content", [Content(text=""), Content(text=" \n ")])
async def test_nothing_is_no_post(content: Content, rig: Rig) -> None:
    with pytest.raises(Rejected) as refused:
        await rig.published(rig.person(), content)
    assert refused.value.facts["said"]
    assert refused.value.facts["said"] in refused.value.sentence


# What goes wrong

ACTS = ("identify", "prepare", "ready", "publish", "find", "delete")


async def act(name: str, rig: Rig, person: Any) -> Callable[[], Awaitable[object]]:
    """One of a platform's functions, ready to be called once trouble has begun."""
    content = Content(text="hello", media=(rig.picture(),))
    prepared = await rig.prepared(person, content)
    online = await rig.published(person, HELLO)
    call = rig.call(person, patience=0.7)

    async def save(_: Prepared) -> None:
        return None

    return {
        "identify": lambda: rig.platform.identify(call),
        "prepare": lambda: rig.platform.prepare(call, content, Prepared(), save),
        "ready": lambda: rig.platform.ready(call, prepared),
        "publish": lambda: rig.platform.publish(call, content, prepared, new_key()),
        "find": lambda: rig.found(person, HELLO, call=call),
        "delete": lambda: rig.deleted(person, online.id, call),
    }[name]


@pytest.mark.parametrize("name", ACTS)
async def test_a_dead_token_asks_for_the_person(name: str, rig: Rig) -> None:
    acting = await act(name, rig, rig.person())
    rig.sandbox.trouble(all={"dead_token": True})
    with pytest.raises(Disconnected):
        await acting()


@pytest.mark.parametrize("name", ACTS)
async def test_a_missing_scope_asks_for_the_person(name: str, rig: Rig) -> None:
    acting = await act(name, rig, rig.person())
    rig.sandbox.trouble(all={"missing_scope": True})
    with pytest.raises(Disconnected) as refused:
        await acting()
    assert refused.value.facts["status"] == 403


@pytest.mark.parametrize("name", ACTS)
async def test_a_spent_quota_is_waited_for(name: str, rig: Rig) -> None:
    acting = await act(name, rig, rig.person())
    rig.sandbox.trouble(all={"status": 429, "reset_in": 40})
    with pytest.raises(QuotaSpent) as spent:
        await acting()
    assert timedelta(seconds=30) < spent.value.until - datetime.now(UTC) < timedelta(seconds=50)


LOST: dict[str, dict[str, Any]] = {
    **{f"{status} before": {"status": status} for status in (500, 502, 503, 504)},
    **{f"{status} after": {"status_after": status} for status in (500, 502, 503, 504)},
    "hang-up before": {"hang_up": "before"},
    "hang-up after": {"hang_up": "after"},
    "reset before": {"hang_up": "before", "reset": True},
    "reset after": {"hang_up": "after", "reset": True},
    "truncated": {"truncated": True},
    "garbage": {"garbage": True},
    "late before": {"delay_before": 1.5},
    "late after": {"delay_after": 1.5},
}


@pytest.mark.parametrize("name", [name for name in ACTS if name not in ("publish", "delete")])
@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
async def test_a_lost_answer_before_the_commit_is_asked_for_again(lost: dict[str, Any], name: str, rig: Rig) -> None:
    acting = await act(name, rig, rig.person())
    rig.sandbox.trouble(all=lost)
    with pytest.raises(RetryLater) as later:
        await acting()
    assert later.value.sentence.endswith(".")


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
async def test_a_lost_answer_to_publish_is_unknown_and_settled(lost: dict[str, Any], rig: Rig) -> None:
    """The whole way: the answer is lost, a look finds the post or proves that it is not there, one post in the end."""
    person, key = rig.person(), new_key()
    content = Content(text="hello", media=(rig.picture("a"),))
    prepared = await rig.prepared(person, content)
    call = rig.call(person, patience=0.7)
    rig.sandbox.trouble(publish=lost | {"count": 1})
    sent_at = datetime.now(UTC)
    with pytest.raises(OutcomeUnknown):
        await rig.platform.publish(call, content, prepared, key)
    assert call.written
    if "delay_before" in lost:  # the effect comes after we have gone
        await rig.sandbox.until(lambda: bool(rig.online()))
    happened = len(rig.online())
    found = await rig.found(person, content, prepared, first_sent_at=sent_at, last_sent_at=sent_at)
    assert (found is not None) == bool(happened)
    if found is None:
        found = await rig.published(person, content, key, prepared)
    online = rig.online()
    assert [post["id"] for post in online] == [found.id]
    assert (await rig.published(person, content, key, prepared)).id == found.id  # and a repeat changes nothing
    assert rig.online() == online


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
async def test_a_lost_answer_while_connecting_says_what_to_do(lost: dict[str, Any], rig: Rig) -> None:
    rig.sandbox.trouble(oauth=lost)
    call = rig.call(patience=0.7)
    with pytest.raises(PlatformError) as trouble:
        await rig.registered(call)
    assert isinstance(trouble.value, RetryLater)


async def test_a_lost_answer_to_deleting_does_no_harm(rig: Rig) -> None:
    person = rig.person()
    receipt = await rig.published(person, HELLO)
    rig.sandbox.trouble(all={"hang_up": "after", "count": 1})
    with pytest.raises(RetryLater):
        await rig.deleted(person, receipt.id)
    await rig.deleted(person, receipt.id)
    assert rig.online() == []


async def test_a_server_that_is_away_was_asked_nothing(rig: Rig) -> None:
    person = rig.person()
    call = rig.call(person)
    call.origin = "http://127.0.0.1:9"  # no other port can be connected to over this session either
    with pytest.raises(RetryLater) as away:
        await rig.platform.publish(call, HELLO, Prepared(), new_key())
    assert (away.value.answered, call.written) == (False, False)


async def test_too_late_is_not_sent(rig: Rig) -> None:
    call = rig.call(rig.person())
    call.deadline = time.monotonic()
    with pytest.raises(RetryLater):
        await rig.platform.publish(call, HELLO, Prepared(), new_key())
    assert rig.online() == []


async def test_a_cancelled_publish_knows_that_it_was_written(rig: Rig) -> None:
    person = rig.person()
    call = rig.call(person, patience=30)
    rig.sandbox.trouble(publish={"delay_after": 30})
    sending = asyncio.ensure_future(rig.platform.publish(call, HELLO, Prepared(), new_key()))
    await rig.sandbox.until(lambda: bool(rig.online()))
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert call.written
    rig.sandbox.trouble()
    assert await rig.found(person, HELLO) is not None


# Preparing


@pytest.mark.parametrize("uploaded", [0, 1, 2, 3])
async def test_an_interrupted_preparation_goes_on_where_it_was(uploaded: int, rig: Rig) -> None:
    person = rig.person()
    content = Content(text="hello", media=tuple(rig.picture(str(number)) for number in range(4)))
    saved = [Prepared()]

    class Killed(Exception):
        pass

    async def save(prepared: Prepared) -> None:
        saved.append(prepared)
        if len(prepared.media) == uploaded:
            raise Killed

    if uploaded:
        with pytest.raises(Killed):
            await rig.platform.prepare(rig.call(person), content, Prepared(), save)
    assert len(saved[-1].media) == uploaded
    before = len(rig.sandbox.requests("POST"))
    prepared = await rig.prepared(person, content, saved[-1])
    assert len(rig.sandbox.requests("POST")) - before == 4 - uploaded
    await rig.published(person, content, prepared=prepared)
    assert rig.online()[0]["alts"] == ["0", "1", "2", "3"]


async def test_a_failed_upload_leaves_what_was_uploaded_before(rig: Rig) -> None:
    person = rig.person()
    content = Content(text="hello", media=(rig.picture("a"), rig.picture("b")))
    saved = []

    async def save(prepared: Prepared) -> None:
        saved.append(prepared)
        rig.sandbox.trouble(upload={"status": 503})

    with pytest.raises(RetryLater):
        await rig.platform.prepare(rig.call(person), content, Prepared(), save)
    assert [len(prepared.media) for prepared in saved] == [1]


async def test_what_is_no_picture_is_refused_with_what_to_do(rig: Rig) -> None:
    content = Content(text="hello", media=(rig.picture(body=b"this is no picture"),))
    with pytest.raises(Rejected) as refused:
        await rig.prepared(rig.person(), content)
    assert "Replace it" in refused.value.sentence


async def test_what_was_prepared_is_ready_and_stays_so(rig: Rig) -> None:
    person = rig.person()
    prepared = await rig.prepared(person, Content(text="a", media=(rig.picture(), rig.picture())))
    assert await rig.platform.ready(rig.call(person), prepared)
    assert await rig.platform.ready(rig.call(person), Prepared())


# Finding


async def test_the_look_finds_exactly_ours(rig: Rig) -> None:
    person, other = rig.person(), rig.person("berta")
    mine = Content(text="hello")
    for text in ("hello!", "Hello", "hell", "hello hello"):
        await rig.published(person, Content(text=text))
    await rig.published(other, mine)
    await rig.published(rig.sandbox.person("anna", app_name="Another app"), mine)
    await rig.published(person, Content(text="hello", media=(rig.picture(),)))
    assert await rig.found(person, mine) is None
    receipt = await rig.published(person, mine)
    found = await rig.found(person, mine)
    assert found is not None
    assert (found.id, found.url, found.evidence) == (receipt.id, receipt.url, "lookup")


@pytest.mark.parametrize(
    "text",
    [
        "a\nb\n\nc",
        "  spaces  inside  ",
        '<b>no</b> & "tags" \\ `code`',
        "https://example.org/a?b=c&d=e#f @anna@example.social #tag",
        "👨‍👩‍👧‍👦 🇩🇪 e\u0301 日本語",
        "\u200bzero\u200d",
    ],
)
async def test_every_text_is_found_again(text: str, rig: Rig) -> None:
    person = rig.person()
    receipt = await rig.published(person, Content(text=text))
    found = await rig.found(person, Content(text=text))
    assert found is not None
    assert found.id == receipt.id


async def test_the_look_does_not_take_another_publications_post(rig: Rig) -> None:
    person = rig.person()
    first = await rig.published(person, HELLO)
    assert await rig.found(person, HELLO, known=frozenset({first.id})) is None
    second = await rig.published(person, HELLO)
    found = await rig.found(person, HELLO, known=frozenset({first.id}))
    assert found is not None
    assert found.id == second.id


async def test_the_look_goes_past_everything_newer(rig: Rig) -> None:
    person = rig.person()
    receipt = await rig.published(person, HELLO)
    sent_at = datetime.now(UTC)
    for number in range(45):
        await rig.published(person, Content(text=f"newer {number}"))
    found = await rig.found(person, HELLO, first_sent_at=sent_at, last_sent_at=sent_at)
    assert found is not None
    assert found.id == receipt.id


async def test_what_was_deleted_is_not_found(rig: Rig) -> None:
    person = rig.person()
    receipt = await rig.published(person, HELLO)
    await rig.deleted(person, receipt.id)
    assert await rig.found(person, HELLO) is None


# What the sheets are not sure of

POSITIONS = [(name, position) for name in PLATFORMS for position in RIGS[name].positions]


@pytest.mark.parametrize(("name", "position"), POSITIONS, ids=[f"{name}-{said}" for name, said in POSITIONS])
@pytest.mark.parametrize("lost", [{"hang_up": "before"}, {"hang_up": "after"}, {"status_after": 500}], ids=str)
async def test_one_post_comes_of_it_whatever_the_sheet_does_not_know(
    name: str, position: dict[str, Any], lost: dict[str, Any], sandbox: Sandbox, outbound: Outbound
) -> None:
    """Connected, prepared, the answer lost, looked for, repeated, looked for: one post, in every position."""
    rig = RIGS[name](PLATFORMS[name], sandbox, outbound)
    sandbox.trouble(**rig.odd(**position))
    _, token = await rig.connected()
    person = Person(**{**rig.person("anna"), "access_token": token.access})
    content = Content(text="hello", media=(rig.picture("a"), rig.picture("b")), options={})
    prepared = await rig.prepared(person, content)
    await until_ready(rig, person, prepared)
    key, sent_at = new_key(), datetime.now(UTC)
    sandbox.trouble(publish=lost | {"count": 1}, **rig.odd(**position))

    found = None
    for _ in range(3):  # as class K settles: look, and send again with the same key only if it is not there
        try:
            found = await rig.published(person, content, key, prepared)
        except OutcomeUnknown:
            found = await rig.found(person, content, prepared, first_sent_at=sent_at, last_sent_at=datetime.now(UTC))
        if found is not None:
            break

    assert found is not None
    assert [post["id"] for post in rig.online()] == [found.id]


def test_a_platform_is_whole() -> None:
    for name, platform in PLATFORMS.items():
        assert platform.name == name
        assert set(RIGS) == set(PLATFORMS)
        assert msgspec.convert({}, platform.options) is not None  # every option has a usual value
        assert platform.limits.text > 0
        assert PreparationLost not in {fault.then for fault in platform.faults if fault.to == "any"}
