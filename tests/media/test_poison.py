"""Poisoned files come in as any other does, through the bucket: each is refused in words, or does nothing.

Whatever becomes of them, nobody has gone where they lead to, and nothing of a secret file of this machine is in what
was stored.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from social.backing import Backing
from social.errors import Refused
from social.files import Choice
from social.media import sending
from social.media.benches import Benches
from social.media.clipping import make_clips
from social.media.clips import Clip, Unclipped
from social.media.documents import Media
from social.media.finishing import finish
from social.media.fit import fit
from social.media.plans import Converts
from social.media.renditions import Rendition, Wanted, make_wanted
from social.people.roles import Caller
from tests.media import poison
from tests.media.awkward import in_pieces
from tests.media.films import SECRET, film
from tests.media.poison import Bait
from tests.media.test_fit import KINDS, kind

SOON = 60.0  # seconds; the longest takes two on an idle machine
pytestmark = pytest.mark.timeout(180)


class Trap:
    """Counts who comes."""

    def __init__(self) -> None:
        self.visits = 0
        self.url = ""

    async def visited(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        writer.close()


@pytest.fixture
async def trap() -> AsyncIterator[Trap]:
    trap = Trap()
    server = await asyncio.start_server(trap.visited, "127.0.0.1", 0)
    trap.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield trap
    server.close()
    await server.wait_closed()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film whose index comes last, so that what grows in it moves no frame."""
    return film(tmp_path_factory.mktemp("plain") / "plain.mov", seconds=1.0)


@pytest.fixture
def bait(trap: Trap, plain: Path, tmp_path: Path) -> Bait:
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET * 100)
    return Bait(secret=secret, trap=trap.url, film=plain)


async def came_in(name: str, file: bytes, caller: Caller, backing: Backing, benches: Benches) -> Media:
    """The file, uploaded in one part."""
    upload = await sending.begin(caller, name, len(file), backing)
    await sending.take_part(upload, 1, in_pieces(file), backing)
    return await finish(caller, str(upload.id), backing, benches)


async def stored_of(caller: Caller, backing: Backing) -> bytes:
    """Everything that the bucket has of the caller's workspace."""
    found = b""
    async for each in backing.bucket.listed(f"w/{caller.workspace_id}/"):
        async with backing.bucket.reading(each.key) as pieces:
            found += b"".join([piece async for piece in pieces])
    return found


@pytest.mark.parametrize("name", poison.REFUSED)
async def test_what_is_made_to_do_harm_is_refused_in_words_and_reaches_nothing(
    name: str, bait: Bait, trap: Trap, caller: Caller, backing: Backing, benches: Benches
) -> None:
    file, began = poison.REFUSED[name](bait), time.monotonic()

    with pytest.raises(Refused) as refusal:
        await came_in(name, file, caller, backing, benches)

    assert refusal.value.sentence.endswith(".")
    assert refusal.value.facts.get("code") != "too-hard", "it was given up on, and not seen through"
    assert time.monotonic() - began < SOON
    assert trap.visits == 0
    assert _at_work() == []


@pytest.mark.parametrize("name", poison.HARMLESS)
async def test_what_comes_in_all_the_same_does_nothing(
    name: str, bait: Bait, trap: Trap, caller: Caller, backing: Backing, benches: Benches
) -> None:
    file, began = poison.HARMLESS[name](bait), time.monotonic()

    with suppress(Refused):  # it need not come in
        media = await came_in(name, file, caller, backing, benches)
        await converted(media, backing)
        await clipped(media, backing)

    assert time.monotonic() - began < SOON
    assert trap.visits == 0
    stored = await stored_of(caller, backing)
    assert SECRET.encode() not in stored
    assert b"<script" not in stored


async def converted(media: Media, backing: Backing) -> None:
    """What becomes of it where it does not fit."""
    platform, of = ("instagram", "picture") if media.kind == "picture" else ("x", "video")
    choice = Choice(shape="crop") if media.kind == "picture" else Choice()
    verdict = fit(media.facts, kind(platform, of), KINDS[platform][0], choice)
    if isinstance(verdict, Converts):
        wanted = Wanted(
            media_id=str(media.id), fingerprint=media.fingerprint, key=media.key, probe=media.facts, plan=verdict.plan
        )
        await Rendition.want(media.workspace_id, wanted, backing.now(), backing)
        await make_wanted(backing)


async def clipped(media: Media, backing: Backing) -> None:
    """What becomes of a video where it is looked at, whether or not browsers would play it."""
    if media.kind == "video":
        wanted = Unclipped(fingerprint=media.fingerprint, key=media.key, probe=media.facts)
        await Clip.want(media.workspace_id, [wanted], backing.now())
        await make_clips(backing)


def _at_work() -> list[str]:
    """The children that work on files, and should have ended."""
    words = [" ".join(child.cmdline()) for child in psutil.Process().children(recursive=True)]
    return [each for each in words if "social.media" in each or "ffmpeg" in each]
