"""Which files come in at all, and what a video is called when it goes out again as it came. Pure."""

from typing_extensions import TypeIs

from social.errors import UnsupportedType
from social.media.kinds import TAKEN, VIDEOS_TAKEN, Kind, VideoKind, called, kind_of, video_kind_of

VIDEO_MIMES = {
    "mp4": "video/mp4",
    "m4v": "video/x-m4v",
    "3gp": "video/3gpp",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "mkv": "video/x-matroska",
    "avi": "video/x-msvideo",
    "mpegts": "video/mp2t",
}
VIDEO_SUFFIXES = {
    "video/mp4": ".mp4",
    "video/x-m4v": ".m4v",
    "video/3gpp": ".3gp",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "video/x-matroska": ".mkv",
    "video/x-msvideo": ".avi",
    "video/mp2t": ".ts",
}


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
