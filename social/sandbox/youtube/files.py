"""What YouTube refuses of files. From its sheet: Limits; Shorts. A channel that is not verified."""

from collections.abc import Sequence

from social.sandbox.files import Seen, count, first, within

VIDEO = (within("bytes", 1, 274_877_906_944), within("seconds", 0.01, 900, 0.1))
SHORT = (*VIDEO, within("seconds", 0.01, 180, 0.1), within("ratio", 0.0, 1.0))


def _is_video(file: Seen) -> str | None:
    return None if file.is_video else f"invalidFile: {file.mime}"


def refusal(kind: str, files: Sequence[Seen]) -> str | None:
    """Why it would not take these files as that kind of post; None if it would."""
    match kind:
        case "video":
            return count(files, 1, 1) or first((_is_video, *VIDEO), files)
        case "short":
            return count(files, 1, 1) or first((_is_video, *SHORT), files)
    return f"no such post: {kind}"
