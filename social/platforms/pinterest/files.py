"""What Pinterest takes of files. Sheet: Limits."""

from social.files import Pictures, PostKind, Videos

MB = 10**6
PICTURE_BYTES = 20 * MB  # 32 in a newer copy of the help page; sent in base64, which grows them by a third
CAROUSEL_SHAPES = (1.0, 2 / 3)
KINDS = (
    PostKind(name="pin", words="a Pin", pictures=Pictures(types=("image/jpeg", "image/png"), bytes=PICTURE_BYTES)),
    PostKind(
        name="video",
        words="a video Pin",
        videos=Videos(
            types=("video/mp4", "video/quicktime", "video/x-m4v"),
            codecs=("h264", "hevc"),
            bytes=2_000 * MB,
            seconds=(4.0, 900.0),
            shapes=(1 / 2, 1.91),
        ),
    ),
    PostKind(
        name="carousel",
        words="a carousel",
        least=2,
        most=5,
        pictures=Pictures(types=("image/jpeg", "image/png"), bytes=PICTURE_BYTES, exact_shapes=CAROUSEL_SHAPES),
        same_shape=True,
    ),
)
