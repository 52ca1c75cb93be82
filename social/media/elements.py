"""How a Matroska or WebM file is put together, as far as it tells whether all of it is there.

Pure but for reading the file, of which a few bytes are looked at. Sources: RFC 8794, RFC 9559.
"""

from typing import IO

HEADER, SEGMENT = 0x1A45DFA3, 0x18538067
SKIPPED = 8  # elements between the two, beyond which nobody looks


def whole(file: IO[bytes], size: int) -> bool:
    """Whether a file of `size` bytes is as long as its segment announces. What was streamed announces nothing."""
    at = 0
    for _ in range(SKIPPED):
        file.seek(at)
        head = file.read(12)
        name, after = _number(head, 0, keep_marker=True)
        length, after = _number(head, after)
        if name is None or (name != HEADER and at == 0):
            return True  # whatever this is, others say what is wrong with it
        if name == SEGMENT:
            return length is None or at + after + length <= size
        if length is None:
            return True
        at += after + length
    return True


def _number(head: bytes, at: int, *, keep_marker: bool = False) -> tuple[int | None, int]:
    """A number of variable length, None where it is unknown or cut off, and where the next thing begins."""
    if at >= len(head) or not head[at]:
        return None, at
    length = 9 - head[at].bit_length()
    value = int.from_bytes(head[at : at + length], "big")
    marker = 1 << (7 * length)
    if at + length > len(head) or (not keep_marker and value == 2 * marker - 1):
        return None, at + length
    return (value if keep_marker else value - marker), at + length
