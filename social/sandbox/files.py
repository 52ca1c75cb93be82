"""What an uploaded file is, as the simulated platforms see it: looked into with decoders of their own choosing.

Written for the rules in each platform's `files.py`, which are taken from its sheet alone.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import av
import filetype
from av.error import FFmpegError
from PIL import Image, UnidentifiedImageError


class Seen:
    """One file. Everything is read when it is made; ValueError, in words, if it is not what it seems."""

    def __init__(self, path: Path) -> None:
        self.bytes = path.stat().st_size
        self.mime = str(filetype.guess_mime(str(path)) or _stream(path))
        self.is_video = self.mime.startswith("video/")
        self.width = self.height = self.frames = 0
        self.seconds = self.fps = 0.0
        self.codec = self.pixels = self.sound = self.sound_profile = ""
        self.channels = self.rate = self.video_bits = 0
        self.interlaced = self.moov_first = self.edit_list = False
        try:
            self._look_at_video(path) if self.is_video else self._look_at_picture(path)
        except (FFmpegError, UnidentifiedImageError, OSError, SyntaxError, EOFError) as error:
            raise ValueError(f"unreadable: {error}") from error

    @property
    def ratio(self) -> float:
        return self.width / self.height

    def _look_at_picture(self, path: Path) -> None:
        with Image.open(path) as image:
            image.load()
            self.width, self.height = image.size
            self.frames = getattr(image, "n_frames", 1)
            self.pixels = image.mode

    def _look_at_video(self, path: Path) -> None:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            context = stream.codec_context
            self.codec, self.pixels = context.codec.canonical_name, str(context.pix_fmt)
            self.interlaced = int(context.field_order or 0) > 1
            self.seconds = (container.duration or 0) / av.time_base
            if container.streams.audio:
                sound = container.streams.audio[0]
                self.sound, self.sound_profile = sound.codec_context.codec.canonical_name, str(sound.profile or "")
                self.channels, self.rate = sound.codec_context.channels, sound.codec_context.sample_rate
            count, first = 0, None
            for frame in container.decode(stream):
                count += 1
                first = first or frame
            if first is None:
                raise ValueError("no frame can be shown")
            self.width, self.height = first.width, first.height
            if first.rotation % 180:
                self.width, self.height = self.height, self.width
            self.frames, self.fps = count, count / self.seconds if self.seconds else 0.0
            self.video_bits = int(self.bytes * 8 / self.seconds) if self.seconds else 0
        if self.mime in {"video/mp4", "video/quicktime", "video/x-m4v"}:
            self._look_at_boxes(path)

    def _look_at_boxes(self, path: Path) -> None:
        names, at = [], 0
        with path.open("rb") as file:
            while at + 8 <= self.bytes:
                file.seek(at)
                head = file.read(16)
                size, name = int.from_bytes(head[:4], "big"), head[4:8]
                if size == 1:
                    size = int.from_bytes(head[8:16], "big")
                if size == 0:
                    size = self.bytes - at
                if size < 8:
                    raise ValueError("a box of no size")
                names.append(name)
                if name == b"moov":
                    file.seek(at)
                    self.edit_list = b"elst" in file.read(size)
                at += size
        known = [name for name in names if name in {b"moov", b"mdat"}]
        self.moov_first = known[:1] == [b"moov"]


def _stream(path: Path) -> str:
    """What has no beginning of its own: a transport stream is packets that each begin alike."""
    with path.open("rb") as file:
        head = file.read(188 * 3)
    return "video/mp2t" if head[:1] == head[188:189] == head[376:377] == b"G" else "application/octet-stream"


Rule = Callable[[Seen], str | None]


def first(rules: Sequence[Rule], files: Sequence[Seen]) -> str | None:
    """The first complaint of a rule about a file."""
    return next((said for file in files for rule in rules if (said := rule(file))), None)


def one_of(what: str, *allowed: str) -> Rule:
    """`what` of the file (mime, codec) is one of these."""
    return lambda file: None if getattr(file, what) in allowed else f"{what} {getattr(file, what)}"


def within(what: str, least: float, most: float, slack: float = 0.0) -> Rule:
    """`what` of the file (bytes, width, seconds, ratio, fps) is no less and no more. `slack` for what is measured."""

    def rule(file: Seen) -> str | None:
        value = getattr(file, what)
        return None if least - slack <= value <= most + slack else f"{what} {value:g}, not {least:g} to {most:g}"

    return rule


def sound(*codecs: str, rate: int | None = None, channels: int | None = None) -> Rule:
    """Where there is sound, it is of these codecs, with so many samples a second and channels at most."""

    def rule(file: Seen) -> str | None:
        if not file.sound:
            return None
        if file.sound not in codecs or (file.sound == "aac" and file.sound_profile not in {"LC", ""}):
            return f"sound {file.sound} {file.sound_profile}"
        if rate is not None and file.rate > rate:
            return f"{file.rate} Hz"
        return f"{file.channels} channels" if channels is not None and file.channels > channels else None

    return rule


def plain_colours(file: Seen) -> str | None:
    """4:2:0 of 8 bits."""
    return None if file.pixels in {"yuv420p", "yuvj420p", "nv12"} else f"pixels {file.pixels}"


def progressive(file: Seen) -> str | None:
    """Whole pictures."""
    return "interlaced" if file.interlaced else None


def index_first(file: Seen) -> str | None:
    """`moov` before `mdat`."""
    return None if file.moov_first else "moov is not at the front"


def no_edit_list(file: Seen) -> str | None:
    """No `elst`."""
    return "an edit list" if file.edit_list else None


def count(files: Sequence[Seen], least: int, most: int) -> str | None:
    """How many there are."""
    return None if least <= len(files) <= most else f"{len(files)} files, not {least} to {most}"
