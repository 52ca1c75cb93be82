"""What a file is, told from its first bytes. Its name and what its sender calls it are never believed. Pure.

Sources: the signatures in the formats' specifications (JFIF, PNG, RIFF, GIF89a, ISO/IEC 14496-12 for `ftyp`).
"""

import codecs
from typing import Literal

import filetype

Kind = Literal["jpeg", "png", "webp", "gif", "heic", "avif"]

VideoKind = Literal["mp4", "mov", "webm", "mkv"]

ENOUGH = 4096  # bytes from the start that `kind_of` and `called` look at
TAKEN = "JPEG, PNG, WebP, GIF, HEIC and AVIF"
VIDEOS_TAKEN = "MP4, MOV, WebM and MKV"
SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif"}  # what we hand out

HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})
MOV_BRAND = b"qt  "
MP4_BRANDS = frozenset(
    {
        *(b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"dash", b"mmp4"),
        *(b"M4V ", b"M4VH", b"M4VP", b"MSNV", b"3gp4", b"3gp5", b"3gp6", b"3g2a"),
    }
)
EBML = b"\x1a\x45\xdf\xa3"
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
    (b"BM", "a BMP picture"),
    (b"II*\x00", "a TIFF picture or a camera's raw file"),
    (b"MM\x00*", "a TIFF picture or a camera's raw file"),
)


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
    brands = _brands(head)
    if brands & AVIF_BRANDS:
        return "avif"
    return "heic" if brands & HEIC_BRANDS else None


def video_kind_of(head: bytes) -> VideoKind | None:
    """The kind of video that begins with `head`, or None for whatever we do not take."""
    if head.startswith(EBML):
        return "webm" if b"webm" in head[:64] else "mkv" if b"matroska" in head[:64] else None
    if head[4:8] in {b"moov", b"wide", b"mdat"}:  # QuickTime before it had a brand
        return "mov"
    brands = _brands(head)
    if head[8:12] == MOV_BRAND:
        return "mov"
    return "mp4" if brands & MP4_BRANDS else None


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


def _is_text(head: bytes) -> bool:
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # incremental: it may end in the middle of a letter
    except UnicodeDecodeError:
        return False
    return bool(text) and "\x00" not in text
