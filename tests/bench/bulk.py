"""Large files in all directions at once: how much memory do they take? `python -m tests.bench media --memory`.

Eight people upload a film each, in parts, as the web client does; eight films are on their way to the simulated X, and
whenever one is there another begins; and one film is converted. All through one instance, while what it and its
children hold is watched. The films are real and the servers too: every byte is hashed, stored and read back.
"""

import asyncio
import hashlib
import itertools
import os
import tempfile
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from social.media.clipping import clip_room
from social.media.rendering import room_needed
from social.media.renditions import Rendition
from social.people.documents import User
from social.publishing.documents import Publication
from social.publishing.states import State
from tests.bench import crowd, footage
from tests.bench.cores import Cores, on
from tests.bench.stage import Stage, staged
from tests.bench.usage import forget_the_peak, peak_mb, rss_mb, seconds
from tests.bench.watched import FFMPEG, PROBER, Watched, watched
from tests.servers.product import Away, Person
from tests.servers.sandbox import Sandbox

UPLOADS, OUTWARD = 8, 8
LINES = 4  # parts of a file on their way at once, as in the web client
KBPS = 30_000  # of a film as a good camera makes it
TOKEN = "set-up-token-of-the-bench"
TOKEN_KEPT = 240.0  # seconds; it is good for ten minutes
DUE = timedelta(minutes=29)  # X is given films half an hour ahead
LOOK = 0.5
SOON = 120.0  # seconds until all is under way but the uploads; what is converted must last longer


async def run(*, upload_mb: float, outward_mb: float, converted_s: float) -> dict[str, Any]:
    """The figures. Films of these sizes; what is converted lasts `converted_s`."""
    with _sandbox() as sandbox, tempfile.TemporaryDirectory(prefix="social-bench-files-") as folder:
        films, temporary = Path(folder, "films"), Path(folder, "temporary")
        films.mkdir()
        temporary.mkdir()
        large = await footage.film(films / "large.mp4", megabytes=upload_mb, kbps=KBPS * 2)
        outward = await footage.film(films / "outward.mp4", megabytes=outward_mb, kbps=KBPS)
        convert = await footage.film(films / "convert.mkv", kbps=8_000, seconds=converted_s, size="1920x1080")
        ours = staged(start=False, TMPDIR=str(temporary), SOCIAL_SANDBOX_URL=sandbox.url, SOCIAL_SETUP_TOKEN=TOKEN)
        async with ours as stage, aiohttp.ClientSession() as session:
            (instance,) = stage.instances
            await instance.start()
            person = Somebody(stage, Person(session, instance.url), session)
            await person.person.set_up(TOKEN)
            return await _measured(stage, person, sandbox, temporary, large, outward, convert)


@dataclass
class Together:
    """When everything ran at once: a look counts for the time since the one before."""

    uploads: int = 0
    outward: int = 0
    seconds: float = 0.0
    at: float = field(default_factory=time.monotonic)

    def look(self, seen: Watched) -> None:
        """At each look at the processes."""
        before, self.at = self.at, time.monotonic()
        if self.uploads == UPLOADS and self.outward >= OUTWARD and FFMPEG in seen.alive:
            self.seconds += self.at - before


async def _measured(
    stage: Stage, person: "Somebody", sandbox: Sandbox, temporary: Path, large: Path, outward: Path, convert: Path
) -> dict[str, Any]:
    accounts = [await person.person.connect(sandbox, f"person{number}", "x") for number in range(OUTWARD)]
    goes_out = (await person.uploaded(outward))["id"]
    is_converted = (await person.uploaded(convert))["id"]
    pid, together = stage.instances[0].pid, Together()
    await asyncio.sleep(1)
    idle = rss_mb(pid)
    forget_the_peak(pid)
    used, began = seconds(pid), time.monotonic()
    async with watched(pid, temporary, together.look) as seen:
        await person.planned(accounts[0]["id"], is_converted)
        async with _kept_going(accounts, goes_out, person, together):
            async with asyncio.timeout(SOON):
                while together.outward < OUTWARD or FFMPEG not in seen.alive:
                    await asyncio.sleep(LOOK)
            uploading = time.monotonic()
            came = await asyncio.gather(*(_counted(person, large, together) for _ in range(UPLOADS)))
            uploaded = time.monotonic()
        sent = await _bytes_sent()
        lasted = time.monotonic() - began
    (rendition,) = await Rendition.find_all().to_list()
    return {
        "rss_mb_peak": round(peak_mb(pid), 1),
        "rss_mb_idle": round(idle, 1),
        "ffmpeg_rss_mb_peak": round(seen.children[FFMPEG], 1),
        "probers_rss_mb_peak": round(seen.children[PROBER], 1),
        "children_rss_mb_peak": round(seen.all_children, 1),
        "temporary_mb_peak": round(seen.temporary, 1),
        "temporary_mb_bound": round((_conversion_room(rendition) + _clip_room(large, outward, convert)) / 1e6, 1),
        "uploads": len(came),
        "upload_mb": round(large.stat().st_size / 1e6, 1),
        "upload_mb_per_s": round(UPLOADS * large.stat().st_size / 1e6 / (uploaded - uploading), 1),
        "outward_streams": OUTWARD,
        "outward_mb": round(outward.stat().st_size / 1e6, 1),
        "outward_mb_per_s": round(sent / 1e6 / lasted, 1),
        "outward_whole": await Publication.engine().count_documents({"state": State.PREPARED}),
        "conversion": rendition.state,
        "asked_again": person.asked_again,
        "all_together_s": round(together.seconds, 1),
        "cpu_s": round(seconds(pid) - used, 1),
        "seconds": round(lasted, 1),
    }


def _conversion_room(rendition: Rendition) -> int:
    """Bytes of the disk that one conversion may take, the file that it is made of included."""
    return rendition.source.bytes + room_needed(rendition.plan, rendition.source)


def _clip_room(*films: Path) -> int:
    """What the clip of one of these may take: one is made beside a conversion."""
    return max(clip_room(film.stat().st_size) for film in films)


async def _counted(person: "Somebody", path: Path, together: Together) -> Any:
    together.uploads += 1
    try:
        media = await person.uploaded(path)
        assert media["bytes"] == path.stat().st_size
        return media
    finally:
        together.uploads -= 1


@asynccontextmanager
async def _kept_going(
    accounts: list[Any], media_id: str, person: "Somebody", together: Together
) -> AsyncIterator[None]:
    """As long as the block runs, so many films are on their way to X: one that is there is followed by another."""
    turns = itertools.cycle(accounts)
    under_way = {"work": {"$ne": None}, "prepared.facts.upload": {"$ne": None}}

    async def keep() -> None:
        open_ = {"state": {"$in": [State.PLANNED, State.PREPARING, State.WAITING]}, "content.media.rendition": None}
        while True:
            for _ in range(OUTWARD - await Publication.engine().count_documents(open_)):
                await person.planned(next(turns)["id"], media_id)
            together.outward = await Publication.engine().count_documents(under_way)
            await asyncio.sleep(LOOK)

    task = asyncio.create_task(keep())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _bytes_sent() -> int:
    """Bytes of films that X has, of those that are whole and of those under way."""
    sent = 0
    async for each in Publication.engine().find({"content.media.rendition": None}):
        upload = (each["prepared"].get("facts") or {}).get("upload")
        if upload is not None:
            sent += upload["sent"]
        elif each["prepared"].get("media"):
            sent += each["content"]["media"][0]["bytes"]
    return sent


@dataclass
class Somebody:
    """The owner, who does not notice that tokens run out."""

    stage: Stage
    person: Person
    session: aiohttp.ClientSession
    digests: dict[tuple[Path, int], str] = field(default_factory=dict)
    renewed_at: float = field(default_factory=time.monotonic)
    asked_again: int = 0

    async def uploaded(self, path: Path) -> Any:
        """A file in parts, several at once, each with its digest; what it has become."""
        size = path.stat().st_size
        upload = await self._asked("POST", "/uploads", json={"name": path.name, "bytes": size})
        numbers = iter(range(1, upload["part_count"] + 1))

        async def line() -> None:
            for number in numbers:
                await self._part(upload, number, path, size)

        await asyncio.gather(*(line() for _ in range(LINES)))
        return await self._asked("POST", f"/uploads/{upload['id']}/media")

    async def planned(self, account_id: str, media_id: str) -> None:
        """A post with the file, due when X has long had it."""
        written = {"text": f"Film of {time.monotonic()}", "accounts": [account_id], "media": [{"id": media_id}]}
        post = await self._asked("POST", "/posts", json=written)
        when = {"revision": post["revision"], "at": (datetime.now(UTC) + DUE).isoformat()}
        await self._asked("PUT", f"/posts/{post['id']}/plan", json=when)

    async def _part(self, upload: Any, number: int, path: Path, size: int) -> None:
        start = (number - 1) * upload["part_bytes"]
        part = await asyncio.to_thread(_read, path, start, min(size, start + upload["part_bytes"]))
        if (path, number) not in self.digests:
            digest = await asyncio.to_thread(lambda: hashlib.sha256(part).digest())
            self.digests[path, number] = f"sha-256=:{b64encode(digest).decode()}:"
        await self._asked(
            "PUT",
            f"/uploads/{upload['id']}/parts/{number}",
            data=part,
            headers={"Content-Type": "application/octet-stream", "Content-Digest": self.digests[path, number]},
            timeout=aiohttp.ClientTimeout(total=None, sock_read=120),
        )

    async def _asked(self, method: str, path: str, **given: Any) -> Any:
        """The answer; asked again where the product wants that, as the web client does."""
        while True:
            await self._renew()
            try:
                return await self.person.ask(method, path, **given)
            except Away:
                self.asked_again += 1
                await asyncio.sleep(LOOK)

    async def _renew(self) -> None:
        if time.monotonic() < self.renewed_at + TOKEN_KEPT:
            return
        self.renewed_at = time.monotonic()
        user = await User.find_one({})
        assert user is not None
        self.person.token = await crowd.signed_in(user, self.stage.backing)


def _read(path: Path, start: int, end: int) -> bytes:
    with path.open("rb") as file:
        return os.pread(file.fileno(), end - start, start)


@contextmanager
def _sandbox() -> Iterator[Sandbox]:
    """The simulated platforms, with the quotas that they really have, where the product is not."""
    with tempfile.TemporaryDirectory(prefix="social-bench-sandbox-") as folder, on(Cores.of_this_machine().rest):
        sandbox = Sandbox(Path(folder))
        sandbox.start()
        try:
            yield sandbox
        finally:
            sandbox.kill()
