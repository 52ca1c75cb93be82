"""The simulated platforms' own rules about files refuse what their sheets refuse."""

import importlib
from pathlib import Path

import pytest

from social.sandbox.files import Seen
from tests.media import awkward
from tests.media.films import film


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A few of each sort, by what they are called here."""
    folder = tmp_path_factory.mktemp("files")
    pictures = {
        "jpeg": awkward.jpeg(awkward.corners(900, 900)), "png": awkward.png(awkward.corners(900, 900)),
        "tall": awkward.jpeg(awkward.corners(300, 900)), "gif": awkward.moving_gif(),
    }  # fmt: skip
    for name, content in pictures.items():
        (folder / name).write_bytes(content)
    found = {name: folder / name for name in pictures}
    found["late index"] = film(folder / "late.mp4", seconds=4.2)
    found["index first"] = film(folder / "first.mp4", seconds=4.2, more="-movflags +faststart -use_editlist 0")
    found["short"] = film(folder / "short.mp4", seconds=1)
    found["webm"] = film(folder / "w.webm", seconds=4.2, video="-c:v libvpx -deadline realtime", audio="-c:a libvorbis")
    return found


ROWS = [
    ("instagram", "picture", "jpeg", None), ("instagram", "picture", "png", "mime"),
    ("instagram", "picture", "tall", "ratio"), ("instagram", "reel", "late index", "moov"),
    ("instagram", "reel", "index first", None), ("instagram", "reel", "short", "moov"),
    ("threads", "picture", "png", None), ("threads", "video", "webm", "mime"),
    ("x", "gif", "gif", None), ("x", "pictures", "gif", "mime"), ("x", "video", "webm", "mime"),
    ("x", "video", "late index", None), ("mastodon", "video", "webm", None), ("bluesky", "video", "webm", "mime"),
    ("facebook", "reel", "index first", "ratio"), ("tiktok", "photos", "png", "mime"),
    ("tiktok", "video", "late index", "width"), ("youtube", "video", "webm", None),
    ("youtube", "short", "webm", "ratio"), ("linkedin", "video", "short", "seconds"),
    ("pinterest", "video", "short", "seconds"), ("pinterest", "pin", "png", None),
]  # fmt: skip


@pytest.mark.parametrize(("platform", "kind", "name", "because"), ROWS, ids=str)
def test_what_a_sheet_refuses_is_refused(
    platform: str, kind: str, name: str, because: str | None, files: dict[str, Path]
) -> None:
    refusal = importlib.import_module(f"social.sandbox.{platform}.files").refusal

    said = refusal(kind, [Seen(files[name])])

    assert (said is None) == (because is None), said
    assert because is None or because in said


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(awkward.jpeg()[:200])

    with pytest.raises(ValueError, match="unreadable"):
        Seen(broken)


def test_a_pinterest_carousel_has_one_shape(files: dict[str, Path]) -> None:
    refusal = importlib.import_module("social.sandbox.pinterest.files").refusal

    assert refusal("carousel", [Seen(files["jpeg"]), Seen(files["png"])]) is None
    assert "shapes" in refusal("carousel", [Seen(files["jpeg"]), Seen(files["tall"])])
    assert "not 2 to 5" in refusal("carousel", [Seen(files["jpeg"])])
