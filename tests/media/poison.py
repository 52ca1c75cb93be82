"""Files that somebody made to do harm: to read what is none of theirs, to reach other hosts, to take all there is.

Each is told where the secret lies (a file of this machine) and where the trap is (an address that counts who comes).
"""

import gzip
import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageCms

from tests.media import awkward, films
from tests.media.films import box


@dataclass(frozen=True)
class Bait:
    """What a poisoned file would like to reach, and a plain film to make it of."""

    secret: Path
    trap: str
    film: Path


Make = Callable[[Bait], bytes]


def _leading(bait: Bait) -> str:
    """A playlist's lines that lead to both."""
    return f"{bait.secret}\n#EXTINF:10,\nfile://{bait.secret}\n#EXTINF:10,\n{bait.trap}/next.ts\n"


def hls(bait: Bait) -> bytes:
    """A playlist of HLS, with a key that is to be fetched too."""
    key = f'#EXT-X-KEY:METHOD=AES-128,URI="{bait.trap}/key"\n'
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n{key}#EXTINF:10,\n{_leading(bait)}#EXT-X-ENDLIST\n".encode()


def ffconcat(bait: Bait) -> bytes:
    """A list for ffmpeg's concat demuxer."""
    return f"ffconcat version 1.0\nfile '{bait.secret}'\nfile '{bait.trap}/a.mp4'\n".encode()


def concat(bait: Bait) -> bytes:
    """The same as older versions take it."""
    return f"file '{bait.secret}'\nfile '{bait.trap}/a.mp4'\n".encode()


def dash(bait: Bait) -> bytes:
    """A manifest of DASH."""
    segments = f'<SegmentList><SegmentURL media="file://{bait.secret}"/></SegmentList>'
    at = f'<BaseURL>{bait.trap}/</BaseURL><Representation id="1" mimeType="video/mp4">{segments}</Representation>'
    schema = 'xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT10S"'
    return f'<?xml version="1.0"?><MPD {schema}><Period><AdaptationSet>{at}</AdaptationSet></Period></MPD>'.encode()


def sdp(bait: Bait) -> bytes:
    """A session that is to be joined."""
    return b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"


def subtitles(bait: Bait) -> bytes:
    """Words to be shown, with a picture that is elsewhere."""
    return f"1\n00:00:00,000 --> 00:00:10,000\n<img src='{bait.trap}/a.png'>{bait.secret}\n".encode()


def webvtt(bait: Bait) -> bytes:
    """The same for the web."""
    return f"WEBVTT\n\nSTYLE\n::cue {{ background: url({bait.trap}/a.png) }}\n\n00:00.000 --> 00:10.000\nhi\n".encode()


def pls(bait: Bait) -> bytes:
    """A list of radio stations."""
    return f"[playlist]\nFile1={bait.secret}\nFile2={bait.trap}/a.mp3\nNumberOfEntries=2\n".encode()


def svg(bait: Bait) -> bytes:
    """A drawing with a script, a picture from elsewhere and an entity that is a file."""
    entity = f'<!DOCTYPE svg [<!ENTITY x SYSTEM "file://{bait.secret}">]>'
    inside = f'<script>fetch("{bait.trap}")</script><image xlink:href="{bait.trap}/a.png"/><text>&x;</text>'
    return f'<?xml version="1.0"?>{entity}<svg xmlns="http://www.w3.org/2000/svg">{inside}</svg>'.encode()


def postscript(bait: Bait) -> bytes:
    """A program that draws; other programs run it."""
    return f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n({bait.secret}) (r) file 99 string readstring\n".encode()


def mvg(bait: Bait) -> bytes:
    """What ImageMagick draws."""
    return f"push graphic-context\nviewbox 0 0 9 9\nfill 'url({bait.trap}/a.png\"|ls \"-la)'\n".encode()


def in_an_mp4(make: Make) -> Make:
    """The same behind the first bytes of an MP4."""
    return lambda bait: box(b"ftyp", b"isom\x00\x00\x02\x00isomiso2") + make(bait)


def in_a_transport_stream(make: Make) -> Make:
    """The same where an MPEG-TS file has its packets' contents."""

    def made(bait: Bait) -> bytes:
        text = make(bait)
        pieces = [text[start : start + 184] for start in range(0, len(text), 184)]
        return b"".join(b"G\x40\x00\x10" + piece.ljust(184, b"\n") for piece in pieces) + b"G\x1f\xff\x10" * 47 * 5

    return made


def in_matroska(make: Make) -> Make:
    """The same behind the first bytes of an MKV."""
    return lambda bait: b"\x1aE\xdf\xa3\x93\x42\x82\x88matroska\x42\x87\x81\x04\x42\x85\x81\x02" + make(bait)


def elsewhere(bait: Bait) -> bytes:
    """A film whose pictures are said to be in another file of this machine."""
    file = bait.film.read_bytes()
    at = file.index(b"url \x00\x00\x00\x01") - 4
    name = b"file://" + str(bait.secret).encode() + b"\0"
    entry = struct.pack(">I", 12 + len(name)) + b"url \0\0\0\0" + name
    return _grown(file[:at] + entry + file[at + 12 :], at, len(name))


def _grown(file: bytes, at: int, more: int) -> bytes:
    """The boxes around `at` with `more` bytes in each of them."""
    grown, start, end = bytearray(file), 0, len(file)
    while start < min(at, end):
        size, name = struct.unpack(">I4s", grown[start : start + 8])
        if start < at < start + size + more and name in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
            grown[start : start + 4] = struct.pack(">I", size + more)
            start, end = start + (16 if name == b"dref" else 8), start + size + more
        else:
            start += size
    return bytes(grown)


def icc_bomb(bait: Bait) -> bytes:
    """A small picture whose colour profile unpacks to half a gigabyte."""
    return _png_with(b"iCCP", b"x\0\0" + _packed(512))


def text_bomb(bait: Bait) -> bytes:
    """A small picture with half a gigabyte of words."""
    return _png_with(b"zTXt", b"x\0\0" + _packed(512))


def pixel_bomb(bait: Bait) -> bytes:
    """A picture of a megapixel, which is taken, whose pixels unpack to three hundred times what they should."""
    header = struct.pack(">IIBBBBB", 1000, 1000, 8, 2, 0, 0, 0)
    parts = awkward._chunk(b"IHDR", header) + awkward._chunk(b"IDAT", _packed(1024)) + awkward._chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def _packed(mib: int) -> bytes:
    """So much of nothing: a mebibyte, packed so that it can be repeated, and no checksum that anybody would get to."""
    packing = zlib.compressobj(9)
    start = packing.compress(b"") + packing.flush(zlib.Z_FULL_FLUSH)
    once = packing.compress(bytes(2**20)) + packing.flush(zlib.Z_FULL_FLUSH)
    return start + once * mib + packing.flush()


def _png_with(name: bytes, content: bytes) -> bytes:
    file = awkward.png()
    end = 8 + 25  # the signature and the header
    return file[:end] + awkward._chunk(name, content) + file[end:]


def claiming(file: bytes, before: bytes, put: bytes, skip: int = 0) -> bytes:
    """The file with `put` where what stands `skip` bytes behind `before` was."""
    at = file.index(before) + len(before) + skip
    return file[:at] + put + file[at + len(put) :]


def large_jpeg(bait: Bait) -> bytes:
    """65,500 × 65,500."""
    return claiming(awkward.written(awkward.corners(), "JPEG"), b"\xff\xc0", struct.pack(">HH", 65_500, 65_500), 3)


def large_gif(bait: Bait) -> bytes:
    """65,535 × 65,535, of which one corner is drawn."""
    return claiming(awkward.moving_gif(), b"GIF89a", b"\xff\xff\xff\xff")


def large_bmp(bait: Bait) -> bytes:
    """60,000 × 60,000."""
    return claiming(awkward.written(awkward.corners(), "BMP"), b"BM", struct.pack("<ii", 60_000, 60_000), 16)


def large_heic(bait: Bait) -> bytes:
    """60,000 × 60,000, by what stands around the picture."""
    return claiming(awkward.heic(), b"ispe", struct.pack(">II", 60_000, 60_000), 4)


def large_avif(bait: Bait) -> bytes:
    """The same."""
    return claiming(awkward.avif(), b"ispe", struct.pack(">II", 60_000, 60_000), 4)


def large_tiff(bait: Bait) -> bytes:
    """60,000 × 60,000."""
    file = io.BytesIO()
    Image.new("L", (1, 1)).save(file, "TIFF")
    made = claiming(file.getvalue(), struct.pack("<HHI", 256, 4, 1), struct.pack("<I", 60_000))
    return claiming(made, struct.pack("<HHI", 257, 4, 1), struct.pack("<I", 60_000))


def large_by_its_index(bait: Bait) -> bytes:
    """65,535 × 65,535, but for the frames themselves."""
    return claiming(bait.film.read_bytes(), b"avc1", struct.pack(">HH", 65_535, 65_535), 24)


def large_by_its_frames(bait: Bait) -> bytes:
    """16,383 × 16,383, but for what stands around the frames."""
    made = films.film(bait.secret.with_name("small.webm"), seconds=0.2, video="-c:v libvpx -g 1", audio=None)
    start = b"\x9d\x01\x2a"  # of a VP8 frame that stands alone; the size follows
    pieces = made.read_bytes().split(start)
    return start.join([pieces[0], *(b"\xff\x3f\xff\x3f" + each[4:] for each in pieces[1:])])


def many_frames(bait: Bait) -> bytes:
    """A film that claims four thousand million frames."""
    return claiming(bait.film.read_bytes(), b"stsz", b"\xff\xff\xff\xff", 8)


def endless(bait: Bait) -> bytes:
    """A film each frame of which claims to be shown for years."""
    whole = claiming(bait.film.read_bytes(), b"mdhd", struct.pack(">II", 1, 2**31 - 1), 12)
    return claiming(whole, b"stts", struct.pack(">I", 100_000_000), 12)


def nested(bait: Bait) -> bytes:
    """Boxes in boxes, a hundred thousand deep."""
    deep, inner = 100_000, b""
    inner = b"".join(struct.pack(">I4s", 8 * (deep - each), b"trak") for each in range(deep))
    return box(b"ftyp", b"isom\x00\x00\x02\x00isom") + box(b"moov", inner) + box(b"mdat", bytes(64))


def profile_of_another_kind(bait: Bait) -> bytes:
    """A picture with a colour profile that was cut off."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()[:200]
    return awkward.written(awkward.corners(), "JPEG", icc_profile=profile)


# What is refused, by the name it comes with.
REFUSED: dict[str, Make] = {
    "hls.mp4": hls, "hls.m3u8": hls, "ffconcat.mp4": ffconcat, "concat.mov": concat, "dash.mp4": dash, "sdp.mp4": sdp,
    "subtitles.mp4": subtitles, "webvtt.mkv": webvtt, "radio.mp4": pls, "svg.svg": svg, "svg.png": svg,
    "svgz.png": lambda bait: gzip.compress(svg(bait)), "utf-16.svg": lambda bait: svg(bait).decode().encode("utf-16"),
    "postscript.jpg": postscript, "mvg.png": mvg, "hls in an mp4.mp4": in_an_mp4(hls),
    "ffconcat in an mp4.mp4": in_an_mp4(ffconcat), "dash in an mp4.mp4": in_an_mp4(dash),
    "hls in a stream.ts": in_a_transport_stream(hls), "ffconcat in a stream.ts": in_a_transport_stream(ffconcat),
    "hls in matroska.mkv": in_matroska(hls), "ffconcat in matroska.mkv": in_matroska(ffconcat),
    "icc bomb.png": icc_bomb, "text bomb.png": text_bomb, "large.jpg": large_jpeg, "large.gif": large_gif,
    "large.bmp": large_bmp, "large.tif": large_tiff, "large.heic": large_heic, "large.avif": large_avif,
    "large by its frames.webm": large_by_its_frames, "nested.mp4": nested,
    "many frames.mp4": many_frames,
}  # fmt: skip
# What may come in, for it does nothing.
HARMLESS: dict[str, Make] = {
    "elsewhere.mov": elsewhere,
    "endless.mov": endless,
    "large by its index.mov": large_by_its_index,
    "pixel bomb.png": pixel_bomb,
    "cut profile.jpg": profile_of_another_kind,
    "page in it.gif": lambda bait: awkward.web_page_in_a_gif(),
    "reference.mov": lambda bait: films.reference_in_a_mov(bait.film.read_bytes()),
}
