"""The child process that looks at a file it never has: it asks for ranges, and says what the file is.

Its arguments are a kind, the file's size and two file descriptors, of a video's frame and of a small copy of it, or 0
and 0; its answer is one JSON value (`Looked | Unusable`). What goes over the pipe is said in `ranged`.
"""

import os
import sys
from typing import IO, BinaryIO, cast, get_args

import msgspec
from PIL import Image

from social.files import Probe
from social.media import footage, picture
from social.media.confined import confine
from social.media.kinds import Kind, VideoKind
from social.media.outcomes import Looked, Refusal, Unusable
from social.media.ranged import Ranged, TooMuch, answered

MEMORY = 2 * 2**30  # of addresses
CPU = 30  # seconds
LARGEST = 64 * 2**20
QUALITY = 90  # of the frame, as JPEG


def main(arguments: list[str]) -> int:
    """kind size frame thumbnail"""
    confine(memory=MEMORY, cpu=CPU, largest=LARGEST)
    kind, size, frame, thumbnail = arguments[0], *map(int, arguments[1:])
    asks = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    file = cast(IO[bytes], Ranged(size, asks, 0))
    answer: Looked | Unusable
    try:
        answer = _looked(kind, file, size, frame, thumbnail)
    except Refusal as refusal:
        answer = refusal.unusable()
    except TooMuch:
        answer = Unusable(sentence="To tell what this is, too much of it would have to be read.", code="too-hard")
    except MemoryError:
        answer = Unusable(sentence="This file needs more memory than is given to one.", code="memory")
    answered(asks, msgspec.json.encode(answer))
    return 0


def _looked(kind: str, file: IO[bytes], size: int, frame: int, thumbnail: int) -> Looked:
    if kind not in get_args(VideoKind):
        return Looked(probe=picture.probed(cast(Kind, kind), cast(BinaryIO, file), size))
    probe, image = footage.looked_at(cast(VideoKind, kind), file, size)
    if not frame:
        return Looked(probe=probe)
    return Looked(probe=probe, placeholder=_stills(probe, image, frame, thumbnail))


def _stills(probe: Probe, image: Image.Image, frame: int, thumbnail: int) -> str:
    with os.fdopen(frame, "wb") as whole, os.fdopen(thumbnail, "wb") as small:
        image.convert("RGB").save(whole, "JPEG", quality=QUALITY)
        return picture.still(image, small)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
