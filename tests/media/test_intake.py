"""What becomes of files that people upload: pictures of all kinds, and everything that is none."""

import asyncio
import dataclasses
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from PIL import Image

from social.backing import Backing
from social.backing.bucket import Bucket
from social.errors import Invalid, TooLarge, Unavailable, UnsupportedType
from social.media import arriving, intake
from social.media.arriving import Stopped
from social.media.benches import Benches
from social.media.documents import Media
from social.media.intake import MOST, take
from social.people.roles import Caller
from tests.media import awkward
from tests.media.awkward import quarters, read, tells
from tests.media.children import at_work, memory_runs_out
from tests.media.conftest import Take

Stored = Callable[[str], Awaitable[bytes]]
Left = Callable[[], Awaitable[list[str]]]

UPRIGHT = ["red", "green", "blue", "white"]
ON_ITS_SIDE = ["blue", "red", "white", "green"]  # what orientation 6 means: turn it by a quarter, clockwise

KINDS = {
    "jpeg": (awkward.jpeg, "image/jpeg"),
    "png": (awkward.png, "image/png"),
    "webp": (awkward.webp, "image/webp"),
    "heic": (awkward.heic, "image/jpeg"),
    "avif": (awkward.avif, "image/jpeg"),
    "tiff": (awkward.tiff, "image/jpeg"),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_what_the_camera_wrote_is_gone_and_the_picture_is_not(kind: str, taken: Take, stored: Stored) -> None:
    make, mime = KINDS[kind]

    media = await taken(make())

    clean = await stored(media.key)
    assert (media.mime, media.width, media.height, media.animated) == (mime, 96, 64, False)
    assert media.bytes == len(clean)
    assert Image.MIME[read(clean).format or ""] == mime
    assert quarters(read(clean)) == UPRIGHT
    assert tells(clean) == []
    assert tells(await stored(media.thumbnail_key)) == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_picture_held_sideways_stands_upright(kind: str, taken: Take, stored: Stored) -> None:
    make, mime = KINDS[kind]

    media = await taken(make(orientation=6))

    clean, small = await stored(media.key), await stored(media.thumbnail_key)
    assert (media.width, media.height) == (64, 96)
    assert (read(clean).size, read(small).size) == ((64, 96), (64, 96))
    assert (quarters(read(clean)), quarters(read(small))) == (ON_ITS_SIDE, ON_ITS_SIDE)
    assert media.mime == mime
    assert tells(clean) == []


@pytest.mark.parametrize("orientation", range(9))
async def test_every_way_to_hold_a_camera_is_understood(orientation: int, taken: Take, stored: Stored) -> None:
    meant = {2: "green red white blue", 3: "white blue green red", 4: "blue white red green", 5: "red blue green white",
             6: "blue red white green", 7: "white green blue red", 8: "green white red blue"}  # fmt: skip

    media = await taken(awkward.jpeg(orientation=orientation))

    assert quarters(read(await stored(media.key))) == meant.get(orientation, "red green blue white").split()


async def test_a_jpeg_keeps_its_quality_and_its_colours(taken: Take, stored: Stored) -> None:
    before = awkward.jpeg(awkward.noise(320, 200), quality=71, subsampling=1, progressive=True)

    media = await taken(before)

    old, new = read(before), read(await stored(media.key))
    assert new.quantization == old.quantization  # type: ignore[attr-defined]
    assert new.info["icc_profile"] == awkward.SRGB
    assert new.info["progressive"]
    assert abs(media.bytes - len(before)) < len(before) * 0.1


@pytest.mark.parametrize("make", [awkward.png, awkward.webp], ids=["png", "webp"])
async def test_what_needs_no_turning_keeps_every_pixel(make: Any, taken: Take, stored: Stored) -> None:
    before = make(awkward.noise(100, 80))

    media = await taken(before)

    clean = read(await stored(media.key))
    assert clean.tobytes() == read(before).tobytes()
    assert clean.info["icc_profile"] == awkward.SRGB


@pytest.mark.parametrize(
    ("make", "mime"),
    [(awkward.moving_gif, "image/gif"), (awkward.moving_webp, "image/webp"), (awkward.moving_png, "image/png")],
    ids=["gif", "webp", "png"],
)
async def test_what_moves_goes_on_moving(make: Callable[[], bytes], mime: str, taken: Take, stored: Stored) -> None:
    media = await taken(make())

    clean = read(await stored(media.key))
    assert (media.mime, media.animated, clean.n_frames) == (mime, True, 5)  # type: ignore[attr-defined]
    assert clean.info["duration"] == 100
    assert clean.info["loop"] == 0
    seen = []
    for frame in range(5):
        clean.seek(frame)
        seen.append(quarters(clean))
    assert seen == [quarters(each) for each in awkward.frames()]
    assert tells(await stored(media.key)) == []


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
async def test_a_png_of_any_depth_has_a_thumbnail_that_looks_like_it(mode: str, taken: Take, stored: Stored) -> None:
    grey = Image.linear_gradient("L")
    picture = Image.new("I;16", (256, 256), 30_000) if mode == "I;16" else grey.convert(mode)

    media = await taken(awkward.written(picture, "PNG"))

    small = read(await stored(media.thumbnail_key)).convert("L")
    middle = small.getpixel((128, 128))
    assert isinstance(middle, int)
    assert mode == "1" or 100 < middle < 140
    assert read(await stored(media.key)).mode == mode


async def test_a_picture_for_print_becomes_one_for_screens(taken: Take, stored: Stored) -> None:
    media = await taken(awkward.written(awkward.corners(mode="CMYK"), "JPEG", quality=95))

    clean = read(await stored(media.key))
    assert (clean.mode, quarters(clean)) == ("RGB", UPRIGHT)


@pytest.mark.parametrize("make", [awkward.heic, awkward.avif], ids=["heic", "avif"])
async def test_what_shines_through_still_does_after_conversion(make: Any, taken: Take, stored: Stored) -> None:
    media = await taken(make(Image.new("RGBA", (64, 64), (255, 0, 0, 100))))

    clean = read(await stored(media.key))
    assert (media.mime, clean.mode) == ("image/png", "RGBA")


async def test_a_thumbnail_is_small_and_a_placeholder_tiny(taken: Take, stored: Stored) -> None:
    media = await taken(awkward.jpeg(awkward.noise(2000, 1500)))

    small = await stored(media.thumbnail_key)
    assert (read(small).size, read(small).format, media.thumbnail_mime) == ((640, 480), "WEBP", "image/webp")
    assert media.placeholder.startswith("data:image/webp;base64,")
    assert len(media.placeholder) <= 1024


async def test_the_noisiest_placeholder_is_still_tiny(taken: Take) -> None:
    picture = awkward.noise(16, 16, "RGBA")
    picture.putalpha(Image.effect_noise((16, 16), 200))

    media = await taken(awkward.written(picture, "PNG"))

    assert len(media.placeholder) <= 1024


@pytest.mark.parametrize("size", [(1, 1), (5000, 1), (1, 5000)], ids=str)
async def test_the_oddest_shapes_are_pictures_too(size: tuple[int, int], taken: Take) -> None:
    media = await taken(awkward.png(Image.new("RGB", size)))

    assert (media.width, media.height) == size


async def test_a_file_is_what_it_holds_and_not_what_it_is_called(taken: Take) -> None:
    media = await taken(awkward.png(), name="holiday.jpg")

    assert (media.mime, media.name) == ("image/png", "holiday.jpg")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd.png", "passwd.png"),
        ("C:\\Users\\ada\\cat.png", "cat.png"),
        ("ca\x00t\n.png", "cat.png"),
        ("\u202egnp.exe", "gnp.exe"),
        ("", "picture"),
        ("..", "picture"),
        ("ä" * 500, "ä" * 200),
        ("👩‍👩‍👧‍👦.png", "👩‍👩‍👧‍👦.png"),
    ],
    ids=["up", "a drive", "control", "turned around", "none", "dots", "long", "a family"],
)
async def test_a_name_is_kept_as_far_as_it_can_be_shown(name: str, kept: str, taken: Take) -> None:
    assert (await taken(awkward.written(Image.new("L", (1, 1)), "PNG"), name=name)).name == kept


@pytest.mark.parametrize(
    ("file", "called"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "an SVG drawing"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- -->\n<svg/>", "an SVG drawing"),
        (b"<!DOCTYPE html><html><body onload=alert(1)>", "a web page (HTML)"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "a PDF document"),
        (b"\x7fELF\x02\x01\x01" + bytes(64), "a program"),
        (b"MZ\x90\x00" + bytes(64), "a program"),
        (b"PK\x03\x04" + bytes(64), "a .zip file"),
        (b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n", "text"),
        (b"--x\r\nContent-Disposition: form-data; name=f\r\n\r\n" + awkward.png(), "a form with a file in it"),
        (bytes(100), "something we do not know"),
    ],
    ids=["svg", "svg in xml", "html", "pdf", "elf", "exe", "zip", "playlist", "form", "zeros"],
)  # fmt: skip
async def test_what_is_no_picture_is_told_what_it_is_and_what_is_taken(
    file: bytes, called: str, taken: Take, left: Left
) -> None:
    with pytest.raises(UnsupportedType, match="JPEG, PNG, WebP, GIF, HEIC, AVIF, TIFF and BMP") as refusal:
        await taken(file, name="picture.jpg")

    assert called in refusal.value.sentence
    assert await left() == []


async def test_a_video_is_told_where_it_is_taken(taken: Take, left: Left) -> None:
    with pytest.raises(UnsupportedType, match="videos come in parts"):
        await taken(b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(64), name="picture.jpg")

    assert await left() == []


async def test_a_web_page_inside_a_gif_does_not_come_out_again(taken: Take, stored: Stored) -> None:
    media = await taken(awkward.web_page_in_a_gif())

    clean = await stored(media.key)
    assert b"<script" not in clean
    assert quarters(read(clean)) == UPRIGHT


BROKEN = {
    "half a jpeg": awkward.jpeg()[: len(awkward.jpeg()) // 2],
    "a jpeg without its end": awkward.jpeg()[:-2],
    "half a png": awkward.png()[: len(awkward.png()) // 2],
    "a png without its end": awkward.png()[:-12],
    "half a webp": awkward.webp()[: len(awkward.webp()) // 2],
    "half a moving webp": awkward.moving_webp()[: len(awkward.moving_webp()) // 2],
    "half a gif": awkward.moving_gif()[: len(awkward.moving_gif()) // 2],
    "half a heic": awkward.heic()[: len(awkward.heic()) // 2],
    "half an avif": awkward.avif()[: len(awkward.avif()) // 2],
    "the start of a jpeg": b"\xff\xd8\xff\xe0",
    "the start of a gif": b"GIF89a",
    "the start of a webp": b"RIFF\x00\x00\x00\x00WEBP",
    "a script that begins like a gif": b"GIF89a/*\x00\x00*/=1;alert(1)//<script>",
    "a png with a damaged part": awkward.png()[:-40] + b"\x00" * 20 + awkward.png()[-20:],
    "half a tiff": awkward.tiff()[: len(awkward.tiff()) // 2],
    "half a bmp": awkward.written(awkward.corners(), "BMP")[:9000],
    "a png of no size": awkward.png_that_claims(0, 0),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_picture_is_refused_in_words_and_leaves_nothing(name: str, taken: Take, left: Left) -> None:
    with pytest.raises(Invalid, match=r"cannot be read.*damaged") as refusal:
        await taken(BROKEN[name])

    assert refusal.value.facts["code"] == "broken"
    assert await left() == []


async def test_an_empty_file_is_called_empty(taken: Take, left: Left) -> None:
    with pytest.raises(Invalid, match="empty"):
        await taken(b"")

    assert await left() == []


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (awkward.png_that_claims(65_535, 65_535), "65,535 × 65,535 pixels, which is 4,295 megapixels; at most 50"),
        (awkward.webp_that_claims_the_most(), "16,384 × 16,384 pixels"),
        (awkward.written(Image.new("1", (12_000, 9_000)), "PNG"), "12,000 × 9,000 pixels, which is 108 megapixels"),
        (awkward.long_gif(2_001), "2,001 frames of 1 × 1 pixels"),
    ],
    ids=["a bomb", "a webp's canvas", "a large one", "a long animation"],
)
async def test_what_would_be_too_much_to_decode_is_refused_with_its_numbers(
    file: bytes, words: str, taken: Take, left: Left
) -> None:
    with pytest.raises(Invalid) as refusal:
        await taken(file)

    assert words in refusal.value.sentence
    assert await left() == []


async def test_an_announced_length_that_is_too_much_is_refused_before_anything_is_read(taken: Take, left: Left) -> None:
    asked = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal asked
        asked += 1
        yield b""

    with pytest.raises(TooLarge, match="at most 20 MB"):
        await taken(pieces(), announced=MOST + 1)

    assert asked == 0
    assert await left() == []


async def test_a_length_that_was_not_announced_is_refused_when_it_is_too_much(taken: Take, left: Left) -> None:
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1_000_000
            yield awkward.png()[:4096].ljust(1_000_000, b"\0")

    with pytest.raises(TooLarge):
        await taken(pieces())

    assert sent <= MOST + 1_000_000
    assert await left() == []


async def test_what_is_no_picture_is_refused_after_its_first_bytes(taken: Take) -> None:
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 4096
            yield bytes(4096)

    with pytest.raises(UnsupportedType):
        await taken(pieces())

    assert sent == 4096


async def test_an_upload_that_falls_silent_is_given_up(
    taken: Take, left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arriving, "SILENCE", 0.2)

    async def pieces() -> AsyncIterator[bytes]:
        yield awkward.jpeg()[:500]
        await asyncio.Event().wait()

    with pytest.raises(Stopped):
        await taken(pieces())

    assert await left() == []


async def test_an_upload_that_breaks_off_leaves_nothing_open(taken: Take, left: Left) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield awkward.jpeg()[:500]
        raise Stopped("hung up")

    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(Stopped):
        await taken(pieces())

    assert await left() == []
    assert len(os.listdir("/proc/self/fd")) == before


async def test_a_file_that_the_database_does_not_take_is_taken_out_of_the_bucket(
    backing: Backing, taken: Take, left: Left
) -> None:
    await taken(awkward.jpeg())  # the collection is there, and so is one picture
    before = await left()
    await backing.db.command("collMod", "media", validator={"name": {"$ne": "unwanted"}})
    try:
        with pytest.raises(Exception, match="validation"):
            await taken(awkward.jpeg(), name="unwanted")
    finally:
        await backing.db.command("collMod", "media", validator={})

    assert await left() == before


async def test_without_the_bucket_there_is_no_picture_and_the_caller_is_told_to_come_back(
    backing: Backing, benches: Benches, caller: Caller, left: Left
) -> None:
    async with Bucket.opened(msgspec.structs.replace(backing.settings, s3_endpoint="http://127.0.0.1:1")) as nowhere:
        alone = dataclasses.replace(backing, bucket=nowhere)
        with pytest.raises(Unavailable, match="file storage"):
            await take(caller, "cat.jpg", awkward.in_pieces(awkward.jpeg()), alone, benches)

    assert await left() == []


async def test_a_full_disk_is_said_in_words(taken: Take, left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "nameless", lambda: Path("/dev/full").open("r+b", buffering=0))  # noqa: SIM115

    with pytest.raises(Unavailable, match="disk is full"):
        await taken(awkward.jpeg())

    assert await left() == []


async def test_a_disk_that_is_full_in_the_end_is_said_in_words_too(benches: Benches, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(awkward.jpeg())
    with (
        (tmp_path / "source").open("rb") as source,
        Path("/dev/full").open("wb", buffering=0) as clean,
        (tmp_path / "thumbnail").open("wb") as thumbnail,
        pytest.raises(Unavailable, match="disk is full"),
    ):
        await benches.work("jpeg", source, clean, thumbnail)


async def test_a_picture_for_which_there_is_no_time_is_none_the_worse_for_it(
    taken: Take, left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("social.media.benches.PATIENCE", 0.05)

    with pytest.raises(Unavailable, match="too much else to do"):
        await taken(awkward.jpeg())

    assert workbenches() == []
    assert await left() == []


async def test_the_same_file_twice_makes_two_pictures_that_share_nothing(
    backing: Backing, taken: Take, stored: Stored
) -> None:
    one, other = await taken(awkward.jpeg()), await taken(awkward.jpeg())

    await one.remove(backing)

    assert one.fingerprint == other.fingerprint
    assert await stored(other.key)
    assert await backing.bucket.stat(one.key) is None
    assert await backing.bucket.stat(one.thumbnail_key) is None


async def test_a_new_picture_is_told_to_its_workspace(backing: Backing, caller: Caller, taken: Take) -> None:
    media = await taken(awkward.jpeg())

    told = await backing.db["outbox"].find({"workspace_id": caller.workspace_id}).to_list()
    assert [(each["type"], each["data"]) for each in told] == [("media.added", {"id": str(media.id)})]


async def test_two_pictures_at_once_are_worked_on_by_processes_that_know_no_secrets(
    taken: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCIAL_MASTER_KEY", "not for everybody")
    file = awkward.jpeg(awkward.noise(1200, 900))
    most = 0
    environments: list[dict[str, str]] = []

    async def watch() -> None:
        nonlocal most
        while True:
            running = workbenches()
            most = max(most, len(running))
            environments.extend(environment(each) for each in running)
            await asyncio.sleep(0.01)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(taken(file) for _ in range(5)))
    watching.cancel()

    assert most == 2
    assert any(environments)
    assert not any("SOCIAL_MASTER_KEY" in each for each in environments)


async def test_a_workbench_that_is_killed_takes_only_its_picture_with_it(taken: Take, left: Left) -> None:
    killing = asyncio.create_task(memory_runs_out("social.media.workbench"))
    with pytest.raises(Unavailable, match="memory runs out"):
        await taken(awkward.png(awkward.noise(1500, 1500)))
    await killing

    assert await left() == []
    assert (await taken(awkward.jpeg())).width == 96


async def test_work_that_is_no_longer_wanted_ends(taken: Take, left: Left) -> None:
    working: asyncio.Task[Media] = asyncio.ensure_future(taken(awkward.png(awkward.noise(1500, 1500))))
    while not workbenches():
        await asyncio.sleep(0.005)

    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    assert workbenches() == []
    assert await left() == []


def workbenches() -> list[psutil.Process]:
    """The child processes that are at work now."""
    return at_work("social.media.workbench")


def environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}
