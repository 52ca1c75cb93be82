"""What TikTok refuses of files. From its sheet, the table Limits."""

from collections.abc import Sequence

from social.sandbox.files import Seen, count, first, one_of, within

MB = 1_000_000


def _1080p(file: Seen) -> str | None:
    long, short = max(file.width, file.height), min(file.width, file.height)
    return None if long <= 1920 and short <= 1080 else f"picture_size_check_failed: {file.width} x {file.height}"


PHOTO = (one_of("mime", "image/jpeg", "image/webp"), within("bytes", 1, 20 * MB), _1080p)
VIDEO = (
    one_of("mime", "video/mp4", "video/webm", "video/quicktime"), one_of("codec", "h264", "hevc", "vp8", "vp9"),
    within("fps", 23, 60, 0.5), within("width", 360, 4096), within("height", 360, 4096),
    within("seconds", 3, 600, 0.1), within("bytes", 1, 4_000 * MB),
)  # fmt: skip


def refusal(kind: str, files: Sequence[Seen]) -> str | None:
    """Why it would not take these files as that kind of post; None if it would."""
    match kind:
        case "photos":
            return count(files, 1, 35) or first(PHOTO, files)
        case "video":
            return count(files, 1, 1) or first(VIDEO, files)
    return f"no such post: {kind}"
