"""What X takes of files. Sheet: Limits, the text of 22 August 2026."""

from social.files import Animations, Pictures, PostKind, Videos
from social.platforms.contract import Limits

MB = 2**20
GIF_WIDTH, GIF_HEIGHT, GIF_FRAMES, GIF_PIXELS = 1280, 1080, 350, 300_000_000
# UNCONFIRMED whether an upright video may be 1024 wide and 1280 high: nobody is refused within this box.
VIDEO_WIDTH, VIDEO_HEIGHT, VIDEO_SIDE = 1280, 1024, 32
VIDEO_SECONDS = (0.5, 140.0)  # longer ones are for those who pay, by a text that is not X's own


def kinds(limits: Limits) -> tuple[PostKind, ...]:
    """Up to four pictures, or a GIF, or a video."""
    pictures = Pictures(types=("image/jpeg", "image/png", "image/webp"), bytes=limits.image_bytes)
    gif = Animations(
        bytes=limits.animated_bytes or limits.image_bytes,
        width=GIF_WIDTH,
        height=GIF_HEIGHT,
        frames=GIF_FRAMES,
        pixels_in_all=GIF_PIXELS,
    )
    video = Videos(
        types=("video/mp4", "video/quicktime"),
        bytes=512 * 10**6,
        seconds=VIDEO_SECONDS,
        width=VIDEO_WIDTH,
        height=VIDEO_HEIGHT,
        least_width=VIDEO_SIDE,
        least_height=VIDEO_SIDE,
        shapes=(1 / 3, 3.0),
        sound_channels=2,
    )
    return (
        PostKind(name="pictures", words="a post with pictures", most=limits.media, pictures=pictures),
        PostKind(name="gif", words="a post with a GIF", animations=gif),
        PostKind(name="video", words="a post with a video", videos=video),
    )
