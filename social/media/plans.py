"""What a file becomes for a kind of post, as data: steps to be carried out, or that there is nothing to do, or no way.

A plan says everything that its result depends on: the same file and the same plan make the same rendition.
"""

import hashlib
from typing import Literal, TypeVar

import msgspec

T = TypeVar("T")
RENDERER = 3  # rises when the same plan is carried out differently


class Still(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Only the first frame of an animation."""


class Loop(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An animation is shown so many times."""

    times: int


class Trim(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What is shown of a video, in seconds."""

    start: float
    end: float


class Deinterlace(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Two half pictures become one."""


class ToneMap(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """HDR becomes what every screen can show. `curve` is what it was."""

    curve: Literal["pq", "hlg"]


class Colours(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The usual colours: sRGB of pictures, BT.709 of videos."""


class Crop(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What stays of a picture, in pixels."""

    left: int
    top: int
    width: int
    height: int


class Resize(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Larger or smaller."""

    width: int
    height: int


class Pad(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Filled around it, white with pictures and black with videos."""

    width: int
    height: int


class Rate(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """So many frames a second, each as long as the others."""

    fps: float


class Picture(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Written anew, as small as is asked for. `flat`: what shines through becomes white."""

    mime: str
    flat: bool = False


class Film(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The moving picture becomes H.264, with so many kilobits a second at most; in two passes where it must be so."""

    kbps: int
    two_passes: bool = False
    flat: bool = False  # what shines through becomes white


class Aac(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The sound becomes AAC."""

    channels: int
    rate: int
    kbps: int


class Silence(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A track of sound in which nothing is heard."""


class Wrap(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An MP4 with its index first, no edit list, nothing of the camera's. `least` bytes long."""

    least: int = 0


Step = (
    Still | Loop | Trim | Deinterlace | ToneMap | Colours | Crop | Resize | Pad | Rate | Picture | Film | Aac | Silence
    | Wrap
)  # fmt: skip


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The steps from a file of type `source` to one of type `mime` with `bytes` at most."""

    source: str
    mime: str
    bytes: int
    steps: tuple[Step, ...]

    @property
    def key(self) -> str:
        """What tells it from every other."""
        return hashlib.sha256(f"{RENDERER}".encode() + msgspec.json.encode(self)).hexdigest()

    @property
    def size(self) -> tuple[int, int] | None:
        """How large what is made is; None: as large as the file."""
        sized = [step for step in self.steps if isinstance(step, Crop | Resize | Pad)]
        return (sized[-1].width, sized[-1].height) if sized else None

    def step(self, kind: type[T]) -> T | None:
        """The step of that kind, if there is one."""
        return next((step for step in self.steps if isinstance(step, kind)), None)


class Fits(msgspec.Struct, frozen=True, kw_only=True, tag="fits"):
    """The file goes out as it is."""


class Converts(msgspec.Struct, frozen=True, kw_only=True, tag="converts"):
    """The file goes out as the plan makes it. `changes` says so in sentences."""

    plan: Plan
    changes: tuple[str, ...]


class Cannot(msgspec.Struct, frozen=True, kw_only=True, tag="cannot"):
    """There is no way. The sentence says why and what to do; the code is for machines."""

    because: str
    code: str


Verdict = Fits | Converts | Cannot
