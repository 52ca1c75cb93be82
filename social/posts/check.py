"""Content against a platform's limits: everything that is wrong with it, at once, in words. Pure.

The same function decides while composing, when planning and when an edit is saved.
"""

from collections.abc import Iterator, Mapping

import msgspec

from social.errors import Invalid, Wrong
from social.platforms.contract import Content, Limits, Platform
from social.platforms.limits import length
from social.posts.documents import Written

MIB = 2**20


def problems(content: Content, limits: Limits, platform: Platform) -> list[Wrong]:
    """What `platform` would refuse about `content`, in the order a reader meets it. Empty means it fits.

    Pointers lead into the post as the API takes it: /text, /media/0, /media/0/alt, /options/mastodon/....
    """
    return [*_options(content, platform), *_text(content, limits, platform), *_media(content, limits, platform)]


def unfinished(written: Written) -> list[Wrong]:
    """What keeps a draft from being planned anywhere, whatever the accounts."""
    wrong = []
    if not written.accounts:
        wrong.append(Wrong("/accounts", "Choose at least one account to send this to.", "missing"))
    if not written.text.strip() and not written.media:
        wrong.append(Wrong("/text", "Write something or add a picture.", "missing"))
    return wrong


def counted(content: Content, limits: Limits, platform: Platform) -> int:
    """How long the text is to the platform, in its own unit."""
    return sum(length(piece, limits) for piece in platform.counted_text(content))


def _options(content: Content, platform: Platform) -> Iterator[Wrong]:
    try:
        msgspec.convert(content.options, platform.options)
    except msgspec.ValidationError as wrong:
        yield Wrong(f"/options/{platform.name}", f"{platform.title} does not take this: {wrong}", "options")


def _text(content: Content, limits: Limits, platform: Platform) -> Iterator[Wrong]:
    if limits.text_needed and not content.text.strip():
        yield Wrong("/text", f"{platform.title} needs some text.", "missing")
    too_long = counted(content, limits, platform) - limits.text
    if too_long > 0:
        yield Wrong(
            "/text",
            f"{too_long} too long for {platform.title}, which takes {limits.text}. Shorten the text.",
            "too-long",
        )
    if "\x00" in content.text:
        yield Wrong("/text", "The text holds a character that cannot be sent. Remove it.", "character")


def _media(content: Content, limits: Limits, platform: Platform) -> Iterator[Wrong]:
    if len(content.media) > limits.media:
        yield Wrong(
            "/media",
            f"{platform.title} takes {limits.media} pictures at most. Remove {len(content.media) - limits.media}.",
            "too-many",
        )
    for at, item in enumerate(content.media):
        if item.mime not in limits.image_types:
            yield Wrong(f"/media/{at}", f"{platform.title} does not take {item.mime}.", "type")
        if item.bytes > limits.image_bytes:
            yield Wrong(
                f"/media/{at}",
                f"This picture has {item.bytes / MIB:.1f} MB; "
                f"{platform.title} takes {limits.image_bytes / MIB:.0f} MB.",
                "too-large",
            )
        if limits.image_pixels is not None and item.width * item.height > limits.image_pixels:
            yield Wrong(
                f"/media/{at}",
                f"This picture is {item.width} by {item.height}; {platform.title} takes "
                f"{limits.image_pixels / 1e6:.0f} megapixels at most.",
                "too-large",
            )
        if len(item.alt) > limits.alt:
            yield Wrong(f"/media/{at}/alt", f"{platform.title} takes {limits.alt} characters of alt text.", "too-long")


def typed_options(options: Mapping[str, object], known: Mapping[str, Platform]) -> None:
    """Invalid if `options` names a platform that does not exist."""
    strangers = [name for name in options if name not in known]
    if strangers:
        raise Invalid(
            "There is no such platform.",
            [Wrong(f"/options/{name}", "Not a platform we know.", "unknown") for name in strangers],
        )
