"""The child process that looks at a file it never has: it asks for ranges, and says what the file is.

Its arguments are a kind, the file's size and a file descriptor for a small frame of a video, or 0; its answer is one
JSON value (`Looked | Begun | Unusable`). What goes over the pipe is said in `ranged`. There is one program for pictures
and one for films, for half of a picture's time would go into loading what decodes films; and one that only reads a
film's beginning.
"""

import os
from collections.abc import Callable
from typing import IO, cast

import msgspec

from social.media.confined import confine
from social.media.outcomes import Begun, Looked, Refusal, Unusable
from social.media.ranged import MOST, Ranged, TooMuch, answered

MEMORY = 2 * 2**30  # of addresses
CPU = 30  # seconds
LARGEST = 64 * 2**20

Look = Callable[[str, IO[bytes], int, int], Looked | Begun]


def probe(arguments: list[str], look: Look, *, most: int = MOST) -> int:
    """kind size thumbnail. `look` is given them, with the file of which `most` bytes may be read; it may raise Refusal.
    The exit code."""
    confine(memory=MEMORY, cpu=CPU, largest=LARGEST)
    kind, size, thumbnail = arguments[0], *map(int, arguments[1:])
    asks = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    file = cast(IO[bytes], Ranged(size, asks, 0, most=most))
    answer: Looked | Begun | Unusable
    try:
        answer = look(kind, file, size, thumbnail)
    except Refusal as refusal:
        answer = refusal.unusable()
    except TooMuch:
        answer = Unusable(sentence="To tell what this is, too much of it would have to be read.", code="too-hard")
    except MemoryError:
        answer = Unusable(sentence="This file needs more memory than is given to one.", code="memory")
    answered(asks, msgspec.json.encode(answer))
    return 0
