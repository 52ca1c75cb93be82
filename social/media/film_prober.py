"""The program that looks at films: `python -m social.media.film_prober`, with arguments as `prober` says."""

import os
import sys
from typing import IO, cast

from PIL import Image

from social.files import Probe
from social.media import footage, picture
from social.media.kinds import VideoKind
from social.media.outcomes import Looked
from social.media.prober import probe

QUALITY = 90  # of the frame, as JPEG


def looked(kind: str, file: IO[bytes], size: int, frame: int, thumbnail: int) -> Looked:
    """What it is, and a frame of it where one is wanted."""
    found, image = footage.looked_at(cast(VideoKind, kind), file, size)
    if not frame:
        return Looked(probe=found)
    return Looked(probe=found, placeholder=_stills(found, image, frame, thumbnail))


def _stills(found: Probe, image: Image.Image, frame: int, thumbnail: int) -> str:
    with os.fdopen(frame, "wb") as whole, os.fdopen(thumbnail, "wb") as small:
        image.convert("RGB").save(whole, "JPEG", quality=QUALITY)
        return picture.still(image, small)


if __name__ == "__main__":
    sys.exit(probe(sys.argv[1:], looked))
