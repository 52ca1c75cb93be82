"""What every platform has to pass against its sandbox, which another head wrote from the same sheet."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from social.backing.outbound import Outbound
from social.errors import (
    Disconnected,
    OutcomeUnknown,
    PreparationLost,
    QuotaSpent,
    Rejected,
    RetryLater,
    TokenExpired,
)
from social.moments import steady
from social.platforms import PLATFORMS
from social.platforms.contract import Content, Limits, Part, Platform, Prepared
from social.platforms.limits import length
from social.posts.check import problems
from tests.pictures import gif
from tests.platforms.rigs import RIGS, Rig, following, where
from tests.servers.sandbox import Person, Sandbox

HELLO = Content(text="hello")


# Publishing


async def test_a_text_is_published(rig: Rig) -> None:
    receipt = await rig.published(rig.person(), HELLO)
    post = rig.online()[0]
    assert post["text"] == "hello"
    assert (receipt.id, receipt.url, receipt.evidence, receipt.notes) == (post["id"], post["url"], "reply", ())


@pytest.mark.parametrize("alts", [["a river"], ["", "b", "", "d"]], ids=["one", "four"])
async def test_pictures_are_published_in_order_with_their_words(alts: list[str], rig: Rig) -> None:
    content = Content(text="look", media=tuple(rig.picture(alt) for alt in alts))
    await rig.published(rig.person(), content)
    assert rig.online()[0]["alts"] == alts


async def test_as_many_pictures_as_it_says_are_taken(rig: Rig) -> None:
    content = Content(text="look", media=tuple(rig.picture() for _ in range(rig.limits().media)))
    await rig.published(rig.person(), content)
    assert len(rig.online()[0]["alts"]) == rig.limits().media


async def test_pictures_need_no_text(rig: Rig) -> None:
    await rig.published(rig.person(), Content(text="", media=(rig.picture(),)))
    assert [len(post["alts"]) for post in rig.online()] == [1]


async def test_an_animated_picture_is_published_with_its_words(rig: Rig) -> None:
    picture = rig.picture("it turns", body=gif(frames=3), mime="image/gif")
    content = Content(text="look", media=(msgspec.structs.replace(picture, animated=True),))
    await rig.published(rig.person(), content)
    assert rig.online()[0]["alts"] == ["it turns"]


async def test_a_video_is_published_with_its_words(rig: Rig) -> None:
    await rig.published(rig.person(), Content(text="look", media=(rig.film("it runs"),)))
    assert rig.online()[0]["alts"] == ["it runs"]


async def test_the_same_turn_is_public_once(rig: Rig) -> None:
    person = rig.person()
    turn = await rig.turn(person, HELLO)
    first = await rig.publish(person, turn)
    if rig.platform.settles in {"key", "rkey"}:
        assert (await rig.publish(person, turn)).id == first.id
    else:  # it is looked for before anything is sent again
        found = await rig.look(person, turn)
        assert found is not None
        assert found.id == first.id
    assert len(rig.online()) == 1


async def test_a_post_is_deleted_and_deleting_again_does_no_harm(rig: Rig) -> None:
    person = rig.person()
    receipt = await rig.published(person, Content(text="hello", media=(rig.picture(),)))
    await rig.deleted(person, receipt.id)
    await rig.deleted(person, receipt.id)
    assert rig.online() == []


# Threads

threaded = pytest.mark.parametrize(
    "platform", [each for each in PLATFORMS.values() if each.limits.thread > 1], ids=lambda each: each.name
)


@pytest.fixture
def rig_of(sandbox: Sandbox, outbound: Outbound) -> Callable[[Platform], Rig]:
    """The rig of a platform that a test names."""
    return lambda platform: RIGS[platform.name](platform, sandbox, outbound)


@threaded
async def test_a_thread_goes_out_part_by_part(platform: Platform, rig_of: Callable[[Platform], Rig]) -> None:
    rig = rig_of(platform)
    parts = (
        Part(text="two", media=(rig.picture("b"), rig.picture("c"))),
        Part(text="three"),
        Part(text="", media=(rig.picture("d"),)),
    )
    receipts = await rig.thread(rig.person(), Content(text="one", media=(rig.picture("a"),), thread=parts))
    online = rig.online()
    assert [post["id"] for post in online] == [receipt.id for receipt in receipts]
    assert [post["text"] for post in online] == ["one", "two", "three", ""]
    assert [post["alts"] for post in online] == [["a"], ["b", "c"], [], ["d"]]
    assert [post["parent"] for post in online] == [None, *(receipt.id for receipt in receipts[:-1])]


@threaded
async def test_a_part_is_found_by_what_it_answers(platform: Platform, rig_of: Callable[[Platform], Rig]) -> None:
    rig = rig_of(platform)
    rig.sandbox.trouble(**rig.repeats_allowed())
    person = rig.person()
    content = Content(text="one", thread=(Part(text="more"), Part(text="three")))
    turn = await rig.turn(person, content)
    first = await rig.publish(person, turn)
    await rig.published(person, Content(text="more"))  # the same words, on their own
    second = following(turn, 1, [first])
    assert await rig.look(person, second) is None
    receipt = await rig.publish(person, second)
    found = await rig.look(person, second)
    assert found is not None
    assert (found.id, found.facts) == (receipt.id, receipt.facts)
    await rig.publish(person, following(turn, 2, [first, found]))
    assert [post["parent"] for post in rig.online()] == [None, None, first.id, receipt.id]


@threaded
@pytest.mark.parametrize("lost", [{"hang_up": "before"}, {"hang_up": "after"}, {"status_after": 500}], ids=str)
async def test_a_lost_answer_to_a_later_part_is_settled(
    lost: dict[str, Any], platform: Platform, rig_of: Callable[[Platform], Rig]
) -> None:
    rig = rig_of(platform)
    person = rig.person()
    turn = await rig.turn(person, Content(text="one", thread=(Part(text="two", media=(rig.picture("b"),)),)))
    first = await rig.publish(person, turn)
    second = following(turn, 1, [first])
    rig.sandbox.trouble(publish=lost | {"count": 1})
    with pytest.raises(OutcomeUnknown):
        await rig.publish(person, second)
    happened = len(rig.online()) == 2
    found = await rig.look(person, second)
    assert (found is not None) == happened
    receipt = found or await rig.publish(person, second)
    assert [post["id"] for post in rig.online()] == [first.id, receipt.id]


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
    "mentions": "@anna ",
    "bare addresses": "example.org ",
}


def filled(piece: str, limits: Limits, beyond: int) -> str:
    """`piece` over and over until the text is `beyond` longer than what fits: in its unit, or else in bytes."""
    text = piece
    while length(text + piece, limits) <= limits.text + beyond and _size(text + piece, limits) <= 0:
        text += piece
    missing = limits.text + beyond - length(text, limits)
    if limits.text_bytes is not None and _size(text, limits) + missing > 0:
        missing = beyond - _size(text, limits)
    return text + "." * missing


def _size(text: str, limits: Limits) -> int:
    """How many bytes it has too many; fewer than none where bytes do not count."""
    return len(text.encode()) - limits.text_bytes if limits.text_bytes is not None else -(10**9)


@pytest.mark.parametrize("piece", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("beyond", [-1, 0, 1])
async def test_we_count_as_the_platform_does(beyond: int, piece: str, rig: Rig) -> None:
    text = filled(piece, rig.platform.limits, beyond)
    if beyond <= 0:
        await rig.published(rig.person(), Content(text=text))
    else:
        with pytest.raises(Rejected):
            await rig.published(rig.person(), Content(text=text))
    assert len(rig.online()) == (beyond <= 0)


async def test_one_picture_too_many_is_refused(rig: Rig) -> None:
    content = Content(text="hello", media=tuple(rig.picture() for _ in range(rig.limits().media + 1)))
    assert [wrong.code for wrong in problems(content, rig.limits(), rig.platform)] == ["too-many"]
    if rig.refuses_one_more:
        with pytest.raises(Rejected):
            await rig.published(rig.person(), content)


async def test_words_for_a_picture_may_be_as_long_as_the_account_says(rig: Rig) -> None:
    person = rig.person()
    who = await rig.platform.identify(rig.call(person))
    limits = who.limits or rig.platform.limits
    assert limits.alt == rig.limits().alt
    await rig.published(person, Content(text="a", media=(rig.picture("x" * limits.alt),)))
    if rig.refuses_long_alt:
        with pytest.raises(Rejected):
            await rig.prepared(person, Content(text="a", media=(rig.picture("x" * (limits.alt + 1)),)))


@where(lambda rig, _: not rig.takes_empty)  # ours refuses it before it is planned, wherever it goes
@pytest.mark.parametrize("content", [Content(text=""), Content(text=" \n ")])
async def test_nothing_is_no_post(content: Content, rig: Rig) -> None:
    with pytest.raises(Rejected) as refused:
        await rig.published(rig.person(), content)
    assert refused.value.facts["said"]
    assert refused.value.facts["said"].split(": ")[0] in refused.value.sentence


# What goes wrong

ACTS = ("identify", "prepare", "ready", "publish", "find", "delete")


def acting(*names: str) -> pytest.MarkDecorator:
    """Runs a test for each of these functions on every platform that asks its server something in it."""
    asked = [
        pytest.param(PLATFORMS[platform], name, id=f"{platform}-{name}")
        for platform, rig in RIGS.items()
        for name in names
        if name not in rig.silent
    ]
    return pytest.mark.parametrize(("rig", "name"), asked, indirect=["rig"])


async def act(name: str, rig: Rig, person: Any) -> Callable[[], Awaitable[object]]:
    """One of a platform's functions, ready to be called once trouble has begun."""
    content = Content(text="with a picture", media=(rig.slow_picture(),))
    turn = await rig.turn(person, content)
    hello = await rig.turn(person, HELLO)
    online = await rig.publish(person, hello)
    call = rig.call(person, patience=1.2)

    async def save(_: Prepared) -> None:
        return None

    return {
        "identify": lambda: rig.platform.identify(call),
        "prepare": lambda: rig.platform.prepare(call, content, Prepared(), save),
        "ready": lambda: rig.platform.ready(call, turn.prepared),
        "publish": lambda: rig.platform.publish(call, turn),
        "find": lambda: rig.look(person, hello, call),
        "delete": lambda: rig.deleted(person, online.id, call),
    }[name]


@acting(*ACTS)
async def test_a_dead_token_is_renewed_or_asks_for_the_person(name: str, rig: Rig) -> None:
    it = await act(name, rig, rig.person())
    rig.sandbox.trouble(all={"dead_token": True})
    with pytest.raises((Disconnected, TokenExpired)):
        await it()


@acting(*ACTS)
async def test_a_missing_scope_asks_for_the_person(name: str, rig: Rig) -> None:
    it = await act(name, rig, rig.person())
    rig.sandbox.trouble(all={"missing_scope": True})
    with pytest.raises(Rejected if name in rig.scope_unsaid else Disconnected) as refused:
        await it()
    assert refused.value.facts["status"] == 403


@acting(*ACTS)
async def test_a_spent_quota_is_waited_for(name: str, rig: Rig) -> None:
    it = await act(name, rig, rig.person())
    rig.sandbox.trouble(all={"status": 429, "reset_in": 40})
    with pytest.raises(QuotaSpent) as spent:
        await it()
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
    "late before": {"delay_before": 2.0},
    "late after": {"delay_after": 2.0},
}


@acting("identify", "prepare", "ready", "find")
@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
async def test_a_lost_answer_before_the_commit_is_asked_for_again(lost: dict[str, Any], name: str, rig: Rig) -> None:
    it = await act(name, rig, rig.person())
    rig.sandbox.trouble(all=lost)
    with pytest.raises(RetryLater) as later:
        await it()
    assert later.value.sentence.endswith(".")


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
async def test_a_lost_answer_to_publish_is_unknown_and_settled(lost: dict[str, Any], rig: Rig) -> None:
    """The whole way: the answer is lost, a look finds the post or proves that it is not there, one post in the end."""
    person = rig.person()
    turn = await rig.turn(person, Content(text="hello", media=(rig.picture("a"),)))
    call = rig.call(person, patience=1.2)
    rig.sandbox.trouble(publish=lost | {"count": 1})
    with pytest.raises(OutcomeUnknown):
        await rig.publish(person, turn, call)
    assert call.written
    if "delay_before" in lost:  # the effect comes after we have gone
        await rig.sandbox.until(lambda: bool(rig.online()))
    happened = len(rig.online())
    found = await rig.look(person, turn)
    assert (found is not None) == bool(happened)
    if found is None:
        found = await rig.publish(person, turn)
    online = rig.online()
    assert [post["id"] for post in online] == [found.id]
    if rig.platform.settles in {"key", "rkey"}:
        assert (await rig.publish(person, turn)).id == found.id  # and a repeat changes nothing
    assert rig.online() == online


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
    turn, call = await rig.turn(person, HELLO), rig.call(person)
    call.origin = "http://127.0.0.1:9"  # no other port can be connected to over this session either
    with pytest.raises(RetryLater) as away:
        await rig.platform.publish(call, turn)
    assert (away.value.answered, call.written) == (False, False)


async def test_too_late_is_not_sent(rig: Rig) -> None:
    person = rig.person()
    turn, call = await rig.turn(person, HELLO), rig.call(person)
    call.deadline = steady()
    with pytest.raises(RetryLater):
        await rig.platform.publish(call, turn)
    assert rig.online() == []


async def test_a_cancelled_publish_knows_that_it_was_written(rig: Rig) -> None:
    person = rig.person()
    turn, call = await rig.turn(person, HELLO), rig.call(person, patience=30)
    rig.sandbox.trouble(publish={"delay_after": 30})
    sending = asyncio.ensure_future(rig.platform.publish(call, turn))
    await rig.sandbox.until(lambda: bool(rig.online()))
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert call.written
    rig.sandbox.trouble()
    assert await rig.look(person, turn) is not None


# Preparing


@pytest.mark.parametrize("uploaded", [0, 1, 2, 3])
async def test_an_interrupted_preparation_goes_on_where_it_was(uploaded: int, rig: Rig) -> None:
    person = rig.person()
    pictures = [rig.picture(str(number)) for number in range(4)]
    content = Content(text="hello", media=tuple(pictures[:3]), thread=(Part(text="more", media=(pictures[3],)),))
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
    before = rig.uploads()
    prepared = await rig.prepared(person, content, saved[-1])
    assert rig.uploads() - before == 4 - uploaded
    turn = await rig.turn(person, content, await rig.until_ready(person, prepared))
    first = await rig.publish(person, turn)
    await rig.publish(person, following(turn, 1, [first]))
    assert [post["alts"] for post in rig.online()] == [["0", "1", "2"], ["3"]]


async def test_a_failed_upload_leaves_what_was_uploaded_before(rig: Rig) -> None:
    person = rig.person()
    content = Content(text="hello", media=(rig.picture("a"), rig.picture("b")))
    saved = []

    async def save(prepared: Prepared) -> None:
        saved.append(prepared)
        if prepared.media:
            rig.sandbox.trouble(upload={"status": 503})

    with pytest.raises(RetryLater):
        await rig.platform.prepare(rig.call(person), content, Prepared(), save)
    assert max(len(prepared.media) for prepared in saved) == 1


@where(lambda rig, _: rig.looks_into_files)  # our own intake has looked into it, wherever it goes
async def test_what_is_no_picture_is_refused_with_what_to_do(rig: Rig) -> None:
    content = Content(text="hello", media=(rig.picture(body=b"this is no picture"),))
    with pytest.raises(Rejected) as refused:
        await rig.published(rig.person(), content)
    assert refused.value.sentence.endswith(".")
    assert rig.online() == []


async def test_what_was_prepared_is_ready_and_stays_so(rig: Rig) -> None:
    person = rig.person()
    turn = await rig.turn(person, Content(text="a", media=(rig.picture(), rig.picture())))
    assert await rig.platform.ready(rig.call(person), turn.prepared)
    assert await rig.platform.ready(rig.call(person), Prepared())


# Finding


async def test_the_look_finds_exactly_ours(rig: Rig) -> None:
    person, other = rig.person(), rig.person("berta")
    mine = await rig.turn(person, HELLO)
    for text in ("hello!", "Hello", "hell", "hello hello"):
        await rig.published(person, Content(text=text))
    await rig.published(other, HELLO)
    assert await rig.look(person, mine) is None
    receipt = await rig.publish(person, mine)
    found = await rig.look(person, mine)
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
        "example.org and (https://example.org/a_(b)).",
    ],
)
async def test_every_text_is_found_again(text: str, rig: Rig) -> None:
    person = rig.person()
    turn = await rig.turn(person, Content(text=text))
    receipt = await rig.publish(person, turn)
    found = await rig.look(person, turn)
    assert found is not None
    assert found.id == receipt.id


async def test_the_look_does_not_take_another_publications_post(rig: Rig) -> None:
    rig.sandbox.trouble(**rig.repeats_allowed())
    person = rig.person()
    first = await rig.published(person, HELLO)
    mine = await rig.turn(person, HELLO)
    assert await rig.look(person, mine, known=frozenset({first.id})) is None
    receipt = await rig.publish(person, mine)
    found = await rig.look(person, mine, known=frozenset({first.id}))
    assert found is not None
    assert found.id == receipt.id


async def test_the_look_goes_past_everything_newer(rig: Rig) -> None:
    person = rig.person()
    mine = await rig.turn(person, HELLO)
    receipt = await rig.publish(person, mine)
    sent_at = datetime.now(UTC)
    for number in range(45):
        await rig.published(person, Content(text=f"newer {number}"))
    found = await rig.look(person, mine, last_sent_at=sent_at)
    assert found is not None
    assert found.id == receipt.id


async def test_what_was_deleted_is_not_found(rig: Rig) -> None:
    person = rig.person()
    turn = await rig.turn(person, HELLO)
    receipt = await rig.publish(person, turn)
    await rig.deleted(person, receipt.id)
    assert await rig.look(person, turn) is None


# What the sheets are not sure of

POSITIONS = [(name, position) for name, rig in RIGS.items() for position in rig.positions]


@pytest.mark.parametrize(("name", "position"), POSITIONS, ids=[f"{name}-{said}" for name, said in POSITIONS])
@pytest.mark.parametrize("lost", [{"hang_up": "before"}, {"hang_up": "after"}, {"status_after": 500}], ids=str)
async def test_one_post_comes_of_it_whatever_the_sheet_does_not_know(
    name: str, position: dict[str, Any], lost: dict[str, Any], sandbox: Sandbox, outbound: Outbound
) -> None:
    """Prepared, the answer lost, looked for, repeated, looked for: one post, in every position."""
    rig = RIGS[name](PLATFORMS[name], sandbox, outbound)
    sandbox.trouble(**rig.odd(**position))
    person: Person = rig.person("anna")
    turn = await rig.turn(person, Content(text="hello", media=(rig.picture("a"), rig.picture("b"))))
    sandbox.trouble(publish=lost | {"count": 1}, **rig.odd(**position))

    found = None
    for _ in range(3):  # as the engine settles: look, and send again only if it is not there
        try:
            found = await rig.publish(person, turn)
        except OutcomeUnknown:
            found = await rig.eventually(lambda: rig.look(person, turn))
        if found is not None:
            break

    assert found is not None
    assert [post["id"] for post in rig.online()] == [found.id]


def test_a_platform_is_whole() -> None:
    assert set(RIGS) == set(PLATFORMS)
    for name, platform in PLATFORMS.items():
        assert platform.name == name
        assert msgspec.convert({}, platform.options) is not None  # every option has a usual value
        assert platform.limits.text > 0
        assert platform.oauth is not None or platform.password is not None
        assert (platform.password is None) == (platform.login is None)
        assert PreparationLost not in {fault.then for fault in platform.faults if fault.to == "any"}
