"""Pictures through the API: in, looked through, described, shown, removed."""

import asyncio
import contextlib
import io
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from social.backing import Backing
from social.media.intake import MOST
from social.people.roles import Role
from tests.api.test_tenancy import signed_in_elsewhere
from tests.media import awkward
from tests.pictures import jpeg
from tests.servers.product import Person

Json = dict[str, Any]
MEGABYTE = 1_000_000


async def in_the_bucket(backing: Backing, workspace: str) -> list[str]:
    answer = await backing.bucket._client.list_objects_v2(Bucket=backing.settings.s3_bucket, Prefix=f"w/{workspace}/")
    return [each["Key"] for each in answer.get("Contents", ())]


async def workspace_of(person: Person) -> str:
    return str((await person.ask("GET", "/me"))["workspace_id"])


async def raw(door: str, head: list[str], body: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request written by hand, as far as given."""
    host, _, port = door.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write("\r\n".join([*head, f"Host: {host}:{port}", "", ""]).encode() + body)
    await writer.drain()
    return reader, writer


def upload_head(person: Person, length: int) -> list[str]:
    return [
        "POST /api/v1/media?name=x.jpg HTTP/1.1",
        f"Authorization: Bearer {person.token}",
        f"Content-Length: {length}",
    ]


async def test_an_uploaded_picture_is_shown_as_it_was_understood(person: Person) -> None:
    media = await person.upload(awkward.jpeg(orientation=6), "Sømmer.JPG")

    assert (media["name"], media["mime"], media["width"], media["height"]) == ("Sømmer.JPG", "image/jpeg", 64, 96)
    assert (media["animated"], media["alt"]) == (False, "")
    assert media["url"].startswith("/m/")
    assert media["thumbnail_url"].startswith("/m/")
    assert media["placeholder"].startswith("data:image/webp;base64,")
    assert media == await person.ask("GET", f"/media/{media['id']}")


async def test_pictures_are_listed_in_pages_the_newest_first(person: Person) -> None:
    ids = [(await person.upload(jpeg(8 + n, 8)))["id"] for n in range(3)]

    first = await person.ask("GET", "/media", params={"limit": "2"})
    rest = await person.ask("GET", "/media", params={"limit": "2", "cursor": first["next"]})

    assert [each["id"] for each in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next"] is None


async def test_a_description_is_kept_and_told(person: Person, backing: Backing) -> None:
    media = await person.upload(jpeg())

    described = await person.ask("PATCH", f"/media/{media['id']}", json={"alt": "A gradient, 🏳️‍🌈"})

    assert described["alt"] == "A gradient, 🏳️‍🌈"
    assert (await person.ask("GET", f"/media/{media['id']}"))["alt"] == "A gradient, 🏳️‍🌈"
    told = await backing.db["outbox"].find({"type": "media.changed"}).to_list()
    assert [each["data"] for each in told] == [{"id": media["id"]}]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"alt": "x" * 10_001}, "/alt"), ({"alt": 5}, "/alt"), ({"alt": "", "key": "w/1"}, "/key")],
    ids=["long", "a number", "more"],
)
async def test_a_description_that_is_none_is_refused_with_its_field(body: Json, pointer: str, person: Person) -> None:
    media = await person.upload(jpeg())

    problem = await person.ask("PATCH", f"/media/{media['id']}", expect=422, json=body)

    assert [each["pointer"] for each in problem["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("file", "status", "kind", "words"),
    [
        (b"%PDF-1.7", 415, "unsupported-type", "This is a PDF document."),
        (b"", 422, "invalid", "empty"),
        (awkward.jpeg()[:300], 422, "invalid", "damaged"),
        (awkward.png_that_claims(65_535, 65_535), 422, "invalid", "4,295 megapixels"),
        (bytes(MOST + 1), 413, "too-large", "at most 20 MB"),
    ],
    ids=["pdf", "nothing", "broken", "bomb", "large"],
)
async def test_what_is_not_taken_is_a_problem_in_words(
    file: bytes, status: int, kind: str, words: str, person: Person
) -> None:
    problem = await person.ask("POST", "/media", expect=status, params={"name": "a.jpg"}, data=io.BytesIO(file))

    assert (problem["type"], problem["status"]) == (f"/problems/{kind}", status)
    assert words in problem["detail"]
    assert (await person.ask("GET", "/media"))["items"] == []


async def test_what_announces_too_much_is_refused_before_it_is_sent(person: Person, door: str) -> None:
    reader, writer = await raw(door, upload_head(person, MOST + 1))

    answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), timeout=5)

    assert b" 413 " in answer
    writer.close()


async def test_what_does_not_announce_its_length_is_cut_off_when_it_is_too_much(person: Person) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield awkward.jpeg()
        for _ in range(25):
            yield bytes(MEGABYTE)

    problem = await person.ask("POST", "/media", expect=413, data=endless())

    assert problem["type"] == "/problems/too-large"


async def test_who_hangs_up_half_way_leaves_nothing(
    person: Person, door: str, backing: Backing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    file = awkward.jpeg(awkward.noise(800, 600))
    _, writer = await raw(door, upload_head(person, len(file)), file[: len(file) // 2])
    await until(lambda: open_in(tmp_path) == 3)

    writer.transport.abort()

    await until(lambda: open_in(tmp_path) == 0)
    assert await in_the_bucket(backing, await workspace_of(person)) == []
    assert (await person.ask("GET", "/media"))["items"] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
async def test_this_process_stays_small_while_eight_large_pictures_come_in_side_by_side(
    person: Person, tmp_path: Path
) -> None:
    file = tmp_path / "large.png"
    file.write_bytes(awkward.written(awkward.noise(2_430, 2_430), "PNG", compress_level=0))
    assert 17.5 * MEGABYTE < file.stat().st_size < MOST
    await person.upload(jpeg())  # what is needed once is there
    top = before = psutil.Process().memory_info().rss

    async def watch() -> None:
        nonlocal top
        while True:
            top = max(top, psutil.Process().memory_info().rss)
            await asyncio.sleep(0.01)

    async def upload() -> Json:
        with file.open("rb") as opened:
            media: Json = await person.ask("POST", "/media", data=opened)
            return media

    watching = asyncio.create_task(watch())
    uploaded = await asyncio.gather(*(upload() for _ in range(8)))
    watching.cancel()

    assert {each["width"] for each in uploaded} == {2_430}
    print(
        f"8 × 18 MB side by side: {(top - before) / MEGABYTE:.0f} MB more resident, {before / MEGABYTE:.0f} MB before"
    )
    assert top - before < 60 * MEGABYTE


async def test_a_viewer_looks_on_and_an_author_removes_only_their_own(
    person: Person, backing: Backing, session: aiohttp.ClientSession, door: str
) -> None:
    media, workspace = await person.upload(jpeg()), await workspace_of(person)
    viewer = await signed_in_elsewhere(backing, session, door, Role.VIEWER, workspace=workspace, name="viewer")
    author = await signed_in_elsewhere(backing, session, door, Role.AUTHOR, workspace=workspace, name="author")

    await viewer.ask("POST", "/media", expect=403, data=jpeg())
    await viewer.ask("PATCH", f"/media/{media['id']}", expect=403, json={"alt": "x"})
    assert len((await viewer.ask("GET", "/media"))["items"]) == 1
    await author.ask("DELETE", f"/media/{media['id']}", expect=403)
    own = await author.upload(jpeg())
    await author.ask("DELETE", f"/media/{own['id']}", expect=204)


async def test_a_picture_that_a_post_needs_is_not_removed(person: Person, backing: Backing) -> None:
    media = await person.upload(jpeg())
    draft = await person.write("look", media=({"id": media["id"]},))

    problem = await person.ask("DELETE", f"/media/{media['id']}", expect=409)
    await person.ask("DELETE", f"/posts/{draft['id']}", expect=204, params={"revision": str(draft["revision"])})
    await person.ask("DELETE", f"/media/{media['id']}", expect=204)

    assert problem["posts"] == [draft["id"]]
    await person.ask("GET", f"/media/{media['id']}", expect=404)
    assert await in_the_bucket(backing, await workspace_of(person)) == []


async def test_a_removed_picture_is_told_and_its_links_lead_nowhere(
    person: Person, session: aiohttp.ClientSession, door: str, backing: Backing
) -> None:
    media = await person.upload(jpeg())

    await person.ask("DELETE", f"/media/{media['id']}", expect=204)

    for what in ("url", "thumbnail_url"):
        async with session.get(door + media[what]) as answer:
            assert answer.status == 404
    told = [each["type"] async for each in backing.db["outbox"].find({"data.id": media["id"]})]
    assert told == ["media.added", "media.removed"]


def open_in(folder: Path) -> int:
    """How many files this process holds open there, those without a name too."""
    links = []
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            links.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return sum(link.startswith(str(folder)) for link in links)


async def until(true: Callable[[], bool], within: float = 10) -> None:
    """Waits for a condition. Fails the test at the deadline."""
    async with asyncio.timeout(within):
        while not true():
            await asyncio.sleep(0.02)
