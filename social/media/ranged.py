"""A file that is somewhere else, as decoders want one: read and sought, fetched in blocks over a pipe, a few kept.

The child's half of `probing`: each block is asked for on one descriptor and answered on another.
"""

import os
from collections import OrderedDict

BLOCK = 256 * 1024
KEPT = 48  # blocks
MOST = 96 * 2**20  # bytes that are fetched in all for a look
BEGINNING_MOST = 256 * 2**20  # and for the first seconds of a film: 15 of them at 140 Mbit/s
ASK, ANSWER = b"R", b"A"  # how what the child says begins: it wants a range, or it is done


class TooMuch(Exception):
    """More of the file would be needed than is fetched for a look at it."""


class Ranged:
    """`size` bytes. Raises TooMuch when `most` were fetched, EOFError when the other side is gone."""

    def __init__(self, size: int, asks: int, answers: int, *, most: int = MOST) -> None:
        self.size = size
        self.most = most
        self.name = ""
        self._at = 0
        self._asks, self._answers = asks, answers
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self.fetched = 0

    def read(self, wanted: int = -1) -> bytes:
        """At most to the end."""
        end = self.size if wanted < 0 else min(self._at + wanted, self.size)
        pieces = []
        while self._at < end:
            number, inside = divmod(self._at, BLOCK)
            piece = self._block(number)[inside : inside + end - self._at]
            pieces.append(piece)
            self._at += len(piece)
        return b"".join(pieces)

    def seek(self, to: int, whence: int = os.SEEK_SET) -> int:
        """Anywhere; beyond the end nothing is read."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        self._at = max(0, base + to)
        return self._at

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def seekable(self) -> bool:
        """Yes."""
        return True

    def readable(self) -> bool:
        """Yes."""
        return True

    def _block(self, number: int) -> bytes:
        if number in self._blocks:
            self._blocks.move_to_end(number)
            return self._blocks[number]
        start = number * BLOCK
        end = min(start + BLOCK, self.size)
        if self.fetched + end - start > self.most:
            raise TooMuch
        os.write(self._asks, ASK + start.to_bytes(8, "big") + end.to_bytes(8, "big"))
        block = _exactly(self._answers, end - start)
        self.fetched += len(block)
        self._blocks[number] = block
        if len(self._blocks) > KEPT:
            self._blocks.popitem(last=False)
        return block


def answered(descriptor: int, answer: bytes) -> None:
    """Says the last word: what came of the look."""
    rest = ANSWER + len(answer).to_bytes(8, "big") + answer
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _exactly(descriptor: int, wanted: int) -> bytes:
    pieces = []
    while wanted:
        piece = os.read(descriptor, wanted)
        if not piece:
            raise EOFError("whoever wanted the look is gone")
        pieces.append(piece)
        wanted -= len(piece)
    return b"".join(pieces)
