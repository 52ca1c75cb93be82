"""The child process in which strangers' pictures are decoded: little memory, little time, no secrets, nice to others.

Its arguments are a kind and three file descriptors; its answer is one JSON value on stdout (`Made | Unusable`).
"""

import errno
import os
import sys
from typing import cast

import msgspec

from social.media import picture
from social.media.confined import confine
from social.media.kinds import Kind
from social.media.outcomes import DISK_IS_FULL, Unusable

MEMORY = 2 * 2**30  # of addresses; 50 megapixels are 200 MB for each of up to four copies
CPU = 45  # seconds
LARGEST = 128 * 2**20  # bytes of a file it writes


def main(arguments: list[str]) -> int:
    """kind source clean thumbnail. The exit code: 0 with an answer, DISK_IS_FULL without."""
    confine(memory=MEMORY, cpu=CPU, largest=LARGEST)
    source, clean, thumbnail = (int(descriptor) for descriptor in arguments[1:])
    try:
        with os.fdopen(source, "rb") as read, os.fdopen(clean, "wb") as written, os.fdopen(thumbnail, "wb") as small:
            answer = picture.made(cast(Kind, arguments[0]), read, written, small)
    except MemoryError:
        answer = Unusable(sentence="This picture needs more memory than is given to one.", code="memory")
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return DISK_IS_FULL
        raise
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
