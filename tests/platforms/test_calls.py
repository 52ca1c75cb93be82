"""What one HTTP call comes to, whatever happens to it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from social.backing.s3 import BucketError
from social.errors import (
    Disconnected,
    NotFound,
    OutcomeUnknown,
    PlatformError,
    PreparationLost,
    QuotaSpent,
    Rejected,
    RetryLater,
    TokenExpired,
)
from social.moments import steady
from social.platforms import PLATFORMS
from social.platforms.answers import QUOTA_LEAST, QUOTA_MOST, reset_at
from social.platforms.calls import Call, Upload
from social.platforms.contract import Fault, Token
from tests.platforms.scripted import BRIEFLY, answer, calling, scripted

MASTODON = PLATFORMS["mastodon"]
NOW = datetime(2026, 8, 1, 14, 57, tzinfo=UTC)


class Thing(msgspec.Struct):
    id: str


def windows(quarter: str, day: str) -> dict[str, str]:
    """Headers of a quarter of an hour that ends in 3 minutes, and of days that end in one hour and in two."""
    return {
        "x-rate-limit-remaining": quarter,
        "x-rate-limit-reset": str(int(NOW.timestamp()) + 180),
        "x-app-limit-24hour-remaining": day,
        "x-app-limit-24hour-reset": str(int(NOW.timestamp()) + 3600),
        "x-user-limit-24hour-remaining": "500",
        "x-user-limit-24hour-reset": str(int(NOW.timestamp()) + 7200),
    }


async def posted(call: Call, **how: object) -> Thing:
    return await call.post("/things", Thing, json={"a": 1}, **how)


async def test_an_answer_becomes_a_struct() -> None:
    async with scripted(answer(200, {"id": "7", "more": 1})) as server, calling(MASTODON, server) as call:
        assert await posted(call, commits=True, headers={"Idempotency-Key": "k"}) == Thing(id="7")
    sent = server.requests[0]
    assert (sent.method, sent.path, sent.body) == ("POST", "/things", b'{"a":1}')
    assert sent.headers["authorization"] == "Bearer the-access-token"
    assert sent.headers["idempotency-key"] == "k"
    assert sent.headers["content-type"] == "application/json"


LOST = {
    "hang up": "hang up",
    "reset": "reset",
    "stall": "stall",
    "garbage": b"\x00\x01\x02 this is no HTTP\r\n\r\n",
    "headers cut": b"HTTP/1.1 200 OK\r\nContent-Le",
    "body cut": answer(200, {"id": "7"}, cut=5),
    "not JSON": answer(200, b"<html>ok</html>"),
    "another shape": answer(200, {"id": 7}),
    "a list": answer(200, []),
    "deep": answer(200, b"[" * 100_000),
    "empty": answer(204),
    "not UTF-8": answer(200, b'{"id": "\xff"}'),
    "huge": answer(200, b'{"id": "' + b"x" * 2**20 + b'"}'),
    "500": answer(500, {"error": "Something went wrong"}),
    "502 of a proxy": answer(502, b"<html>Bad gateway</html>"),
    "503": answer(503, {"error": "busy"}),
    "504": answer(504),
    "302": answer(302, headers={"Location": "/elsewhere"}),
    "304": answer(304),
    "408": answer(408, b"<html>"),
    "418": answer(418, {"error": "teapot"}),
    "403 of a proxy": answer(403, b"<html>blocked</html>"),
    "401 of a proxy": answer(401, b"<html>who are you</html>"),
}


@pytest.mark.parametrize("said", LOST.values(), ids=LOST)
async def test_a_committing_request_without_a_clear_answer_is_unknown(said: Any) -> None:
    async with scripted(said) as server, calling(MASTODON, server, patience=BRIEFLY) as call:
        with pytest.raises(OutcomeUnknown) as unknown:
            await posted(call, commits=True)
    assert call.written
    assert len(server.requests) == 1
    assert unknown.value.facts["code"] in {"no-answer", "unclear"}


@pytest.mark.parametrize("said", LOST.values(), ids=LOST)
async def test_any_other_request_without_a_clear_answer_is_asked_again_later(said: Any) -> None:
    async with scripted(said) as server, calling(MASTODON, server, patience=BRIEFLY) as call:
        with pytest.raises(RetryLater) as later:
            await call.get("/things", Thing)
    assert not call.written
    assert later.value.answered


@pytest.mark.parametrize(("commits", "error"), [(True, OutcomeUnknown), (False, RetryLater)])
async def test_a_redirect_is_not_followed(commits: bool, error: type[Exception]) -> None:
    moved = answer(307, headers={"Location": "/elsewhere"})
    async with scripted(moved, answer(200, {"id": "7"})) as server, calling(MASTODON, server) as call:
        with pytest.raises(error):
            await posted(call, commits=commits)
    assert [request.path for request in server.requests] == ["/things"]


@pytest.mark.parametrize("commits", [True, False])
async def test_a_server_that_is_not_there_was_asked_nothing(commits: bool) -> None:
    async with scripted("hang up") as server, calling(MASTODON, server) as call:
        call.origin = "http://127.0.0.1:1"
        with pytest.raises(RetryLater) as later:
            await posted(call, commits=commits)
    assert not later.value.answered
    assert not call.written
    assert later.value.facts["code"] == "unreachable"


async def test_a_name_that_does_not_resolve_was_asked_nothing() -> None:
    async with scripted("hang up") as server, calling(MASTODON, server) as call:
        call.origin = "http://nobody.invalid"
        with pytest.raises(RetryLater) as later:
            await posted(call, commits=True)
    assert not later.value.answered


async def test_a_broken_handshake_was_asked_nothing() -> None:
    async with scripted("hang up") as server, calling(MASTODON, server) as call:
        call.origin = server.origin.replace("http", "https")
        with pytest.raises(RetryLater) as later:
            await posted(call, commits=True)
    assert not later.value.answered
    assert not call.written


async def test_after_the_deadline_nothing_is_written() -> None:
    async with scripted(answer(200, {"id": "7"})) as server, calling(MASTODON, server) as call:
        call.deadline = steady() - 0.001
        with pytest.raises(RetryLater) as later:
            await posted(call, commits=True)
        await asyncio.sleep(0.05)  # whatever was on its way would be there by now
    assert (later.value.facts["code"], later.value.answered) == ("too-late", False)
    assert not call.written
    assert server.bytes_seen == 0


async def test_the_deadline_is_looked_at_when_the_body_is_written_and_not_before() -> None:
    async with scripted(answer(200, {"id": "7"})) as server, calling(MASTODON, server) as call:
        call.deadline = steady() + 60
        call.on_write = lambda: steps.append(("write", server.bytes_seen, call.written))
        call.on_answer = lambda: steps.append(("answer", len(server.requests), call.written))
        steps: list[tuple[str, int, bool]] = []
        await posted(call, commits=True)
    assert steps == [("write", 0, False), ("answer", 1, True)]


async def test_a_request_that_does_not_commit_has_no_deadline() -> None:
    async with scripted(answer(200, {"id": "7"})) as server, calling(MASTODON, server) as call:
        call.deadline = steady() - 1
        assert await call.get("/things", Thing) == Thing(id="7")


async def test_a_cancelled_call_tells_whether_it_was_written() -> None:
    async with scripted("stall") as server, calling(MASTODON, server, patience=30) as call:
        task = asyncio.create_task(posted(call, commits=True))
        await until(lambda: server.requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert call.written


async def test_a_call_cancelled_before_its_body_was_written_never_writes_it() -> None:
    async with scripted(answer(200, {"id": "7"})) as server, calling(MASTODON, server) as call:
        task = asyncio.create_task(posted(call, commits=True))
        call.on_write = lambda: pytest.fail("written")
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.05)
    assert not call.written
    assert server.bytes_seen == 0


async def test_a_connection_is_kept_and_used_again() -> None:
    async with scripted(answer(200, {"id": "7"})) as server, calling(MASTODON, server) as call:
        for _ in range(3):
            await posted(call, commits=True)
    assert (server.connections, len(server.requests)) == (1, 3)


async def test_a_commit_without_a_body_is_guarded_too() -> None:
    async with scripted(answer(500)) as server, calling(MASTODON, server) as call:
        with pytest.raises(OutcomeUnknown):
            await call.post("/things", Thing, commits=True)
        call.deadline = 0
        with pytest.raises(RetryLater):
            await call.post("/things", Thing, commits=True)
    assert len(server.requests) == 1


@pytest.mark.parametrize("commits", [True, False])
async def test_a_refused_token_is_refreshed_where_that_can_be_done(commits: bool) -> None:
    refused = answer(401, {"error": "The access token is invalid"})
    async with scripted(refused) as server, calling(MASTODON, server) as call:
        with pytest.raises(Disconnected):
            await posted(call, commits=commits)
        call.token = Token(access="a", refresh="r")
        call.faults = ()
        with pytest.raises(TokenExpired):
            await posted(call, commits=commits)


async def test_what_the_platform_said_is_cut_and_holds_no_secret() -> None:
    said = "the-access-token client_secret=abc\n" + "long " * 200
    async with scripted(answer(422, {"error": said})) as server, calling(MASTODON, server) as call:
        with pytest.raises(Rejected) as refused:
            await posted(call, commits=True)
    kept = refused.value.facts["said"]
    assert len(kept) == 300
    for secret in ("the-access-token", "abc"):
        assert secret not in kept
        assert secret not in refused.value.sentence


async def test_the_secrets_of_a_form_are_not_repeated() -> None:
    refusal = answer(400, {"error": "bad code c0d3c0d3 for s3cr3t"})
    async with scripted(refusal) as server, calling(MASTODON, server) as call:
        with pytest.raises(Rejected) as refused:
            await call.post("/x", Thing, form={"code": "c0d3c0d3", "client_secret": "s3cr3t"})
    assert refused.value.facts["said"] == "bad code *** for ***"


@pytest.mark.parametrize("commits", [True, False])
async def test_a_quota_is_waited_for(commits: bool) -> None:
    until = (datetime.now(UTC) + timedelta(minutes=7)).isoformat().replace("+00:00", "Z")
    spent = answer(429, {"error": "Too many requests"}, headers={"X-RateLimit-Reset": until})
    async with scripted(spent) as server, calling(MASTODON, server) as call:
        with pytest.raises(QuotaSpent) as quota:
            await posted(call, commits=commits)
    wait = quota.value.until - datetime.now(UTC)
    assert timedelta(minutes=6, seconds=55) < wait < timedelta(minutes=7, seconds=6)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 300),
        ({"X-RateLimit-Reset": "2026-08-01T15:00:00.268656Z"}, 180),
        ({"x-ratelimit-reset": str(NOW.timestamp() + 180)}, 180),
        ({"X-RateLimit-Reset": "180"}, 180),
        ({"Retry-After": "60"}, 60),
        ({"Retry-After": "Sat, 01 Aug 2026 14:58:00 GMT"}, 60),
        ({"Retry-After": "60", "X-RateLimit-Reset": "2026-08-01T15:00:00Z"}, 60),
        # A server whose clock is seven minutes late:
        ({"Date": "Sat, 01 Aug 2026 14:50:00 GMT", "X-RateLimit-Reset": "2026-08-01T14:51:00Z"}, 60),
        ({"x-rate-limit-reset": str(int(NOW.timestamp()) + 180)}, 180),
        ({"RateLimit-Reset": "180"}, 180),
        ({"ratelimit-reset": str(int(NOW.timestamp()) + 180), "ratelimit-policy": "30;w=300"}, 180),
        # Several windows, of which the day's is spent, or both are, or nobody says which:
        (windows("0", "40") | {"x-user-limit-24hour-remaining": "0"}, 7200),
        (windows("0", "7"), 180),
        (windows("9", "0"), 3600),
        (windows("0", "0"), 3600),
        (windows("9", "7"), 180),
        ({"x-app-reset": "7"}, 300),
        ({"X-RateLimit-Reset": "2026-08-01T14:00:00Z"}, 5),
        ({"X-RateLimit-Reset": "9999-01-01T00:00:00Z"}, 86400),
        ({"X-RateLimit-Reset": "nan"}, 300),
        ({"X-RateLimit-Reset": "soon"}, 300),
        ({"Retry-After": "-1"}, 300),
        ({"Retry-After": "1e300"}, 300),
    ],
)
def test_the_reset_of_a_quota_is_read_in_every_spelling(headers: dict[str, str], seconds: float) -> None:
    wait = (reset_at(headers, NOW) - NOW).total_seconds()
    assert seconds - 1 <= wait <= seconds + 6


@given(st.text(), st.text(), st.text())
def test_no_header_breaks_the_reading_of_a_quota(date: str, after: str, reset: str) -> None:
    at = reset_at({"Date": date, "Retry-After": after, "X-RateLimit-Reset": reset}, NOW)
    assert NOW + QUOTA_LEAST <= at <= NOW + QUOTA_MOST + timedelta(seconds=6)


async def test_a_file_is_streamed_with_its_length_said_beforehand() -> None:
    pieces = [b"a" * 70_000, b"b" * 30_000]

    @asynccontextmanager
    async def reading(key: str, start: int = 0, end: int | None = None) -> AsyncIterator[AsyncIterator[bytes]]:
        async def read() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        assert (key, start, end) == ("w/1/m/2", 0, 100_000)
        yield read()

    file = Upload(field="file", key="w/1/m/2", mime="image/png", size=100_000, name="picture.png")
    async with scripted(answer(200, {"id": "7"})) as server, calling(MASTODON, server) as call:
        call.reading = reading
        assert await call.post("/media", Thing, form={"description": "Straße"}, file=file) == Thing(id="7")
    sent = server.requests[0]
    assert int(sent.headers["content-length"]) == len(sent.body)
    assert b"".join(pieces) in sent.body
    assert "Straße".encode() in sent.body
    assert b'filename="picture.png"' in sent.body
    assert b"image/png" in sent.body


@pytest.mark.parametrize(
    ("before", "during", "error", "code"),
    [
        (BucketError("away"), None, RetryLater, "storage-away"),
        (None, BucketError("away"), RetryLater, "storage-away"),
        (NotFound("gone"), None, Rejected, "file-gone"),
    ],
)
async def test_storage_that_fails_is_not_the_platforms_fault(
    before: Exception | None, during: Any, error: type[PlatformError], code: Any
) -> None:
    @asynccontextmanager
    async def reading(_: str, start: int = 0, end: int | None = None) -> AsyncIterator[AsyncIterator[bytes]]:
        async def read() -> AsyncIterator[bytes]:
            yield b"a"
            raise during

        if before:
            raise before
        yield read()

    file = Upload(field="file", key="k", mime="image/png", size=100_000, name="picture.png")
    async with scripted(answer(200, {"id": "7"})) as server, calling(MASTODON, server) as call:
        call.reading = reading
        with pytest.raises(error) as failed:
            await call.post("/media", Thing, file=file)
    assert failed.value.facts["code"] == code
    assert getattr(failed.value, "answered", False) is False


async def test_what_is_gone_is_told_from_what_is_refused() -> None:
    gone = answer(404, {"error": "Record not found"})
    async with scripted(gone) as server, calling(MASTODON, server) as call:
        assert await call.get_or_none("/x", Thing) is None
        assert await call.delete("/x") is False
        with pytest.raises(PreparationLost):
            await call.get("/x", Thing, to="media")


async def test_what_is_gone_may_be_said_with_another_status() -> None:
    gone = ((404, None), (400, "RecordNotFound"))
    answers = answer(400, {"error": "RecordNotFound"}), answer(404), answer(400, {"error": "InvalidRequest"})
    async with scripted(*answers) as server, calling(MASTODON, server) as call:
        assert await call.get_or_none("/x", Thing, gone=gone) is None
        assert await call.get_or_none("/x", Thing, gone=gone) is None
        with pytest.raises(Rejected):
            await call.get_or_none("/x", Thing, gone=gone)


async def test_a_name_may_come_more_than_once_in_an_address() -> None:
    async with scripted(answer(200, {"id": "7"})) as server, calling(MASTODON, server) as call:
        await call.get("/x", Thing, params=[("uris", "a b"), ("uris", "c")])
    assert server.requests[0].path in {"/x?uris=a+b&uris=c", "/x?uris=a%20b&uris=c"}


async def test_a_part_of_a_file_is_sent_as_the_body_itself() -> None:
    stored = bytes(range(256)) * 10

    @asynccontextmanager
    async def reading(_: str, start: int = 0, end: int | None = None) -> AsyncIterator[AsyncIterator[bytes]]:
        async def read() -> AsyncIterator[bytes]:
            yield stored[start:end]

        yield read()

    file = Upload(key="k", mime="image/png", size=1000, offset=300)
    async with scripted(answer(200, {"id": "7"})) as server, calling(MASTODON, server) as call:
        call.reading = reading
        await call.post("/blobs", Thing, file=file)
        with pytest.raises(TypeError):
            await call.post("/blobs", Thing, file=file, form={"a": "b"})
    [sent] = server.requests
    assert (sent.headers["content-type"], sent.headers["content-length"]) == ("image/png", "1000")
    assert sent.body == stored[300:1300]


async def test_a_given_header_wins_and_nothing_it_holds_is_repeated() -> None:
    refusal = answer(400, {"error": "no r3fr3sh for cl13nt and s3cr3tly"})
    async with scripted(refusal) as server, calling(MASTODON, server) as call:
        for credentials in ("Bearer r3fr3sh", "Basic Y2wxM250OnMzY3IzdGx5"):
            with pytest.raises(Rejected) as refused:
                await call.post("/x", Thing, json={}, headers={"authorization": credentials})
            assert "r3fr3sh" not in refused.value.facts["said"] or credentials.startswith("Basic")
        assert refused.value.facts["said"] == "no r3fr3sh for *** and ***"
    assert [sent.headers["authorization"] for sent in server.requests] == [
        "Bearer r3fr3sh",
        "Basic Y2wxM250OnMzY3IzdGx5",
    ]


async def test_the_secrets_of_a_json_body_are_not_repeated() -> None:
    async with scripted(answer(400, {"error": "wrong: p4ssw0rd of ada"})) as server, calling(MASTODON, server) as call:
        with pytest.raises(Rejected) as refused:
            await call.post("/x", Thing, json={"identifier": "ada", "password": "p4ssw0rd"})
    assert refused.value.facts["said"] == "wrong: *** of ada"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": "e", "error_description": "d", "message": "m"}, "e: d: m"),
        ({"error": "Same", "message": "Same"}, "Same"),
        ({"title": "Forbidden", "detail": "No.", "type": "about:blank", "status": 403}, "Forbidden: No."),
        ({"title": "T", "reason": "client-not-enrolled", "type": "https://p.example/problems/client-forbidden"},
         "T: client-not-enrolled: https://p.example/problems/client-forbidden"),
        ({"errors": [{"code": 88, "message": "Rate limit exceeded"}]}, "Rate limit exceeded: 88"),
        ({"errors": [{"title": "A", "detail": "B", "parameters": {"x": ["y"]}}, "C", 7, None, []]}, "A: B: C: 7"),
        ({"error": {"message": "inner", "code": 190, "detail": {"message": "deep"}}}, "inner: 190"),
        ({"error": True, "errors": "many", "message": None}, ""),
        ({}, ""),
    ],
)  # fmt: skip
async def test_a_platforms_words_are_read_from_every_envelope(body: Any, words: str) -> None:
    async with scripted(answer(400, body)) as server, calling(MASTODON, server) as call:
        with pytest.raises(Rejected) as refused:
            await posted(call)
    assert refused.value.facts["said"] == words
    assert "https://" not in refused.value.sentence


async def test_a_row_about_a_quota_waits_whatever_the_status_and_has_words_of_its_own() -> None:
    spent = answer(403, {"title": "UsageCapExceeded"}, headers={"Retry-After": "600"})
    async with scripted(spent) as server, calling(MASTODON, server) as call:
        call.faults = (Fault(status=403, saying="usagecap", then=QuotaSpent, code="cap", words="The month is spent."),)
        with pytest.raises(QuotaSpent) as quota:
            await posted(call, commits=True)
    assert (quota.value.sentence, quota.value.facts["code"]) == ("The month is spent.", "cap")
    assert quota.value.until > datetime.now(UTC) + timedelta(minutes=9)


async def test_a_call_to_another_server_is_made_as_nobody() -> None:
    async with scripted(answer(200, {"id": "7"})) as server, calling(MASTODON, server) as call:
        await call.at(server.origin).get("/x", Thing)
        await call.get("/x", Thing)
    assert ["authorization" in sent.headers for sent in server.requests] == [False, True]


async def test_an_answer_without_a_body_is_enough_where_only_the_status_counts() -> None:
    async with scripted(answer(200), answer(400, {"error": "no"})) as server, calling(MASTODON, server) as call:
        await call.send("/x", form={"a": "b"})
        with pytest.raises(Rejected):
            await call.send("/x")


async def until(met: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5
    while not met():
        assert time.monotonic() < deadline, "not met within 5 s"
        await asyncio.sleep(0.01)
