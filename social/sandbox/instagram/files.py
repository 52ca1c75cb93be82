"""What Instagram refuses of files. From its sheet, the table Limits. Megabytes in their smaller reading."""

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
STREAMS = (
    one_of("mime", "video/mp4", "video/quicktime"), index_first, no_edit_list, one_of("codec", "h264", "hevc"),
    plain_colours, progressive, sound("aac", rate=48_000, channels=2), within("fps", 23, 60, 0.5),
    within("width", 1, 1920), within("video_bits", 0, 25_000_000),
)  # fmt: skip
IMAGE = (one_of("mime", "image/jpeg"), within("bytes", 1, 8 * MB))
FEED_IMAGE = (*IMAGE, within("ratio", 4 / 5, 1.91, 0.001))
REEL = (*STREAMS, within("seconds", 3, 900, 0.1), within("bytes", 1, 300 * MB), within("ratio", 0.01, 10))
CAROUSEL_VIDEO = (*STREAMS, within("seconds", 3, 60, 0.1), within("bytes", 1, 300 * MB), within("ratio", 0.01, 10))
STORY_VIDEO = (*STREAMS, within("seconds", 3, 60, 0.1), within("bytes", 1, 100 * MB), within("ratio", 0.1, 10))


def refusal(kind: str, files: Sequence[Seen]) -> str | None:
    """Why it would not take these files as that kind of post; None if it would."""
    videos = [file for file in files if file.is_video]
    images = [file for file in files if not file.is_video]
    match kind:
        case "picture":
            return count(files, 1, 1) or first(FEED_IMAGE, files)
        case "reel":
            return count(files, 1, 1) or first(REEL, files)
        case "carousel":
            return count(files, 2, 10) or first(FEED_IMAGE, images) or first(CAROUSEL_VIDEO, videos)
        case "story":
            return count(files, 1, 1) or first(IMAGE, images) or first(STORY_VIDEO, videos)
    return f"no such post: {kind}"
