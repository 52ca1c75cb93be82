"""The program that looks at pictures: `python -m social.media.picture_prober`, with arguments as `prober` says."""

import sys
from typing import IO, BinaryIO, cast

from social.media import picture
from social.media.kinds import Kind
from social.media.outcomes import Looked
from social.media.prober import probe


def looked(kind: str, file: IO[bytes], size: int, thumbnail: int) -> Looked:
    """What it is. Of a picture there are no frames."""
    return Looked(probe=picture.probed(cast(Kind, kind), cast(BinaryIO, file), size))


if __name__ == "__main__":
    sys.exit(probe(sys.argv[1:], looked))
