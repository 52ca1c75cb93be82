"""Files that are fetched from addresses people give: guarded, counted, gone on with, and never half there."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest
from aiohttp import web

from social.backing import Backing
from social.backing import outbound as outside
from social.backing.owner import Owner
from social.errors import Invalid, NotFound
from social.media import fetching, sending
from social.media.benches import Benches
from social.media.documents import Media
from social.media.uploads import Upload
from social.moments import now
from social.people.documents import Workspace
from social.people.roles import Caller
from tests.media import awkward
from tests.media.test_uploads import film

Stored = Callable[[str], Awaitable[bytes]]
Left = Callable[[], Awaitable[list[str]]]


class Elsewhere:
    """Somebody's server. `files` by path; `/moved` leads to `to`; `slow` waits after the first half."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.to = ""
        self.url = ""
        self.goes_on = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/moved":
            return web.Response(status=302, headers={"Location": self.to})
        file = self.files.get(request.path)
        if file is None:
            return web.Response(status=404)
        answer = web.StreamResponse()
        if "announced" in request.query:
            answer.content_length = len(file) + int(request.query["announced"])
        await answer.prepare(request)
        if "slow" in request.query:
            await answer.write(file[: len(file) // 2])
            await self.goes_on.wait()
            file = file[len(file) // 2 :]
        for start in range(0, len(file), 2**18):
            await answer.write(file[start : start + 2**18])
        if int(request.query.get("announced", "0")):
            assert request.transport is not None
            request.transport.close()
        return answer


@pytest.fixture
async def elsewhere(monkeypatch: pytest.MonkeyPatch, backing: Backing) -> AsyncIterator[tuple[Elsewhere, Backing]]:
    """It, at an address that counts as public here, and what it is reached with."""
    there = Elsewhere()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", there.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.2", 0).start()
    port = runner.addresses[0][1]
    monkeypatch.setattr(outside, "public", lambda address: address == "127.0.0.2")  # stands in for a public one
    monkeypatch.setattr(outside, "ours", lambda _: False)
    monkeypatch.setattr(outside, "WEB_PORTS", frozenset({port}))
    there.url = f"http://127.0.0.2:{port}"
    async with outside.Outbound.opened(backing.settings) as outbound:
        yield there, dataclasses.replace(backing, outbound=outbound)
    there.goes_on.set()
    await runner.cleanup()


@pytest.mark.parametrize("query", ["", "?announced=0"], ids=["of no known length", "announced"])
async def test_a_film_is_fetched_part_by_part(
    query: str, elsewhere: tuple[Elsewhere, Backing], benches: Benches, caller: Caller, stored: Stored
) -> None:
    there, backing = elsewhere
    file = there.files["/films/cat.mp4"] = film(30 * 2**20 + 11)
    upload = await fetching.begin(caller, f"{there.url}/films/cat.mp4{query}", backing)

    await fetching.fetch(upload, backing, benches)

    media = await Media.found(caller, str(upload.id))
    assert await stored(media.key) == file
    assert (media.name, media.mime, media.bytes) == ("cat.mp4", "video/mp4", len(file))
    assert await Upload.all_mine(caller, most=9) == []


async def test_a_picture_behind_another_address_is_made_ready_as_any_other(
    elsewhere: tuple[Elsewhere, Backing], benches: Benches, caller: Caller, left: Left
) -> None:
    there, backing = elsewhere
    there.files["/cat.jpg"], there.to = awkward.jpeg(orientation=6), "/cat.jpg"
    upload = await fetching.begin(caller, f"{there.url}/moved", backing)

    await fetching.fetch(upload, backing, benches)

    media = await Media.found(caller, str(upload.id))
    assert (media.width, media.height) == (64, 96)
    assert upload.key not in await left()


async def test_what_cannot_be_fetched_says_why_and_leaves_nothing(
    elsewhere: tuple[Elsewhere, Backing], benches: Benches, caller: Caller, left: Left
) -> None:
    there, backing = elsewhere
    there.files |= {"/page.html": b"<!doctype html><p>hello", "/none": b"", "/cut.mp4": film(3_000_000)}
    inside = f"http://127.0.0.1:{there.url.rpartition(':')[2]}/secret"
    for path, to, words in (
        ("/gone.mp4", "", "answered with 404"),
        ("/page.html", "", "a web page"),
        ("/none", "", "empty"),
        ("/cut.mp4?announced=5", "", "did not answer properly"),
        ("/moved", inside, "not on the public internet"),
        ("/moved", "/moved", "and so on"),
        ("/moved", "file:///etc/passwd", "begins with https"),
    ):
        there.to = to
        upload = await fetching.begin(caller, f"{there.url}{path}", backing)

        await fetching.fetch(upload, backing, benches)

        seen = await Upload.mine(caller, str(upload.id))
        assert seen.problem is not None
        assert words in seen.problem, path
        assert await left() == [], path
        await sending.give_up(seen, backing)


@pytest.mark.parametrize("url", ["ftp://example.org/a", "http://a:b@example.org/", "http://example.org:22/", "x", ""])
async def test_an_address_that_is_none_is_refused_at_once(url: str, backing: Backing, caller: Caller) -> None:
    with pytest.raises(Invalid):
        await fetching.begin(caller, url, backing)

    assert await Upload.all_mine(caller, most=9) == []


async def test_more_than_there_is_room_for_is_not_fetched(
    elsewhere: tuple[Elsewhere, Backing], benches: Benches, caller: Caller, left: Left
) -> None:
    there, backing = elsewhere
    await Workspace(id=caller.workspace_id, name="Works", created_at=now()).insert()
    small = dataclasses.replace(backing, settings=msgspec.structs.replace(backing.settings, workspace_gb=0.01))
    there.files["/film.mp4"] = film(20_000_000)
    for query in ("", "?announced=0"):
        upload = await fetching.begin(caller, f"{there.url}/film.mp4{query}", small)

        await fetching.fetch(upload, small, benches)

        assert "no room" in str((await Upload.mine(caller, str(upload.id))).problem)
        assert await left() == []
        await sending.give_up(upload, small)


async def test_one_that_is_given_up_meanwhile_does_not_come_after_all(
    elsewhere: tuple[Elsewhere, Backing], benches: Benches, caller: Caller, left: Left
) -> None:
    there, backing = elsewhere
    there.files["/film.mp4"] = film(40_000_000)
    upload = await fetching.begin(caller, f"{there.url}/film.mp4?slow", backing)
    working = asyncio.create_task(fetching.fetch(upload, backing, benches))
    async with asyncio.timeout(20):
        while not (await Upload.mine(caller, str(upload.id))).came:
            await asyncio.sleep(0.02)

    await sending.give_up(await Upload.mine(caller, str(upload.id)), backing)
    there.goes_on.set()
    await working

    assert await left() == []
    with pytest.raises(NotFound):
        await Media.found(caller, str(upload.id))


async def test_what_a_dead_instance_was_at_is_fetched_by_another(
    elsewhere: tuple[Elsewhere, Backing], benches: Benches, caller: Caller, stored: Stored
) -> None:
    there, backing = elsewhere
    file = there.files["/film.mp4"] = film(20_000_000)
    upload = await fetching.begin(caller, f"{there.url}/film.mp4", backing)
    gone = dataclasses.replace(backing, owner=msgspec.structs.replace(Owner.of_this_process(), started=1))
    token = await upload.finish(gone)
    await upload.fetched(token, came=5)
    await upload.let_go(token)

    await fetching.take_over(backing, benches)

    assert await stored((await Media.found(caller, str(upload.id))).key) == file
