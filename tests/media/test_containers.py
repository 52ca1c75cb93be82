"""Files taken apart and put together again."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from social.media import containers
from tests.media import awkward
from tests.media.awkward import tells

FILES = {
    "png": (containers.png, awkward.png()),
    "moving png": (containers.png, awkward.moving_png()),
    "webp": (containers.webp, awkward.webp()),
    "moving webp": (containers.webp, awkward.moving_webp()),
    "gif": (containers.gif, awkward.web_page_in_a_gif()),
    "moving gif": (containers.gif, awkward.moving_gif()),
}
each_file = pytest.mark.parametrize(("copied", "file"), FILES.values(), ids=FILES)
Copied = Callable[[bytes], bytes]


@each_file
def test_a_clean_file_stays_as_it_is(copied: Copied, file: bytes) -> None:
    assert copied(copied(file)) == copied(file)


@each_file
def test_what_hangs_on_behind_is_dropped(copied: Copied, file: bytes) -> None:
    assert copied(file + b"PK\x03\x04<script>") == copied(file)


@each_file
def test_nothing_but_the_picture_is_left(copied: Copied, file: bytes) -> None:
    assert tells(file)[:1] != [] or b"<script" in file
    assert tells(copied(file)) == []


@each_file
def test_whatever_is_cut_off_or_changed_ends_in_a_copy_or_a_plain_error(copied: Copied, file: bytes) -> None:
    for length in range(len(file)):
        try:
            assert len(copied(file[:length])) <= length + 12
        except (ValueError, IndexError):
            continue


@pytest.mark.parametrize("copied", [containers.png, containers.webp, containers.gif], ids=["png", "webp", "gif"])
@given(
    noise=st.binary(max_size=300), name=st.sampled_from([file for _, file in FILES.values()]), at=st.integers(0, 200)
)
@settings(max_examples=200, deadline=None)
def test_noise_ends_in_a_copy_or_a_plain_error(copied: Copied, noise: bytes, name: bytes, at: int) -> None:
    try:
        copied(name[:at] + noise)
    except (ValueError, IndexError):
        return


def test_a_webp_tells_its_size_in_each_of_its_three_forms() -> None:
    plain = awkward.written(awkward.corners(300, 200), "WEBP")
    lossless = awkward.written(awkward.corners(300, 200), "WEBP", lossless=True)
    extended = awkward.webp(awkward.corners(300, 200))

    assert [file[12:16] for file in (plain, lossless, extended)] == [b"VP8 ", b"VP8L", b"VP8X"]
    assert [containers.webp_size(file[:30]) for file in (plain, lossless, extended)] == [(300, 200)] * 3
