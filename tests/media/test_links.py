"""Signed addresses of pictures."""

from datetime import UTC, datetime, timedelta

import pytest
from beanie import PydanticObjectId

from social.backing import Backing
from social.errors import NotFound
from social.media import links
from social.media.documents import Media
from social.media.links import link, opened
from social.moments import now

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def media(backing: Backing) -> Media:
    return Media(
        workspace_id=PydanticObjectId(),
        name="Ünder the sea.HEIC",
        mime="image/jpeg",
        bytes=10,
        width=1,
        height=1,
        animated=False,
        key="w/1/m/2",
        thumbnail_key="w/1/m/3",
        thumbnail_mime="image/webp",
        placeholder="data:",
        fingerprint="",
        uploaded_by=PydanticObjectId(),
    )


def token(address: str) -> str:
    return address.removeprefix("/m/")


def test_a_link_leads_to_the_file_and_calls_it_what_it_is_now(media: Media, backing: Backing) -> None:
    file, small = (opened(token(link(media, what, backing)), backing, now()) for what in ("file", "thumbnail"))

    assert (file.key, file.mime, file.name) == ("w/1/m/2", "image/jpeg", "Ünder the sea.jpg")
    assert (small.key, small.mime, small.name) == ("w/1/m/3", "image/webp", "Ünder the sea.webp")


def test_a_picture_keeps_its_address_for_hours_so_that_browsers_remember_it(
    media: Media, backing: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = []
    for hours in range(0, 36, 3):
        monkeypatch.setattr(links, "now", lambda hours=hours: NOON + timedelta(hours=hours))
        addresses.append(link(media, "file", backing))

    assert [addresses.count(each) for each in dict.fromkeys(addresses)] == [4, 4, 4]


def test_a_link_is_good_for_at_least_twelve_hours_and_at_most_a_day(
    media: Media, backing: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minutes in range(0, 24 * 60, 25):
        made = NOON + timedelta(minutes=minutes)
        monkeypatch.setattr(links, "now", lambda made=made: made)
        address = token(link(media, "file", backing))

        assert opened(address, backing, made + timedelta(hours=11, minutes=59)).left(made) <= 24 * 3600
        with pytest.raises(NotFound, match="expired"):
            opened(address, backing, made + timedelta(hours=24))


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said[:-1] + ("0" if said[-1] != "0" else "1"),
        lambda said: ("A" if said[0] != "A" else "B") + said[1:],
        lambda said: said.partition(".")[0],
        lambda said: said.partition(".")[0] + ".",
        lambda said: "." + said.partition(".")[2],
        lambda said: said + "0",
        lambda said: said.upper(),
        lambda said: said.replace(".", ".ä"),
        lambda said: "",
        lambda said: "A" * 5000 + "." + "0" * 64,
    ],
)
def test_a_link_that_was_changed_leads_nowhere(change: object, media: Media, backing: Backing) -> None:
    assert callable(change)
    with pytest.raises(NotFound):
        opened(change(token(link(media, "file", backing))), backing, now())


def test_what_was_signed_for_something_else_is_no_link(media: Media, backing: Backing) -> None:
    said = token(link(media, "file", backing)).partition(".")[0]

    with pytest.raises(NotFound):
        opened(f"{said}.{backing.vault.signature('another purpose', said)}", backing, now())
