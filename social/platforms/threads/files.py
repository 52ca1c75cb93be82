"""What Threads takes of files. Sheet: Limits."""

from social.files import Pictures, PostKind, Videos

MB = 10**6
PICTURES = Pictures(types=("image/jpeg", "image/png"), bytes=8 * MB, shapes=(1 / 10, 10.0), srgb=True)
VIDEO = Videos(
    types=("video/mp4", "video/quicktime"),
    codecs=("h264", "hevc"),
    bytes=1_000 * MB,
    seconds=(0.1, 300.0),
    fps=(23.0, 60.0),
    bitrate=100_000_000,
    width=1920,
    shapes=(0.01, 10.0),
    sound_rate=48_000,
    sound_channels=2,
    faststart=True,
    edits=False,
)
KINDS = (
    PostKind(name="picture", words="a picture", pictures=PICTURES),
    PostKind(name="video", words="a video", videos=VIDEO),
    PostKind(name="carousel", words="a carousel", least=2, most=20, pictures=PICTURES, videos=VIDEO),
)
