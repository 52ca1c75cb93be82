"""Plans carried out: what comes of real files is what the plan promised, and looks as it should."""

import asyncio
import io
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import av
import psutil
import pytest
from PIL import Image, ImageCms

from social.errors import Invalid, Unavailable
from social.files import Choice, Probe
from social.media import rendering
from social.media.fit import fit
from social.media.plans import Converts, Fits, Plan
from social.media.probing import probe
from social.media.rendering import rendered
from social.media.sources import OnDisk
from tests.media import awkward, films
from tests.media.children import memory_runs_out
from tests.media.films import film
from tests.media.test_fit import KINDS, kind


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("films")


@contextmanager
def nameless(content: bytes = b"") -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file


async def plan_of(content: bytes, platform: str, name: str, **choice: Any) -> tuple[Plan, Probe]:
    facts = await probe(OnDisk(io.BytesIO(content)))
    verdict = fit(facts, kind(platform, name), KINDS[platform][0], Choice(**choice))
    assert isinstance(verdict, Converts), verdict
    return verdict.plan, facts


async def made(file: bytes | Path, platform: str, name: str, **choice: Any) -> tuple[Probe, bytes]:
    """What is made of a file for a kind of post; it is itself taken as it is there."""
    content = file.read_bytes() if isinstance(file, Path) else file
    plan, facts = await plan_of(content, platform, name, **choice)
    told: list[float] = []
    with nameless(content) as source, nameless() as target:
        result = await rendered(plan, facts, source, target, told.append)
        target.seek(0)
        written = target.read()
    assert fit(result, kind(platform, name), KINDS[platform][0]) == Fits(), result
    assert result.mime == plan.mime
    assert told == sorted(told), told
    return result, written


def first_frame(video: bytes) -> Image.Image:
    with av.open(io.BytesIO(video)) as container:
        frame = next(container.decode(video=0))
        image: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
        return image.rotate(frame.rotation, expand=True)


PICTURES = {
    "png": awkward.png, "webp": awkward.webp, "tiff": awkward.tiff,
    "clear png": lambda: awkward.png(awkward.corners(mode="RGBA")),
    "palette": lambda: awkward.written(awkward.corners(mode="P"), "PNG"),
    "16 bits": lambda: awkward.written(awkward.corners().convert("I;16"), "PNG"),
    "grey": lambda: awkward.written(awkward.corners(mode="L"), "PNG"),
    "print": lambda: awkward.written(awkward.corners(mode="CMYK"), "TIFF"),
}  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
async def test_any_picture_becomes_a_jpeg_of_a_shape_that_is_taken(name: str) -> None:
    result, written = await made(PICTURES[name](), "instagram", "picture")

    assert (result.mime, result.width, result.height) == ("image/jpeg", 96, 64)
    if name not in {"16 bits", "grey"}:
        assert awkward.quarters(awkward.read(written)) == ["red", "green", "blue", "white"]
    assert awkward.tells(written) == []


async def test_a_picture_is_cut_around_its_focus_or_filled_up_in_white() -> None:
    wide = awkward.png(awkward.corners(800, 200))
    cut, cut_written = await made(wide, "instagram", "picture", shape="crop", focus=(1.0, 0.5))
    padded, padded_written = await made(wide, "instagram", "picture")

    assert (cut.width, cut.height) == (382, 200)
    assert awkward.quarters(awkward.read(cut_written)) == ["green", "green", "white", "white"]
    assert (padded.width, padded.height) == (800, 419)
    assert awkward.read(padded_written).getpixel((400, 10)) == (255, 255, 255)


async def test_a_picture_that_weighs_too_much_is_saved_smaller() -> None:
    heavy = awkward.written(awkward.noise(2600, 2000), "JPEG", quality=95)
    assert len(heavy) > 4_000_000

    result, _ = await made(heavy, "bluesky", "pictures")

    assert result.bytes <= 1_000_000


async def test_a_profile_of_greys_is_not_put_on_a_picture_of_colours() -> None:
    """The profile here is nobody's: the head of an sRGB one, said to be about greys."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[16:20] = b"GRAY"
    grey = awkward.written(Image.new("L", (600, 100), 120), "PNG", icc_profile=bytes(profile))

    _, written = await made(grey, "pinterest", "carousel")

    picture = awkward.read(written)
    assert (picture.mode, "icc_profile" in picture.info) == ("RGB", False)
    assert picture.getpixel((300, picture.height // 2)) == (120, 120, 120)


async def test_what_shines_through_becomes_white_in_a_jpeg() -> None:
    clear = Image.new("RGBA", (40, 40), (255, 0, 0, 0))

    _, written = await made(awkward.written(clear, "PNG"), "instagram", "picture")

    assert awkward.read(written).getpixel((20, 20)) == (255, 255, 255)


async def test_an_animation_becomes_a_video_long_enough_and_a_still_where_nothing_moves() -> None:
    video, written = await made(awkward.moving_gif(), "instagram", "reel")
    still, _ = await made(awkward.moving_webp(), "linkedin", "pictures")

    assert video.footage is not None
    assert (video.footage.codec, video.footage.steady) == ("h264", True)
    assert 3.0 <= video.seconds < 4.0
    assert awkward.quarters(first_frame(written)) == ["red", "green", "blue", "white"]
    assert (still.mime, still.frames) == ("image/jpeg", 1)


@pytest.mark.parametrize("make", [awkward.moving_webp, awkward.moving_png], ids=["webp", "png"])
async def test_other_animations_become_videos_too(make: Any) -> None:
    video, written = await made(make(), "x", "video")

    assert 0.6 <= video.seconds <= 1.1  # twice, because once is not long enough
    assert awkward.quarters(first_frame(written)) == ["red", "green", "blue", "white"]


async def test_what_shines_through_an_animation_becomes_white() -> None:
    clear = [Image.new("RGBA", (64, 64), (255, 0, 0, 0)), Image.new("RGBA", (64, 64), (0, 255, 0, 255))]
    file = awkward.written(clear[0], "PNG", save_all=True, append_images=clear[1:], duration=400, loop=0)

    _, written = await made(file, "x", "video")

    pixel = first_frame(written).getpixel((32, 32))
    assert isinstance(pixel, tuple)
    assert min(pixel) > 245


CODECS = {
    "hevc": ("mp4", "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -x265-params log-level=none", "-c:a aac"),
    "vp9": ("webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8", "-c:a libopus"),
    "av1": ("mp4", "-c:v libsvtav1 -preset 12", "-c:a aac"),
    "prores": ("mov", "-c:v prores_ks -profile:v 3", "-c:a pcm_s16le"),
    "mjpeg": ("avi", "-c:v mjpeg -pix_fmt yuvj420p", "-c:a libmp3lame"),
    "ten bits": ("mkv", "-c:v libx264 -preset ultrafast -pix_fmt yuv422p10le", "-c:a flac"),
}  # fmt: skip


@pytest.mark.parametrize("name", CODECS)
async def test_any_codec_becomes_h264_and_aac(name: str, folder: Path) -> None:
    ending, video, audio = CODECS[name]
    one = film(folder / f"{name.replace(' ', '-')}.{ending}", video=video, audio=audio, seconds=3.5)

    result, written = await made(one, "linkedin", "video")

    assert result.footage is not None
    assert result.sound is not None
    assert (result.footage.codec, result.footage.depth, result.footage.chroma) == ("h264", 8, "420")
    assert (result.sound.codec, result.faststart, result.edits) == ("aac", True, "")
    assert result.seconds == pytest.approx(3.5, abs=0.15)
    assert awkward.quarters(first_frame(written)) == ["red", "green", "blue", "white"]


async def test_what_is_only_wrapped_anew_no_longer_says_where_it_was_made(folder: Path) -> None:
    place = "+52.5200+013.4050/"
    where = f"-metadata location={place} -metadata com.apple.quicktime.location.ISO6709={place}"
    one = film(folder / "located.mov", more=f"{where} -movflags use_metadata_tags")
    assert place.encode() in one.read_bytes()

    result, written = await made(one, "x", "video")

    assert place.encode() not in written
    assert not result.located


@pytest.mark.parametrize("curve", ["smpte2084", "arib-std-b67"])
async def test_hdr_becomes_what_every_screen_can_show(curve: str, folder: Path) -> None:
    result, written = await made(films.hdr(folder / f"{curve}.mov", curve, seconds=3.5), "instagram", "reel")

    assert result.footage is not None
    assert (result.footage.hdr, result.footage.wide, result.footage.depth) == ("", False, 8)
    assert awkward.quarters(first_frame(written)) == ["red", "green", "blue", "white"]


CARDS = {"smpte2084": (0.38, 0.58), "arib-std-b67": (0.38, 0.75)}  # of grey and of white, ITU-R BT.2408, table 1


@pytest.mark.parametrize("curve", CARDS)
async def test_what_was_grey_and_white_in_hdr_is_neither_dim_nor_burnt_out(curve: str, folder: Path) -> None:
    grey, white = (round(64 + 876 * each) for each in CARDS[curve])
    cards = f"format=yuv420p10le,geq=lum='if(lt(X,W/2),{grey},{white})':cb=512:cr=512"
    marked = f"{cards},setparams=range=tv:color_primaries=bt2020:color_trc={curve}:colorspace=bt2020nc"
    video = "-c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -tag:v hvc1 -x265-params log-level=none"
    one = film(folder / f"cards-{curve}.mov", size=(64, 64), fps="24", seconds=3.2, video=video, filters=marked)

    result, written = await made(one, "instagram", "reel")

    assert result.footage is not None
    assert (result.footage.hdr, result.footage.matrix) == ("", "709")
    shown = as_players_show(written)
    for place, (least, most) in {(16, 32): (100, 130), (48, 32): (205, 230)}.items():
        pixel = shown.getpixel(place)
        assert isinstance(pixel, tuple)
        assert least < min(pixel) <= max(pixel) < most, (place, pixel)


TOLD = {"nothing": "null", "601": "setparams=colorspace=smpte170m", "709": "scale=out_color_matrix=bt709"}


@pytest.mark.parametrize("told", TOLD)
async def test_colours_stay_what_they_are_where_a_size_changes_how_they_are_taken(told: str, folder: Path) -> None:
    """Small films that say nothing are meant in the colours of old television, large ones never are."""
    small = film(folder / f"told-{told}.mp4", size=(320, 180), seconds=3.2, filters=TOLD[told])

    result, written = await made(small, "facebook", "reel")

    assert (result.width, result.height) == (544, 960)
    assert result.footage is not None
    assert result.footage.matrix == "709"
    shown = as_players_show(written)
    for place, colour in {(135, 440): (255, 0, 0), (405, 440): (0, 255, 0), (135, 520): (0, 0, 255)}.items():
        pixel = shown.getpixel(place)
        assert isinstance(pixel, tuple)
        assert max(abs(one - other) for one, other in zip(pixel, colour, strict=True)) < 24, (place, pixel)


def as_players_show(video: bytes) -> Image.Image:
    """A frame, in the colours that the file says it has; by ffmpeg, which believes it."""
    with tempfile.NamedTemporaryFile(suffix=".mp4") as source, tempfile.NamedTemporaryFile(suffix=".png") as frame:
        source.write(video)
        source.flush()
        films.ffmpeg("-ss", "1", "-i", source.name, "-frames:v", "1", "-update", "1", frame.name)
        with Image.open(frame.name) as image:
            return image.convert("RGB")


@pytest.mark.parametrize("degrees", [90, 180, 270])
async def test_a_video_held_sideways_is_turned_for_good(degrees: int, folder: Path) -> None:
    plain = film(folder / f"plain{degrees}.mp4", seconds=3.2)
    turned = films.turned(folder / f"turned{degrees}.mov", plain, degrees)

    result, written = await made(turned, "instagram", "reel")

    assert result.footage is not None
    assert result.footage.rotation == 0
    assert (result.width, result.height) == ((180, 320) if degrees % 180 else (320, 180))
    expected = {90: "green white red blue", 180: "white blue green red", 270: "blue red white green"}
    assert awkward.quarters(first_frame(written)) == expected[degrees].split()


async def test_streams_that_are_taken_are_copied_bit_for_bit(folder: Path) -> None:
    plain = film(folder / "copied.mp4", seconds=3.2)

    result, written = await made(plain, "instagram", "reel")

    assert (result.faststart, result.edits) == (True, "")
    assert packets(written) == packets(plain.read_bytes())


def packets(video: bytes) -> list[bytes]:
    with av.open(io.BytesIO(video)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


async def test_timing_size_and_sound_are_put_right(folder: Path) -> None:
    uneven, _ = await made(films.uneven(folder / "uneven.mp4"), "x", "video")
    fast, _ = await made(film(folder / "fast.mp4", fps="240", seconds=1), "x", "video")
    odd, _ = await made(film(folder / "odd.webm", size=(321, 181), video="-c:v libvpx -cpu-used 8 -deadline realtime",
                             audio="-c:a libvorbis"), "x", "video")  # fmt: skip
    silent, _ = await made(film(folder / "silent.mp4", size=(540, 960), audio=None, seconds=3.2), "facebook", "reel")
    surround, _ = await made(film(folder / "surround.mp4", channels=6, seconds=3.2), "instagram", "reel")

    assert uneven.footage is not None
    assert fast.footage is not None
    assert silent.sound is not None
    assert surround.sound is not None
    assert uneven.footage.steady
    assert fast.footage.fps == pytest.approx(60, abs=0.1)
    assert (odd.width % 2, odd.height % 2) == (0, 0)
    assert silent.sound.codec == "aac"
    assert surround.sound.channels == 2


async def test_what_is_chosen_of_a_long_video_is_what_is_shown(folder: Path) -> None:
    long = film(folder / "long.mp4", seconds=12, fps="25")

    result, _ = await made(long, "x", "video", start=4.0, end=6.5)

    assert result.seconds == pytest.approx(2.5, abs=0.1)


async def test_what_is_too_small_in_bytes_is_padded_and_still_plays(folder: Path) -> None:
    tiny = film(folder / "tiny.mp4", size=(160, 90), seconds=3.2, audio=None, filters="format=gray,lutyuv=y=16")

    result, written = await made(tiny, "linkedin", "video")

    assert result.bytes >= 75_000
    assert first_frame(written).size == (160, 90)


async def test_two_passes_hit_the_size_that_is_asked_for(folder: Path) -> None:
    from social.files import Videos  # noqa: PLC0415
    from social.media.fit_videos import fit_video  # noqa: PLC0415

    noisy = film(folder / "noisy.mp4", size=(640, 360), seconds=6, filters="noise=alls=60:allf=t")
    facts = await probe(OnDisk(io.BytesIO(noisy.read_bytes())))
    verdict = fit_video(facts, Videos(bytes=400_000, seconds=(0.1, 60)), Choice(), "Nobody")
    assert isinstance(verdict, Converts)
    with nameless(noisy.read_bytes()) as source, nameless() as target:
        result = await rendered(verdict.plan, facts, source, target, lambda done: None)

    assert 200_000 < result.bytes <= 400_000


async def test_nothing_of_where_it_was_filmed_is_left(folder: Path) -> None:
    tagged = films.tagged(folder / "tagged.mov")

    _, written = await made(tagged, "x", "video", start=0.5)

    assert b"Secret" not in written
    assert b"+52.52" not in written


async def test_a_conversion_that_is_given_up_leaves_no_process_behind(folder: Path) -> None:
    long = film(folder / "endless.mp4", size=(1280, 720), seconds=30, video="-c:v mpeg4 -q:v 5")
    plan, facts = await plan_of(long.read_bytes(), "x", "video")
    with nameless(long.read_bytes()) as source, nameless() as target:
        begun = asyncio.Event()
        task = asyncio.create_task(rendered(plan, facts, source, target, lambda done: begun.set()))
        async with asyncio.timeout(60):
            await begun.wait()
        children = psutil.Process().children(recursive=True)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    deadline = time.monotonic() + 10
    while any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children if _ours(child)):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def _ours(child: psutil.Process) -> bool:
    try:
        return "ffmpeg" in child.name()
    except psutil.NoSuchProcess:
        return False


async def test_a_video_of_which_half_is_damaged_is_refused_in_words(folder: Path) -> None:
    content = bytearray(film(folder / "damaged.mkv", video="-c:v mpeg4 -q:v 3", seconds=4).read_bytes())
    plan, facts = await plan_of(bytes(content), "x", "video")
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    with (
        nameless(bytes(content)) as source,
        nameless() as target,
        pytest.raises(Invalid, match="is damaged") as refused,
    ):
        await rendered(plan, facts, source, target, lambda done: None)
    assert refused.value.facts["code"] == "breaks-off"


async def test_without_room_on_the_disk_nothing_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, facts = await plan_of(awkward.png(), "instagram", "picture")
    monkeypatch.setattr(rendering, "ROOM_KEPT", 2**60)
    with nameless(awkward.png()) as source, nameless() as target, pytest.raises(Unavailable):
        await rendered(plan, facts, source, target, lambda done: None)


@pytest.mark.parametrize("kind", ["picture", "video"])
async def test_a_machine_without_time_is_no_fault_of_the_file(
    kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = awkward.png() if kind == "picture" else film(folder / "busy.mp4", video="-c:v mpeg4").read_bytes()
    plan, facts = await plan_of(content, "instagram" if kind == "picture" else "x", kind)
    monkeypatch.setattr(rendering, "PICTURE_PATIENCE", 0.05)
    monkeypatch.setattr(rendering, "PATIENCE_PER_WORK", 0.0001)
    with nameless(content) as source, nameless() as target, pytest.raises(Unavailable, match="tried again later"):
        await rendered(plan, facts, source, target, lambda done: None)


@pytest.mark.parametrize(("kind", "program"), [("picture", "social.media.redraw"), ("video", "ffmpeg")])
async def test_a_conversion_that_the_system_ends_for_want_of_memory_is_no_fault_of_the_file(
    kind: str, program: str, folder: Path
) -> None:
    content = awkward.png() if kind == "picture" else film(folder / "ended.mp4", video="-c:v mpeg4").read_bytes()
    plan, facts = await plan_of(content, "instagram" if kind == "picture" else "x", kind)
    killing = asyncio.create_task(memory_runs_out(program))
    with nameless(content) as source, nameless() as target, pytest.raises(Unavailable, match="memory runs out"):
        await rendered(plan, facts, source, target, lambda done: None)
    await killing


async def test_a_file_that_takes_more_memory_than_is_given_to_one_is_refused_in_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = film(folder / "much.mp4", size=(1920, 1080), seconds=1, video="-c:v mpeg4 -q:v 3").read_bytes()
    plan, facts = await plan_of(content, "x", "video")
    monkeypatch.setattr(rendering, "MEMORY", 300 * 2**20)
    with nameless(content) as source, nameless() as target, pytest.raises(Invalid, match="more work than is given"):
        await rendered(plan, facts, source, target, lambda done: None)


async def test_a_file_that_takes_too_much_work_is_refused_in_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = film(folder / "hard.mp4", size=(1920, 1080), seconds=20, video="-c:v mpeg4 -q:v 3").read_bytes()
    plan, facts = await plan_of(content, "x", "video")
    monkeypatch.setattr(rendering, "VIDEO_WORK", (1.0, 0.0))
    monkeypatch.setattr(rendering, "PATIENCE_PER_WORK", 120)
    with nameless(content) as source, nameless() as target, pytest.raises(Invalid, match="more work than is given"):
        await rendered(plan, facts, source, target, lambda done: None)


async def test_a_file_that_breaks_on_the_way_is_refused_in_words(folder: Path) -> None:
    content = film(folder / "breaks.mp4", video="-c:v mpeg4").read_bytes()
    plan, facts = await plan_of(content, "x", "video")
    with nameless(os.urandom(len(content))) as source, nameless() as target, pytest.raises(Invalid, match="converted"):
        await rendered(plan, facts, source, target, lambda done: None)
