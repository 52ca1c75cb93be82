"""What a Facebook Page takes of files. Sheet: Limits."""

from social.files import Pictures, PostKind, Videos

MB = 10**6
PHOTO_BYTES = 4 * MB - 1  # ten are documented, but the error about it speaks of four
PHOTOS = 10  # UNCONFIRMED: no figure is documented, programs like ours stop there
VIDEO_BYTES, VIDEO_LEAST, VIDEO_SECONDS = 2_000 * MB, 1024, (0.1, 4 * 3600.0)  # UNCONFIRMED: of 2020, and as quoted
REEL_SECONDS, STORY_SECONDS = (3.0, 90.0), (3.0, 60.0)
REEL_SHAPE = (9 / 16 - 0.005, 9 / 16 + 0.005)
# UNCONFIRMED whether a reel without sound is refused; a track of silence does no harm.
REEL_WANTS_SOUND = True

PHOTO = Pictures(types=("image/jpeg", "image/png"), bytes=PHOTO_BYTES)


def _upright(seconds: tuple[float, float]) -> Videos:
    return Videos(
        codecs=("h264", "hevc"),
        bytes=VIDEO_BYTES,
        least_bytes=VIDEO_LEAST,
        seconds=seconds,
        fps=(24.0, 60.0),
        least_width=540,
        least_height=960,
        shapes=REEL_SHAPE,
        sound_needed=REEL_WANTS_SOUND,
        sound_rate=48_000,
        sound_channels=2,
    )


KINDS = (
    PostKind(name="photos", words="a post with photos", most=PHOTOS, pictures=PHOTO),
    PostKind(
        name="video",
        words="a video",
        videos=Videos(
            types=("video/mp4", "video/quicktime"),
            codecs=("h264", "hevc"),
            bytes=VIDEO_BYTES,
            least_bytes=VIDEO_LEAST,
            seconds=VIDEO_SECONDS,
        ),
    ),
    PostKind(name="reel", words="a reel", videos=_upright(REEL_SECONDS)),
    PostKind(name="story", words="a story", pictures=PHOTO, videos=_upright(STORY_SECONDS)),
)
