"""What X refuses of files. From its sheet, the table Limits."""

from collections.abc import Sequence

from social.sandbox.files import Seen, count, first, one_of, plain_colours, progressive, sound, within

MB = 2**20


def _gif_frames(file: Seen) -> str | None:
    return None if file.frames * file.width * file.height <= 300_000_000 else "too many pixels over all frames"


PHOTO = (one_of("mime", "image/jpeg", "image/png", "image/webp"), within("bytes", 1, 5 * MB), within("frames", 1, 1))
GIF = (
    one_of("mime", "image/gif"), within("bytes", 1, 15 * MB), within("width", 1, 1280), within("height", 1, 1080),
    within("frames", 1, 350), _gif_frames,
)  # fmt: skip
VIDEO = (
    one_of("mime", "video/mp4", "video/quicktime"), one_of("codec", "h264"), sound("aac", channels=2), plain_colours,
    progressive, within("fps", 0.1, 60, 0.5), within("width", 32, 1280), within("height", 32, 1024),
    within("ratio", 1 / 3, 3, 0.001), within("seconds", 0.5, 140, 0.1), within("bytes", 1, 512 * MB),
)  # fmt: skip


def refusal(kind: str, files: Sequence[Seen]) -> str | None:
    """Why X would not take these files as that kind of post; None if it would."""
    match kind:
        case "pictures":
            return count(files, 1, 4) or first(PHOTO, files)
        case "gif":
            return count(files, 1, 1) or first(GIF, files)
        case "video":
            return count(files, 1, 1) or first(VIDEO, files)
    return f"no such post: {kind}"
