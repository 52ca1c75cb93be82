"""What Pinterest refuses of files. From its sheet, the table Limits."""

from collections.abc import Sequence

from social.sandbox.files import Seen, count, first, one_of, within

IMAGE = (one_of("mime", "image/jpeg", "image/png"), within("bytes", 1, 20_000_000))
VIDEO = (
    one_of("mime", "video/mp4", "video/quicktime", "video/x-m4v"), one_of("codec", "h264", "hevc"),
    within("bytes", 1, 2_000_000_000), within("seconds", 4, 900, 0.1), within("ratio", 1 / 2, 1.91, 0.001),
)  # fmt: skip
SHAPES = (1.0, 2 / 3)


def _one_shape(files: Sequence[Seen]) -> str | None:
    for shape in SHAPES:
        if all(abs(file.ratio / shape - 1) <= 0.015 for file in files):
            return None
    return f"shapes {[round(file.ratio, 3) for file in files]}"


def refusal(kind: str, files: Sequence[Seen]) -> str | None:
    """Why it would not take these files as that kind of post; None if it would."""
    match kind:
        case "pin":
            return count(files, 1, 1) or first(IMAGE, files)
        case "video":
            return count(files, 1, 1) or first(VIDEO, files)
        case "carousel":
            return count(files, 2, 5) or first(IMAGE, files) or _one_shape(files)
    return f"no such post: {kind}"
