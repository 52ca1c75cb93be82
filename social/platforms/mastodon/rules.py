"""What a post on Mastodon may have beyond text and pictures, and what a server counts and refuses of it."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from social.errors import Wrong
from social.platforms.contract import Content, Limits
from social.platforms.limits import GRAPHEME, MENTION
from social.platforms.limits import URL as ADDRESS
from social.platforms.mastodon.files import VIDEO_BYTES, VIDEO_FPS, VIDEO_PIXELS

LIMITS = Limits(  # an account's server may say otherwise
    text=500,
    thread=100,
    counted_as="graphemes",
    url_length=23,
    mentions_without_domain=True,
    media=4,
    alt=1500,
    image_bytes=16_777_216,
    image_pixels=33_177_600,
    image_types=(
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/heic",
        "image/heif",
        "image/webp",
        "image/avif",
    ),
    video_bytes=VIDEO_BYTES,
    video_pixels=VIDEO_PIXELS,
    video_fps=VIDEO_FPS,
)
POLL_OPTIONS, POLL_CHARACTERS, POLL_LASTS = 4, 50, (300, 2_629_746)  # the last in seconds

Visibility = Literal["public", "unlisted", "private", "direct"]
Choice = Annotated[str, Meta(min_length=1, max_length=500)]


class MastodonPoll(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A poll on the first part. `expires_in` in seconds: 5 minutes to about a month, as servers usually have it."""

    options: Annotated[tuple[Choice, ...], Meta(min_length=2, max_length=20)]
    expires_in: Annotated[int, Meta(ge=60, le=31_557_600)] = 86_400
    multiple: bool = False
    hide_totals: bool = False  # until it ends


class MastodonOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a post on Mastodon can have beyond text and pictures. `language` is ISO 639-1; None: the account's own."""

    visibility: Visibility = "public"
    language: Annotated[str, Meta(pattern="^[a-z]{2}$")] | None = None
    sensitive: bool = False
    spoiler: str = ""  # the content warning; it counts as text
    poll: MastodonPoll | None = None


def counted_text(content: Content, part: int) -> tuple[str, ...]:
    """What the text limit counts: the content warning and the text. Sheet: Limits.

    It leaves open whether addresses in the warning are shortened too, so they count as what is longer.
    """
    return (_in_full(str(content.options.get("spoiler", ""))), content.parts[part].text)


def objections(content: Content, limits: Limits) -> tuple[Wrong, ...]:
    """What a server would refuse about a poll. Sheet: Any post; Limits (a server's own figures may be other ones)."""
    poll = msgspec.convert(content.options, MastodonOptions).poll
    if poll is None:
        return ()
    at, wrong = "/options/mastodon/poll", []
    if content.media:
        words = "Mastodon takes a poll or pictures, not both. Remove one of them."
        wrong.append(Wrong(at, words, "poll-and-media"))
    if not POLL_LASTS[0] <= poll.expires_in <= POLL_LASTS[1]:
        wrong.append(Wrong(f"{at}/expires_in", "A poll lasts from 5 minutes to 30 days.", "range"))
    if len(poll.options) > POLL_OPTIONS:
        wrong.append(Wrong(f"{at}/options", f"Mastodon takes {POLL_OPTIONS} choices at most.", "too-many"))
    for number, choice in enumerate(poll.options):
        if not choice.strip():
            wrong.append(Wrong(f"{at}/options/{number}", "This choice is empty.", "missing"))
        if sum(1 for _ in GRAPHEME.finditer(choice)) > POLL_CHARACTERS:
            words = f"Mastodon takes {POLL_CHARACTERS} characters for a choice. Shorten it."
            wrong.append(Wrong(f"{at}/options/{number}", words, "too-long"))
    if len({choice.strip() for choice in poll.options}) < len(poll.options):
        wrong.append(Wrong(f"{at}/options", "Two choices are the same.", "repeated"))
    return tuple(wrong)


def _in_full(warning: str) -> str:
    short = LIMITS.url_length or 0
    plain = ADDRESS.sub(lambda found: found[0] if len(found[0]) < short else found[0].replace("://", ":::"), warning)
    return MENTION.sub(lambda found: found[0].replace("@", "."), plain)
