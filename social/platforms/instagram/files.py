"""What Instagram takes of files. Sheet: Limits. A megabyte is a million bytes, the smaller of its readings."""

from social.files import Pictures, PostKind, Videos

MB = 10**6
SHAPES = (4 / 5, 1.91)  # of pictures in the feed
ANY_SHAPE = (0.01, 10.0)
STORY_SHAPE = (0.1, 10.0)
REEL_SECONDS = (3.0, 900.0)
STORY_SECONDS = (3.0, 60.0)
CAROUSEL_SECONDS = (3.0, 60.0)  # UNCONFIRMED for 2026, when the documents refer to those of reels

PICTURES = Pictures(types=("image/jpeg",), bytes=8 * MB, shapes=SHAPES, srgb=True)


def _video(size: int, seconds: tuple[float, float], shapes: tuple[float, float]) -> Videos:
    return Videos(
        types=("video/mp4", "video/quicktime"),
        codecs=("h264", "hevc"),
        bytes=size,
        seconds=seconds,
        fps=(23.0, 60.0),
        bitrate=25_000_000,
        width=1920,
        shapes=shapes,
        sound_rate=48_000,
        sound_channels=2,
        faststart=True,
        edits=False,
    )


KINDS = (
    PostKind(name="picture", words="a picture", pictures=PICTURES),
    PostKind(name="reel", words="a reel", videos=_video(300 * MB, REEL_SECONDS, ANY_SHAPE)),
    PostKind(
        name="carousel",
        words="a carousel",
        least=2,
        most=10,
        pictures=PICTURES,
        videos=_video(300 * MB, CAROUSEL_SECONDS, ANY_SHAPE),
    ),
    PostKind(
        name="story",
        words="a story",
        pictures=Pictures(types=("image/jpeg",), bytes=8 * MB, srgb=True),
        videos=_video(100 * MB, STORY_SECONDS, STORY_SHAPE),
    ),
)
