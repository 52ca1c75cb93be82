"""What LinkedIn takes of files. Sheet: Limits."""

from social.files import Animations, Pictures, PostKind, Videos

MB = 10**6
PICTURE_BYTES = 5 * MB  # UNCONFIRMED: not documented; programs like ours say 5 or 20
PICTURE_PIXELS = 36_152_320 - 1
PICTURES = Pictures(types=("image/jpeg", "image/png"), bytes=PICTURE_BYTES, pixels=PICTURE_PIXELS)
GIF = Animations(bytes=PICTURE_BYTES, pixels=PICTURE_PIXELS, frames=250)
VIDEO = Videos(
    # UNCONFIRMED which codecs are taken of members and pages; these two are the usual ones.
    codecs=("h264",),
    sounds=("aac",),
    bytes=500 * MB,
    least_bytes=75_000,
    seconds=(3.0, 1800.0),
    shapes=(1 / 2.4, 2.4),
)
KINDS = (
    PostKind(name="picture", words="a picture", pictures=PICTURES, animations=GIF),
    PostKind(name="video", words="a video", videos=VIDEO),
    PostKind(
        name="pictures", words="several pictures", least=2, most=20, pictures=PICTURES, animations=GIF, stills=True
    ),
)
