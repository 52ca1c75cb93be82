"""What LinkedIn refuses of files. From its sheet: Limits; where that has no figure, the least that others say."""

from collections.abc import Sequence

from social.sandbox.files import Seen, count, first, one_of, within


def _pixels(file: Seen) -> str | None:
    return None if file.width * file.height < 36_152_320 else f"{file.width} x {file.height} pixels"


def _frames(file: Seen) -> str | None:
    return None if file.mime == "image/gif" or file.frames == 1 else "a picture that moves and is no GIF"


IMAGE = (
    one_of("mime", "image/jpeg", "image/png", "image/gif"), within("frames", 1, 250), _frames, _pixels,
    within("bytes", 1, 5_000_000),
)  # fmt: skip
VIDEO = (
    one_of("mime", "video/mp4"), one_of("codec", "h264"), within("seconds", 3, 1800, 0.1),
    within("bytes", 75_000, 500_000_000), within("ratio", 1 / 2.4, 2.4, 0.001),
)  # fmt: skip


def refusal(kind: str, files: Sequence[Seen]) -> str | None:
    """Why it would not take these files as that kind of post; None if it would."""
    match kind:
        case "picture":
            return count(files, 1, 1) or first(IMAGE, files)
        case "pictures":
            return count(files, 2, 20) or first(IMAGE, files)
        case "video":
            return count(files, 1, 1) or first(VIDEO, files)
    return f"no such post: {kind}"
