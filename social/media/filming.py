"""What ffmpeg is told to carry out the plan of a video. Pure.

Sources: the documentation of ffmpeg 9 and of its libx264, aac, zscale and tonemap. Files are given as descriptors that
the process inherits, so that nothing has a name.
"""

from collections.abc import Iterator

from social.files import Probe
from social.media.plans import (
    Aac,
    Colours,
    Crop,
    Deinterlace,
    Film,
    Loop,
    Pad,
    Plan,
    Rate,
    Resize,
    Silence,
    ToneMap,
    Trim,
)

DEMUXERS = {
    "video/mp4": "mov", "video/quicktime": "mov", "video/x-m4v": "mov", "video/3gpp": "mov",
    "video/x-matroska": "matroska", "video/webm": "matroska", "video/x-msvideo": "avi", "video/mp2t": "mpegts",
    "image/gif": "gif", "image/png": "apng", "image/webp": "webp_anim",
}  # fmt: skip
CURVES = {"pq": "smpte2084", "hlg": "arib-std-b67"}
# Nits of what is white without being a light, ITU-R BT.2408. With it, and a curve that leaves alone what is darker, its
# cards of grey and white come out at 42 and 84 % of the signal; by the usual recipe (100 and hable) at 38 and 76.
WHITE = 203
THREADS = 2
QUALITY = 20  # x264's CRF: nobody sees a difference at the first look
PRESET = "veryfast"
LONGER = 60.0  # seconds that a film may last beyond twice what it says
KEY_EVERY = 2.0  # seconds between frames that stand alone
# Without an edit list the first frame would come late by as much as the encoder reorders, but for negative offsets.
MP4 = ("-movflags", "+faststart+negative_cts_offsets", "-use_editlist", "0", "-f", "mp4")
HD = (1280, 720)  # from here on, colours that say nothing are those of BT.709, and below of BT.601
TAGS = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv")


def passes(plan: Plan, probe: Probe, source: int, target: int, *, plainly: bool = False) -> list[list[str]]:
    """The arguments of one run of ffmpeg after the other. `plainly`: without what only makes colours nicer."""
    film = plan.step(Film)
    if film is None or not film.two_passes:
        return [_run(plan, probe, source, target, 0, plainly)]
    return [_run(plan, probe, source, target, number, plainly) for number in (1, 2)]


def _run(plan: Plan, probe: Probe, source: int, target: int, number: int, plainly: bool) -> list[str]:
    words = ["-nostdin", "-hide_banner", "-v", "error", "-progress", "pipe:1", "-y", *_read(plan, probe, source)]
    silent = plan.step(Silence) is not None and number != 1
    if silent:
        words += ["-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo"]
    film = plan.step(Film)
    if film is None:
        words += ["-map", "0:V:0", "-c:v", "copy", *(["-tag:v", "hvc1"] if _is_hevc(probe) else [])]
    else:
        words += ["-filter_complex", f"[0:V:0]{','.join(_filters(plan, probe, plainly))}[v]", "-map", "[v]"]
        words += _encoder(film, plan, probe, number)
    words += _sound(plan, probe, silent) if number != 1 else ["-an"]
    words += ["-sn", "-dn", "-map_metadata", "-1", "-map_metadata:s", "-1", "-map_chapters", "-1"]
    if number == 1:
        return [*words, "-t", f"{_longest(plan, probe):.3f}", "-f", "null", "-"]
    if silent:
        words += ["-shortest"]
    return [*words, "-t", f"{_longest(plan, probe):.3f}", *MP4, f"/proc/self/fd/{target}"]


def _longest(plan: Plan, probe: Probe) -> float:
    """Seconds that what comes out may last at all. A frame that claims to be shown for years would else be repeated
    until there is no memory left; asked of what is read, ffmpeg does that all the same."""
    loop = plan.step(Loop)
    return 2 * probe.seconds * (loop.times if loop is not None else 1) + LONGER


def _read(plan: Plan, probe: Probe, source: int) -> Iterator[str]:
    yield from ("-threads", str(THREADS), "-protocol_whitelist", "file,pipe", "-f", DEMUXERS[probe.mime])
    if (trim := plan.step(Trim)) is not None:
        yield from ("-ss", f"{trim.start:.3f}", "-t", f"{trim.end - trim.start:.3f}")
    if probe.footage is None:  # frames of a PNG come in different forms, and with a new graph the first one is lost
        yield from ("-reinit_filter", "0")
    yield from ("-i", f"/proc/self/fd/{source}")


def _filters(plan: Plan, probe: Probe, plainly: bool) -> Iterator[str]:
    """In an order that gives the dear ones little to do. ffmpeg itself turns the picture upright before the first."""
    film = plan.step(Film)
    if probe.footage is None:
        yield "scale,format=rgba"
    if plan.step(Deinterlace) is not None:
        yield "bwdif=mode=send_frame"
    rate = plan.step(Rate)
    fewer = rate is not None and probe.footage is not None and rate.fps < probe.footage.fps
    if rate is not None and fewer:  # before anything is done to those that are left out
        yield f"fps={rate.fps:g}"
    if film is not None and film.flat:
        if probe.footage is not None:
            yield f"scale=in_color_matrix={_matrix(probe)}"
        yield "format=rgba,split[a][b];[a]drawbox=c=white:t=fill:replace=1[w];[w][b]overlay=shortest=1:format=auto"
    if (crop := plan.step(Crop)) is not None:
        yield from _square(probe)
        yield f"crop={crop.width}:{crop.height}:{crop.left}:{crop.top}"
    if (resize := plan.step(Resize)) is not None:
        yield f"scale={resize.width}:{resize.height}:flags=lanczos"
    elif crop is None:
        yield from _square(probe)
    yield from _colours(plan, probe, plainly)
    if (pad := plan.step(Pad)) is not None:
        yield f"pad={pad.width}:{pad.height}:(ow-iw)/2:(oh-ih)/2:black"
    if rate is not None and not fewer:
        yield f"fps={rate.fps:g}"
        yield from _repeated(plan, rate.fps, probe)
    yield "setsar=1,format=yuv420p"


def _repeated(plan: Plan, fps: float, probe: Probe) -> Iterator[str]:
    """An animation several times over: its frames are kept, so only what lasts for seconds is repeated."""
    loop = plan.step(Loop)
    if loop is not None:
        frames = max(1, round(probe.seconds * fps))
        yield f"format=yuv420p,loop=loop={loop.times - 1}:size={frames},setpts=N/({fps:g})/TB"


def _square(probe: Probe) -> Iterator[str]:
    if probe.footage is not None and not probe.footage.square:
        yield f"scale={probe.width}:{probe.height}:flags=lanczos,setsar=1"


def _colours(plan: Plan, probe: Probe, plainly: bool) -> Iterator[str]:
    tone = plan.step(ToneMap)
    if probe.footage is None:
        yield "scale=out_color_matrix=bt709:out_range=tv"
    elif tone is not None and not plainly:
        yield f"zscale=tin={CURVES[tone.curve]}:pin=2020:min=2020_ncl:t=linear:npl={WHITE},format=gbrpf32le"
        yield "zscale=p=709,tonemap=mobius:desat=0,zscale=t=709:m=709:r=tv"
    elif plan.step(Colours) is not None and not plainly:
        yield "zscale=tin=709:p=709:t=709:m=709:r=tv"
    else:
        yield f"scale=in_color_matrix={_matrix(probe)}:out_color_matrix=bt709:out_range=tv"


def _matrix(probe: Probe) -> str:
    """How its colours are written down. Where it does not say, players go by its size, and so do we."""
    if probe.footage is None or probe.footage.matrix:
        return "auto"
    return (
        "bt709" if min(probe.width, probe.height) >= HD[1] or max(probe.width, probe.height) >= HD[0] else "smpte170m"
    )


def _encoder(film: Film, plan: Plan, probe: Probe, number: int) -> Iterator[str]:
    fps = rate.fps if (rate := plan.step(Rate)) is not None else probe.footage.fps if probe.footage else 25.0
    yield from ("-c:v", "libx264", "-preset", PRESET, "-profile:v", "high", "-threads", str(THREADS))
    yield from ("-g", str(max(1, round(fps * KEY_EVERY))), "-flags", "+cgop")
    yield from ("-fps_mode", "cfr", "-r", _exact(fps))
    if number:
        yield from ("-b:v", f"{film.kbps}k", "-maxrate", f"{film.kbps * 3 // 2}k", "-bufsize", f"{film.kbps * 2}k")
        yield from ("-pass", str(number), "-passlogfile", "passes")
    else:
        yield from ("-crf", str(QUALITY), "-maxrate", f"{film.kbps}k", "-bufsize", f"{film.kbps}k")
    yield from TAGS


def _exact(fps: float) -> str:
    """Frames a second as ffmpeg is told: what television rounds to 23.976, 29.97 and 59.94 is a fraction."""
    whole = round(fps * 1.001)
    return f"{whole}000/1001" if whole and abs(whole / 1.001 - fps) < 0.002 else f"{fps:g}"


def _sound(plan: Plan, probe: Probe, silent: bool) -> Iterator[str]:
    if silent:
        yield from ("-map", "1:a:0", "-c:a", "aac", "-b:a", "128k")
        return
    if probe.sound is None:
        yield "-an"
        return
    yield from ("-map", f"0:a:{probe.sound.track}")
    aac = plan.step(Aac)
    if aac is None:
        yield from ("-c:a", "copy")
    else:
        yield from ("-c:a", "aac", "-b:a", f"{aac.kbps}k", "-ac", str(aac.channels), "-ar", str(aac.rate))


def _is_hevc(probe: Probe) -> bool:
    return probe.footage is not None and probe.footage.codec == "hevc"
