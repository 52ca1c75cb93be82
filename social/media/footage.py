"""What a video is: its tracks, how it is to be shown, how long it lasts, and a frame of it. By PyAV.

Runs in `film_prober`, a child process, on files that strangers made. The demuxer is the one that the file's first bytes
announce, and no other is ever tried: none of these follows a reference to another file or host.
"""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice, pairwise
from typing import IO, Literal, cast

import av
import msgspec
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from social.files import Footage, Probe, Sound
from social.media import boxes, elements
from social.media.kinds import VIDEO_MIMES, VideoKind
from social.media.outcomes import Begun, Refusal
from social.media.ranged import TooMuch

DEMUXERS: dict[VideoKind, str] = {
    "mp4": "mov", "mov": "mov", "m4v": "mov", "3gp": "mov", "mkv": "matroska", "webm": "matroska", "avi": "avi",
    "mpegts": "mpegts",
}  # fmt: skip
CAREFUL = {"protocol_whitelist": "", "probesize": "8000000", "analyzeduration": "8000000"}
PIXELS = 8192 * 4320
LONGEST = 12 * 3600.0  # seconds
LOOKED_AT, PLACES = 200, 3  # frames in a row whose times tell whether it is steady, and in how many places
READ_AT = 150  # where the frames themselves have to be read for that, and
READ_MOST = 12 * 2**20  # bytes of them
ABOUT = 0.05  # by how much, as a share, what was counted may be off: a few frames at the end are out of turn
APART = 2.0  # seconds by which sound and picture of one instant may lie apart in a file
FIRST_FRAMES = 30  # that may fail to decode before a video is called broken
HDR: dict[int, Literal["", "pq", "hlg"]] = {16: "pq", 18: "hlg"}  # ITU-T H.273, transfer characteristics
MATRIX: dict[int, Literal["", "709", "601", "2020"]] = {1: "709", 5: "601", 6: "601", 9: "2020"}  # and coefficients
WIDE = frozenset({9, 11, 12})  # and colour primaries: BT.2020 and the two P3
INDEXED = frozenset({"mov", "avi"})  # demuxers that read the index of all frames at once
FIELDS = frozenset({2, 3, 4, 5})  # ffmpeg's AVFieldOrder: anything with two fields
CHROMA = re.compile(r"4[0-4][0-4]")

BROKEN = "This video cannot be read: a part of it is missing or damaged. Save it anew and try again."
CUT_OFF = "The end of this video is missing: it was not saved or not sent whole. Take it from where it was made again."
NO_PICTURE = "There is no moving picture in this file, only sound. A video has both, or a picture alone."
NO_LENGTH = "This video says nowhere how long it is. Save it anew, as an MP4, and try again."


def looked_at(kind: VideoKind, file: IO[bytes], size: int) -> tuple[Probe, Image.Image]:
    """What it is, and a frame of it, upright. Refused in words; OSError of the system's."""
    built = _structure(kind, file, size)
    if not built.whole:
        raise Refusal(CUT_OFF, "cut-off")
    file.seek(0)
    try:
        with _opened(kind, file) as container:
            stream = _picture_track(container)
            _check_size(stream)
            times = _times(stream, container, size)
            seconds = _length(container, stream)
            frame = _frame(container, stream, seconds)
            footage = _footage(stream, frame, times)
            probe = _probe(kind, size, container, stream, frame, seconds)
            where = _located(container, stream)
            probe = msgspec.structs.replace(
                probe, footage=footage, faststart=built.faststart, edits=built.edits, located=where
            )
            return probe, _upright(frame, probe)
    except FFmpegError as error:
        raise Refusal(BROKEN, "broken") from error


def beginning(kind: VideoKind, file: IO[bytes], wanted: float) -> Begun:
    """Reads, as a player would, what shows the first `wanted` seconds. Fewer come where more of the file would be
    needed than may be read. Refused in words."""
    seen = heard = 0.0
    whole = False
    try:
        with _opened(kind, file) as container:
            picture, sound, start = _picture_track(container), _sound(container), container.start_time or 0
            with suppress(FFmpegError):  # as ffmpeg does, which goes on where that fails
                container.seek(start)
            for packet in container.demux(picture, *([container.streams.audio[sound.track]] if sound else [])):
                if packet.dts is not None and packet.time_base:
                    at = float(packet.dts * packet.time_base) - start / av.time_base
                    if packet.stream.index == picture.index:
                        seen = max(seen, at)
                    else:
                        heard = max(heard, at)
                if seen > wanted + APART:
                    break
            else:
                whole = True
    except TooMuch:
        wanted = min(wanted, max(0.0, seen - APART))
    except FFmpegError as error:
        raise Refusal(BROKEN, "broken") from error
    return Begun(seconds=wanted, sound=whole or heard >= wanted)


def _structure(kind: VideoKind, file: IO[bytes], size: int) -> boxes.Structure:
    if DEMUXERS[kind] == "mov":
        return boxes.structure(file, size)
    return boxes.Structure(whole=DEMUXERS[kind] != "matroska" or elements.whole(file, size), faststart=True)


def _opened(kind: VideoKind, file: IO[bytes]) -> InputContainer:
    return av.open(file, "r", format=DEMUXERS[kind], container_options=CAREFUL, buffer_size=128 * 1024)


def _picture_track(container: InputContainer) -> VideoStream:
    """The first that is no cover of an album."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic and stream.codec_context is not None:
            return stream
    raise Refusal(NO_PICTURE if container.streams.audio else BROKEN, "no-picture")


def _check_size(stream: VideoStream) -> None:
    width, height = stream.width, stream.height
    if not width or not height:
        raise Refusal(BROKEN, "broken")
    if width * height > PIXELS:
        raise Refusal(
            f"This video has {width:,} × {height:,} pixels; at most 8192 × 4320 are taken. Make it smaller.", "too-big"
        )


def _times(stream: VideoStream, container: InputContainer, size: int) -> list[list[float]]:
    """When frames in a row are shown, in order: those of several places where there is an index, else the first."""
    base = float(stream.time_base or 1)
    entries = stream.index_entries
    if INDEXED & set(container.format.name.split(",")) and len(entries) > 1:
        last = entries[len(entries) - 1]
        if last.pos + last.size > size:
            raise Refusal(CUT_OFF, "cut-off")
        most = len(entries) - LOOKED_AT
        starts = {max(0, most * place // (PLACES - 1)) for place in range(PLACES)}
        rows = [range(start, min(start + LOOKED_AT, len(entries))) for start in sorted(starts)]
        return [sorted(entries[number].timestamp * base for number in row) for row in rows]
    stamps, read = [], 0
    for packet in islice(container.demux(stream), READ_AT):
        read += packet.size
        if packet.pts is not None:
            stamps.append(packet.pts * base)
        if read > READ_MOST and len(stamps) > FIRST_FRAMES:
            break
    container.seek(0)
    return [sorted(stamps)]


def _length(container: InputContainer, stream: VideoStream) -> float:
    """Seconds. A recording that was never finished says nothing, so that its packets are counted."""
    if container.duration:
        seconds = container.duration / av.time_base
    elif stream.duration and stream.time_base:
        seconds = float(stream.duration * stream.time_base)
    else:
        ends = [packet.pts + (packet.duration or 0) for packet in container.demux(stream) if packet.pts is not None]
        seconds = float(max(ends) * (stream.time_base or 1)) if ends else 0.0
        container.seek(0)
    if not math.isfinite(seconds) or seconds <= 0:
        raise Refusal(NO_LENGTH, "no-length")
    if seconds > LONGEST:
        raise Refusal(f"This video lasts {seconds / 3600:,.0f} hours; at most 12 are taken. Cut it.", "too-long")
    return seconds


def _frame(container: InputContainer, stream: VideoStream, seconds: float) -> VideoFrame:
    """One that stands for the video: a second in, or its first. Refused if none can be decoded."""
    stream.codec_context.thread_count = 1
    for at in (min(1.0, seconds / 3), 0.0):
        try:
            container.seek(int(at * av.time_base))
            found = next(islice(_decoded(container, stream), 1), None)
        except FFmpegError:
            continue
        if found is not None:
            return found
    raise Refusal(BROKEN, "broken")


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    failed = 0
    for packet in container.demux(stream):
        try:
            yield from cast("Sequence[VideoFrame]", packet.decode())
        except FFmpegError:
            failed += 1
            if failed > FIRST_FRAMES:
                return


def _probe(
    kind: VideoKind,
    size: int,
    container: InputContainer,
    stream: VideoStream,
    frame: VideoFrame,
    seconds: float,
) -> Probe:
    ratio = _pixel_ratio(stream)
    width, height = round(stream.width * max(ratio, 1.0)), round(stream.height / min(ratio, 1.0))
    if frame.rotation % 180:
        width, height = height, width
    return Probe(
        mime=VIDEO_MIMES[kind],
        bytes=size,
        width=width,
        height=height,
        seconds=round(seconds, 3),
        alpha=any(each.is_alpha for each in frame.format.components) or stream.metadata.get("alpha_mode") == "1",
        sound=_sound(container),
    )


def _footage(stream: VideoStream, frame: VideoFrame, times: list[list[float]]) -> Footage:
    context, pixels = stream.codec_context, frame.format
    return Footage(
        codec=context.codec.canonical_name,
        profile=str(stream.profile or ""),
        fps=round(_rate(stream, times[0]), 3),
        steady=_steady(times, float(stream.time_base or 0)),
        depth=max(each.bits for each in pixels.components),
        chroma=found[0] if (found := CHROMA.search(_pixel_name(pixels.name))) else "",
        hdr=HDR.get(int(context.color_trc or 0), ""),
        wide=int(context.color_primaries or 0) in WIDE,
        matrix=MATRIX.get(int(context.colorspace or 0), ""),
        interlaced=bool(frame.interlaced_frame) or int(context.field_order or 0) in FIELDS,
        rotation=frame.rotation % 360,
        square=_pixel_ratio(stream) == 1.0,
        bitrate=context.bit_rate or 0,
    )


def _pixel_ratio(stream: VideoStream) -> float:
    """How much wider than high a pixel is. What is beyond belief is taken for a slip."""
    ratio = float(stream.sample_aspect_ratio or 1)
    return ratio if 0.1 < ratio < 10 else 1.0


def _pixel_name(name: str) -> str:
    return {"nv12": "yuv420p", "nv21": "yuv420p", "p010le": "yuv420p10le", "gray": "yuv420p"}.get(name, name)


def _located(container: InputContainer, stream: VideoStream) -> bool:
    """Whether a place is noted, as phones do it: in the box (c)xyz or loci, or in Apple's own list."""
    return any("location" in name.lower() for name in (*container.metadata, *stream.metadata))


def _sound(container: InputContainer) -> Sound | None:
    """The first track of sound that can be played."""
    for number, stream in enumerate(container.streams.audio):
        context = stream.codec_context
        if context is not None and context.channels and context.sample_rate:
            return Sound(
                track=number,
                codec=context.codec.canonical_name,
                channels=context.channels,
                rate=context.sample_rate,
                profile=str(stream.profile or ""),
                bitrate=context.bit_rate or 0,
            )
    return None


def _rate(stream: VideoStream, times: list[float]) -> float:
    """Frames a second: what was counted, where enough were, else what the file says."""
    said = float(stream.average_rate or stream.guessed_rate or 0)
    counted = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else 0.0
    if said and (stream.frames or abs(said - counted) < ABOUT * said):
        return said
    return counted or said or 25.0


def _steady(times: list[list[float]], tick: float) -> bool:
    """Whether all frames last as long, but for rounding. Those at the ends of a row may be out of turn."""
    rows = [row[1:-1] for row in times] if len(times) > 1 else [row[:-1] for row in times]
    gaps = [after - before for row in rows for before, after in pairwise(row)]
    if not gaps:
        return True
    usual = sorted(gaps)[len(gaps) // 2]
    odd = sum(abs(gap - usual) > max(1.5 * tick, 0.05 * usual) for gap in gaps)
    return odd <= len(gaps) // 100


def _upright(frame: VideoFrame, probe: Probe) -> Image.Image:
    image: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
    return image.rotate(frame.rotation, expand=True).resize((probe.width, probe.height))
