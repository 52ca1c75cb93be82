"""What a workbench answers. Apart from it, so that this process never loads a decoder."""

import msgspec

DISK_IS_FULL = 75  # its exit code then (EX_TEMPFAIL)


class Made(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What became of a picture. Sizes in pixels, as seen; `placeholder` is a data: URI."""

    mime: str
    width: int
    height: int
    animated: bool
    placeholder: str
    thumbnail_mime: str


class Unusable(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Why nothing became of it, in a sentence for who uploaded it."""

    sentence: str
    code: str
