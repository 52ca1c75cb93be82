"""/m/...: files for those who have a link."""

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from social.backing import Backing
from social.media import links
from social.media.clipping import make_clips
from social.media.playing import WIDE
from social.moments import now
from tests.media import awkward, films
from tests.media.awkward import read
from tests.servers.product import Person

Json = dict[str, Any]


class Fetched:
    """An answer that was read to its end."""

    def __init__(self, answer: aiohttp.ClientResponse, content: bytes) -> None:
        self.status, self.headers, self.content = answer.status, answer.headers, content


class Visitor:
    """Somebody with a link and no sign-in."""

    def __init__(self, door: str, session: aiohttp.ClientSession) -> None:
        self._door, self._session = door, session

    async def get(self, path: str, method: str = "GET", **headers: str) -> Fetched:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._session.request(method, self._door + path, headers=named) as answer:
            return Fetched(answer, await answer.read())


@pytest.fixture
async def visitor(door: str) -> Any:
    async with aiohttp.ClientSession() as session:
        yield Visitor(door, session)


@pytest.fixture
async def media(person: Person) -> Json:
    return await person.upload(awkward.png(awkward.noise(300, 200)), 'käse "1".PNG')


async def test_a_link_shows_the_picture_and_lets_it_do_nothing(visitor: Visitor, media: Json) -> None:
    answer = await visitor.get(media["url"])

    assert (answer.status, len(answer.content)) == (200, media["bytes"])
    assert read(answer.content).size == (300, 200)
    headers = answer.headers
    assert headers["Content-Type"] == "image/png"
    assert headers["Content-Length"] == str(media["bytes"])
    assert headers["Content-Disposition"] == "inline; filename*=UTF-8''k%C3%A4se%20%221%22.png"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox; frame-ancestors 'none'"
    assert headers["Cache-Control"].startswith("private, max-age=")
    assert headers["Accept-Ranges"] == "bytes"


async def test_a_thumbnail_has_a_link_of_its_own(visitor: Visitor, media: Json) -> None:
    answer = await visitor.get(media["thumbnail_url"])

    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/webp")
    assert read(answer.content).size == (300, 200)


async def test_a_clip_has_a_link_of_its_own_and_can_be_had_in_parts(
    person: Person, backing: Backing, visitor: Visitor, tmp_path: Path
) -> None:
    video = "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -x265-params log-level=none"
    film = films.film(tmp_path / "film.mov", size=(64, 36), seconds=0.2, video=video, audio=None)
    media = await uploaded(film, person)
    assert (media["clip_url"], media["heavy"]) == (None, False)

    await make_clips(backing)

    post = await person.write("moves", media=({"id": media["id"]},))
    clip_url = (await person.ask("GET", f"/media/{media['id']}"))["clip_url"]
    assert post["media"][0]["clip_url"] == clip_url
    whole, part = await visitor.get(clip_url), await visitor.get(clip_url, Range="bytes=4-7")
    assert (whole.status, whole.headers["Content-Type"], whole.content[4:8]) == (200, "video/mp4", b"ftyp")
    assert (part.status, part.content) == (206, b"ftyp")


async def uploaded(film: Path, person: Person) -> Json:
    """A video, which comes in one part."""
    content = film.read_bytes()
    upload = await person.ask("POST", "/uploads", json={"name": film.name, "bytes": len(content)})
    await person.ask("PUT", f"/uploads/{upload['id']}/parts/1", data=content)
    media: Json = await person.ask("POST", f"/uploads/{upload['id']}/media")
    return media


async def test_a_video_that_is_slow_to_look_at_says_so_in_the_library_and_in_a_post(
    person: Person, tmp_path: Path
) -> None:
    wide, usual = [
        await uploaded(films.film(tmp_path / f"{width}.mp4", size=(width, 36), seconds=0.2, audio=None), person)
        for width in (WIDE + 2, 64)
    ]

    post = await person.write("moves", media=({"id": wide["id"]}, {"id": usual["id"]}))

    assert (wide["heavy"], usual["heavy"]) == (True, False)
    assert [each["heavy"] for each in post["media"]] == [True, False]


async def test_head_tells_the_same_without_the_file(visitor: Visitor, media: Json) -> None:
    whole, head = await visitor.get(media["url"]), await visitor.get(media["url"], "HEAD")

    assert (head.status, head.content) == (200, b"")
    for name in ("Content-Type", "Content-Length", "ETag", "Accept-Ranges", "Content-Disposition"):
        assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=10-", 10, None),
        ("bytes=-10", -10, None),
        ("bytes=5-5", 5, 6),
        ("bytes=100-9999999", 100, None),
    ],
)
async def test_a_part_is_answered_with_that_part(
    asked: str, start: int, end: int | None, visitor: Visitor, media: Json
) -> None:
    whole = (await visitor.get(media["url"])).content

    answer = await visitor.get(media["url"], Range=asked)

    wanted = whole[start:end]
    first = start % len(whole)
    assert (answer.status, answer.content) == (206, wanted)
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(wanted) - 1}/{len(whole)}"
    assert answer.headers["Content-Length"] == str(len(wanted))


@pytest.mark.parametrize("asked", ["bytes=9999999-", "bytes=-0", "bytes=9999999-99999999"])
async def test_a_part_beyond_the_end_cannot_be_had(asked: str, visitor: Visitor, media: Json) -> None:
    answer = await visitor.get(media["url"], Range=asked)

    assert (answer.status, answer.content) == (416, b"")
    assert answer.headers["Content-Range"] == f"bytes */{media['bytes']}"


@pytest.mark.parametrize(
    "asked", ["bytes=5-2", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6", "bytes=" + "9" * 50 + "-"]
)
async def test_what_is_no_range_gets_the_whole_file(asked: str, visitor: Visitor, media: Json) -> None:
    answer = await visitor.get(media["url"], Range=asked)

    assert (answer.status, len(answer.content)) == (200, media["bytes"])


async def test_a_part_of_another_file_than_the_one_begun_is_not_handed_out(visitor: Visitor, media: Json) -> None:
    etag = (await visitor.get(media["url"], "HEAD")).headers["ETag"]

    assert (await visitor.get(media["url"], Range="bytes=0-1", If_Range='"other"')).status == 200
    assert (await visitor.get(media["url"], Range="bytes=0-1", If_Range=etag)).status == 206


async def test_what_the_browser_has_already_is_not_sent_again(visitor: Visitor, media: Json) -> None:
    etag = (await visitor.get(media["url"], "HEAD")).headers["ETag"]

    again = await visitor.get(media["url"], If_None_Match=etag)

    assert (again.status, again.content, again.headers["ETag"]) == (304, b"", etag)


async def test_a_forged_link_leads_nowhere(visitor: Visitor, media: Json) -> None:
    forged = media["url"][:-1] + ("0" if media["url"][-1] != "0" else "1")

    for path in (forged, "/m/", "/m/nonsense", "/m/../m/x", media["url"] + "/more"):
        answer = await visitor.get(path)
        assert answer.status == 404, path
        assert answer.headers["Content-Type"] == "application/problem+json"


async def test_an_expired_link_leads_nowhere(
    visitor: Visitor, person: Person, media: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "now", lambda: now() - timedelta(days=2))
    old = (await person.ask("GET", f"/media/{media['id']}"))["url"]
    monkeypatch.undo()

    answer = await visitor.get(old)

    assert answer.status == 404
    assert b"expired" in answer.content


async def test_only_looking_is_possible(visitor: Visitor, media: Json) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert (await visitor.get(media["url"], method)).status == 405


async def test_who_leaves_in_the_middle_takes_no_connection_along(
    visitor: Visitor, person: Person, door: str, backing: Backing
) -> None:
    file = io.BytesIO(awkward.written(awkward.noise(1_800, 1_800), "PNG"))
    large = await person.ask("POST", "/media", data=file)
    async with aiohttp.ClientSession() as session:
        for _ in range(60):  # more than there are connections to the bucket
            async with session.get(door + large["url"]) as answer:
                await answer.content.readany()
                answer.close()

    assert len((await visitor.get(large["url"])).content) == large["bytes"]
