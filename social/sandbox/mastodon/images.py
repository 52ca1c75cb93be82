"""What is in an uploaded file: type by content, then for pictures size, preview and blurhash. Sheet: Limits.

Runs in a thread: a large picture is decoded whole, which is the only way to know that it is whole.
"""

import math
from pathlib import Path
from typing import NamedTuple

import filetype
from PIL import Image, ImageOps, UnidentifiedImageError

from social.sandbox.mastodon.errors import BAD_FILE, TOO_BIG, TOO_MANY_PIXELS, Refused

IMAGE_BYTES = 16_777_216
IMAGE_PIXELS = 33_177_600
IMAGE_KEPT_PIXELS = 8_294_400  # larger ones are scaled down to this
VIDEO_BYTES = 103_809_024
VIDEO_PIXELS = 8_294_400
FRAME_RATE = 120
GIF_PIXELS = 1_000_000
PREVIEW_PIXELS = 230_400

IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/heic", "image/heif", "image/webp", "image/avif")
VIDEO_TYPES = ("video/webm", "video/mp4", "video/quicktime", "video/ogg")
AUDIO_TYPES = (
    "audio/wave", "audio/wav", "audio/x-wav", "audio/x-pn-wave", "audio/vnd.wave", "audio/ogg", "audio/vorbis",
    "audio/mpeg", "audio/mp3", "audio/webm", "audio/flac", "audio/aac", "audio/m4a", "audio/x-m4a", "audio/mp4",
    "audio/3gpp", "video/x-ms-asf",
)  # fmt: skip

_SNIFFED = {
    "image/jpeg": ("image", "image/jpeg", "jpg"),
    "image/png": ("image", "image/png", "png"),
    "image/apng": ("image", "image/png", "png"),
    "image/gif": ("image", "image/gif", "gif"),
    "image/webp": ("image", "image/webp", "webp"),
    "image/heic": ("image", "image/heic", "heic"),
    "image/avif": ("image", "image/avif", "avif"),
    "video/mp4": ("video", "video/mp4", "mp4"),
    "video/x-m4v": ("video", "video/mp4", "mp4"),
    "video/webm": ("video", "video/webm", "webm"),
    "video/quicktime": ("video", "video/quicktime", "mov"),
    "audio/mpeg": ("audio", "audio/mpeg", "mp3"),
    "audio/ogg": ("audio", "audio/ogg", "ogg"),
    "audio/x-wav": ("audio", "audio/wav", "wav"),
    "audio/x-flac": ("audio", "audio/flac", "flac"),
    "audio/aac": ("audio", "audio/aac", "aac"),
    "audio/mp4": ("audio", "audio/mp4", "m4a"),
    "video/3gpp": ("audio", "audio/3gpp", "3gp"),
}
_SHOWN_AS_JPEG = {"heic", "avif"}  # what not every browser shows is converted


class File(NamedTuple):
    kind: str  # image, gifv, video, audio
    mime: str
    name: str  # of the file in `folder`
    size: tuple[int, int] | None = None
    preview: str | None = None
    preview_size: tuple[int, int] | None = None
    blurhash: str | None = None


def taken_in(path: Path, declared: str, folder: Path, name: str) -> File:
    """Checks the file and moves it to `folder` as `name` and its extension. Raises Refused 422."""
    sniffed = filetype.guess(str(path))
    if sniffed is None or sniffed.mime not in _SNIFFED:
        raise Refused(422, BAD_FILE)
    kind, mime, extension = _SNIFFED[sniffed.mime]
    if kind == "audio" and declared == "video/ogg":  # the container says nothing about what is in it
        kind, mime = "video", "video/ogg"
    limit = IMAGE_BYTES if kind == "image" else VIDEO_BYTES
    if path.stat().st_size > limit:
        raise Refused(422, TOO_BIG, max=f"{limit // 2**20} MB")
    if kind != "image":
        path.rename(folder / f"{name}.{extension}")
        return File(kind, mime, f"{name}.{extension}")
    try:
        return _picture(path, folder, name, mime, extension)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise Refused(422, BAD_FILE) from error  # Pillow says "broken" in all these ways


def _picture(path: Path, folder: Path, name: str, mime: str, extension: str) -> File:
    with Image.open(path) as opened:
        animated = mime == "image/gif" and getattr(opened, "n_frames", 1) > 1
        _refuse_many_pixels(opened.size, GIF_PIXELS if animated else IMAGE_PIXELS)
        opened.load()
        picture = ImageOps.exif_transpose(opened)
    turned = picture.size != opened.size
    preview = picture.convert("RGBA" if picture.mode in ("P", "LA", "RGBA", "PA") else "RGB")
    preview.thumbnail(_fitting(picture.size, PREVIEW_PIXELS))
    preview_extension = "png" if preview.mode == "RGBA" else "jpg"
    preview.save(folder / f"{name}.small.{preview_extension}", quality=85)
    converted = extension in _SHOWN_AS_JPEG
    size = picture.size
    if not animated and (converted or turned or size[0] * size[1] > IMAGE_KEPT_PIXELS):
        size = _fitting(size, IMAGE_KEPT_PIXELS)
        extension, mime = ("jpg", "image/jpeg") if converted else (extension, mime)
        kept = picture.convert("RGB") if extension == "jpg" else picture
        kept.resize(size).save(folder / f"{name}.{extension}", quality=90)
        path.unlink()
    else:
        path.rename(folder / f"{name}.{extension}")
    return File(
        "gifv" if animated else "image", mime, f"{name}.{extension}", size,
        f"{name}.small.{preview_extension}", preview.size, _blurhash(preview),
    )  # fmt: skip


def _refuse_many_pixels(size: tuple[int, int], limit: int) -> None:
    width, height = size
    if width * height > limit:
        raise Refused(422, TOO_MANY_PIXELS, width=width, height=height)


def _fitting(size: tuple[int, int], pixels: int) -> tuple[int, int]:
    """The same shape with at most so many pixels, never larger than it was."""
    width, height = size
    scale = min(1.0, math.sqrt(pixels / (width * height)))
    return max(1, round(width * scale)), max(1, round(height * scale))


_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"


def _blurhash(picture: Image.Image) -> str:
    """A true blurhash of one component: the average colour. The original sends more of them."""
    average = picture.convert("RGB").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    assert isinstance(average, tuple)
    red, green, blue = (int(part) for part in average)
    value, digits = (red << 16) + (green << 8) + blue, ""
    for _ in range(4):
        value, digit = divmod(value, 83)
        digits = _DIGITS[digit] + digits
    return "00" + digits
