"""Clips: the small beginnings of videos that browsers do not play, made of no more of a file than they need."""

import asyncio
import io
import os
import struct
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import av
import msgspec
import pytest

from social.backing import Backing
from social.files import Footage, Probe, Sound
from social.media import clipping, rendering
from social.media.benches import Benches
from social.media.clipping import clips_of, make_clips
from social.media.clips import Clip
from social.media.documents import Media
from social.media.keys import new_key
from social.media.outcomes import Begun
from social.media.playing import HEAVY, MIME, SECONDS, SIDE, WIDE, plays, wants_clip
from social.media.probing import begin, probe
from social.media.sources import OnDisk
from social.people.roles import Caller
from tests.media import films
from tests.media.children import memory_runs_out
from tests.media.films import film
from tests.media.test_poison import came_in
from tests.media.test_probing import Counted

Stored = Callable[[str], Awaitable[bytes]]
ComesIn = Callable[[Path], Awaitable[Media]]

HEVC = "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -tag:v hvc1 -x265-params log-level=none"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="module")
def phone(folder: Path) -> Path:
    """As a phone films: HEVC, 1280 by 720, half a second long."""
    return film(folder / "phone.mov", size=(1280, 720), seconds=0.5, video=HEVC)


@pytest.fixture
def comes_in(caller: Caller, backing: Backing, benches: Benches) -> ComesIn:
    async def come_in(path: Path) -> Media:
        return await came_in(path.name, path.read_bytes(), caller, backing, benches)

    return come_in


async def clip_of(media: Media, caller: Caller, backing: Backing) -> Clip | None:
    """What there is once somebody has looked, and whoever has a hand free has come by."""
    await clips_of(caller, [media], backing)
    await make_clips(backing)
    return (await clips_of(caller, [media], backing)).get(media.fingerprint)


async def made(media: Media, caller: Caller, backing: Backing, stored: Stored) -> tuple[bytes, Probe]:
    """Its clip, which every browser plays."""
    clip = await clip_of(media, caller, backing)
    assert clip is not None
    file = await stored(clip.key)
    facts = await probe(OnDisk(io.BytesIO(file)))
    assert facts.footage is not None
    assert plays(facts)
    assert (facts.mime, facts.footage.codec, facts.footage.depth, facts.footage.chroma) == (MIME, "h264", 8, "420")
    assert (facts.footage.rotation, facts.faststart) == (0, True)
    assert max(facts.width, facts.height) <= SIDE
    return file, facts


OTHERS: dict[str, dict[str, Any]] = {
    "prores.mov": {"video": "-c:v prores_ks -profile:v 3", "audio": "-c:a pcm_s16le"},
    "mpeg4.avi": {"video": "-c:v mpeg4", "audio": "-c:a libmp3lame"},
    "ten-bits.mkv": {"video": "-c:v libx264 -preset ultrafast -pix_fmt yuv420p10le"},
}


@pytest.mark.parametrize("name", OTHERS)
async def test_what_browsers_do_not_play_gets_a_clip_that_they_do(
    name: str, folder: Path, comes_in: ComesIn, caller: Caller, backing: Backing, stored: Stored
) -> None:
    media = await comes_in(film(folder / name, seconds=1, **OTHERS[name]))

    _, clip = await made(media, caller, backing, stored)

    assert (clip.width, clip.height) == (320, 180)
    assert clip.seconds == pytest.approx(1, abs=0.15)
    assert clip.sound is not None
    assert clip.sound.codec == "aac"


async def test_a_clip_is_small_and_looks_like_the_video(
    phone: Path, comes_in: ComesIn, caller: Caller, backing: Backing, stored: Stored
) -> None:
    media = await comes_in(phone)

    file, clip = await made(media, caller, backing, stored)

    assert (clip.width, clip.height) == (640, 360)
    with av.open(io.BytesIO(file)) as container:
        image = next(container.decode(video=0)).to_image()  # type: ignore[no-untyped-call]
    assert [colour(image.getpixel(at)) for at in ((160, 90), (480, 90), (160, 270), (480, 270))] == [
        "red", "green", "blue", "white",
    ]  # fmt: skip


def colour(pixel: tuple[int, int, int]) -> str:
    bright = tuple(value > 128 for value in pixel)
    named = {(True, False, False): "red", (False, True, False): "green", (False, False, True): "blue"}
    return named.get(bright, "white" if all(bright) else str(pixel))


async def test_a_silent_video_in_hdr_that_is_held_upright_is_upright_and_toned_in_its_clip(
    folder: Path, comes_in: ComesIn, caller: Caller, backing: Backing, stored: Stored
) -> None:
    lying = films.hdr(folder / "lying.mov", "arib-std-b67", size=(1280, 720), seconds=0.4, audio=None)
    media = await comes_in(films.turned(folder / "upright.mov", lying, 90))

    _, clip = await made(media, caller, backing, stored)

    assert (clip.width, clip.height, clip.sound) == (360, 640, None)
    assert clip.footage is not None
    assert (clip.footage.hdr, clip.footage.wide, clip.footage.matrix) == ("", False, "709")


@pytest.fixture(scope="module")
def long(folder: Path) -> Path:
    """Twenty seconds whose index lies at the end of 10 GB."""
    second = film(folder / "second.mov", seconds=1, video=HEVC)
    short = films.looped(folder / "twenty.mov", second, 20).read_bytes()
    index = short.rindex(b"moov") - 4
    with (path := folder / "long.mov").open("wb") as file:
        file.write(short[:index] + struct.pack(">I4sQ", 1, b"free", 10 * 10**9))
        file.seek(10 * 10**9 - 16, os.SEEK_CUR)
        file.write(short[index:])
    return path


async def test_of_a_long_video_the_clip_has_the_first_seconds_and_little_of_it_is_read(
    long: Path, caller: Caller, backing: Backing, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Counted(io.FileIO(long), long.stat().st_size)  # type: ignore[arg-type]
    media = await known_as(await probe(original), caller, backing)
    original.read_bytes, copies = 0, list[int]()
    monkeypatch.setattr(clipping, "InBucket", lambda *_: original)

    async def rendered(*given: Any) -> Probe:
        result = await rendering.rendered(*given)
        copies.append(os.fstat(given[2].fileno()).st_blocks * 512)
        return result

    monkeypatch.setattr(clipping, "rendered", rendered)

    file, clip = await made(media, caller, backing, stored)

    assert clip.seconds == pytest.approx(SECONDS, abs=0.1)
    assert original.read_bytes < 3_000_000
    assert copies[0] < 3_000_000
    assert len(file) < 4_000_000
    original.file.close()


async def test_sound_that_ends_before_a_clip_does_is_not_looked_for_in_the_rest_of_the_file(
    folder: Path, long: Path
) -> None:
    longer = films.looped(folder / "longer.mov", folder / "second.mov", 30)
    brief = folder / "brief.mov"
    sound = ("-f", "lavfi", "-t", "5", "-i", "sine=f=440")
    films.ffmpeg("-i", longer, *sound, "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", brief)

    for path, has_sound in ((brief, False), (long, True)):
        with path.open("rb") as file:
            assert await begin(OnDisk(file), SECONDS) == Begun(seconds=SECONDS, sound=has_sound)


async def known_as(facts: Probe, caller: Caller, backing: Backing, name: str = "film") -> Media:
    """A video of the library of which nothing but this is known, as those that came before there were clips."""
    media = Media(
        workspace_id=caller.workspace_id,
        name=name,
        mime=facts.mime,
        bytes=facts.bytes,
        width=facts.width,
        height=facts.height,
        animated=False,
        kind="video",
        key=new_key(caller.workspace_id),
        fingerprint=f"of {name}",
        probe=facts,
        uploaded_by=caller.user_id,
    )
    await media.add(backing)
    return media


PHONE = Probe(mime="video/mp4", bytes=1000, width=1920, height=1080, seconds=20, footage=Footage(codec="h264", fps=30),
              sound=Sound(codec="aac", channels=2, rate=48000))  # fmt: skip
PLAYED = {
    "from most phones": {},
    "mov": {"mime": "video/quicktime"},
    "silent": {"sound": None},
    "webm": {"mime": "video/webm", "footage": Footage(codec="vp9", fps=30), "sound": None},
}  # fmt: skip
NOT_PLAYED = {
    "hevc": {"footage": Footage(codec="hevc", fps=30)},
    "ten bits": {"footage": Footage(codec="h264", fps=30, depth=10)},
    "finer colours": {"footage": Footage(codec="h264", fps=30, chroma="422")},
    "in an mkv": {"mime": "video/x-matroska"},
    "in an mpeg-ts": {"mime": "video/mp2t"},
    "with sound that is raw": {"sound": Sound(codec="pcm_s16le", channels=2, rate=48000)},
    "heavy": {"bytes": HEAVY + 1},
    "large": {"width": WIDE + 1},
}


@pytest.mark.parametrize("name", PLAYED)
async def test_what_every_browser_plays_and_is_light_has_no_clip(name: str, caller: Caller, backing: Backing) -> None:
    media = await known_as(msgspec.structs.replace(PHONE, **PLAYED[name]), caller, backing)

    assert await clip_of(media, caller, backing) is None
    assert await Clip.of(caller).count() == 0


@pytest.mark.parametrize("name", NOT_PLAYED)
def test_what_some_browser_does_not_play_or_is_heavy_wants_a_clip(name: str) -> None:
    assert wants_clip(msgspec.structs.replace(PHONE, **NOT_PLAYED[name]))


def test_a_picture_that_moves_wants_none() -> None:
    assert not wants_clip(Probe(mime="image/gif", bytes=HEAVY + 1, width=10, height=10, frames=2))


async def test_the_workspace_is_told_and_what_is_the_same_shares_it(
    caller: Caller, backing: Backing, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = [await known_as(PHONE_S_HEVC, caller, backing) for _ in range(2)]
    monkeypatch.setattr(clipping, "_stored", put)

    clip = await clip_of(one, caller, backing)

    assert clip is not None
    assert await clips_of(caller, [other], backing) == {other.fingerprint: clip}
    told = await backing.db["outbox"].find({"workspace_id": caller.workspace_id, "type": "media.changed"}).to_list()
    assert {each["data"]["id"] for each in told} == {str(one.id), str(other.id)}

    await one.drop_original(backing)
    await one.remove(backing)
    assert await stored(clip.key), "the other one still has it"

    await other.remove(backing)
    assert await Clip.of(caller).count() == 0
    assert await backing.bucket.stat(clip.key) is None


async def put(clip: Clip, backing: Backing) -> int:
    """As if it were made."""
    await backing.bucket.put(clip.key, b"x", mime=MIME, size=1)
    return 1


async def test_a_clip_that_cannot_be_made_is_absent_and_the_log_says_why(
    phone: Path, comes_in: ComesIn, caller: Caller, backing: Backing, capsys: pytest.CaptureFixture[str]
) -> None:
    media = await comes_in(phone)
    spoilt = phone.read_bytes()[:64].ljust(media.bytes, b"\0")
    await backing.bucket.put(media.key, spoilt, mime=media.mime, size=media.bytes)

    assert await clip_of(media, caller, backing) is None

    assert "clip.failed" in capsys.readouterr().out
    assert await Clip.take(backing) is None, "and it is not tried again and again"
    assert await Media.found(caller, str(media.id))


async def test_a_clip_whose_work_the_system_ends_is_made_at_the_next_try(
    phone: Path, comes_in: ComesIn, caller: Caller, backing: Backing
) -> None:
    media = await comes_in(phone)
    killing = asyncio.create_task(memory_runs_out("ffmpeg"))

    assert await clip_of(media, caller, backing) is None
    await killing

    past = {"next_at": backing.now() - timedelta(seconds=1)}
    await Clip.get_pymongo_collection().update_one(
        {"workspace_id": caller.workspace_id, "state": "wanted"}, {"$set": past}
    )
    assert await clip_of(media, caller, backing) is not None


async def test_of_a_video_whose_file_is_gone_nothing_is_made_and_the_next_with_its_content_is_wanted(
    caller: Caller, backing: Backing
) -> None:
    gone = await known_as(PHONE_S_HEVC, caller, backing)
    assert await clip_of(gone, caller, backing) is None
    assert await Clip.of(caller, {"state": "failed"}).count() == 0

    await gone.drop_original(backing)
    await make_clips(backing)
    assert await clip_of(gone, caller, backing) is None
    assert await Clip.of(caller).count() == 0, "and nobody tries again"

    again = await known_as(PHONE_S_HEVC, caller, backing)
    await clips_of(caller, [again], backing)
    assert (await Clip.of(caller).to_list())[0].source_key == again.key


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set when somebody has begun to make one; they never end."""
    begun = asyncio.Event()

    async def stored(*_: object) -> int:
        begun.set()
        await asyncio.Event().wait()
        return 0

    monkeypatch.setattr(clipping, "_stored", stored)
    return begun


async def test_a_video_that_is_removed_while_its_clip_is_made_leaves_nothing(
    caller: Caller, backing: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = await known_as(PHONE_S_HEVC, caller, backing)
    await clips_of(caller, [media], backing)

    async def stored(clip: Clip, backing: Backing) -> int:
        await media.remove(backing)
        return await put(clip, backing)

    monkeypatch.setattr(clipping, "_stored", stored)
    await make_clips(backing)

    assert [each async for each in backing.bucket.listed(f"w/{caller.workspace_id}/")] == []


async def test_one_whose_video_is_removed_while_it_is_made_is_made_no_further(
    caller: Caller, backing: Backing, endless: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = await known_as(PHONE_S_HEVC, caller, backing)
    await clips_of(caller, [media], backing)
    monkeypatch.setattr(Clip, "lease", timedelta(seconds=3))  # which is renewed, if it is there, every tenth of one

    making = asyncio.create_task(make_clips(backing))
    await endless.wait()
    await media.remove(backing)

    await asyncio.wait_for(making, 10)
    assert await Clip.of(caller).count() == 0


async def test_one_that_is_cut_short_is_given_back_and_one_that_takes_its_makers_with_it_is_given_up(
    caller: Caller, backing: Backing, endless: asyncio.Event
) -> None:
    media = await known_as(PHONE_S_HEVC, caller, backing)
    await clips_of(caller, [media], backing)
    making = asyncio.create_task(make_clips(backing))
    await endless.wait()
    making.cancel()
    await asyncio.wait({making})

    for _ in range(Clip.tries_most):
        assert await Clip.take(backing), "whoever took it died"
        past = {"next_at": backing.now() - timedelta(seconds=1)}
        await Clip.get_pymongo_collection().update_one({"workspace_id": caller.workspace_id}, {"$set": past})
    await make_clips(backing)

    [clip] = await Clip.of(caller).to_list()
    assert (clip.state, clip.next_at) == ("failed", None)


PHONE_S_HEVC = msgspec.structs.replace(PHONE, footage=Footage(codec="hevc", fps=30))
