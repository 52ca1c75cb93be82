"""Large files through the API: announced, sent in parts, gone on with, put together."""

import asyncio
import base64
import hashlib
import io
from typing import Any

import pytest

from social.backing import Backing
from tests.api.test_media import in_the_bucket, raw, workspace_of
from tests.media import awkward, films
from tests.servers.product import Person

Json = dict[str, Any]
PART = 8 * 2**20
FILM = films.of_size(PART + 24)


def digest(part: bytes) -> dict[str, str]:
    return {"Content-Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(part).digest()).decode()}:"}


async def announce(person: Person, **given: Any) -> Json:
    announced: Json = await person.ask("POST", "/uploads", json={"name": "film.mp4", "bytes": len(FILM), **given})
    return announced


async def send(person: Person, upload: Json, number: int, part: bytes, **given: Any) -> Any:
    return await person.ask("PUT", f"/uploads/{upload['id']}/parts/{number}", data=io.BytesIO(part), **given)


async def test_a_film_comes_in_by_parts_and_is_there_to_be_shown(person: Person, door: str) -> None:
    upload = await announce(person, modified_at="2026-11-01T10:00:00+01:00")
    assert (upload["part_bytes"], upload["part_count"], upload["parts_there"]) == (PART, 2, [])
    assert (upload["modified_at"], upload["direct"]) == ("2026-11-01T09:00:00Z", False)

    await send(person, upload, 2, FILM[PART:], headers=digest(FILM[PART:]))
    [seen] = await person.ask("GET", "/uploads")
    assert seen == {**upload, "parts_there": [2], "arrived": len(FILM) - PART}
    problem = await person.ask("POST", f"/uploads/{upload['id']}/media", expect=409)
    assert (problem["missing"], problem["detail"]) == ([1], "1 of 2 parts are missing.")
    await send(person, upload, 1, FILM[:PART], headers=digest(FILM[:PART]))
    media = await person.ask("POST", f"/uploads/{upload['id']}/media", expect=201)

    assert (media["id"], media["mime"], media["bytes"]) == (upload["id"], "video/mp4", len(FILM))
    assert media == await person.ask("GET", f"/media/{upload['id']}")
    assert (media["width"], media["height"]) == (16, 16)
    assert media["thumbnail_url"].startswith("/m/")
    assert await person.ask("GET", "/uploads") == []
    async with person._session.get(door + media["url"], headers={"Range": "bytes=4-11"}) as answer:
        assert (answer.status, await answer.read()) == (206, b"ftypmp42")
        assert answer.headers["Content-Type"] == "video/mp4"


async def test_what_is_wrong_with_a_part_is_said_and_changes_nothing(person: Person) -> None:
    upload = await announce(person)
    await send(person, upload, 2, FILM[PART:])

    for number, part, headers, status in (
        (1, FILM[:PART], digest(b"other"), 422),
        (1, FILM[:PART], {"Content-Digest": "sha-256=:bm8=:"}, 422),
        (1, FILM[: PART - 1], {}, 422),
        (3, FILM[:PART], {}, 422),
        (1, b"<svg" + bytes(PART - 4), {}, 415),
    ):
        problem = await send(person, upload, number, part, headers=headers, expect=status)
        assert problem["detail"]
        assert (await person.ask("GET", f"/uploads/{upload['id']}"))["parts_there"] == [2]
    for number in ("x", "-1", "1.5", "%00", "9" * 9):
        await person.ask("PUT", f"/uploads/{upload['id']}/parts/{number}", data=b"x", expect=422)


async def test_a_part_that_breaks_off_is_not_there(person: Person, door: str, backing: Backing) -> None:
    upload = await announce(person)
    head = [
        f"PUT /api/v1/uploads/{upload['id']}/parts/1 HTTP/1.1",
        f"Authorization: Bearer {person.token}",
        f"Content-Length: {PART}",
    ]

    _, writer = await raw(door, head, FILM[: PART // 2])
    writer.close()
    await writer.wait_closed()

    assert (await person.ask("GET", f"/uploads/{upload['id']}"))["parts_there"] == []
    await send(person, upload, 1, FILM[:PART])
    assert (await person.ask("GET", f"/uploads/{upload['id']}"))["parts_there"] == [1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"bytes": 0},
        {"bytes": 10 * 2**30 + 1},
        {"bytes": "many"},
        {"name": "x" * 1001},
        {"modified_at": "2026-11-01T10:00:00"},
        {"key": "w/other/m/1"},
    ],
    ids=["nothing", "too much", "no number", "long", "no zone", "unknown"],
)
async def test_what_cannot_be_announced_is_refused(person: Person, backing: Backing, wrong: Json) -> None:
    await person.ask("POST", "/uploads", expect=422, json={"name": "film.mp4", "bytes": 1000, **wrong})

    assert await backing.db["uploads"].count_documents({}) == 0


async def test_announced_twice_with_one_key_it_is_one_upload(person: Person, backing: Backing) -> None:
    body = {"name": "film.mp4", "bytes": 1000}
    one = await person.ask("POST", "/uploads", json=body, headers={"Idempotency-Key": "a"})
    other = await person.ask("POST", "/uploads", json=body, headers={"Idempotency-Key": "a"})

    assert one == other
    assert await backing.db["uploads"].count_documents({}) == 1


async def test_what_is_given_up_is_gone(person: Person, backing: Backing) -> None:
    upload = await announce(person)
    await send(person, upload, 1, FILM[:PART])

    await person.ask("DELETE", f"/uploads/{upload['id']}")

    await person.ask("GET", f"/uploads/{upload['id']}", expect=404)
    await send(person, upload, 2, FILM[PART:], expect=404)
    assert await in_the_bucket(backing, await workspace_of(person)) == []


async def test_what_is_to_be_fetched_is_announced_and_says_why_it_does_not_come(person: Person) -> None:
    await person.ask("POST", "/imports", expect=422, json={"url": "file:///etc/passwd"})
    begun = await person.ask("POST", "/imports", expect=202, json={"url": "http://127.0.0.1/film.mp4"})
    assert (begun["name"], begun["source"], begun["part_count"]) == ("film.mp4", "http://127.0.0.1/film.mp4", 0)

    async with asyncio.timeout(20):
        while (seen := await person.ask("GET", f"/uploads/{begun['id']}"))["problem"] is None:
            await asyncio.sleep(0.05)

    assert "not on the public internet" in seen["problem"]
    await send(person, begun, 1, b"x", expect=409)
    await person.ask("POST", f"/uploads/{begun['id']}/media", expect=409)
    await person.ask("DELETE", f"/uploads/{begun['id']}")


async def test_a_picture_may_come_in_parts_too(person: Person) -> None:
    file = awkward.heic()
    upload = await announce(person, name="cat.heic", bytes=len(file))
    await send(person, upload, 1, file)

    media = await person.ask("POST", f"/uploads/{upload['id']}/media")

    assert (media["mime"], media["width"]) == ("image/jpeg", 96)
    assert media["thumbnail_url"].startswith("/m/")
