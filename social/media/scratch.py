"""Files of this machine that are needed for a while."""

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from social.errors import Unavailable

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
NO_ROOM = "The server's disk is full, so nothing can be uploaded. Please tell whoever runs it."


def nameless() -> IO[bytes]:
    """A file of this machine that is gone when it is closed, however this process ends."""
    return tempfile.TemporaryFile()


@contextmanager
def disk() -> Iterator[None]:
    """A full disk, in words: Unavailable."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise Unavailable(NO_ROOM, retry_after=60) from error
        raise
