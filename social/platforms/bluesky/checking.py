"""What Bluesky would refuse about a post beyond its declared limits, and what to know while writing one. Pure."""

from collections.abc import Iterator

import msgspec
from yarl import URL

from social.errors import Wrong
from social.platforms.bluesky.facets import TAG_GRAPHEMES
from social.platforms.bluesky.options import BlueskyCard, BlueskyOptions
from social.platforms.bluesky.records import IMAGES
from social.platforms.bluesky.references import post_named
from social.platforms.contract import Content, Limits
from social.platforms.limits import GRAPHEME

AT = "/options/bluesky"
ADDRESS = "This is not the address of a post on Bluesky. Copy the link of the post there and put it in."


def objections(content: Content, limits: Limits) -> tuple[Wrong, ...]:
    """What is wrong with the options. Sheet: Publishing; Limits."""
    options = msgspec.convert(content.options, BlueskyOptions)
    return tuple(_wrong(content, options))


def remarks(content: Content) -> tuple[str, ...]:
    """What happens that one might not expect."""
    options = msgspec.convert(content.options, BlueskyOptions)
    said = []
    if any(len(part.media) > IMAGES for part in content.parts):
        said.append(f"More than {IMAGES} pictures make a gallery, which older apps for Bluesky do not show.")
    if options.card is not None and any(item.alt for item in content.media):
        said.append("The picture becomes the preview of the link, where its alt text is not shown.")
    if options.replies_from is not None or not options.quotes_allowed:
        said.append("Who may reply or quote is set right after the post is online, not in the same moment.")
    return tuple(said)


def _wrong(content: Content, options: BlueskyOptions) -> Iterator[Wrong]:
    if options.quote is not None and post_named(options.quote) is None:
        yield Wrong(f"{AT}/quote", ADDRESS, "address")
    if options.reply_to is not None and post_named(options.reply_to) is None:
        yield Wrong(f"{AT}/reply_to", ADDRESS, "address")
    if options.reply_to is not None and options.replies_from is not None:
        words = "Who may reply is decided by whoever began the thread. Take this out, or what the post replies to."
        yield Wrong(f"{AT}/replies_from", words, "reply-and-gate")
    if options.card is not None:
        yield from _card(content, options.card)
    for number, tag in enumerate(options.tags):
        if not tag.strip() or tag.startswith("#"):
            yield Wrong(f"{AT}/tags/{number}", "Write the hashtag without its #.", "hashtag")
        elif sum(1 for _ in GRAPHEME.finditer(tag)) > TAG_GRAPHEMES or len(tag.encode()) > 640:
            yield Wrong(f"{AT}/tags/{number}", f"Bluesky takes {TAG_GRAPHEMES} characters for a hashtag.", "too-long")


def _card(content: Content, card: BlueskyCard) -> Iterator[Wrong]:
    try:
        url = URL(card.url)
        is_page = url.scheme in {"http", "https"} and bool(url.host) and not any(map(str.isspace, card.url))
    except ValueError:
        is_page = False
    if not is_page:
        yield Wrong(f"{AT}/card/url", "This is no web address. It begins with https://.", "address")
    if any(item.video or item.animated for item in content.media):
        words = "The preview of a link is a picture that stands still. Remove what moves, or the link."
        yield Wrong(f"{AT}/card", words, "card-and-video")
    if len(content.media) > 1:
        words = "A link can have one picture as its preview. Remove the others, or the link."
        yield Wrong(f"{AT}/card", words, "card-and-media")
