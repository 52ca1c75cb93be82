"""What has to happen to a video, or to an animated picture that becomes one. Pure.

What can stay as it is stays: a stream is copied where codec, colours, timing, size and shape are taken, so that most
phones' videos only get their index moved.
"""

import math

import msgspec

from social.files import Choice, Footage, Probe, Videos
from social.media import shapes
from social.media.fit_pictures import moved, said
from social.media.plans import (
    Aac,
    Cannot,
    Colours,
    Converts,
    Deinterlace,
    Film,
    Fits,
    Loop,
    Plan,
    Rate,
    Silence,
    Step,
    ToneMap,
    Trim,
    Verdict,
    Wrap,
)

MP4 = "video/mp4"
RATES = (24.0, 25.0, 30.0, 50.0, 60.0)  # what frames that last differently are made to last
BITS = 0.1  # for a pixel of a frame, in H.264, that looks as it did
# Pixels of the largest frame of H.264's level 5.2 (ITU-T H.264, table A-1). A larger one plays on few devices, and to
# make it takes gigabytes of memory.
MOST_PIXELS = 36_864 * 16 * 16
FEWEST_BITS = 0.035  # below which it is better made smaller
LEAST_KBPS, MOST_KBPS, FEWEST_KBPS = 400, 40_000, 64
SMALLEST = 160  # pixels of the longer side, below which nothing is made to fit into few bytes
LOSS = 1.5  # how many more bits H.264 is given than a stream of a newer codec had
SPARE = 0.93  # of the bytes: the rest is for what is around the streams, and for two passes that miss a little
SOUND_KBPS = 128
SOUND_RATE = 48_000
MORE, AROUND = 1.3, 2**20  # than what is expected of the streams, and bytes around them
SLACK = 0.05  # seconds; a length is given in frames and in blocks of sound, so that it is never exact
IN_MP4, SOUNDS_IN_MP4 = frozenset({"h264", "hevc"}), ("aac",)  # what an MP4 of ours holds
PLAIN_SOUND = frozenset({"", "LC"})  # kinds of AAC that all take

IN_ORDER = "It is packed anew so that it begins at once; what is seen and heard stays the same."
NOWHERE = "Where it was made is no longer told."


class _Shown(msgspec.Struct, frozen=True, kw_only=True):
    """How the result is shown: for how long, how often a second, how large."""

    seconds: float
    fps: float
    size: shapes.Size


def fit_video(probe: Probe, taken: Videos, choice: Choice, where: str) -> Verdict:
    """`where` names the platform and the kind of post."""
    timed = _timed(probe, taken, choice, where)
    if isinstance(timed, Cannot):
        return timed
    times, seconds = timed
    size = (probe.width, probe.height)
    room = shapes.asked(_room(taken), choice.aspect)
    placed = shapes.placed(size, room, crop=choice.shape == "crop", focus=choice.focus)
    if placed is None:
        words = f"This video of {size[0]} × {size[1]} pixels cannot be given a shape that {where} takes."
        return Cannot(because=words, code="shape")
    rates, fps = _rated(probe, taken)
    reshaped = moved(placed, size)
    anew = bool(times or reshaped or rates) or not _stays(probe, taken)
    if anew and (smaller := _within_reach(placed, room, size, choice)) is not None:
        placed, reshaped = smaller, moved(smaller, size)
    seen = _seen(probe, taken, anew=anew)
    drawn = [*seen, *reshaped, *rates]
    shown = _Shown(seconds=seconds, fps=fps, size=placed.canvas)
    wrapped = [*_sound(probe, taken, () if times else SOUNDS_IN_MP4), Wrap(least=taken.least_bytes)]
    if not times and not drawn and _stays(probe, taken):
        if _whole(probe, taken) and not _sound(probe, taken, taken.sounds):
            return Fits()
        if probe.footage is not None and probe.footage.codec in IN_MP4:
            return _verdict(probe, taken, wrapped, probe.bytes + _of_sound(seconds))
    film = _film(probe, taken, shown, choice, where)
    if isinstance(film, Cannot):
        return film
    if isinstance(film, tuple):  # too little for that size
        smaller, film = film
        drawn = [*seen, *moved(smaller, size), *rates]
    return _verdict(probe, taken, [*times, *drawn, film, *wrapped], film.kbps * 125 * seconds + _of_sound(seconds))


def _within_reach(placed: shapes.Placed, room: shapes.Room, size: shapes.Size, choice: Choice) -> shapes.Placed | None:
    """Placed in fewer pixels where it would be more than are ever encoded; None where it is not, or there is no way."""
    if math.prod(placed.canvas) <= MOST_PIXELS:
        return None
    fewer = msgspec.structs.replace(room, pixels=MOST_PIXELS)
    return shapes.placed(size, fewer, crop=choice.shape == "crop", focus=choice.focus)


def _timed(probe: Probe, taken: Videos, choice: Choice, where: str) -> tuple[list[Step], float] | Cannot:
    """What is shown of it, and how long that lasts."""
    shortest, longest = taken.seconds
    if probe.footage is None:
        once = probe.seconds
        if not once:
            words = "This animation says nowhere how long its frames are shown. Save it anew and try again."
            return Cannot(because=words, code="no-length")
        times = max(1, math.ceil((shortest + SLACK) / once))
        if once * times > longest:
            return Cannot(because=_too_long(once, longest, where), code="too-long")
        return ([Loop(times=times)] if times > 1 else []), once * times
    start, end = choice.start, min(choice.end or probe.seconds, probe.seconds)
    seconds = end - start
    if seconds <= 0:
        words = f"Nothing is left of this video of {clock(probe.seconds)}: choose another beginning and end."
        return Cannot(because=words, code="empty")
    if seconds > longest:
        return Cannot(because=_too_long(seconds, longest, where), code="too-long")
    if seconds < shortest:
        words = f"This video lasts {clock(seconds)}; {where} takes {clock(shortest)} at least. Use a longer one."
        return Cannot(because=words, code="too-short")
    trimmed = start > 0 or end < probe.seconds
    return ([Trim(start=start, end=end)] if trimmed else []), seconds


def _too_long(seconds: float, longest: float, where: str) -> str:
    return f"This lasts {clock(seconds)}; {where} takes {clock(longest)} at most. Choose which part is shown."


def clock(seconds: float) -> str:
    """A length as people say it: 0.5 seconds, 12 seconds, 2:20, 1:00:05."""
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + (" second" if seconds == 1 else " seconds")
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _room(taken: Videos) -> shapes.Room:
    return shapes.Room(
        least_width=taken.least_width,
        least_height=taken.least_height,
        width=taken.width,
        height=taken.height,
        pixels=taken.pixels,
        shapes=taken.shapes,
        even=True,
    )


def _rated(probe: Probe, taken: Videos) -> tuple[list[Step], float]:
    """The step that changes when frames are shown, if any, and the frames a second that come of it."""
    slowest, fastest = taken.fps
    if probe.footage is None:
        fps, steady = probe.frames / probe.seconds, False
        rate = next((each for each in RATES if each >= max(fps, slowest)), fastest)
    else:
        fps, steady = probe.footage.fps, probe.footage.steady or taken.any_timing
        rate = fps if steady else min(RATES, key=lambda each: abs(each - fps))
    rate = min(_rounded_up(slowest) if rate < slowest else rate, fastest)
    return ([] if steady and rate == fps else [Rate(fps=rate)]), rate


def _rounded_up(slowest: float) -> float:
    return next((each for each in RATES if each >= slowest), slowest) if slowest > 1 else slowest


def _seen(probe: Probe, taken: Videos, *, anew: bool) -> list[Step]:
    """What changes how it looks without changing its size. `anew`: it is encoded, which only plain colours survive."""
    footage, steps = probe.footage, list[Step]()
    if footage is None:
        return steps
    if footage.interlaced and (anew or not taken.any_timing):
        steps.append(Deinterlace())
    if anew or not taken.any_colours:
        if footage.hdr:
            steps.append(ToneMap(curve=footage.hdr))
        elif footage.wide:
            steps.append(Colours())
    return steps


def _stays(probe: Probe, taken: Videos) -> bool:
    """Whether the moving picture can stay as it is, bit for bit."""
    footage = probe.footage
    return (
        footage is not None
        and footage.codec in taken.codecs
        and (taken.any_colours or (footage.depth == 8 and footage.chroma == "420"))
        and not footage.rotation
        and footage.square
        and not probe.alpha
        and (probe.edits != "cut" or taken.edits)
        and probe.bytes <= taken.bytes
        and (taken.bitrate is None or _bitrate(probe) <= taken.bitrate)
    )


def _bitrate(probe: Probe) -> int:
    """Bits a second of the moving picture; of the whole file where it cannot be told."""
    whole = int(probe.bytes * 8 / max(probe.seconds, 0.1))
    footage: Footage | None = probe.footage
    return min(whole, footage.bitrate) if footage is not None and footage.bitrate else whole


def _sound(probe: Probe, taken: Videos, sounds: tuple[str, ...]) -> list[Step]:
    """What becomes of the sound, if only `sounds` stay as they are."""
    sound = probe.sound
    if sound is None:
        return [Silence()] if taken.sound_needed else []
    rate, channels = min(sound.rate, taken.sound_rate or sound.rate), min(sound.channels, taken.sound_channels or 8)
    stays = (
        sound.codec in sounds
        and sound.codec in taken.sounds
        and (sound.codec != "aac" or sound.profile in PLAIN_SOUND)
        and (rate, channels) == (sound.rate, sound.channels)
    )
    return [] if stays else [Aac(channels=min(channels, 2), rate=_sound_rate(rate), kbps=SOUND_KBPS)]


def _sound_rate(rate: int) -> int:
    return rate if rate in {44_100, 48_000} else SOUND_RATE


def _whole(probe: Probe, taken: Videos) -> bool:
    """Whether the file around the streams is taken as it is, and tells no more than what is seen."""
    return (
        probe.mime in taken.types
        and not probe.located
        and (probe.faststart or not taken.faststart)
        and (not probe.edits or taken.edits)
        and probe.bytes >= taken.least_bytes
    )


def _film(
    probe: Probe, taken: Videos, shown: _Shown, choice: Choice, where: str
) -> Film | tuple[shapes.Placed, Film] | Cannot:
    """How many bits it gets: what it needs, or what there is room for; then maybe a smaller size with it."""
    wanted = _wanted(probe, shown)
    room = int(taken.bytes * 8 * SPARE / shown.seconds / 1000) - (
        SOUND_KBPS if probe.sound or taken.sound_needed else 0
    )
    if taken.bitrate is not None:
        room = min(room, int(taken.bitrate * SPARE / 1000))
    if room >= wanted:
        return Film(kbps=wanted, flat=probe.alpha)
    fewest = FEWEST_BITS * shown.fps * shown.size[0] * shown.size[1] / 1000
    if room >= fewest:
        return Film(kbps=room, two_passes=True, flat=probe.alpha)
    pixels = int(shown.size[0] * shown.size[1] * room / fewest) if room > 0 else 0
    smaller = shapes.placed(
        (probe.width, probe.height),
        shapes.asked(msgspec.structs.replace(_room(taken), pixels=max(1, pixels)), choice.aspect),
        crop=choice.shape == "crop",
        focus=choice.focus,
    )
    if room < FEWEST_KBPS or smaller is None or max(smaller.canvas) < min(SMALLEST, *shown.size):
        words = (
            f"This lasts {clock(shown.seconds)}, too long for the {taken.bytes / 1e6:,.0f} MB that {where} takes. "
            "Choose which part is shown."
        )
        return Cannot(because=words, code="too-large")
    return smaller, Film(kbps=room, two_passes=True, flat=probe.alpha)


def _wanted(probe: Probe, shown: _Shown) -> int:
    """Kilobits a second with which it looks as it did; no more than its own, given for what H.264 does worse."""
    needed = BITS * shown.fps * shown.size[0] * shown.size[1] / 1000
    if probe.footage is not None:
        needed = min(needed * 2, max(needed / 4, _bitrate(probe) * LOSS / 1000))
    return round(min(max(needed, LEAST_KBPS), MOST_KBPS))


def _of_sound(seconds: float) -> float:
    return 2 * SOUND_KBPS * 125 * seconds


def _verdict(probe: Probe, taken: Videos, steps: list[Step], expected: float) -> Converts:
    """With a limit that depends on the file where it can: then platforms share what is made, whatever theirs is."""
    most = max(round(expected * MORE) + AROUND, 2 * taken.least_bytes)
    plan = Plan(source=probe.mime, mime=MP4, bytes=min(taken.bytes, most), steps=tuple(steps))
    words = [each for step in steps if (each := _said(step, probe))]
    if probe.located:
        words.append(NOWHERE)
    return Converts(plan=plan, changes=tuple(words) or (IN_ORDER,))


def _said(step: Step, probe: Probe) -> str | None:
    match step:
        case Trim():
            return f"It is cut: from {clock(step.start)} to {clock(step.end)}."
        case Loop():
            return f"The animation is repeated {step.times} times."
        case Deinterlace():
            return "Its half pictures become whole ones."
        case ToneMap():
            return "Its HDR colours become what every screen can show."
        case Colours():
            return "Its colours become the usual ones (BT.709)."
        case Rate():
            return f"It gets {step.fps:g} frames a second."
        case Film(two_passes=True):
            return f"It is encoded with {step.kbps:,} kbit/s, so that it is small enough."
        case Film():
            again = probe.footage is not None and probe.footage.codec == "h264"
            return "It is encoded anew." if again else "It is encoded as H.264, which plays everywhere."
        case Aac():
            return "Its sound becomes AAC, which plays everywhere."
        case Silence():
            return "It gets a track of silence."
        case Wrap():
            return "It becomes an MP4." if probe.mime != MP4 else None
    return said(step, "It")
