"""Awkward files of every kind, to be tried on every platform: made by Pillow and ffmpeg, or by hand."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tests.media import awkward, films
from tests.media.films import film

Make = Callable[[Path], Path]  # writes the file that belongs to a path, and answers where it is


@dataclass(frozen=True)
class Sample:
    """One file that can be made. `name` says what is awkward about it, with the ending it pretends to have."""

    name: str
    make: Make

    def made(self, folder: Path) -> Path:
        """The file, in `folder`."""
        return self.make(folder / self.name.replace(" ", "_"))


def every() -> list[Sample]:
    """All of them, pictures and videos in turns, so that any part is a fair sample."""
    pictures, videos = list(_pictures()), list(_videos())
    mixed = [each for pair in zip(pictures, videos, strict=False) for each in pair]
    return mixed + pictures[len(videos) :] + videos[len(pictures) :]


def _written(content: Callable[[], bytes]) -> Make:
    def make(path: Path) -> Path:
        path.write_bytes(content())
        return path

    return make


def _pictures() -> Iterator[Sample]:
    corners = awkward.corners
    makers: dict[str, Callable[..., bytes]] = {
        "jpg": awkward.jpeg, "png": awkward.png, "webp": awkward.webp, "heic": awkward.heic, "avif": awkward.avif,
        "tif": awkward.tiff,
    }  # fmt: skip
    sizes = {"plain": (960, 640), "tall": (300, 1600), "wide": (2400, 500), "odd": (333, 217)}
    for ending, make in makers.items():
        for word, size in sizes.items():
            yield Sample(f"{word}.{ending}", _written(lambda make=make, size=size: make(corners(*size))))
        turned = _written(lambda make=make: make(corners(640, 480), 6))
        yield Sample(f"turned.{ending}", turned)
        yield Sample(f"half.{ending}", _written(lambda make=make: (file := make(corners()))[: len(file) // 2]))
    for ending, format in {"png": "PNG", "webp": "WEBP", "bmp": "BMP", "jpg": "JPEG"}.items():
        for size in ((1, 1), (5000, 1), (1, 5000)):
            one = _written(lambda format=format, size=size: awkward.written(Image.new("RGB", size), format))
            yield Sample(f"{size[0]} by {size[1]}.{ending}", one)
    modes = {"grey": "L", "palette": "P", "two colours": "1", "16 bits": "I;16", "clear": "RGBA", "clear grey": "LA"}
    for word, mode in modes.items():
        yield Sample(f"{word}.png", _written(lambda mode=mode: awkward.written(corners(500, 400, mode), "PNG")))
    yield Sample("print.jpg", _written(lambda: awkward.written(corners(500, 400, "CMYK"), "JPEG")))
    yield Sample("print.tif", _written(lambda: awkward.written(corners(500, 400, "CMYK"), "TIFF")))
    yield Sample("heavy.png", _written(lambda: awkward.written(awkward.noise(1900, 1500), "PNG")))
    yield Sample("heavy.jpg", _written(lambda: awkward.written(awkward.noise(3000, 2400), "JPEG", quality=95)))
    yield Sample("heavy and clear.png", _written(lambda: awkward.written(awkward.noise(1500, 1200, "RGBA"), "PNG")))
    yield Sample("40 megapixels.jpg", _written(lambda: awkward.written(corners(8000, 5000), "JPEG", quality=60)))
    yield Sample("12000 by 9000.png", _written(lambda: awkward.written(Image.new("1", (12_000, 9_000)), "PNG")))
    yield Sample("moving.gif", _written(awkward.moving_gif))
    yield Sample("moving.webp", _written(awkward.moving_webp))
    yield Sample("moving.png", _written(awkward.moving_png))
    yield Sample("large and moving.gif", _written(_large_gif))
    yield Sample("2000 frames.gif", _written(lambda: awkward.long_gif(2000)))
    yield Sample("2001 frames.gif", _written(lambda: awkward.long_gif(2001)))
    yield Sample("web page in it.gif", _written(awkward.web_page_in_a_gif))
    yield Sample("claims 65535.png", _written(lambda: awkward.png_that_claims(65_535, 65_535)))
    yield Sample("claims the most.webp", _written(awkward.webp_that_claims_the_most))
    yield Sample("a png called.jpg", _written(awkward.png))
    yield Sample("empty.jpg", _written(bytes))
    yield Sample("zeros.png", _written(lambda: bytes(5000)))
    yield Sample("drawing.svg", _written(lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>"))
    yield Sample("page.jpg", _written(lambda: b"<!doctype html><script>alert(1)</script>"))
    yield Sample("document.pdf", _written(lambda: b"%PDF-1.7\n"))
    yield Sample("zip behind it.jpg", _written(lambda: awkward.jpeg() + b"PK\x03\x04" + bytes(2000)))


def _large_gif() -> bytes:
    first, *others = [awkward.corners(1400, 1200).rotate(turn * 90) for turn in range(3)]
    return awkward.written(first, "GIF", save_all=True, append_images=others, duration=200, loop=0)


X264 = "-c:v libx264 -preset ultrafast -pix_fmt "
X265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none -pix_fmt "
LONG = 4.2  # seconds, enough for every platform's shortest


def _film(**given: object) -> Make:
    return lambda path: film(path, **{"seconds": LONG, **given})  # type: ignore[arg-type]


def _videos() -> Iterator[Sample]:
    for ending in ("mp4", "mov", "mkv", "ts", "3gp", "m4v"):
        yield Sample(f"plain.{ending}", _film())
    codecs = {
        "hevc.mp4": X265 + "yuv420p -tag:v hvc1", "hevc.mkv": X265 + "yuv420p", "ten bits.mkv": X264 + "yuv420p10le",
        "4 2 2.mov": X264 + "yuv422p", "4 4 4.mp4": X264 + "yuv444p", "full range.mp4": X264 + "yuvj420p",
        "prores.mov": "-c:v prores_ks -profile:v 3",
        "clear prores.mov": "-c:v prores_ks -profile:v 4444 -pix_fmt yuva444p10le",
        "av1.mp4": "-c:v libsvtav1 -preset 12", "mpeg4.avi": "-c:v mpeg4", "mjpeg.mov": "-c:v mjpeg -pix_fmt yuvj420p",
        "mpeg2.ts": "-c:v mpeg2video -q:v 5",
    }  # fmt: skip
    for name, video in codecs.items():
        audio = "-c:a pcm_s16le" if name.endswith("mov") else "-c:a libmp3lame" if name.endswith("avi") else "-c:a aac"
        yield Sample(name, _film(video=video, audio=audio))
    quick = "-deadline realtime -cpu-used 8"
    yield Sample("vp8.webm", _film(video=f"-c:v libvpx {quick}", audio="-c:a libvorbis"))
    yield Sample("vp9.webm", _film(video=f"-c:v libvpx-vp9 {quick}", audio="-c:a libopus"))
    yield Sample("vp9.mp4", _film(video=f"-c:v libvpx-vp9 {quick}", audio="-c:a libopus"))
    yield Sample("clear.webm", _film(video=f"-c:v libvpx-vp9 -pix_fmt yuva420p {quick}", audio=None))
    yield Sample("pq.mp4", lambda path: films.hdr(path, "smpte2084", seconds=LONG))
    yield Sample("hlg.mov", lambda path: films.hdr(path, "arib-std-b67", seconds=LONG))
    for degrees in (90, 180, 270):
        yield Sample(f"turned by {degrees}.mov", _turned(degrees))
    sizes = {"2 by 2": (2, 2), "odd": (333, 217), "thin": (640, 60), "slim": (64, 640), "square": (480, 480),
             "upright": (540, 960), "large": (1920, 1080), "4k": (3840, 2160)}  # fmt: skip
    for word, size in sizes.items():
        pixels = "yuv444p" if size[0] % 2 else "yuv420p"
        yield Sample(f"{word}.mp4", _film(size=size, video=X264 + pixels, fps="12" if size[0] > 3000 else "24"))
    for fps in ("1", "12", "24000/1001", "30000/1001", "50", "60", "120", "240"):
        yield Sample(f"{fps.replace('/', ' over ')} fps.mp4", _film(fps=fps))
    yield Sample("uneven.mp4", films.uneven)
    yield Sample("interlaced.mp4", _film(video=X264 + "yuv420p -flags +ilme+ildct -x264-params interlaced=1:tff=1"))
    yield Sample("wide pixels.mp4", _film(size=(360, 288), filters="setsar=16/11"))
    yield Sample("no sound.mp4", _film(audio=None))
    for channels, word in ((1, "mono"), (6, "five one")):
        yield Sample(f"{word}.mp4", _film(channels=channels))
    yield Sample("8 kHz.mp4", _film(rate=8000))
    yield Sample("96 kHz.mp4", _film(rate=96_000))
    yield Sample("flac.mkv", _film(audio="-c:a flac"))
    yield Sample("index first.mp4", _film(more="-movflags +faststart"))
    yield Sample("no edit list.mp4", _film(more="-use_editlist 0"))
    yield Sample("in fragments.mp4", _film(more="-movflags frag_keyframe+empty_moov"))
    yield Sample("cut.mp4", _cut)
    yield Sample("told where.mov", films.tagged)
    for seconds in (0.2, 1.0, 3.0, 62.0, 95.0, 150.0):
        yield Sample(f"{seconds} s.mp4", _film(seconds=seconds, size=(160, 90), fps="10"))
    yield Sample("11 minutes.mp4", _film(seconds=660.0, size=(64, 36), fps="5", audio=None))
    yield Sample("3 hours.mp4", _film(seconds=10_800.0, size=(32, 32), fps="1", audio=None))
    yield Sample("tiny in bytes.mp4", _film(size=(64, 64), fps="24", audio=None, filters="lutyuv=y=16:u=128:v=128"))
    yield Sample("noisy.mp4", _film(size=(640, 360), filters="noise=alls=90:allf=t", video=X264 + "yuv420p -b:v 60M"))
    yield Sample("half.mp4", _half())
    yield Sample("half.mkv", _half())
    yield Sample("half streamed.mkv", _half("-f matroska -live 1"))
    yield Sample("old colours.mp4", _film(filters="scale=out_color_matrix=smpte170m"))
    yield Sample("half of an index first.mp4", _half("-movflags +faststart"))
    yield Sample("only its start.mp4", _written(lambda: films.box(b"ftyp", b"isom\x00\x00\x02\x00isom")))
    yield Sample("playlist.mp4", _written(films.playlist_in_an_mp4))
    yield Sample("playlist.m3u8", _written(lambda: b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n"))
    yield Sample("list.mp4", _written(lambda: b"ffconcat version 1.0\nfile /etc/passwd\n"))
    yield Sample("points elsewhere.mov", _pointing)
    yield Sample("empty.mp4", _written(bytes))
    yield Sample("sound.m4a", _sound)
    yield Sample("zip behind it.mp4", _behind(b"PK\x03\x04" + bytes(2000)))
    yield Sample("a film called.jpg", _renamed("mp4"))


def _turned(degrees: int) -> Make:
    return lambda path: films.turned(path, film(path.with_suffix(".mp4"), seconds=LONG), degrees)


def _cut(path: Path) -> Path:
    films.ffmpeg("-ss", "1.1", "-i", film(path.with_suffix(".mov"), seconds=6, more="-g 90"), "-c", "copy", path)
    return path


def _half(more: str = "") -> Make:
    def make(path: Path) -> Path:
        whole = film(path, seconds=LONG, more=more).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        return path

    return make


def _pointing(path: Path) -> Path:
    path.write_bytes(films.reference_in_a_mov(film(path, seconds=LONG).read_bytes()))
    return path


def _sound(path: Path) -> Path:
    films.ffmpeg("-f", "lavfi", "-i", "sine=d=1", path)
    return path


def _behind(more: bytes) -> Make:
    def make(path: Path) -> Path:
        path.write_bytes(film(path, seconds=LONG).read_bytes() + more)
        return path

    return make


def _renamed(ending: str) -> Make:
    return lambda path: film(path.with_suffix(f".{ending}"), seconds=LONG).rename(path)
