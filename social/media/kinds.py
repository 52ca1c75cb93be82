"""What a file is, told from its first bytes. Its name and what its sender calls it are never believed. Pure.

Sources: the signatures in the formats' specifications (JFIF, PNG, RIFF, GIF89a, ISO/IEC 14496-12 for `ftyp`).
"""

import codecs
from typing import Literal

import filetype

Kind = Literal["jpeg", "png", "webp", "gif", "heic", "avif", "tiff", "bmp"]
VideoKind = Literal["mp4", "mov", "m4v", "3gp", "mkv", "webm", "avi", "mpegts"]

ENOUGH = 4096  # bytes from the start that `kind_of` and `called` look at
TAKEN = "JPEG, PNG, WebP, GIF, HEIC, AVIF, TIFF and BMP"
VIDEOS_TAKEN = "MP4, MOV, MKV, WebM, AVI and MPEG-TS"
VIDEO_MIMES: dict[VideoKind, str] = {
    "mp4": "video/mp4", "mov": "video/quicktime", "m4v": "video/x-m4v", "3gp": "video/3gpp",
    "mkv": "video/x-matroska", "webm": "video/webm", "avi": "video/x-msvideo", "mpegts": "video/mp2t",
}  # fmt: skip
SUFFIXES = {  # what we hand out
    "image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif", "video/mp4": ".mp4",
    "video/quicktime": ".mov", "video/x-m4v": ".m4v", "video/3gpp": ".3gp", "video/x-matroska": ".mkv",
    "video/webm": ".webm", "video/x-msvideo": ".avi", "video/mp2t": ".ts",
}  # fmt: skip

HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})
WORDS: tuple[tuple[bytes, str], ...] = (  # what is no picture, by a telling piece near its start, in small letters
    (b"content-disposition: form-data", "a form with a file in it (send the file itself as the body)"),
    (b"<svg", "an SVG drawing"),
    (b"<!doctype html", "a web page (HTML)"),
    (b"<html", "a web page (HTML)"),
    (b"<script", "a web page (HTML)"),
    (b"<?xml", "an XML document"),
)
STARTS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"#!", "a script"),
)
TIFF_STARTS = (b"II*\x00", b"MM\x00*")
BMP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})  # how long what follows the first 14 bytes can be
QUICKTIME_STARTS = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})  # of files older than `ftyp`
MATROSKA = b"\x1aE\xdf\xa3"
TS_SYNC, TS_PACKETS = 0x47, ((0, 188), (4, 192))  # where the first packet begins and how long each is


def kind_of(head: bytes) -> Kind | None:
    """The kind of picture that begins with `head`, or None for whatever we do not take."""
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(TIFF_STARTS):
        return "tiff"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in BMP_HEADERS:
        return "bmp"
    brands = _brands(head)
    if brands & AVIF_BRANDS:
        return "avif"
    return "heic" if brands & HEIC_BRANDS else None


def video_kind_of(head: bytes) -> VideoKind | None:
    """The kind of video that begins with `head`, or None for pictures and for whatever we do not take."""
    if head.startswith(MATROSKA):
        return "webm" if b"webm" in head[:64] else "mkv"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head[4:8] == b"ftyp":
        return None if kind_of(head) else _mp4_kind(head[8:12])
    if head[4:8] in QUICKTIME_STARTS:
        return "mov"
    return "mpegts" if any(_is_ts(head, start, length) for start, length in TS_PACKETS) else None


def called(head: bytes) -> str:
    """What begins with `head` and is not taken, in words: "a PDF document", "a .mp4 file", "text"."""
    for start, words in STARTS:
        if head.startswith(start):
            return words
    small = head.lower()
    for piece, words in WORDS:
        if piece in small:
            return words
    if guessed := filetype.guess_extension(head):
        return f"a .{guessed} file"
    return "text" if _is_text(head) else "something we do not know"


def _brands(head: bytes) -> set[bytes]:
    """The major and compatible brands of an ISO media file; none if it is no such file."""
    if head[4:8] != b"ftyp":
        return set()
    box = head[8 : min(int.from_bytes(head[:4], "big"), 256)]
    return {box[:4]} | {box[at : at + 4] for at in range(8, len(box) - 3, 4)}


def _mp4_kind(brand: bytes) -> VideoKind:
    if brand == b"qt  ":
        return "mov"
    if brand.startswith(b"M4V"):
        return "m4v"
    return "3gp" if brand.startswith((b"3gp", b"3g2")) else "mp4"


def _is_ts(head: bytes, start: int, length: int) -> bool:
    syncs = head[start::length]
    return len(syncs) >= 3 and all(each == TS_SYNC for each in syncs)


def _is_text(head: bytes) -> bool:
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # incremental: it may end in the middle of a letter
    except UnicodeDecodeError:
        return False
    return bool(text) and "\x00" not in text
