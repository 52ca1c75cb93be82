"""Where the bytes of a file are read from, a range at a time: the bucket, or a file of this machine."""

import asyncio
import os
from dataclasses import dataclass
from typing import IO, Protocol

from social.backing.bucket import Bucket


class Source(Protocol):
    """A file of `size` bytes that can be read from anywhere."""

    @property
    def size(self) -> int:
        """Bytes."""

    async def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to, not including, `end`, both within the file."""


@dataclass(frozen=True)
class InBucket:
    """An object of the bucket. Reading it raises BucketError or NotFound."""

    bucket: Bucket
    key: str
    size: int

    async def read(self, start: int, end: int) -> bytes:
        """One request to the bucket."""
        async with self.bucket.reading(self.key, start, end) as pieces:
            return b"".join([piece async for piece in pieces])


class OnDisk:
    """An open file of this machine, left where it was."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = file.seek(0, 2)
        file.seek(0)

    async def read(self, start: int, end: int) -> bytes:
        """In a thread."""
        return await asyncio.to_thread(self._read, start, end)

    def _read(self, start: int, end: int) -> bytes:
        at = self._file.tell()
        try:
            self._file.seek(start)
            return self._file.read(end - start)
        finally:
            self._file.seek(at)


class Kept:
    """Another source, of which what is read is also put down in `copy`, a file of this machine, at its place there.

    What nobody has read is a hole in it, which takes no room. EOFError when more than `most` bytes were read.
    """

    def __init__(self, source: Source, copy: IO[bytes], *, most: int) -> None:
        self.size = source.size
        self._source, self._copy, self._left = source, copy, most

    async def read(self, start: int, end: int) -> bytes:
        """As the other does, and written before it is answered."""
        self._left -= end - start
        if self._left < 0:
            raise EOFError("more was read than is kept")
        piece = await self._source.read(start, end)
        await asyncio.to_thread(self._put, piece, start)
        return piece

    def _put(self, piece: bytes, at: int) -> None:
        rest = memoryview(piece)
        while rest:
            written = os.pwrite(self._copy.fileno(), rest, at)
            rest, at = rest[written:], at + written
