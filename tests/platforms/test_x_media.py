"""X and files: uploads in one request and in chunks, alt text, and going on where one stopped."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from social.errors import (
    Disconnected,
    PlatformError,
    PreparationLost,
    Rejected,
    RetryLater,
)
from social.platforms.contract import Content, MediaItem, Part, Prepared
from social.platforms.x import X
from social.platforms.x.media import CHUNK, SMALLEST_CHUNK
from tests.platforms.scripted import Request, answer, calling, scripted

Json = dict[str, Any]
PLAIN = MediaItem(media_id="1", key="w/1/m/1", mime="image/png", bytes=3, width=1, height=1)
PICTURE = msgspec.structs.replace(PLAIN, alt="a river")
GIF = MediaItem(
    media_id="2", key="w/1/m/2", mime="image/gif", bytes=2 * CHUNK + 5, width=9, height=9, animated=True, alt="a wave"
)
SMALL_GIF = msgspec.structs.replace(GIF, bytes=9, alt="")


def body(request: Request) -> Json:
    """The JSON body of a request."""
    return msgspec.json.decode(request.body, type=Json)


def parts(request: Request) -> dict[str, bytes]:
    """The parts of a multipart request, by name."""
    boundary = re.search("boundary=([^;]+)", request.headers["content-type"])
    assert boundary is not None
    pieces = request.body.split(b"--" + boundary[1].strip('"').encode())[1:-1]
    heads_and_bodies = [piece[2:-2].partition(b"\r\n\r\n")[::2] for piece in pieces]
    return {re.search(rb'name="([^"]+)"', head)[1].decode(): held for head, held in heads_and_bodies}  # type: ignore[index]


@asynccontextmanager
async def reading(key: str, start: int = 0, end: int | None = None) -> AsyncIterator[AsyncIterator[bytes]]:
    """A bucket whose objects are their positions."""

    async def read() -> AsyncIterator[bytes]:
        yield bytes(at % 251 for at in range(start, end or 0))

    yield read()


def uploaded(id: str, **more: Any) -> bytes:
    """What X answers about a picture that was uploaded in one request."""
    usual = {"id": id, "media_key": f"3_{id}", "size": 3, "expires_after_secs": 86400}
    return answer(200, {"data": usual | more})


def described(id: str) -> bytes:
    """What X answers to an alt text."""
    return answer(200, {"data": {"id": id, "associated_metadata": {"alt_text": {"text": "a river"}}}})


APPENDED = answer(200, {"data": {"expires_at": 1731613200}})


async def prepared_by(
    content: Content, *answers: bytes | str, before: Prepared | None = None
) -> tuple[Prepared, list[Prepared], list[Request]]:
    """What preparing came to, what was saved on the way and what was asked."""
    saved: list[Prepared] = []

    async def save(prepared: Prepared) -> None:
        saved.append(msgspec.convert(msgspec.to_builtins(prepared), Prepared))  # as it comes back from storage

    async with scripted(*answers) as server, calling(X, server) as call:
        call.reading = reading
        prepared = await X.prepare(call, content, before or Prepared(), save)
    return prepared, saved, server.requests


async def test_pictures_are_uploaded_and_described_in_order() -> None:
    content = Content(text="", media=(PICTURE, PLAIN), thread=(Part(text="", media=(PICTURE,)),))
    answers = (uploaded("11"), described("11"), uploaded("12"), uploaded("13"), described("13"))
    prepared, saved, requests = await prepared_by(content, *answers)
    upload, metadata = ("POST", "/2/media/upload"), ("POST", "/2/media/metadata")
    assert [(each.method, each.path) for each in requests] == [upload, metadata, upload, upload, metadata]
    form = parts(requests[0])
    assert set(form) == {"media", "media_category"}
    assert (form["media"], form["media_category"]) == (b"\x00\x01\x02", b"tweet_image")
    assert body(requests[1]) == {"id": "11", "metadata": {"alt_text": {"text": "a river"}}}
    assert prepared.media == ("11", "12", "13")
    assert list(prepared.facts["keys"]) == ["3_11", "3_12", "3_13"]
    assert [len(each.media) for each in saved] == [1, 1, 2, 3, 3]


async def test_preparing_goes_on_after_every_step_it_saved() -> None:
    content = Content(text="", media=(PICTURE,), thread=(Part(text="", media=(PICTURE,)),))
    answers = [uploaded("11"), described("11"), uploaded("12"), described("12")]
    whole, saved, _ = await prepared_by(content, *answers)
    for done, checkpoint in enumerate(saved, start=1):
        rest = answers[done:]
        again, _, requests = await prepared_by(content, *(rest or [answer(500)]), before=checkpoint)
        assert len(requests) == len(rest)
        assert again == whole


async def test_a_gif_goes_in_chunks() -> None:
    answers = [
        answer(200, {"data": {"id": "21", "media_key": "16_21", "expires_after_secs": 1295999}}),
        *[APPENDED] * 3,
        uploaded("21", media_key="16_21", processing_info={"state": "pending", "check_after_secs": 1}),
        described("21"),
    ]
    prepared, saved, requests = await prepared_by(Content(text="", media=(GIF,)), *answers)
    assert [(each.method, each.path) for each in requests] == [
        ("POST", "/2/media/upload/initialize"),
        *[("POST", "/2/media/upload/21/append")] * 3,
        ("POST", "/2/media/upload/21/finalize"),
        ("POST", "/2/media/metadata"),
    ]
    asked = {"media_type": "image/gif", "total_bytes": GIF.bytes, "media_category": "tweet_gif"}
    assert body(requests[0]) == asked
    forms = [parts(each) for each in requests[1:4]]
    assert [form["segment_index"] for form in forms] == [b"0", b"1", b"2"]
    assert [len(form["media"]) for form in forms] == [CHUNK, CHUNK, 5]
    assert b"".join(form["media"] for form in forms) == bytes(at % 251 for at in range(GIF.bytes))
    assert (requests[4].body, requests[4].headers["content-type"]) == (b"{}", "application/json")
    assert prepared.media == ("21",)
    assert list(prepared.facts["keys"]) == ["16_21"]
    assert len(saved) == 1 + 3 + 1 + 1


async def test_a_gif_goes_on_after_every_step_it_saved() -> None:
    begun = answer(200, {"data": {"id": "21", "media_key": "16_21"}})
    done = uploaded("21", media_key="16_21")
    answers = [begun, *[APPENDED] * 3, done, described("21")]
    content = Content(text="", media=(GIF,))
    whole, saved, _ = await prepared_by(content, *answers)
    for at, checkpoint in enumerate(saved, start=1):
        rest = answers if at == 4 else answers[at:]  # whether finalize was heard is not known: all over again
        again, _, requests = await prepared_by(content, *(rest or [answer(500)]), before=checkpoint)
        assert len(requests) == len(rest)
        assert again == whole
        if at < 4:
            assert [parts(each)["segment_index"] for each in requests[: 4 - at]] == [b"0", b"1", b"2"][at - 1 :]


async def test_a_chunk_that_is_too_big_goes_again_smaller() -> None:
    begun = answer(200, {"data": {"id": "21", "media_key": "16_21"}})
    gif = msgspec.structs.replace(GIF, bytes=CHUNK + 1, alt="")
    answers = (begun, answer(413), APPENDED, APPENDED, APPENDED, uploaded("21"))
    _, _, requests = await prepared_by(Content(text="", media=(gif,)), *answers)
    forms = [parts(each) for each in requests[1:5]]
    assert [form["segment_index"] for form in forms] == [b"0", b"0", b"1", b"2"]
    assert [len(form["media"]) for form in forms] == [CHUNK, CHUNK // 2, CHUNK // 2, 1]


async def test_a_file_whose_smallest_chunks_are_too_big_is_too_big() -> None:
    begun = answer(200, {"data": {"id": "21"}})
    with pytest.raises(Rejected) as refused:
        await prepared_by(Content(text="", media=(GIF,)), begun, answer(413, b"<html>"))
    assert refused.value.facts["code"] == "too-big"
    assert SMALLEST_CHUNK < CHUNK


async def test_a_gif_that_does_not_move_is_a_picture() -> None:
    still = msgspec.structs.replace(PLAIN, mime="image/gif")
    _, _, requests = await prepared_by(Content(text="", media=(still,)), uploaded("11"))
    assert [each.path for each in requests] == ["/2/media/upload"]


@pytest.mark.parametrize(
    "said", [{}, {"data": {}}, {"data": {"id": ""}}, {"data": {"id": "../x"}}, {"id": "11"}, b"", {"data": []}]
)
async def test_an_upload_without_an_id_is_no_upload(said: Any) -> None:
    with pytest.raises(RetryLater):
        await prepared_by(Content(text="", media=(PLAIN,)), answer(200, said))


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ((answer(503, {"title": "busy"}),), RetryLater),
        (("hang up",), RetryLater),
        ((answer(200, {"data": {"id": "21"}}), answer(200, {"ok": True})), RetryLater),
        ((answer(200, {"data": {"id": "21"}}), answer(404, {"title": "Not Found Error"})), PreparationLost),
        (
            (
                answer(200, {"data": {"id": "21"}}),
                APPENDED,
                answer(400, {"errors": [{"message": "Segments do not add up to provided total file size."}]}),
            ),
            PreparationLost,
        ),
        (
            (
                answer(200, {"data": {"id": "21"}}),
                APPENDED,
                uploaded("21", processing_info={"state": "failed", "error": {"name": "InvalidMedia"}}),
            ),
            Rejected,
        ),
        ((answer(403, {"title": "Forbidden", "detail": "Forbidden", "status": 403}),), Disconnected),
    ],
)
async def test_an_upload_that_fails_says_what_happens_next(answers: Any, error: type[PlatformError]) -> None:
    with pytest.raises(error):
        await prepared_by(Content(text="", media=(SMALL_GIF,)), *answers)


async def asked_whether_ready(prepared: Prepared, *answers: bytes) -> tuple[bool, list[str]]:
    async with scripted(*answers) as server, calling(X, server) as call:
        is_ready = await X.ready(call, prepared)
    assert is_ready in (None, prepared)
    return is_ready is not None, [each.path for each in server.requests]


WORKED_ON = Prepared(media=("21",), facts={"keys": ["16_21"], "described": 1, "ask_at": {"21": 0.0}})


def processing(state: str, **more: Any) -> bytes:
    """How far X says it is."""
    return answer(200, {"data": {"id": "21", "processing_info": {"state": state, **more}}})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (processing("pending", check_after_secs=1), False),
        (processing("in_progress", progress_percent=40, check_after_secs=5), False),
        (processing("succeeded", progress_percent=100), True),
        (answer(200, {"data": {"id": "21", "media_key": "16_21"}}), True),
    ],
)
async def test_x_is_asked_how_far_it_is(said: bytes, expected: bool) -> None:
    is_ready, paths = await asked_whether_ready(WORKED_ON, said)
    assert is_ready is expected
    assert paths == ["/2/media/upload?command=STATUS&media_id=21"]


@pytest.mark.parametrize(
    ("failure", "error", "words"),
    [
        (None, Rejected, "Replace it"),
        ({"code": 1, "name": "InvalidMedia", "message": "file is corrupt"}, Rejected, "InvalidMedia: file is corrupt"),
        ({"code": 2, "name": "InternalError", "message": "try again"}, PreparationLost, "uploaded again"),
    ],
)
async def test_a_file_that_x_cannot_use(failure: Json | None, error: type[PlatformError], words: str) -> None:
    said = processing("failed", **({"error": failure} if failure else {}))
    with pytest.raises(error) as refused:
        await asked_whether_ready(WORKED_ON, said)
    assert words in refused.value.sentence


async def test_a_state_that_nobody_knows_is_no_success() -> None:
    with pytest.raises(RetryLater):
        await asked_whether_ready(WORKED_ON, processing("done"))


async def test_a_file_that_expired_is_uploaded_again() -> None:
    with pytest.raises(PreparationLost):
        await asked_whether_ready(WORKED_ON, answer(404, {"title": "Not Found Error"}))


async def test_nobody_is_asked_before_the_time_x_named() -> None:
    begun = answer(200, {"data": {"id": "21", "media_key": "16_21"}})
    done = uploaded("21", processing_info={"state": "pending", "check_after_secs": 300})
    prepared, _, _ = await prepared_by(Content(text="", media=(SMALL_GIF,)), begun, APPENDED, done)
    assert await asked_whether_ready(prepared, answer(500)) == (False, [])


async def test_pictures_are_ready_at_once_and_nothing_is_asked() -> None:
    prepared, _, _ = await prepared_by(Content(text="", media=(PLAIN,)), uploaded("11"))
    assert await asked_whether_ready(prepared, answer(500)) == (True, [])
