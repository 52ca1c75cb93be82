"""Pictures of what came of files: each beside all that was made of it, so that a person sees what no rule looks for.

Everything is decoded here by other means than the product's: Pillow for pictures, one plain run of ffmpeg for videos.
"""

import subprocess
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pillow_heif
from PIL import Image, ImageCms, ImageDraw, ImageOps

from tests.media.films import FFMPEG

TILE, WORDS, GAP = 200, 74, 6
ROWS, ACROSS = 8, 8
GROUND, INK, PAPER = (120, 120, 120), (0, 0, 0), (245, 245, 245)
SRGB = ImageCms.createProfile("sRGB")


@dataclass(frozen=True)
class Shown:
    """A file and what is written under its picture."""

    path: Path
    words: str


def strip(name: str, files: Iterable[Shown], target: Path) -> None:
    """One row: the file that came in, then what was made of it."""
    shown = list(files)
    row = Image.new("RGB", ((TILE + GAP) * max(1, len(shown)), TILE + WORDS), PAPER)
    for number, each in enumerate(shown):
        _tile(row, number * (TILE + GAP), each, name if number == 0 else "")
    row.save(target, "PNG")


def pages(folder: Path) -> list[Path]:
    """The strips of a folder, several on a page: `sheet-1.png` and so on."""
    rows = [Image.open(each).convert("RGB") for each in sorted(folder.glob("*.strip.png"))]
    pieces = [piece for row in rows for piece in _folded(row)]
    made = []
    for number, start in enumerate(range(0, len(pieces), ROWS), start=1):
        some = pieces[start : start + ROWS]
        page = Image.new("RGB", ((TILE + GAP) * ACROSS, sum(each.height + GAP for each in some)), PAPER)
        top = 0
        for each in some:
            page.paste(each, (0, top))
            top += each.height + GAP
        made.append(folder / f"sheet-{number:02}.png")
        page.save(made[-1])
    return made


def _folded(row: Image.Image) -> Iterable[Image.Image]:
    """A row that is too long for a page, in several."""
    wide = (TILE + GAP) * ACROSS
    for left in range(0, row.width, wide):
        yield row.crop((left, 0, min(row.width, left + wide), row.height))


def _tile(row: Image.Image, left: int, shown: Shown, title: str) -> None:
    pen = ImageDraw.Draw(row)
    pen.rectangle((left, 0, left + TILE - 1, TILE - 1), fill=GROUND)  # what shines through is grey
    try:
        picture, size = _seen(shown.path)
        picture.thumbnail((TILE - 8, TILE - 8))
        place = (left + (TILE - picture.width) // 2, (TILE - picture.height) // 2)
        row.paste(picture, place, picture)
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        size = f"{type(error).__name__}"
    lines = [*([title] if title else []), size, *textwrap.wrap(shown.words.replace("×", "x"), 34)]
    pen.multiline_text((left + 2, TILE + 1), "\n".join(lines[:6]), fill=INK, spacing=1, font_size=10)


def _seen(path: Path) -> tuple[Image.Image, str]:
    """Upright, in the colours of a screen, its pixels square; and its size in words."""
    pillow_heif.register_heif_opener()
    try:
        with Image.open(path) as opened:
            frames = getattr(opened, "n_frames", 1)
            profile = opened.info.get("icc_profile")
            clear = opened.has_transparency_data
            said = f"{opened.format} {opened.mode}"
            image: Image.Image = ImageOps.exif_transpose(opened)
            image.load()
    except (OSError, SyntaxError, Image.DecompressionBombError):
        return _frame(path)
    size = f"{said} {image.width} x {image.height}" + (f" {frames} frames" if frames > 1 else "")
    if image.mode.startswith("I"):
        image = image.convert("I").point(lambda grey: grey / 256).convert("L")
    if profile and image.mode != "P":
        changed = ImageCms.profileToProfile(image, ImageCms.ImageCmsProfile(BytesIO(profile)), SRGB, outputMode="RGB")
        return (changed or image).convert("RGBA"), f"{size} icc"
    return image.convert("RGBA" if clear else "RGB").convert("RGBA"), size


def _frame(path: Path) -> tuple[Image.Image, str]:
    """A frame of a video, a second after its beginning if it lasts that long."""
    for at in ("1", "0"):
        words = ["-nostdin", "-v", "error", "-ss", at, "-i", path, "-frames:v", "1", "-vf", "scale=iw*sar:ih,setsar=1"]
        done = subprocess.run(
            [FFMPEG, *map(str, words), "-f", "image2pipe", "-c:v", "png", "-"], check=True, capture_output=True
        )
        if done.stdout:
            break
    image = Image.open(BytesIO(done.stdout))
    return image.convert("RGBA"), f"video {image.width} x {image.height} {path.stat().st_size / 1000:,.0f} kB"
