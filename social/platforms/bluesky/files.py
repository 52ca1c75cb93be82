"""What Bluesky takes of files. Sheet: Images; Video; Limits."""

from social.files import Pictures, PostKind, Videos
from social.platforms.contract import Limits

VIDEO_BYTES = 300_000_000  # servers before 2026 take a third
# UNCONFIRMED but by an announcement: ten minutes since September 2026. Three, as before, are taken everywhere.
VIDEO_SECONDS = (0.1, 180.0)


def kinds(limits: Limits) -> tuple[PostKind, ...]:
    """Pictures, which stand still; or a video, which an animated picture becomes that is alone."""
    pictures = Pictures(types=limits.image_types, bytes=limits.image_bytes)
    video = Videos(bytes=limits.video_bytes or VIDEO_BYTES, seconds=VIDEO_SECONDS)
    return (
        PostKind(name="pictures", words="a post with pictures", most=limits.media, pictures=pictures, stills=True),
        PostKind(name="video", words="a post with a video", videos=video),
    )
