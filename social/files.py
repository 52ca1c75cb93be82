"""Files as platforms see them: what a file is, what each kind of post takes, and what a person chose to do about it.

Data only. Sizes in pixels as seen (turned upright, pixels square), lengths in seconds, shapes as width divided by
height.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Footage(msgspec.Struct, frozen=True, kw_only=True):
    """The moving picture of a video. Names of codecs are ffmpeg's: h264, hevc, vp9, av1, prores."""

    codec: str
    profile: str = ""
    fps: float
    steady: bool = True  # every frame is shown for the same time
    depth: int = 8  # bits of a colour
    chroma: str = "420"  # how finely colours are stored: 420, 422, 444; "" where they are no such thing
    hdr: Literal["", "pq", "hlg"] = ""
    wide: bool = False  # more colours than BT.709
    matrix: Literal["", "709", "601", "2020"] = ""  # how its colours are written down; "" where it does not say
    interlaced: bool = False
    rotation: int = 0  # by how much a player turns it, in degrees
    square: bool = True  # pixels are as wide as high
    bitrate: int = 0  # bits a second; 0 where it cannot be told


class Sound(msgspec.Struct, frozen=True, kw_only=True):
    """The sound of a video. `profile` tells the kinds of AAC apart."""

    codec: str
    channels: int
    rate: int  # samples a second
    profile: str = ""
    bitrate: int = 0
    track: int = 0  # which of the tracks of sound


class Probe(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a file is, told from its content. `footage` is what makes it a video."""

    mime: str
    bytes: int
    width: int
    height: int
    seconds: float = 0.0  # of a video or an animated picture
    frames: int = 1  # of an animated picture
    alpha: bool = False  # something may shine through
    profiled: bool = False  # a picture with colours other than sRGB
    footage: Footage | None = None
    sound: Sound | None = None
    faststart: bool = False  # the index comes before the frames
    edits: Literal["", "shift", "cut"] = ""  # what an edit list does to what is shown
    located: bool = False  # a video that says where it was made

    @property
    def shape(self) -> float:
        """Width divided by height."""
        return self.width / self.height

    @property
    def animated(self) -> bool:
        """Whether it is a picture that moves."""
        return self.footage is None and self.frames > 1


class Pictures(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken of pictures. What is not of one of `types` becomes the first of them that can hold it."""

    types: tuple[str, ...]
    bytes: int
    pixels: int | None = None
    width: int | None = None  # at most; the same for `height`
    height: int | None = None
    either_way: bool = False  # `width` and `height` may be swapped
    least_width: int = 1
    least_height: int = 1
    shapes: tuple[float, float] | None = None  # the narrowest and the widest
    exact_shapes: tuple[float, ...] = ()  # or these and no others
    srgb: bool = False  # other colours are to be converted


class Animations(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken of pictures that move, as they are."""

    types: tuple[str, ...] = ("image/gif",)
    bytes: int
    width: int | None = None
    height: int | None = None
    pixels: int | None = None  # of one frame
    frames: int | None = None
    pixels_in_all: int | None = None  # frames times pixels


class Videos(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken of videos. What does not fit becomes H.264 and AAC in an MP4."""

    types: tuple[str, ...] = ("video/mp4",)
    codecs: tuple[str, ...] = ("h264",)
    sounds: tuple[str, ...] = ("aac",)
    bytes: int
    least_bytes: int = 0
    seconds: tuple[float, float]  # the shortest and the longest
    fps: tuple[float, float] = (1.0, 60.0)
    bitrate: int | None = None  # of the picture
    pixels: int | None = None
    width: int | None = None
    height: int | None = None
    least_width: int = 2
    least_height: int = 2
    shapes: tuple[float, float] | None = None
    sound_needed: bool = False
    sound_rate: int | None = None  # at most
    sound_channels: int | None = None
    faststart: bool = False
    edits: bool = True  # whether edit lists are taken
    any_colours: bool = False  # 10 bits, HDR and finer colours too
    any_timing: bool = False  # frames that last differently, and interlaced ones


class PostKind(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which a post can show files. `words` follow "as": "a reel"."""

    name: str
    words: str
    least: int = 1  # files
    most: int = 1
    pictures: Pictures | None = None
    animations: Animations | None = None
    videos: Videos | None = None
    mixed: bool = True  # what moves may stand beside pictures
    same_shape: bool = False  # all files have the first one's
    stills: bool = False  # a picture that moves may be shown as its first frame


Side = Annotated[float, Meta(ge=0.0, le=1.0)]


class Choice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a person wants of a file. `shape` says how it gets another shape than its own: where its own is not taken,
    or where `aspect` asks for one. `focus` is the point that stays when something is cut off: fractions of the width
    from the left and of the height from the top."""

    shape: Literal["pad", "crop"] = "pad"
    aspect: Annotated[float, Meta(ge=0.1, le=10.0)] | None = None  # where it is taken, or else the nearest that is
    focus: tuple[Side, Side] = (0.5, 0.5)
    start: Annotated[float, Meta(ge=0.0)] = 0.0  # seconds of a video that are left out at its beginning
    end: Annotated[float, Meta(gt=0.0)] | None = None  # and where it ends


AS_IT_IS = Choice()
