"""Sizes and shapes that are taken, made of any others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from social.media.shapes import Placed, Room, placed

FEED = Room(shapes=(0.8, 1.91), width=1440)
ROOMS = {
    "a feed": FEED,
    "a box": Room(width=1280, height=1024, least_width=32, least_height=32, shapes=(1 / 3, 3.0), even=True),
    "sides": Room(width=4096, height=4096, least_width=360, least_height=360, even=True),
    "upright": Room(least_width=540, least_height=960, shapes=(0.5575, 0.5675), even=True),
    "pixels": Room(pixels=1_000_000),
    "exact": Room(exact=(1.0, 2 / 3)),
    "one": Room(exact=(2 / 3,), pixels=50_000_000),
    "anything": Room(),
}
sides = st.one_of(st.integers(1, 12_000), st.sampled_from([1, 2, 3, 17, 1080, 1920, 4096, 12_000]))


def test_what_is_taken_stays_as_it_is() -> None:
    assert placed((1080, 1080), FEED, crop=True) == Placed(region=None, inner=(1080, 1080), canvas=(1080, 1080))


def test_what_is_too_wide_is_cut_around_the_point_that_matters() -> None:
    left, right = (placed((4000, 1000), FEED, crop=True, focus=(x, 0.5)) for x in (0.0, 1.0))

    assert left is not None
    assert right is not None
    assert left.region == (0, 0, 1910, 1000)
    assert right.region == (4000 - 1910, 0, 1910, 1000)
    assert left.canvas == right.canvas == (1440, 754)


def test_what_is_too_narrow_is_filled_up_beside_it() -> None:
    made = placed((500, 1000), FEED, crop=False)

    assert made == Placed(region=None, inner=(500, 1000), canvas=(800, 1000))


def test_a_video_gets_even_sides() -> None:
    made = placed((321, 181), Room(even=True), crop=False)

    assert made is not None
    assert made.canvas in {(320, 180), (322, 182), (320, 182), (322, 180)}


@pytest.mark.parametrize("name", ROOMS)
@pytest.mark.parametrize("crop", [True, False])
@given(width=sides, height=sides, x=st.floats(0, 1), y=st.floats(0, 1))
@settings(max_examples=150, deadline=None)
def test_whatever_comes_of_it_is_taken(name: str, crop: bool, width: int, height: int, x: float, y: float) -> None:
    room = ROOMS[name]

    made = placed((width, height), room, crop=crop, focus=(x, y))

    assert made is not None
    assert room.takes(made.canvas)
    assert made.inner[0] <= made.canvas[0]
    assert made.inner[1] <= made.canvas[1]
    if made.region is not None:
        left, top, wide, high = made.region
        assert min(left, top) >= 0
        assert min(wide, high) >= 1
        assert left + wide <= width
        assert top + high <= height
