"""PNG, WebP and GIF files without what does not belong to the picture: places, cameras, comments, what hangs on behind.

Only what is on a list is copied, bit for bit: to draw every frame anew would cost an animation its quality, and minutes
of work. Pure. Sources: PNG third edition; WebP container specification; GIF89a. ValueError or IndexError where the
structure is broken.
"""

from collections.abc import Iterator

PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_PICTURE = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS")
PNG_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
PNG_COLOURS = (b"cHRM", b"gAMA", b"iCCP", b"sRGB", b"sBIT", b"cICP", b"mDCV", b"cLLI", b"bKGD", b"pHYs")
PNG_KEPT = frozenset((*PNG_PICTURE, *PNG_ANIMATION, *PNG_COLOURS))
WEBP_KEPT = frozenset((b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"))
WEBP_TOLD = 0x08 | 0x04  # the flags that tell of Exif and XMP
GIF_LOOPS = frozenset((b"NETSCAPE2.0", b"ANIMEXTS1.0"))  # how often the animation repeats
GIF_IMAGE, GIF_EXTENSION, GIF_END = 0x2C, 0x21, 0x3B
GIF_LEAST, GIF_USUAL = 2, 0.1  # hundredths of a second below which a frame is shown for the usual time instead
GIF_CONTROL, GIF_APPLICATION = 0xF9, 0xFF  # a frame's duration and transparency; programs' own


def png(data: bytes) -> bytes:
    """The picture's own chunks, up to its end."""
    kept, at = [PNG_START], len(PNG_START)
    while True:
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        name = data[at + 4 : at + 8]
        if end > len(data):
            raise ValueError("a chunk is longer than the file")
        if name in PNG_KEPT:
            kept.append(data[at:end])
        if name == b"IEND":
            return b"".join(kept)
        at = end


def webp(data: bytes) -> bytes:
    """The picture's own chunks, and a header that does not promise others."""
    end = min(int.from_bytes(data[4:8], "little") + 8, len(data))
    body = b"".join(_webp_kept(data, 12, end))
    return b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height as the header tells them, before anything makes room for them."""
    start = data[20:30]
    match data[12:16]:
        case b"VP8X":
            return int.from_bytes(start[4:7], "little") + 1, int.from_bytes(start[7:10], "little") + 1
        case b"VP8L":
            bits = int.from_bytes(start[1:5], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case _:
            return int.from_bytes(start[6:8], "little") & 0x3FFF, int.from_bytes(start[8:10], "little") & 0x3FFF


def gif(data: bytes) -> bytes:
    """The frames, their timing and how often they repeat."""
    at = 13 + _gif_colours(data[10])
    kept = [data[:at]]
    while at < len(data) and data[at] != GIF_END:
        if data[at] == GIF_IMAGE:
            end = _gif_blocks_end(data, at + 11 + _gif_colours(data[at + 9]))
            wanted = True
        elif data[at] == GIF_EXTENSION:
            end = _gif_blocks_end(data, at + 2)
            wanted = data[at + 1] == GIF_CONTROL or (
                data[at + 1] == GIF_APPLICATION and data[at + 3 : at + 14] in GIF_LOOPS
            )
        else:
            raise ValueError("neither a frame nor an extension")
        if wanted:
            kept.append(data[at:end])
        at = end
    return b"".join(kept) + bytes((GIF_END,))


def timing(kind: str, data: bytes) -> tuple[int, float]:
    """How many frames an animation has and how many seconds they last once; (1, 0.0) for what does not move."""
    lasts = list({"png": _png_delays, "webp": _webp_delays, "gif": _gif_delays}.get(kind, _none)(data)) if data else []
    return (len(lasts), round(sum(lasts), 3)) if len(lasts) > 1 else (1, 0.0)


def _none(data: bytes) -> Iterator[float]:
    return iter(())


def _png_delays(data: bytes) -> Iterator[float]:
    at = len(PNG_START)
    while at + 12 <= len(data):
        if data[at + 4 : at + 8] == b"fcTL":
            part, whole = (int.from_bytes(data[at + each : at + each + 2], "big") for each in (28, 30))
            yield part / (whole or 100)
        at += 12 + int.from_bytes(data[at : at + 4], "big")


def _webp_delays(data: bytes) -> Iterator[float]:
    at = 12
    while at + 8 <= len(data):
        if data[at : at + 4] == b"ANMF":
            yield int.from_bytes(data[at + 20 : at + 23], "little") / 1000
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2


def _gif_delays(data: bytes) -> Iterator[float]:
    at, delay = 13 + _gif_colours(data[10]), 0.0
    while at < len(data) and data[at] in {GIF_IMAGE, GIF_EXTENSION}:
        if data[at] == GIF_IMAGE:
            yield delay
            at, delay = _gif_blocks_end(data, at + 11 + _gif_colours(data[at + 9])), 0.0
        else:
            if data[at + 1] == GIF_CONTROL:
                hundredths = int.from_bytes(data[at + 4 : at + 6], "little")
                delay = hundredths / 100 if hundredths >= GIF_LEAST else GIF_USUAL
            at = _gif_blocks_end(data, at + 2)


def _webp_kept(data: bytes, at: int, stop: int) -> Iterator[bytes]:
    while at + 8 <= stop:
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        payload = data[at + 8 : at + 8 + size]
        if len(payload) < size or at + 8 + size > stop:
            raise ValueError("a chunk is longer than the file")
        if name == b"VP8X":
            payload = bytes((payload[0] & ~WEBP_TOLD,)) + payload[1:]
        elif name == b"ANMF":  # one frame: where and how long, then chunks of its own
            payload = payload[:16] + b"".join(_webp_kept(payload, 16, size))
        if name in WEBP_KEPT:
            yield name + len(payload).to_bytes(4, "little") + payload + b"\x00" * (len(payload) % 2)
        at += 8 + size + size % 2


def _gif_colours(flags: int) -> int:
    """Bytes of the colour table that follows, by the flags before it."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _gif_blocks_end(data: bytes, at: int) -> int:
    """Where the sub-blocks that begin at `at` are over."""
    while size := data[at]:
        at += 1 + size
    return at + 1
