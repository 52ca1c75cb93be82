"""Videos as cameras, phones, programs and attackers make them: written by ffmpeg, or by hand where it would not."""

import os
import struct
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
SECRET = "Secret Street 12"


def ffmpeg(*words: str | Path) -> None:
    """Runs it; what it complains of is shown."""
    done = subprocess.run(
        [FFMPEG, "-nostdin", "-v", "error", "-y", *map(str, words)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{words}: {done.stderr[-2000:]}"


def film(
    path: Path,
    *,
    size: tuple[int, int] = (320, 180),
    seconds: float = 2.0,
    fps: str = "30",
    video: str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p",
    audio: str | None = "-c:a aac",
    channels: int = 2,
    rate: int = 48000,
    filters: str = "null",
    more: str = "",
) -> Path:
    """A film in `path`, whose ending says in which container. The top left is red, the top right green, the bottom
    left blue, the bottom right white, all a little noisy."""
    wide, high = size
    halves = (max(1, wide // 2), max(1, high // 2))
    corner = [f"color={colour}:s={halves[0]}x{halves[1]}:r={fps}:d={seconds}" for colour in COLOURS]
    matrix = ":out_color_matrix=bt709" if max(size) >= 1280 or min(size) >= 720 else ""  # as everybody expects it
    stacked = f"[0][1]hstack[t];[2][3]hstack[b];[t][b]vstack,scale={{}}:{{}}{matrix},noise=alls=4:allf=t,{{}}[v]"
    inputs = [word for each in corner for word in ("-f", "lavfi", "-i", each)]
    if audio is not None:
        layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[channels]
        inputs += ["-f", "lavfi", "-i", f"sine=f=440:r={rate}:d={seconds},aformat=channel_layouts={layout}"]
    maps = ["-map", "[v]", *(["-map", "4:a"] if audio is not None else [])]
    ffmpeg(
        *inputs, "-filter_complex", stacked.format(wide, high, filters), *maps, *video.split(),
        *(audio or "-an").split(), *more.split(), path,
    )  # fmt: skip
    return path


COLOURS = ("red", "lime", "blue", "white")


def hdr(path: Path, curve: str, **given: Any) -> Path:
    """As newer phones film: HEVC of 10 bits in the colours of BT.2020; `curve` is smpte2084 (PQ) or arib-std-b67."""
    marked = f"setparams=color_primaries=bt2020:color_trc={curve}:colorspace=bt2020nc"
    video = "-c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -tag:v hvc1 -x265-params log-level=none"
    return film(path, video=video, filters=marked, **given)


def turned(path: Path, source: Path, degrees: int) -> Path:
    """A copy that players turn, counterclockwise."""
    ffmpeg("-display_rotation", str(degrees), "-i", source, "-c", "copy", path)
    return path


def looped(path: Path, source: Path, times: int) -> Path:
    """So many times the same one after the other, made in no time."""
    ffmpeg("-stream_loop", str(times - 1), "-i", source, "-c", "copy", path)
    return path


def uneven(path: Path) -> Path:
    """Frames that last differently, as phones film in the dark."""
    return film(path, filters="select='not(mod(n\\,7)*mod(n\\,3))'", more="-fps_mode vfr")


def tagged(path: Path) -> Path:
    """With a place and a title in it."""
    return film(path, more=f"-metadata location=+52.5200+013.4050/ -metadata title={SECRET.replace(' ', '_')}")


def box(name: bytes, content: bytes) -> bytes:
    """A box of an MP4 file."""
    return struct.pack(">I", len(content) + 8) + name + content


@cache
def short() -> bytes:
    """A film of a few kilobytes."""
    with tempfile.TemporaryDirectory() as folder:
        made = film(Path(folder, "short.mp4"), size=(32, 18), seconds=0.2, audio=None, more="-movflags +faststart")
        return made.read_bytes()


def of_size(size: int) -> bytes:
    """A film of so many bytes, of which most are behind it and nobody's; no two are the same. 5,000 at least."""
    return short() + box(b"free", os.urandom(size - len(short()) - 8))


def playlist_in_an_mp4() -> bytes:
    """An HLS playlist behind the first bytes of an MP4."""
    return box(b"ftyp", b"isom\x00\x00\x02\x00isomiso2") + b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n"


def reference_in_a_mov(source: bytes) -> bytes:
    """A MOV whose track says that its frames are in another file."""
    at = source.index(b"url \x00\x00\x00\x01")
    return source[: at + 4] + b"\x00\x00\x00\x00" + source[at + 8 :]


@cache
def claims(path: Path, pattern: bytes, put: bytes) -> bytes:
    """The bytes of a film with what stands behind the first `pattern` replaced."""
    file = path.read_bytes()
    at = file.index(pattern) + len(pattern)
    return file[:at] + put + file[at + len(put) :]
