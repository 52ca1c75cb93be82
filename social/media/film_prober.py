"""The program that looks at films: `python -m social.media.film_prober`, with arguments as `prober` says."""

import os
import sys
from typing import IO, cast

from social.media import footage, picture
from social.media.kinds import VideoKind
from social.media.outcomes import Looked
from social.media.prober import probe


def looked(kind: str, file: IO[bytes], size: int, thumbnail: int) -> Looked:
    """What it is, and a small frame of it where one is wanted."""
    found, image = footage.looked_at(cast(VideoKind, kind), file, size)
    if not thumbnail:
        return Looked(probe=found)
    with os.fdopen(thumbnail, "wb") as small:
        return Looked(probe=found, placeholder=picture.still(image, small))


if __name__ == "__main__":
    sys.exit(probe(sys.argv[1:], looked))
