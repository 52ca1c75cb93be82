"""The program that reads the beginning of a film: `python -m social.media.film_beginner`, with arguments as `prober`
says, but for the last: how many milliseconds of it."""

import sys
from typing import IO, cast

from social.media import footage
from social.media.kinds import VideoKind
from social.media.outcomes import Begun
from social.media.prober import probe
from social.media.ranged import BEGINNING_MOST


def begun(kind: str, file: IO[bytes], size: int, milliseconds: int) -> Begun:
    """How much of it came."""
    return footage.beginning(cast(VideoKind, kind), file, milliseconds / 1000)


if __name__ == "__main__":
    sys.exit(probe(sys.argv[1:], begun, most=BEGINNING_MOST))
