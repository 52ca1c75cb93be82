"""Our side of each social platform. Adding one is a file (or a folder) and one line here."""

from social.platforms.bluesky import BLUESKY
from social.platforms.contract import Platform
from social.platforms.mastodon import MASTODON
from social.platforms.x import X

PLATFORMS: dict[str, Platform] = {
    platform.name: platform
    for platform in (
        MASTODON,
        BLUESKY,
        X,
    )
}  # fmt: skip
