"""What Threads refuses of files. From its sheet, the table Limits."""

from collections.abc import Sequence

from social.sandbox.files import (
    Seen,
    count,
    first,
    index_first,
    no_edit_list,
    one_of,
    plain_colours,
    progressive,
    sound,
    within,
)

MB = 1_000_000
IMAGE = (one_of("mime", "image/jpeg", "image/png"), within("bytes", 1, 8 * MB), within("ratio", 0.1, 10, 0.001))
VIDEO = (
    one_of("mime", "video/mp4", "video/quicktime"), index_first, no_edit_list, one_of("codec", "h264", "hevc"),
    plain_colours, progressive, sound("aac", rate=48_000, channels=2), within("fps", 23, 60, 0.5),
    within("width", 1, 1920), within("ratio", 0.01, 10), within("video_bits", 0, 100_000_000),
    within("seconds", 0.01, 300, 0.1), within("bytes", 1, 1_000 * MB),
)  # fmt: skip


def refusal(kind: str, files: Sequence[Seen]) -> str | None:
    """Why it would not take these files as that kind of post; None if it would."""
    videos = [file for file in files if file.is_video]
    images = [file for file in files if not file.is_video]
    match kind:
        case "picture":
            return count(files, 1, 1) or first(IMAGE, files)
        case "video":
            return count(files, 1, 1) or first(VIDEO, files)
        case "carousel":
            return count(files, 2, 20) or first(IMAGE, images) or first(VIDEO, videos)
    return f"no such post: {kind}"
