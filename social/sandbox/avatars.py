"""Pictures of people who never chose one."""

from functools import lru_cache
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont


@lru_cache(maxsize=64)
def drawn(username: str) -> bytes:
    """An initial on a colour of its own: 240 x 240, PNG, because clients expect a picture that every decoder reads."""
    hue = sum(username.encode()) * 47 % 360
    picture = Image.new("HSV", (240, 240), (hue * 255 // 360, 120, 190)).convert("RGB")
    font = ImageFont.load_default(130)
    ImageDraw.Draw(picture).text((120, 120), username[0].upper(), fill="white", font=font, anchor="mm")
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
