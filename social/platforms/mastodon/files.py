"""What Mastodon takes of files. Sheet: Limits."""

from social.files import Animations, Pictures, PostKind, Videos
from social.platforms.contract import Limits

VIDEO_BYTES, VIDEO_PIXELS, VIDEO_FPS = 103_809_024, 8_294_400, 120  # an account's server may say otherwise
VIDEO_SECONDS = (0.1, 12 * 3600.0)  # none is documented: the bytes are the limit
GIF_PIXELS = 1_000_000


def kinds(limits: Limits) -> tuple[PostKind, ...]:
    """Pictures, or a moving GIF, or a video."""
    stills = tuple(mime for mime in limits.image_types if mime != "image/gif")
    pictures = Pictures(types=stills, bytes=limits.image_bytes, pixels=limits.image_pixels)
    video = Videos(
        types=("video/mp4", "video/webm", "video/quicktime"),
        codecs=("h264", "hevc", "vp8", "vp9", "av1"),  # none is documented; the server makes its own of them
        sounds=("aac", "mp3", "opus", "vorbis"),
        bytes=limits.video_bytes or VIDEO_BYTES,
        pixels=limits.video_pixels or VIDEO_PIXELS,
        fps=(1.0, float(limits.video_fps or VIDEO_FPS)),
        seconds=VIDEO_SECONDS,
    )
    return (
        PostKind(name="pictures", words="a post with pictures", most=limits.media, pictures=pictures),
        PostKind(
            name="gif",
            words="a post with a GIF",
            animations=Animations(bytes=limits.image_bytes, pixels=GIF_PIXELS),
        ),
        PostKind(name="video", words="a post with a video", videos=video),
    )
