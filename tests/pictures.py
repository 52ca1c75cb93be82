"""Pictures made for tests."""

import io
from functools import cache

from PIL import Image


@cache
def jpeg(width: int = 640, height: int = 480) -> bytes:
    """A JPEG with a gradient, so that it is no single colour."""
    picture = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return file.getvalue()
