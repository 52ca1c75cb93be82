"""What Mastodon refuses of files. From its sheet: Media; the table Limits."""

from collections.abc import Sequence

from social.sandbox.files import Rule, Seen, count, first, one_of, within


def _pixels(most: int) -> Rule:
    def rule(file: Seen) -> str | None:
        return None if file.width * file.height <= most else f"{file.width} x {file.height} pixels"

    return rule


IMAGE = (
    one_of("mime", "image/jpeg", "image/png", "image/heic", "image/heif", "image/webp", "image/avif"),
    within("bytes", 1, 16_777_216), _pixels(33_177_600),
)  # fmt: skip
GIF = (one_of("mime", "image/gif"), within("bytes", 1, 16_777_216), _pixels(1_000_000))
VIDEO = (
    one_of("mime", "video/mp4", "video/webm", "video/quicktime", "video/x-m4v"), within("bytes", 1, 103_809_024),
    _pixels(8_294_400), within("fps", 0.1, 120, 0.5),
)  # fmt: skip


def refusal(kind: str, files: Sequence[Seen]) -> str | None:
    """Why a server would not take these files as that kind of post; None if it would."""
    match kind:
        case "pictures":
            return count(files, 1, 4) or first(IMAGE, files)
        case "gif":
            return count(files, 1, 1) or first(GIF, files)
        case "video":
            return count(files, 1, 1) or first(VIDEO, files)
    return f"no such post: {kind}"
