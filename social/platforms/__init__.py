"""Our side of each social platform. Adding one is a file (or a folder) and one line here."""

from social.files import PostKind
from social.platforms.bluesky import BLUESKY
from social.platforms.contract import Platform
from social.platforms.facebook.files import KINDS as FACEBOOK
from social.platforms.instagram.files import KINDS as INSTAGRAM
from social.platforms.linkedin.files import KINDS as LINKEDIN
from social.platforms.mastodon import MASTODON
from social.platforms.pinterest.files import KINDS as PINTEREST
from social.platforms.threads.files import KINDS as THREADS
from social.platforms.tiktok.files import KINDS as TIKTOK
from social.platforms.x import X
from social.platforms.youtube.files import KINDS as YOUTUBE

PLATFORMS: dict[str, Platform] = {
    platform.name: platform
    for platform in (
        MASTODON,
        BLUESKY,
        X,
    )
}  # fmt: skip

# What is known of platforms that cannot be connected yet: how they are called and which kinds of posts they have.
AHEAD: dict[str, tuple[str, tuple[PostKind, ...]]] = {
    "facebook": ("Facebook", FACEBOOK),
    "instagram": ("Instagram", INSTAGRAM),
    "linkedin": ("LinkedIn", LINKEDIN),
    "pinterest": ("Pinterest", PINTEREST),
    "threads": ("Threads", THREADS),
    "tiktok": ("TikTok", TIKTOK),
    "youtube": ("YouTube", YOUTUBE),
}


def known(name: str) -> str:
    """`name`. ValueError if it is no platform's: what a newer version stored may be of one that only that one knows."""
    if name not in PLATFORMS:
        raise ValueError(f"unknown platform: {name}")
    return name
