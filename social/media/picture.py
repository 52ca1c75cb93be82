"""What a picture is and how it goes out: looked at, turned upright, rid of what its camera wrote, made small.

Runs in `workbench`, a child process, on files that strangers made. Pillow reads only the format that the file's first
bytes announce.
"""

import base64
import importlib
import io
import struct
from typing import Any, BinaryIO, cast

from PIL import GifImagePlugin, Image, ImageCms, ImageFile, ImageOps, JpegImagePlugin, PngImagePlugin

from social.files import Probe
from social.media import containers
from social.media.kinds import Kind
from social.media.outcomes import STILL, Made, Refusal, Unusable

PIXELS = 50_000_000
FRAMES = 2_000
ANIMATED_PIXELS = 1_000_000_000  # over all frames; 10 to 20 s of decoding
SIDE = 640  # of a thumbnail
TINY = 16  # of a placeholder
JPEG_QUALITY = 92
ICC_MOST = 1_000_000  # bytes; real profiles have a few thousand
TEXT_MOST = 16 * 2**20  # bytes of words in a PNG, unpacked; some programs put whole documents there
ORIENTATION = 0x0112  # Exif; 1 is upright

FORMATS: dict[Kind, str] = {
    "jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "heic": "HEIF", "avif": "AVIF",
    "tiff": "TIFF", "bmp": "BMP",
}  # fmt: skip
DECODERS: dict[Kind, str] = {  # Pillow's own way to them is to load all that it has, which takes a picture's time again
    "webp": "PIL.WebPImagePlugin", "avif": "PIL.AvifImagePlugin", "tiff": "PIL.TiffImagePlugin",
    "heic": "pillow_heif.HeifImagePlugin",
}  # fmt: skip
COPIED = {"png": containers.png, "webp": containers.webp, "gif": containers.gif}
UNREADABLE = (  # what Pillow and its decoders were seen to raise on damaged files
    OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, RuntimeError, struct.error,
)  # fmt: skip
BROKEN = "This picture cannot be read: a part of it is missing or damaged. Save it anew and try again."


def made(kind: Kind, source: BinaryIO, clean: BinaryIO, thumbnail: BinaryIO) -> Made | Unusable:
    """Reads `source`, and writes what goes out into `clean` and a small copy into `thumbnail`.

    OSError with its number where the disk or our own limits are at fault.
    """
    try:
        return _made(kind, source, clean, thumbnail)
    except Refusal as refusal:
        return refusal.unusable()
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's; Pillow's own have no number
        return Unusable(sentence=BROKEN, code="broken")


def _made(kind: Kind, source: BinaryIO, clean: BinaryIO, thumbnail: BinaryIO) -> Made:
    image = opened(kind, source)
    animated = _decoded(kind, image)
    upright = seen(image, animated)
    if kind in COPIED and upright is image:
        source.seek(0)
        mime, written = f"image/{kind}", COPIED[kind](source.read())
    else:
        mime, written = _drawn(kind, image, upright)
    clean.write(written)
    small = _within(upright, SIDE)
    thumbnail.write(encoded(small, "WEBP", quality=80, icc_profile=profile_of(upright)))
    return Made(
        mime=mime,
        width=upright.width,
        height=upright.height,
        animated=animated,
        placeholder=placeholder(small),
        thumbnail_mime=STILL,
        probe=_probe(cast(Kind, mime.removeprefix("image/")), upright, written),
    )


def probed(kind: Kind, file: BinaryIO, size: int) -> Probe:
    """What a picture is, from its header. Refusal in words."""
    try:
        image = opened(kind, file)
        animated = kind in COPIED and getattr(image, "is_animated", False)
        file.seek(0)
        return _probe(kind, image, file.read() if animated else b"", size)
    except UNREADABLE as error:
        raise Refusal(BROKEN, "broken") from error


def _probe(kind: Kind, image: Image.Image, written: bytes, size: int | None = None) -> Probe:
    """Of `image`, which stands in a file of that kind: `written`, which may be left out where it does not move."""
    frames, seconds = containers.timing(kind, written)
    turned = _is_turned(image) and image.getexif().get(ORIENTATION) in range(5, 9)
    width, height = (image.height, image.width) if turned else image.size
    return Probe(
        mime=f"image/{kind}",
        bytes=size if size is not None else len(written),
        width=width,
        height=height,
        frames=frames,
        seconds=seconds,
        alpha=image.has_transparency_data,
        profiled=image.mode == "CMYK" or not _is_srgb(profile_of(image)),
    )


def _is_srgb(profile: bytes | None) -> bool:
    """Whether a profile says what is meant without one anyway."""
    if profile is None:
        return True
    try:
        named = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError):
        return False
    return "srgb" in named.casefold()


def still(image: Image.Image, thumbnail: BinaryIO) -> str:
    """Writes a small copy of a video's frame, and answers its placeholder."""
    small = _within(image, SIDE)
    thumbnail.write(encoded(small, "WEBP", quality=80))
    return placeholder(small)


def opened(kind: Kind, source: BinaryIO) -> ImageFile.ImageFile:
    """The picture, its header read and its size found bearable, nothing decoded yet."""
    Image.MAX_IMAGE_PIXELS = None  # ours is the limit, with better words
    PngImagePlugin.MAX_TEXT_CHUNK = TEXT_MOST
    GifImagePlugin.LOADING_STRATEGY = GifImagePlugin.LoadingStrategy.RGB_AFTER_DIFFERENT_PALETTE_ONLY
    if kind in DECODERS:
        importlib.import_module(DECODERS[kind])
    if kind == "webp":  # Pillow makes room for the whole canvas as soon as it opens one
        _check_size(*containers.webp_size(source.read(30)))
        source.seek(0)
    image = Image.open(source, formats=[FORMATS[kind]])
    _check_size(*image.size)
    return image


def _check_size(width: int, height: int) -> None:
    if width * height > PIXELS:
        raise Refusal(
            f"This picture has {width:,} × {height:,} pixels, which is {width * height / 1e6:,.0f} megapixels; "
            f"at most {PIXELS // 1_000_000} are taken. Make it smaller and try again.",
            "too-big",
        )


def _decoded(kind: Kind, image: ImageFile.ImageFile) -> bool:
    """Decodes every frame, for damage shows only then, and goes back to the first. Answers whether it moves."""
    frames = getattr(image, "n_frames", 1) if kind in COPIED else 1  # in others, more pictures are not an animation
    if frames > FRAMES or frames * image.width * image.height > ANIMATED_PIXELS:
        raise Refusal(
            f"This animation has {frames:,} frames of {image.width:,} × {image.height:,} pixels, "
            "which is more than is taken. Make it shorter or smaller and try again.",
            "too-big",
        )
    for frame in range(frames):
        image.seek(frame)
        image.load()
    image.seek(0)
    image.load()
    return frames > 1


def seen(image: Image.Image, animated: bool = False) -> Image.Image:
    """The picture as it is meant to be seen, in colours that a screen has; itself where there is nothing to do."""
    turned = ImageOps.exif_transpose(image) if _is_turned(image) and not animated else image
    return _for_screens(turned) if turned.mode == "CMYK" else turned


def _is_turned(image: Image.Image) -> bool:
    return image.getexif().get(ORIENTATION) in range(2, 9)


def _for_screens(image: Image.Image) -> Image.Image:
    """A picture for print, by its own profile where that can be used."""
    rgb: Image.Image | None = None
    if profile := profile_of(image):
        try:
            given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            rgb = ImageCms.profileToProfile(image, given, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            rgb = None
    rgb = rgb or image.convert("RGB")
    rgb.info.pop("icc_profile", None)
    return rgb


def _drawn(kind: Kind, image: Image.Image, upright: Image.Image) -> tuple[str, bytes]:
    """The type and the bytes of the file that goes out, where it cannot be the one that came."""
    profile = profile_of(upright)
    if kind == "webp":
        return "image/webp", encoded(upright, "WEBP", quality=JPEG_QUALITY, exif=b"", xmp=b"", icc_profile=profile)
    if kind in {"png", "gif"} or _is_transparent(upright):
        return "image/png", encoded(upright, "PNG", exif=None, icc_profile=profile)
    options = _as_before(image) if isinstance(image, JpegImagePlugin.JpegImageFile) else {"quality": JPEG_QUALITY}
    plain = upright if upright.mode in {"L", "RGB"} else upright.convert("RGB")
    drawn = encoded(plain, "JPEG", optimize=True, comment=b"", exif=b"", icc_profile=profile, **options)
    return "image/jpeg", drawn


def _as_before(image: JpegImagePlugin.JpegImageFile) -> dict[str, Any]:
    """What loses nothing more: the tables and the colour resolution that the JPEG came with.

    One turned by a quarter keeps its colours whole, because half of them across would become half of them down.
    """
    sampling = JpegImagePlugin.get_sampling(image)
    whole = sampling == -1 or (sampling == 1 and _is_turned(image))
    if image.mode == "CMYK":
        return {"quality": JPEG_QUALITY}
    return {
        "qtables": image.quantization,
        "subsampling": 0 if whole else sampling,
        "progressive": bool(image.info.get("progressive")),
    }


def profile_of(image: Image.Image) -> bytes | None:
    """The colours it is in, as an ICC profile, if it says so and that is no lumber."""
    profile: bytes | None = image.info.get("icc_profile")
    return profile if profile and len(profile) <= ICC_MOST else None


def _is_transparent(image: Image.Image) -> bool:
    """Whether anything shines through, not only whether it could."""
    return image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[0] != 255


def _within(image: Image.Image, side: int) -> Image.Image:
    """A copy that is at most `side` wide and high."""
    if image.mode.startswith("I"):  # 16 bits of grey, of which Pillow would only keep what is below 256
        image = image.convert("I").point(lambda grey: grey / 256).convert("L")
    plain = image.convert("RGBA" if image.has_transparency_data else "RGB")
    plain.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return plain


def placeholder(small: Image.Image) -> str:
    """A tiny copy as a data: URI."""
    tiny = encoded(_within(small, TINY), "WEBP", quality=40, icc_profile=None)
    return f"data:image/webp;base64,{base64.b64encode(tiny).decode()}"


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    """In memory first: what Pillow raises when a disk is full does not tell it from a damaged picture."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()
