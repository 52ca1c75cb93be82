"""What TikTok takes of files. Sheet: Limits. How long an account's videos may be, it says itself (creator_info)."""

from social.files import Pictures, PostKind, Videos

MB = 10**6
SHORTEST = 3.0  # UNCONFIRMED: not documented, and usual
PHOTOS = Pictures(types=("image/jpeg", "image/webp"), bytes=20 * MB, width=1920, height=1080, either_way=True)
VIDEO = Videos(
    types=("video/mp4", "video/webm", "video/quicktime"),
    codecs=("h264", "hevc", "vp8", "vp9"),
    sounds=("aac", "opus", "vorbis", "mp3"),
    bytes=4_000 * MB,
    seconds=(SHORTEST, 600.0),
    fps=(23.0, 60.0),
    width=4096,
    height=4096,
    least_width=360,
    least_height=360,
)
KINDS = (
    PostKind(name="photos", words="a photo post", most=35, pictures=PHOTOS),
    PostKind(name="video", words="a video", videos=VIDEO),
)
