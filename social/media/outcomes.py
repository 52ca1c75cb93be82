"""What a workbench answers. Apart from it, so that this process never loads a decoder."""

import msgspec

from social.files import Probe

STILL = "image/webp"  # of thumbnails
DISK_IS_FULL = 75  # its exit code then (EX_TEMPFAIL)


class Made(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What became of a picture. Sizes in pixels, as seen; `placeholder` is a data: URI; `probe` is of what goes out."""

    mime: str
    width: int
    height: int
    animated: bool
    placeholder: str
    thumbnail_mime: str
    probe: Probe


class Looked(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What a file is. Of a video the placeholder too, a data: URI."""

    probe: Probe
    placeholder: str = ""


class Begun(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How many seconds of a film's beginning were read. `sound`: as much of its sound as well; without, that ends
    before."""

    seconds: float
    sound: bool


class Unusable(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Why nothing became of it, in a sentence for who uploaded it."""

    sentence: str
    code: str


class Refusal(Exception):
    """Carries the words for an Unusable up to where it is answered."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code

    def unusable(self) -> Unusable:
        """The answer."""
        return Unusable(sentence=str(self), code=self.code)
