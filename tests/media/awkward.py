"""Picture files as cameras, phones, programs and attackers make them."""

import io
import struct
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pillow_heif
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

pillow_heif.register_heif_opener()

SECRET = "Secret Street 12"  # written into every place that a format has for words
ORIENTATION, MAKE, GPS = 0x0112, 0x010F, 0x8825
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
XMP = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><place>{SECRET}</place></x:xmpmeta>'.encode()
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def corners(width: int = 96, height: int = 64, mode: str = "RGB") -> Image.Image:
    """Red, green, blue and white quarters, so that it shows which way up it is."""
    picture = Image.new("RGB", (width, height), WHITE)
    picture.paste(RED, (0, 0, width // 2, height // 2))
    picture.paste(GREEN, (width // 2, 0, width, height // 2))
    picture.paste(BLUE, (0, height // 2, width // 2, height))
    return picture.convert(mode)


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """What no compression makes small."""
    bands = [Image.effect_noise((width, height), 100) for _ in range(3)]
    return Image.merge("RGB", bands).convert(mode)


def written(picture: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def exif(orientation: int = 1) -> bytes:
    """With a camera's name and the place where it was."""
    return _tags(orientation).tobytes()


def _tags(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[ORIENTATION], tags[MAKE] = orientation, SECRET
    place = tags.get_ifd(GPS)
    place[1], place[2], place[3], place[4] = "N", (52.0, 31.0, 12.5), "E", (13.0, 24.0, 36.5)
    return tags


def jpeg(picture: Image.Image | None = None, orientation: int = 1, **options: Any) -> bytes:
    """As a phone makes it."""
    given = {"quality": 88, "exif": exif(orientation), "comment": SECRET.encode(), "xmp": XMP, "icc_profile": SRGB}
    return written(picture or corners(), "JPEG", **{**given, **options})


def png(picture: Image.Image | None = None, orientation: int = 1, **options: Any) -> bytes:
    words = PngInfo()
    words.add_text("Location", SECRET)
    words.add_itxt("XML:com.adobe.xmp", XMP.decode(), zip=False)
    return written(picture or corners(), "PNG", pnginfo=words, exif=exif(orientation), icc_profile=SRGB, **options)


def webp(picture: Image.Image | None = None, orientation: int = 1, **options: Any) -> bytes:
    return written(picture or corners(), "WEBP", exif=exif(orientation), xmp=XMP, icc_profile=SRGB, **options)


def heic(picture: Image.Image | None = None, orientation: int = 1) -> bytes:
    return written(picture or corners(), "HEIF", exif=exif(orientation), xmp=XMP, quality=90)


def avif(picture: Image.Image | None = None, orientation: int = 1) -> bytes:
    return written(picture or corners(), "AVIF", exif=exif(orientation), xmp=XMP, quality=90)


def tiff(picture: Image.Image | None = None, orientation: int = 1) -> bytes:
    """As a scanner makes it."""
    return written(picture or corners(), "TIFF", compression="tiff_lzw", tiffinfo=_tags(orientation), icc_profile=SRGB)


def frames(count: int = 5) -> list[Image.Image]:
    return [corners().rotate(n * 90) for n in range(count)]


def moving(format: str, **options: Any) -> bytes:
    """Five frames of a tenth of a second, for ever."""
    first, *others = frames()
    return written(first, format, save_all=True, append_images=others, duration=100, loop=0, **options)


def moving_gif() -> bytes:
    return moving("GIF", comment=SECRET.encode())


def moving_webp() -> bytes:
    return moving("WEBP", exif=exif(), xmp=XMP, icc_profile=SRGB, lossless=True)


def moving_png() -> bytes:
    return moving("PNG", exif=exif())


def long_gif(count: int) -> bytes:
    """A GIF of `count` tiny frames, built by hand: Pillow would put equal ones together."""
    still = written(Image.new("P", (1, 1)), "GIF")
    head, frame = still[:13] + still[13 : 13 + _colours(still)], still[13 + _colours(still) : -1]
    return head + frame * count + b";"


def png_that_claims(width: int, height: int) -> bytes:
    """A few bytes that announce a huge picture."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"")) + _chunk(b"IEND", b"")


def webp_that_claims_the_most() -> bytes:
    """A WebP with a canvas of 16,384 × 16,384, for which a reader would make room at once."""
    file = bytearray(written(corners(mode="RGBA"), "WEBP", exif=exif()))
    canvas = file.index(b"VP8X") + 12
    file[canvas : canvas + 6] = b"\xff\x3f\x00" * 2
    return bytes(file)


def web_page_in_a_gif() -> bytes:
    """A GIF that plays, and a page that runs."""
    script = b"<html><script>alert(document.cookie)</script></html>"
    return written(corners(mode="P"), "GIF", comment=script) + script


async def in_pieces(file: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    """As it comes from a socket."""
    for start in range(0, len(file), size):
        yield file[start : start + size]


def read(file: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(file))
    picture.load()
    return picture


def tells(file: bytes) -> list[str]:
    """Everything in the file that is not the picture."""
    picture = read(file)
    found: list[str] = [
        name for name in ("exif", "xmp", "XML:com.adobe.xmp", "comment", "Location") if name in picture.info
    ]
    found += [str(tag) for tag in picture.getexif()]
    return found + [SECRET] * (SECRET.encode() in file)


def quarters(picture: Image.Image) -> list[str]:
    """The colours from top left to bottom right, as one sees them."""
    names = {RED: "red", GREEN: "green", BLUE: "blue", WHITE: "white"}
    plain = picture.convert("RGB")
    across, down = (plain.width // 4, plain.width * 3 // 4), (plain.height // 4, plain.height * 3 // 4)
    seen = [plain.getpixel((x, y)) for y in down for x in across]
    return [min(names.items(), key=lambda known: _apart(known[0], pixel))[1] for pixel in seen]


def _apart(one: Any, other: Any) -> int:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))


def _colours(gif: bytes) -> int:
    return 3 << ((gif[10] & 7) + 1) if gif[10] & 0x80 else 0


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
