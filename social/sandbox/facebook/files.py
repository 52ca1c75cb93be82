"""What a Facebook Page refuses of files. From its sheet, the table Limits."""

from collections.abc import Sequence

from social.sandbox.files import Seen, count, first, one_of, plain_colours, sound, within

MB = 1_000_000
PHOTO = (
    one_of("mime", "image/jpeg", "image/bmp", "image/png", "image/gif", "image/tiff"), within("bytes", 1, 4 * MB - 1),
)  # fmt: skip
VIDEO = (
    one_of("mime", "video/mp4", "video/quicktime"), within("bytes", 1024, 2_000 * MB), within("seconds", 0, 4 * 3600),
)  # fmt: skip
UPRIGHT = (
    one_of("mime", "video/mp4"), within("ratio", 9 / 16, 9 / 16, 0.01), within("width", 540, 10_000),
    within("height", 960, 20_000), within("fps", 24, 60, 0.5), one_of("codec", "h264", "hevc"), plain_colours,
    sound("aac", rate=48_000, channels=2), one_of("sound", "aac"),
)  # fmt: skip


def refusal(kind: str, files: Sequence[Seen]) -> str | None:
    """Why it would not take these files as that kind of post; None if it would."""
    videos = [file for file in files if file.is_video]
    images = [file for file in files if not file.is_video]
    match kind:
        case "photos":
            return count(files, 1, 10) or first(PHOTO, files)
        case "video":
            return count(files, 1, 1) or first(VIDEO, files)
        case "reel":
            return count(files, 1, 1) or first((*UPRIGHT, within("seconds", 3, 90, 0.1)), files)
        case "story":
            video = first((*UPRIGHT, within("seconds", 3, 60, 0.1)), videos)
            return count(files, 1, 1) or first(PHOTO, images) or video
    return f"no such post: {kind}"
