"""Carries out the plan of a picture, in a child process: `python -m social.media.redraw SOURCE TARGET` (descriptors).

The plan comes in on stdin as JSON; what went wrong, if anything, goes out on stdout (`Unusable`).
"""

import io
import os
import sys
from typing import Any, BinaryIO

import msgspec
from PIL import GifImagePlugin, Image, ImageCms

from social.media import picture
from social.media.confined import confine
from social.media.kinds import ENOUGH, kind_of
from social.media.outcomes import Refusal
from social.media.plans import Colours, Crop, Pad, Picture, Plan, Resize

MEMORY, CPU, LARGEST = 2 * 2**30, 90, 128 * 2**20
QUALITIES = (92, 86, 78, 68)  # one after the other, until it is small enough
SMALLER = 0.8  # and then so much of both sides, again and again
SIDE_LEAST = 16
WHITE, CLEAR = (255, 255, 255), (255, 255, 255, 0)
FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
TOO_LARGE = "This picture could not be made small enough."


def redrawn(plan: Plan, source: BinaryIO) -> bytes:
    """What the plan makes of it. Refusal in words."""
    try:
        image = _opened(source)
        written = plan.step(Picture)
        if written is None:
            raise Refusal("Nothing is to be done with this picture.", "nothing")
        for step in plan.steps:
            image = _stepped(image, step, flat=written.flat)
        return _small_enough(_plain(image, written), written.mime, plan.bytes)
    except picture.UNREADABLE as error:
        raise Refusal(picture.BROKEN, "broken") from error


def _opened(source: BinaryIO) -> Image.Image:
    kind = kind_of(source.read(ENOUGH))
    source.seek(0)
    if kind is None:
        raise Refusal(picture.BROKEN, "broken")
    image: Image.Image = picture.opened(kind, source)
    image.load()
    return picture.seen(image)


def _stepped(image: Image.Image, step: msgspec.Struct, *, flat: bool) -> Image.Image:
    match step:
        case Colours():
            return _srgb(image)
        case Crop():
            return image.crop((step.left, step.top, step.left + step.width, step.top + step.height))
        case Resize():
            return _shown(image).resize((step.width, step.height), Image.Resampling.LANCZOS)
        case Pad():
            whole = _shown(image)
            clear = whole.mode == "RGBA" and not flat
            canvas = Image.new(
                whole.mode, (step.width, step.height), CLEAR if clear else (*WHITE, 255)[: len(whole.mode)]
            )
            canvas.paste(whole, ((step.width - whole.width) // 2, (step.height - whole.height) // 2))
            canvas.info = whole.info
            return canvas
    return image


def _shown(image: Image.Image) -> Image.Image:
    """In colours that can be mixed: of 8 bits, with what shines through if anything does."""
    if image.mode.startswith("I"):
        image = image.convert("I").point(lambda grey: grey / 256).convert("L")
    wanted = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == wanted else image.convert(wanted)


def _plain(image: Image.Image, written: Picture) -> Image.Image:
    image = _shown(image)
    if image.mode == "RGBA" and (written.flat or written.mime == "image/jpeg"):
        ground = Image.new("RGB", image.size, WHITE)
        ground.paste(image, mask=image.getchannel("A"))
        ground.info = image.info
        return ground
    return image


def _srgb(image: Image.Image) -> Image.Image:
    profile = picture.profile_of(image)
    image = _shown(image)
    if profile is None:
        return image
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        changed = ImageCms.profileToProfile(image, given, ImageCms.createProfile("sRGB"), outputMode=image.mode)
    except (ImageCms.PyCMSError, OSError):
        changed = image.copy()
    if changed is None:
        raise Refusal(picture.BROKEN, "broken")
    changed.info.pop("icc_profile", None)
    return changed


def _small_enough(image: Image.Image, mime: str, most: int) -> bytes:
    """Written with less and less quality, then smaller and smaller, until there are at most so many bytes."""
    while min(image.size) >= 1:
        for quality in (92,) if mime == "image/png" else QUALITIES:
            file = _written(image, mime, quality)
            if len(file) <= most:
                return file
        if max(image.size) <= SIDE_LEAST:
            break
        size = (max(1, round(image.width * SMALLER)), max(1, round(image.height * SMALLER)))
        info, image = image.info, image.resize(size, Image.Resampling.LANCZOS)
        image.info = info
    raise Refusal(TOO_LARGE, "too-large")


def _written(image: Image.Image, mime: str, quality: int) -> bytes:
    options: dict[str, Any] = {"icc_profile": _profile(image)}
    if mime == "image/jpeg":
        options |= {"quality": quality, "optimize": True, "progressive": True, "exif": b"", "comment": b""}
    elif mime == "image/webp":
        options |= {"quality": quality, "exif": b"", "xmp": b""}
    return picture.encoded(image, FORMATS[mime], **options)


def _profile(image: Image.Image) -> bytes | None:
    """The colours it is in, if its profile is about colours: one of greys says nothing about them."""
    profile = picture.profile_of(image)
    if profile is None:
        return None
    try:
        return profile if ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip() == "RGB" else None
    except (ImageCms.PyCMSError, OSError):
        return None


def main(arguments: list[str]) -> int:
    """source target"""
    confine(memory=MEMORY, cpu=CPU, largest=LARGEST)
    GifImagePlugin.LOADING_STRATEGY = GifImagePlugin.LoadingStrategy.RGB_AFTER_DIFFERENT_PALETTE_ONLY
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    source, target = map(int, arguments)
    try:
        with os.fdopen(source, "rb") as read, os.fdopen(target, "wb") as written:
            written.write(redrawn(plan, read))
    except Refusal as refusal:
        sys.stdout.buffer.write(msgspec.json.encode(refusal.unusable()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
