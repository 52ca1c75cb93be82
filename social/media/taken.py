"""Which files come in at all. Pure."""

from typing_extensions import TypeIs

from social.errors import UnsupportedType
from social.media.kinds import TAKEN, VIDEO_MIMES, VIDEOS_TAKEN, Kind, VideoKind, called, kind_of, video_kind_of


def is_video(kind: Kind | VideoKind) -> TypeIs[VideoKind]:
    """Whether it is one."""
    return kind in VIDEO_MIMES


def expected(head: bytes) -> Kind | VideoKind:
    """The kind of picture or video that begins with `head`. UnsupportedType, in words, for what is neither."""
    kind = kind_of(head) or video_kind_of(head)
    if kind is None:
        raise UnsupportedType(
            f"This is {called(head)}. Pictures can be {TAKEN}; videos {VIDEOS_TAKEN}.", taken=TAKEN, videos=VIDEOS_TAKEN
        )
    return kind
