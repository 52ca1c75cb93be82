"""What every browser plays, and the plan of the small clip that stands in for what it does not. Pure.

Sources: MDN's guides to media containers and to audio and video codecs on the web. What only some browsers play counts
as not played: whoever has one of these is shown the original all the same.
"""

from social.files import Choice, Probe, Videos
from social.media.fit_videos import fit_video
from social.media.plans import Converts, Plan

SECONDS = 15.0  # of its beginning
SIDE = 640  # pixels of the clip's longer side, at most
HEAVY = 100 * 10**6  # bytes of a video from which on it is slow to look at
WIDE = 1920  # pixels of its longer side
MIME = "video/mp4"
MOVS = frozenset({"video/mp4", "video/quicktime", "video/x-m4v"})
H264, IN_MOVS = "h264", frozenset({"aac", "mp3"})
WEBM, WEBMS, IN_WEBM = "video/webm", frozenset({"vp8", "vp9", "av1"}), frozenset({"opus", "vorbis"})

CLIP = Videos(
    types=(MIME,),
    codecs=(),  # none stays as it is: the clip is there to be small
    sounds=(),
    bytes=16 * 2**20,
    seconds=(0.0, SECONDS),
    fps=(1.0, 30.0),
    width=SIDE,
    height=SIDE,
    sound_rate=48_000,
    sound_channels=2,
    faststart=True,
    edits=False,
)


def plays(probe: Probe) -> bool:
    """Whether every browser plays the video."""
    footage, sound = probe.footage, probe.sound
    if footage is None:
        return False
    if probe.mime == WEBM:
        return footage.codec in WEBMS and (sound is None or sound.codec in IN_WEBM)
    plain = footage.codec == H264 and footage.depth == 8 and footage.chroma == "420"
    return probe.mime in MOVS and plain and (sound is None or sound.codec in IN_MOVS)


def is_heavy(probe: Probe) -> bool:
    """Whether it is a video that is slow to look at, played or not."""
    return probe.footage is not None and (probe.bytes > HEAVY or max(probe.width, probe.height) > WIDE)


def wants_clip(probe: Probe) -> bool:
    """Whether a video is better looked at as a clip: it is not played everywhere, or heavy."""
    return probe.footage is not None and (not plays(probe) or is_heavy(probe))


def clip_of(probe: Probe, seconds: float) -> Plan | None:
    """The plan of the clip of the first `seconds`. None where there is no way."""
    verdict = fit_video(probe, CLIP, Choice(end=min(seconds, SECONDS)), "a browser") if seconds > 0 else None
    return verdict.plan if isinstance(verdict, Converts) else None
