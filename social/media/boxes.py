"""How an MP4 or MOV file is put together: what comes first, whether all of it is there, what an edit list does.

Pure but for reading the file, and bounded: a few bytes of each box at the top, and the index. Source: ISO/IEC 14496-12.
"""

from collections.abc import Iterator
from typing import IO, Literal, NamedTuple

import msgspec

BOXES = 2_000  # at the top of a file, beyond which nobody looks
INDEX_MOST = 32 * 2**20  # bytes of an index that is looked into; 12 hours at 60 frames a second have about 30 MB
HOLDERS = frozenset({b"trak", b"edts", b"mdia"})
DEEPEST = 8  # boxes in boxes; an edit list has three around it
ENTRIES = 100  # of an edit list
SHIFT = 0.5  # seconds; what an encoder's delay asks for at most. What is more was cut by a person

Edits = Literal["", "shift", "cut"]
NO_EDITS: Edits = ""


class Structure(msgspec.Struct, frozen=True, kw_only=True):
    """`whole`: everything that is announced is there. `faststart`: the index comes first and is all of it. `edits`: an
    edit list is there; it makes up for an encoder's delay (shift), or leaves out what was filmed (cut)."""

    whole: bool
    faststart: bool
    edits: Edits = ""


class Box(NamedTuple):
    name: bytes
    start: int  # of what it holds
    end: int


def structure(file: IO[bytes], size: int) -> Structure:
    """Of a file of `size` bytes."""
    names: list[bytes] = []
    whole, edits = True, NO_EDITS
    for box in _boxes(file, size):
        names.append(box.name)
        whole = whole and box.end <= size
        if box.name == b"moov" and box.end <= size:
            file.seek(box.start)
            edits = _edits(file.read(min(box.end - box.start, INDEX_MOST)))
    known = [name for name in names if name in {b"moov", b"mdat", b"moof"}]
    return Structure(
        whole=whole and b"moov" in known and b"mdat" in known,
        faststart=known[:1] == [b"moov"] and b"moof" not in known,
        edits=edits,
    )


def padding(size: int) -> bytes:
    """A box of `size` bytes (8 at least) that players skip."""
    return size.to_bytes(4, "big") + b"free" + bytes(size - 8)


def _boxes(file: IO[bytes], size: int) -> Iterator[Box]:
    """The boxes at the top, until something is none: programs leave things behind the last."""
    at = 0
    for _ in range(BOXES):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        length, name, start = int.from_bytes(head[:4], "big"), head[4:8], at + 8
        if length == 1:
            length, start = int.from_bytes(head[8:16], "big"), at + 16
        elif length == 0:
            length = size - at
        if length < start - at or not name.isascii():
            return
        yield Box(name, start, at + length)
        at += length


def _edits(index: bytes) -> Edits:
    """The gravest of all tracks."""
    found = [_kind_of_edits(index, box, scale) for box, scale in _edit_lists(index)]
    if "cut" in found:
        return "cut"
    return "shift" if found else ""


def _edit_lists(index: bytes) -> Iterator[tuple[Box, int]]:
    """Every edit list with the ticks a second of its track's media."""
    for track in _inside(index, 0, len(index)):
        if track.name != b"trak":
            continue
        scale, lists = 0, []
        for box in _deep(index, track):
            if box.name == b"mdhd":
                at = box.start + (20 if index[box.start : box.start + 1] == b"\x01" else 12)
                scale = int.from_bytes(index[at : at + 4], "big")
            elif box.name == b"elst":
                lists.append(box)
        yield from ((each, scale) for each in lists)


def _kind_of_edits(index: bytes, box: Box, scale: int) -> Edits:
    """Entries that show nothing at the beginning, and one that begins a little later, only shift."""
    width = 8 if index[box.start : box.start + 1] == b"\x01" else 4  # of a time: each entry has two, and a speed
    count = int.from_bytes(index[box.start + 4 : box.start + 8], "big")
    shown = 0
    for number in range(min(count, ENTRIES)):
        at = box.start + 8 + number * (2 * width + 4) + width
        begins = int.from_bytes(index[at : at + width], "big", signed=True)
        if begins == -1:
            continue
        shown += 1
        if begins > SHIFT * max(scale, 1):
            return "cut"
    return "cut" if shown > 1 else "shift"


def _deep(index: bytes, box: Box, depth: int = 0) -> Iterator[Box]:
    for inner in _inside(index, box.start, box.end):
        yield inner
        if inner.name in HOLDERS and depth < DEEPEST:
            yield from _deep(index, inner, depth + 1)


def _inside(index: bytes, at: int, end: int) -> Iterator[Box]:
    while at + 8 <= end:
        length = int.from_bytes(index[at : at + 4], "big")
        if length < 8 or at + length > end:
            return
        yield Box(index[at + 4 : at + 8], at + 8, at + length)
        at += length
