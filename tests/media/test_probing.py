"""What is told of a file before anybody works on it, from ranges of it alone."""

import asyncio
import io
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil
import pytest
from PIL import Image

from social.backing import Backing
from social.errors import Invalid, Refused, Unavailable, UnsupportedType
from social.files import Probe
from social.media import probing
from social.media.probing import look, probe
from social.media.sources import InBucket, OnDisk
from tests.media import awkward, films
from tests.media.children import memory_runs_out
from tests.media.films import film

Films = Callable[..., Path]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="module")
def plain(folder: Path) -> Path:
    """320 by 180, two seconds, H.264 and AAC."""
    return film(folder / "plain.mp4")


async def told(file: bytes | Path) -> Probe:
    content = file.read_bytes() if isinstance(file, Path) else file
    return await probe(OnDisk(io.BytesIO(content)))


@dataclass
class Counted:
    """A file whose reading is counted, and that may be far larger than what is there."""

    file: IO[bytes]
    size: int
    read_bytes: int = 0
    ranges: list[tuple[int, int]] = field(default_factory=list)

    async def read(self, start: int, end: int) -> bytes:
        self.read_bytes += end - start
        self.ranges.append((start, end))
        self.file.seek(start)
        return self.file.read(end - start).ljust(end - start, b"\0")


PICTURES = {
    "image/jpeg": awkward.jpeg, "image/png": awkward.png, "image/webp": awkward.webp, "image/heic": awkward.heic,
    "image/avif": awkward.avif, "image/tiff": awkward.tiff,
}  # fmt: skip


@pytest.mark.parametrize("mime", PICTURES)
async def test_a_picture_is_told_by_its_header(mime: str) -> None:
    told_of = await told(PICTURES[mime]())

    assert (told_of.mime, told_of.width, told_of.height) == (mime, 96, 64)
    assert (told_of.frames, told_of.footage, told_of.alpha) == (1, None, False)


async def test_a_picture_held_sideways_is_as_wide_as_it_is_seen() -> None:
    turned = await told(awkward.jpeg(orientation=6))

    assert (turned.width, turned.height) == (64, 96)


@pytest.mark.parametrize("make", [awkward.moving_gif, awkward.moving_webp, awkward.moving_png])
async def test_an_animation_is_told_with_its_frames_and_their_time(make: Callable[[], bytes]) -> None:
    moving = await told(make())

    assert (moving.frames, moving.seconds, moving.animated) == (5, 0.5, True)


async def test_colours_that_are_not_those_of_a_screen_are_told() -> None:
    other = Image.new("CMYK", (8, 8))

    assert (await told(awkward.written(other, "JPEG"))).profiled
    assert not (await told(awkward.jpeg())).profiled


CONTAINERS = {"mp4": "video/mp4", "mov": "video/quicktime", "mkv": "video/x-matroska", "m4v": "video/x-m4v",
              "3gp": "video/3gpp", "ts": "video/mp2t"}  # fmt: skip


@pytest.mark.parametrize("ending", CONTAINERS)
async def test_a_video_is_told_with_its_tracks(ending: str, folder: Path) -> None:
    one = await told(film(folder / f"one.{ending}", fps="24", channels=1, rate=44100, more="-ac 1"))

    assert (one.mime, one.width, one.height) == (CONTAINERS[ending], 320, 180)
    assert one.seconds == pytest.approx(2, abs=0.1)
    assert one.footage is not None
    assert one.sound is not None
    assert (one.footage.codec, one.footage.depth, one.footage.chroma, one.footage.steady) == ("h264", 8, "420", True)
    assert one.footage.fps == pytest.approx(24, abs=0.1)
    assert (one.sound.codec, one.sound.channels, one.sound.rate) == ("aac", 1, 44100)


CODECS = {
    "hevc": ("mp4", "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -tag:v hvc1 -x265-params log-level=none", "h265"),
    "vp8": ("webm", "-c:v libvpx -deadline realtime -cpu-used 8", "vp8"),
    "vp9": ("webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8", "vp9"),
    "av1": ("mp4", "-c:v libsvtav1 -preset 12", "av1"),
    "prores": ("mov", "-c:v prores_ks -profile:v 3", "prores"),
    "mjpeg": ("avi", "-c:v mjpeg -pix_fmt yuvj420p", "mjpeg"),
    "mpeg4": ("avi", "-c:v mpeg4", "mpeg4"),
}


@pytest.mark.parametrize("codec", CODECS)
async def test_what_phones_and_programs_write_is_known(codec: str, folder: Path) -> None:
    ending, video, _ = CODECS[codec]
    sound = {"webm": "-c:a libopus", "avi": "-c:a libmp3lame", "mov": "-c:a pcm_s16le"}.get(ending, "-c:a aac")

    one = await told(film(folder / f"{codec}.{ending}", video=video, audio=sound, seconds=1))

    assert one.footage is not None
    assert one.footage.codec == codec
    assert (one.width, one.height) == (320, 180)


async def test_hdr_and_finer_colours_are_told(folder: Path) -> None:
    pq = await told(films.hdr(folder / "pq.mp4", "smpte2084"))
    hlg = await told(films.hdr(folder / "hlg.mov", "arib-std-b67"))
    fine = await told(film(folder / "fine.mov", video="-c:v prores_ks -profile:v 4444 -pix_fmt yuva444p10le"))

    assert pq.footage is not None
    assert hlg.footage is not None
    assert fine.footage is not None
    assert (pq.footage.hdr, pq.footage.depth, pq.footage.wide) == ("pq", 10, True)
    assert hlg.footage.hdr == "hlg"
    assert (fine.footage.chroma, fine.alpha) == ("444", True)


@pytest.mark.parametrize("degrees", [90, 180, 270])
async def test_a_video_held_sideways_is_as_wide_as_it_is_seen(degrees: int, folder: Path, plain: Path) -> None:
    turned = films.turned(folder / f"turned{degrees}.mov", plain, degrees)
    with turned.open("rb") as file, io.FileIO(os.memfd_create("t"), "w+b") as small:
        one = await look(OnDisk(file), small)
        small.seek(0)
        shown = Image.open(io.BytesIO(small.readall()))

    expected = {
        90: ["green", "white", "red", "blue"], 180: ["white", "blue", "green", "red"],
        270: ["blue", "red", "white", "green"],
    }  # fmt: skip
    assert (one.probe.width, one.probe.height) == ((180, 320) if degrees % 180 else (320, 180))
    assert shown.size == (one.probe.width, one.probe.height)
    assert awkward.quarters(shown) == expected[degrees]
    assert one.placeholder.startswith("data:image/webp;base64,")


async def test_frames_that_last_differently_are_noticed(folder: Path, plain: Path) -> None:
    uneven, even = await told(films.uneven(folder / "uneven.mp4")), await told(plain)

    assert uneven.footage is not None
    assert even.footage is not None
    assert (uneven.footage.steady, even.footage.steady) == (False, True)


async def test_frames_that_last_differently_far_behind_the_beginning_are_noticed(folder: Path) -> None:
    late = "select='lt(n\\,700)+not(mod(n\\,7)*mod(n\\,3))'"
    uneven = film(folder / "late.mp4", size=(32, 18), seconds=40, filters=late, audio=None, more="-fps_mode vfr")
    footage = (await told(uneven)).footage
    assert footage is not None
    assert not footage.steady


async def test_how_colours_are_written_down_is_told(folder: Path) -> None:
    filters = {"": "null", "709": "scale=out_color_matrix=bt709", "601": "scale=out_color_matrix=smpte170m"}
    for matrix, given in filters.items():
        footage = (await told(film(folder / f"matrix{matrix}.mp4", size=(32, 18), seconds=0.3, filters=given))).footage
        assert footage is not None
        assert footage.matrix == matrix


async def test_where_the_index_is_and_what_an_edit_list_does_is_told(folder: Path, plain: Path) -> None:
    first, bare = folder / "first.mp4", folder / "bare.mp4"
    films.ffmpeg("-i", plain, "-c", "copy", "-movflags", "+faststart", first)
    films.ffmpeg("-i", plain, "-c", "copy", "-use_editlist", "0", bare)
    cut = folder / "cut.mp4"
    films.ffmpeg("-ss", "1.1", "-i", film(folder / "long.mp4", seconds=4, more="-g 60"), "-c", "copy", cut)

    assert ((await told(plain)).faststart, (await told(first)).faststart) == (False, True)
    assert [(await told(each)).edits for each in (bare, plain, cut)] == ["", "shift", "cut"]


@pytest.mark.parametrize("ending", ["mp4", "mov"])
async def test_that_a_film_says_where_it_was_made_is_told(ending: str, folder: Path, plain: Path) -> None:
    located = folder / f"located.{ending}"
    films.ffmpeg("-i", plain, "-c", "copy", "-metadata", "location=+52.5200+013.4050/", located)

    assert [(await told(each)).located for each in (plain, located)] == [False, True]


async def test_a_silent_film_has_no_sound_and_a_mere_sound_is_no_film(folder: Path) -> None:
    silent = await told(film(folder / "silent.mp4", audio=None))
    films.ffmpeg("-f", "lavfi", "-i", "sine=d=1", folder / "sound.m4a")

    assert silent.sound is None
    with pytest.raises(Invalid, match="only sound"):
        await told(folder / "sound.m4a")


async def test_odd_pixels_are_told_as_they_are_seen(folder: Path) -> None:
    one = await told(film(folder / "odd.mp4", size=(320, 240), filters="setsar=4/3"))

    assert (one.width, one.height) == (427, 240)
    assert one.footage is not None
    assert not one.footage.square


def _halved(path: Path) -> bytes:
    return path.read_bytes()[: path.stat().st_size // 2]


async def test_what_is_cut_off_is_refused_in_words(folder: Path, plain: Path) -> None:
    first = folder / "faststart.mp4"
    films.ffmpeg("-i", plain, "-c", "copy", "-movflags", "+faststart", first)
    with pytest.raises(Invalid, match="end of this video is missing"):
        await told(_halved(plain))
    with pytest.raises(Invalid, match="end of this video is missing"):
        await told(_halved(first))
    with pytest.raises(Invalid, match="empty"):
        await told(b"")


POISONED: dict[str, Callable[[Path], bytes]] = {
    "a playlist behind the first bytes of an mp4": lambda plain: films.playlist_in_an_mp4(),
    "an mp4 of nothing": lambda plain: films.box(b"ftyp", b"isom\x00\x00\x02\x00") + films.box(b"mdat", bytes(64)),
    "frames overwritten": lambda plain: _overwritten(plain),  # noqa: PLW0108 - it comes below
    "noise that begins as matroska": lambda plain: b"\x1aE\xdf\xa3" + os.urandom(4000),
    "noise that begins as avi": lambda plain: b"RIFF\xff\xff\xff\x7fAVI " + os.urandom(4000),
    "half a picture": lambda plain: awkward.jpeg()[:20],
    "a bomb": lambda plain: awkward.png_that_claims(65_535, 65_535),
}


@pytest.mark.parametrize(("more", "whole"), [("", False), ("-f matroska -live 1", True)], ids=["saved", "streamed"])
async def test_half_a_matroska_is_refused_unless_it_never_said_how_long_it_is(
    more: str, whole: bool, folder: Path
) -> None:
    file = film(folder / f"half{whole}.mkv", seconds=3, more=more).read_bytes()
    half = file[: len(file) // 2]
    if whole:
        assert 0.5 < (await told(half)).seconds < 3
    else:
        with pytest.raises(Invalid, match="The end of this video is missing"):
            await told(half)


def _overwritten(plain: Path) -> bytes:
    file = bytearray(plain.read_bytes())
    start = file.index(b"mdat") + 4
    file[start : file.index(b"moov") - 4] = bytes(file.index(b"moov") - 4 - start)
    return bytes(file)


async def test_a_look_that_the_system_ends_for_want_of_memory_is_no_fault_of_the_file(plain: Path) -> None:
    killing = asyncio.create_task(memory_runs_out("social.media.film_prober"))
    with pytest.raises(Unavailable, match="memory runs out"):
        await told(plain)
    await killing


@pytest.mark.parametrize("name", POISONED)
async def test_what_is_broken_or_poisoned_is_refused_in_words(name: str, plain: Path) -> None:
    with pytest.raises(Refused) as refusal:
        await told(POISONED[name](plain))

    assert refusal.value.sentence.endswith(".")
    assert refusal.value.facts["code"] != "too-hard"


@pytest.mark.parametrize(
    "file",
    [
        b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:1/secret.ts\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'></MPD>",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"%PDF-1.7\n",
    ],
    ids=["hls", "concat", "dash", "svg", "pdf"],
)
async def test_what_would_lead_elsewhere_is_no_file_we_take(file: bytes) -> None:
    with pytest.raises(UnsupportedType, match="videos MP4"):
        await told(file)


async def test_a_track_that_points_to_another_file_reads_nothing_there(plain: Path) -> None:
    with pytest.raises(Refused):
        await told(films.reference_in_a_mov(_overwritten(plain)))


async def test_a_gigabyte_costs_some_hundred_kilobytes(plain: Path, folder: Path) -> None:
    """Frames, then a gigabyte of a box that says nothing, then the index: as a camera leaves it, only larger."""
    file = plain.read_bytes()
    index = file.index(b"moov") - 4
    gap = 2**30
    sparse = folder / "sparse.mp4"
    with sparse.open("wb") as written:
        written.write(file[:index] + (1).to_bytes(4, "big") + b"free" + (gap + 16).to_bytes(8, "big"))
        written.seek(index + 16 + gap)
        written.write(file[index:])
    with sparse.open("rb") as opened:
        counted = Counted(opened, sparse.stat().st_size)
        one = await probe(counted)

    assert one.bytes > gap
    assert counted.read_bytes < 4 * 2**20
    assert len(counted.ranges) < 12


async def test_a_file_that_does_not_come_is_given_up_and_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "PATIENCE", 1.0)

    class Silent:
        size = 10_000

        async def read(self, start: int, end: int) -> bytes:
            if end <= 4096:
                return awkward.jpeg(awkward.noise(100, 100))[start:end]
            await asyncio.Event().wait()
            return b""

    before = {child.pid for child in psutil.Process().children()}
    with pytest.raises(Unavailable, match="too much else to do"):
        await probe(Silent())

    assert {child.pid for child in psutil.Process().children()} <= before


async def test_an_object_in_the_bucket_is_told_as_a_file_is(backing: Backing, plain: Path) -> None:
    file = plain.read_bytes()
    await backing.bucket.put("tests/probed", file, mime="video/mp4", size=len(file))
    began = time.monotonic()
    one = await probe(InBucket(backing.bucket, "tests/probed", len(file)))

    assert one == await told(plain)
    assert time.monotonic() - began < 30
