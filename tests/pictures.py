"""Pictures made for tests."""

import io
import random
from functools import cache

from PIL import Image


@cache
def jpeg(width: int = 640, height: int = 480) -> bytes:
    """A JPEG with a gradient, so that it is no single colour."""
    picture = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return file.getvalue()


@cache
def gif(width: int = 64, height: int = 48, *, frames: int = 3) -> bytes:
    """A GIF that moves."""
    pictures = [Image.new("P", (width, height), number * 40) for number in range(frames)]
    file = io.BytesIO()
    pictures[0].save(file, "GIF", save_all=True, append_images=pictures[1:], duration=100, loop=0)
    return file.getvalue()


@cache
def large_gif(frames: int = 3) -> bytes:
    """A GIF that moves and that no compression makes small: 1.1 MB a frame."""
    pictures = [Image.frombytes("P", (1000, 800), random.Random(number).randbytes(800_000)) for number in range(frames)]
    for picture in pictures:
        picture.putpalette(bytes(range(256)) * 3)
    file = io.BytesIO()
    pictures[0].save(file, "GIF", save_all=True, append_images=pictures[1:], duration=200, loop=0, optimize=False)
    return file.getvalue()
