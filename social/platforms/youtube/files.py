"""What YouTube takes of files. Sheet: Limits; Shorts. It decodes nearly everything itself."""

from social.files import PostKind, Videos

LONGEST = 15 * 60.0  # of a channel that is not verified; a verified one may have twelve hours
SHORT_LONGEST = 180.0
BYTES = 256 * 10**9


def _video(longest: float, shapes: tuple[float, float] | None = None) -> Videos:
    return Videos(
        types=(
            *("video/mp4", "video/quicktime", "video/webm", "video/x-msvideo", "video/3gpp", "video/x-m4v"),
            *("video/x-matroska", "video/mp2t"),
        ),
        codecs=("h264", "hevc", "vp8", "vp9", "av1", "prores", "mpeg4", "mpeg2video", "mjpeg"),
        sounds=("aac", "mp3", "opus", "vorbis", "pcm_s16le", "pcm_s24le", "ac3", "flac"),
        bytes=BYTES,
        seconds=(0.1, longest),
        fps=(1.0, 240.0),
        shapes=shapes,
        any_colours=True,
        any_timing=True,
    )


KINDS = (
    PostKind(name="video", words="a video", videos=_video(LONGEST)),
    PostKind(name="short", words="a Short", videos=_video(SHORT_LONGEST, (0.1, 1.0))),
)
