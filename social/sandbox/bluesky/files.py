"""What Bluesky refuses of files. From its sheet: Images; Video; the table Limits (servers of before 2026)."""

from collections.abc import Sequence

from social.sandbox.files import Seen, count, first, one_of, within

IMAGE = (one_of("mime", "image/jpeg", "image/png", "image/webp", "image/gif"), within("bytes", 1, 1_000_000))
VIDEO = (one_of("mime", "video/mp4"), within("bytes", 1, 300_000_000), within("seconds", 0, 180, 0.1))


def refusal(kind: str, files: Sequence[Seen]) -> str | None:
    """Why it would not take these files as that kind of post; None if it would."""
    match kind:
        case "pictures":
            return count(files, 1, 10) or first(IMAGE, files)
        case "video":
            return count(files, 1, 1) or first(VIDEO, files)
    return f"no such post: {kind}"
