"""The sink: it must count what it is sent, and be as honest as a platform when it is asked."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from tests.bench.outcome import Outcome
from tests.bench.sink.__main__ import Sink
from tests.bench.sink.arrivals import marked
from tests.bench.sink.wire import Request, Wire

ID, OTHER, DUE = "a" * 24, "b" * 24, 1_800_000_000_000


class Platform:
    """One connection to a sink."""

    def __init__(self, sink: Sink, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sink = sink
        self._reader = reader
        self.writer = writer

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict[str, object]]:
        """One request and its answer."""
        self.writer.write(request(method, path, body, **headers))
        return await self.answer()

    async def send(self, path: str, form: bytes) -> None:
        """A form, which is taken."""
        lines = (
            f"POST {path} HTTP/1.1",
            "Content-Type: multipart/form-data; boundary=b",
            f"Content-Length: {len(form)}",
        )
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + form)
        status, said = await self.answer()
        assert status == 200, said

    async def answer(self) -> tuple[int, dict[str, object]]:
        """The next answer: its status and what it says."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
        return int(head.split()[1]), json.loads(await self._reader.readexactly(length))

    @property
    def arrivals(self) -> dict[str, int]:
        """How often each publication was made public."""
        told = json.loads(self.sink.answer(_control("arrivals")).partition(b"\r\n\r\n")[2])
        return {id: len(instants) for id, (_, instants) in told.items()}


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    """A sink of its own and a connection to it."""
    sink = Sink()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Wire(sink.answer, sink.wait), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    yield Platform(sink, reader, writer)
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


async def test_requests_in_one_piece_and_in_pieces_are_answered_in_their_order(platform: Platform) -> None:
    sent = b"".join(request("POST", "/x/2/tweets", {"text": marked(id, DUE, "")}, token="x1") for id in (ID, OTHER))
    for start in range(0, len(sent), 100):
        platform.writer.write(sent[start : start + 100])
        await platform.writer.drain()
    assert [(await platform.answer())[0] for _ in range(2)] == [201, 201]
    assert platform.arrivals == {ID: 1, OTHER: 1}


async def test_a_body_in_chunks_is_put_together(platform: Platform) -> None:
    body = json.dumps({"text": marked(ID, DUE, "in two chunks")}).encode()
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:9], body[9:], b""))
    head = b"POST /x/2/tweets HTTP/1.1\r\nAuthorization: Bearer x1\r\nTransfer-Encoding: chunked\r\n\r\n"
    platform.writer.write(head + chunks)
    assert (await platform.answer())[0] == 201
    assert platform.arrivals == {ID: 1}


async def test_mastodon_answers_a_repeated_key_with_the_post_that_is_there(platform: Platform) -> None:
    post = {"status": marked(ID, DUE, "hello"), "visibility": "public"}
    _, first = await platform.ask("POST", "/api/v1/statuses", post, token="m1", key="k1")
    _, again = await platform.ask("POST", "/api/v1/statuses", post, token="m1", key="k1")
    assert again["id"] == first["id"]
    assert platform.arrivals == {ID: 1}
    await platform.ask("POST", "/api/v1/statuses", post, token="m1", key="k2")
    assert platform.arrivals == {ID: 2}


async def test_x_has_no_key_so_the_same_again_is_a_double_and_both_are_in_the_timeline(platform: Platform) -> None:
    for _ in range(2):
        await platform.ask("POST", "/x/2/tweets", {"text": marked(ID, DUE, "hello")}, token="x77")
    assert platform.arrivals == {ID: 2}
    asked = "/x/2/users/77/tweets?max_results=1&start_time=2026-01-01T00:00:00Z"
    _, page = await platform.ask("GET", asked, token="x77")
    assert page["meta"] == {"result_count": 1, "next_token": "1"}
    _, empty = await platform.ask("GET", asked.replace("/77/", "/78/"), token="x78")
    assert empty == {"meta": {"result_count": 0}}


async def test_a_video_on_x_is_what_was_promised_once_x_has_worked_on_it(platform: Platform) -> None:
    upload, video = "/x/2/media/upload", b"a video of two chunks"
    promised = {"media_type": "video/mp4", "media_category": "tweet_video", "total_bytes": len(video)}
    _, begun = await platform.ask("POST", f"{upload}/initialize", promised)
    id = begun["data"]["id"]  # type: ignore[index]
    await platform.send(f"{upload}/{id}/append", form(0, video[:15]))
    status, refusal = await platform.ask("POST", f"{upload}/{id}/finalize", {})
    assert (status, refusal["detail"]) == (400, "Segments do not add up to provided total file size.")
    await platform.send(f"{upload}/{id}/append", form(1, video[15:]))
    _, whole = await platform.ask("POST", f"{upload}/{id}/finalize", {})
    assert whole["data"]["processing_info"]["state"] == "pending"  # type: ignore[index]
    post = {"text": marked(ID, DUE, "look"), "media": {"media_ids": [id]}}
    assert (await platform.ask("POST", "/x/2/tweets", post, token="x1"))[0] == 400
    asked, deadline = f"{upload}?command=STATUS&media_id={id}", asyncio.get_running_loop().time() + 5
    while (await platform.ask("GET", asked))[1]["data"]["processing_info"]["state"] != "succeeded":  # type: ignore[index]
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.05)
    assert (await platform.ask("POST", "/x/2/tweets", post, token="x1"))[0] == 201
    assert platform.arrivals == {ID: 1}


async def test_a_place_on_bluesky_is_taken_once(platform: Platform) -> None:
    record = {"$type": "app.bsky.feed.post", "text": marked(ID, DUE, "hello")}
    place = {"repo": "did:plc:1", "collection": "app.bsky.feed.post", "rkey": "3k"}
    look = "/bluesky/xrpc/com.atproto.repo.getRecord?repo=did:plc:1&collection=app.bsky.feed.post&rkey=3k"
    assert (await platform.ask("GET", look))[1]["error"] == "RecordNotFound"
    put = {**place, "record": record, "swapRecord": None}
    assert (await platform.ask("POST", "/bluesky/xrpc/com.atproto.repo.putRecord", put))[0] == 200
    status, refusal = await platform.ask("POST", "/bluesky/xrpc/com.atproto.repo.putRecord", put)
    assert (status, refusal["error"]) == (400, "InvalidSwap")
    assert (await platform.ask("GET", look))[1]["value"] == record
    assert platform.arrivals == {ID: 1}


async def test_answers_wait_as_long_as_they_were_told_to_and_the_bench_is_not_kept_waiting(platform: Platform) -> None:
    await platform.ask("POST", "/_sink/reset?latency_ms=80")
    began = asyncio.get_running_loop().time()
    await platform.ask("POST", "/x/2/tweets", {"text": marked(ID, DUE, "")}, token="x1")
    answered = asyncio.get_running_loop().time() - began
    assert answered >= 0.079
    began = asyncio.get_running_loop().time()
    await platform.ask("GET", "/_sink/counts")
    assert asyncio.get_running_loop().time() - began < answered


def test_what_never_came_is_lost_what_came_twice_is_doubled_and_the_first_arrival_counts() -> None:
    due = {"in time": 1_000, "early": 1_000, "twice": 1_000, "never": 1_000}
    arrived = {"in time": (1_000, [1.004]), "early": (1_000, [0.999]), "twice": (1_000, [1.5, 1.1])}
    counted = Outcome.of(due, arrived)
    assert counted.counts() == {"publications": 4, "lost": 1, "doubled": 1, "early": 1}
    assert [round(each) for each in counted.late_ms] == [-1, 4, 100]
    assert counted.lateness() == {"late_ms_p50": 4.0, "late_ms_p99": 100.0, "late_ms_max": 100.0}


def request(method: str, path: str, body: object = None, *, token: str = "", key: str = "") -> bytes:
    """A request as it goes over the wire."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: sink", f"Content-Length: {len(content)}"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [f"Idempotency-Key: {key}"] if key else []
    return "\r\n".join([*lines, "", ""]).encode() + content


def form(segment: int, chunk: bytes) -> bytes:
    """A chunk as the product sends it: two fields, of which the second is the file."""
    index = f'--b\r\nContent-Type: text/plain\r\nContent-Disposition: form-data; name="segment_index"\r\n\r\n{segment}'
    file = (
        '\r\n--b\r\nContent-Type: video/mp4\r\nContent-Disposition: form-data; name="media"; filename="chunk"\r\n\r\n'
    )
    return index.encode() + file.encode() + chunk + b"\r\n--b--\r\n"


def _control(what: str) -> Request:
    return Request(f"GET /_sink/{what} HTTP/1.1".encode(), b"", 0.0)
