"""What is said of a file while a post is written is enough to draw it before it is made."""

from typing import Any

import pytest
from beanie import PydanticObjectId

from social.accounts.documents import Account
from social.files import Choice, Probe
from social.media.documents import Media
from social.posts import compose
from social.posts.documents import Attached, PartWritten, Written
from social.publishing.outcomes import FileVerdict, Region, Stretch, file_verdicts
from tests.media.test_fit import picture, video
from tests.posts.test_compose import account


def media(probe: Probe) -> Media:
    return Media.model_construct(
        id=PydanticObjectId(), workspace_id=PydanticObjectId(), name="", mime=probe.mime, bytes=probe.bytes,
        width=probe.width, height=probe.height, animated=probe.animated, key="key", fingerprint="", probe=probe,
    )  # fmt: skip


def verdict(probe: Probe, to: Account, **choice: Any) -> FileVerdict:
    """Of the only file of a post's second part."""
    file = media(probe)
    part = PartWritten(text="", media=(Attached(id=str(file.id), fit=Choice(**choice)),))
    written = Written(text="a", thread=(part,), accounts=(str(to.id),))
    [found] = file_verdicts(to, written, compose.content(written, to, {str(file.id): file}))
    assert found.pointer == "/thread/0/media/0"
    return found


def inner(found: FileVerdict) -> tuple[int, int]:
    return found.inner_width, found.inner_height


def test_what_is_cut_out_of_a_picture_is_said_in_its_own_pixels() -> None:
    cut = verdict(picture(1600, 1200), account("x"), aspect=1.0, shape="crop", focus=(1.0, 0.5))
    assert (cut.verdict, cut.width, cut.height, cut.fill) == ("converts", 1200, 1200, "")
    assert cut.region == Region(left=400, top=0, width=1200, height=1200)
    assert inner(cut) == (1200, 1200)


@pytest.mark.parametrize(
    ("probe", "fill"),
    [
        (picture(1600, 1200), "white"),
        (picture(1600, 1200, mime="image/png", alpha=True), ""),
        (video(960, 720), "black"),
    ],
)
def test_what_is_around_a_file_is_said_with_its_colour(probe: Probe, fill: str) -> None:
    filled = verdict(probe, account("x"), aspect=1.0)
    assert (filled.width, filled.height, filled.fill, filled.region) == (probe.width, probe.width, fill, None)
    assert inner(filled) == (probe.width, probe.height)


def test_what_goes_out_as_it_is_has_its_own_size() -> None:
    fits = verdict(picture(1600, 1200), account("x"))
    assert (fits.verdict, fits.width, fits.height, inner(fits), fits.region) == ("fits", 1600, 1200, (1600, 1200), None)


def test_what_is_too_long_says_how_long_it_may_be_and_what_is_shown_of_it_once_that_is_chosen() -> None:
    long = video(seconds=200)
    refused, trimmed = verdict(long, account("x")), verdict(long, account("x"), start=20.0, end=80.5)
    assert (refused.verdict, refused.code, refused.lasting) == ("cannot", "too-long", Stretch(start=0.5, end=140.0))
    assert (trimmed.verdict, trimmed.shown) == ("converts", Stretch(start=20.0, end=80.5))


def test_an_animation_that_will_stand_still_says_so() -> None:
    gif, to = media(picture(400, 300, mime="image/gif", frames=20, seconds=2.0)), account("bluesky")
    other = media(picture())
    both = Written(text="a", media=(Attached(id=str(gif.id)), Attached(id=str(other.id))), accounts=(str(to.id),))
    content = compose.content(both, to, {str(each.id): each for each in (gif, other)})
    first, second = file_verdicts(to, both, content)
    assert (first.still, second.still) == (True, False)
    assert first.changes[0] == "It stands still: only its first frame is shown."
    assert not verdict(gif.facts, to).still, "alone it becomes a video, which moves"
