"""What was written is counted once for all accounts that get the very same."""

import msgspec

from social.platforms import PLATFORMS
from social.platforms.contract import Content
from social.publishing.fitting import Readings

MASTODON = PLATFORMS["mastodon"]
SHORT = msgspec.structs.replace(MASTODON.limits, text=3)


def test_the_same_for_another_account_is_not_counted_anew() -> None:
    readings = Readings()
    first = readings.of(Content(text="hello"), MASTODON.limits, MASTODON)

    assert readings.of(Content(text="hello"), MASTODON.limits, MASTODON) is first
    assert (first.parts[0].length, first.problems) == (5, [])


def test_other_words_limits_and_platforms_are() -> None:
    readings = Readings()
    readings.of(Content(text="hello"), MASTODON.limits, MASTODON)

    assert readings.of(Content(text="hello!"), MASTODON.limits, MASTODON).parts[0].length == 6
    assert readings.of(Content(text="hello"), SHORT, MASTODON).problems[0].pointer == "/text"
    assert readings.of(Content(text="hello"), PLATFORMS["x"].limits, PLATFORMS["x"]).platform is PLATFORMS["x"]
