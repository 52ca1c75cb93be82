"""What X takes of a post, known before anything is sent: limits, options, and what it says about them. Pure.

Sheet: Publishing; Limits; Comments; Oddities. Prices are those of August 2026.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
import regex
from msgspec import Meta

from social.errors import Wrong
from social.platforms.contract import Content, Limits, MediaItem
from social.platforms.weighted import UNSENDABLE, addresses

MB = 2**20
LONG = 25_000  # weighted, for those who pay for it
POLL_OPTIONS = range(2, 5)
POLL_CHARACTERS = 25
POLL_MINUTES = range(5, 10_081)
CASHTAGS = 1  # for self-serve apps
# UNCONFIRMED whether the same one twice is one or two: we count two, so that nothing is refused at the due time.
CASHTAG = regex.compile(r"(?<![\w$])\$[A-Za-z]{1,6}(?:[._][A-Za-z]{1,2})?(?!\w)")
POST = regex.compile(
    # in the sandbox, X lives below /x of some origin
    r"(?:https?://(?:(?:(?:www|mobile)\.)?(?:x|twitter)\.com|[^/\s]+/x)/(?:\w{1,20}|i/web)/status(?:es)?/)?"
    r"(?P<id>[1-9][0-9]{0,18})(?:[/?#]\S*)?",
    regex.IGNORECASE,
)

ReplySettings = Literal["everyone", "following", "mentionedUsers", "subscribers", "verified"]

LIMITS = Limits(
    text=280,
    counted_as="weighted",
    url_length=23,
    media=4,
    alt=1000,
    image_bytes=5 * MB,
    image_types=("image/jpeg", "image/png", "image/webp", "image/gif"),
    animated_bytes=15 * MB,
    thread=25,  # X names none; this is ours
)


class XPoll(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question with answers to choose from: the post's text asks it."""

    options: Annotated[
        tuple[str, ...], Meta(title="Answers", description="Two to four, of up to 25 characters each.")
    ] = ()
    duration_minutes: Annotated[
        int, Meta(title="Open for", description="Minutes: 5 to 10,080, which is seven days.")
    ] = 1440


class XOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a post on X can have beyond text and pictures. Poll, quote and whom it answers belong to the first part."""

    reply_settings: Annotated[
        ReplySettings, Meta(title="Who may answer", description="Everyone unless said otherwise; of the first part.")
    ] = "everyone"
    reply_to: Annotated[
        str, Meta(title="In answer to", description="The post that this answers: its address or its number.")
    ] = ""
    quote: Annotated[
        str, Meta(title="Quotes", description="The post that this shows below its text: its address or its number.")
    ] = ""
    poll: Annotated[XPoll | None, Meta(title="Poll", description="Not together with pictures or a quote.")] = None
    made_with_ai: Annotated[
        bool, Meta(title="Made with AI", description="Says at every part that AI made what it shows.")
    ] = False
    paid_partnership: Annotated[
        bool, Meta(title="Paid partnership", description="Says at every part that somebody paid for it.")
    ] = False


def options_of(content: Content) -> XOptions:
    """The options as they were frozen. msgspec.ValidationError if they are none."""
    return msgspec.convert(content.options, XOptions)


def post_id(given: str) -> str | None:
    """The number of a post out of its address or itself; None if it is neither."""
    found = POST.fullmatch(given.strip())
    return found["id"] if found else None


def objections(content: Content, limits: Limits) -> tuple[Wrong, ...]:
    """What X would refuse beyond its limits. Sheet: Create a post; Limits."""
    options = options_of(content)
    return (*_of_the_options(options), *_together(content, options), *_of_the_parts(content))


def remarks(content: Content) -> tuple[str, ...]:
    """What people should know about this post before it goes out. Sheet: Limits, prices; Comments; Oddities."""
    try:
        options = options_of(content)
    except msgspec.ValidationError:  # that is a problem, told elsewhere
        options = XOptions()
    return tuple(_remarks(content, options))


def _of_the_options(options: XOptions) -> Iterator[Wrong]:
    words = "This is no post on X. Enter its address, such as https://x.com/example/status/1234567890, or its number."
    for name, given in (("reply_to", options.reply_to), ("quote", options.quote)):
        if given.strip() and post_id(given) is None:
            yield Wrong(f"/options/x/{name}", words, "post")
    if options.poll is not None:
        yield from _of_the_poll(options.poll)


def _of_the_poll(poll: XPoll) -> Iterator[Wrong]:
    at = "/options/x/poll"
    if len(poll.options) not in POLL_OPTIONS:
        yield Wrong(f"{at}/options", "A poll on X has two to four answers.", "poll-options")
    for number, answer in enumerate(poll.options):
        if not answer.strip():
            yield Wrong(f"{at}/options/{number}", "This answer is empty. Write one or remove it.", "missing")
        elif len(answer) > POLL_CHARACTERS:
            over = len(answer) - POLL_CHARACTERS
            words = f"{over} too long: an answer has {POLL_CHARACTERS} characters at most."
            yield Wrong(f"{at}/options/{number}", words, "too-long")
        elif UNSENDABLE.search(answer):
            yield _unsendable(f"{at}/options/{number}")
    if poll.duration_minutes not in POLL_MINUTES:
        yield Wrong(f"{at}/duration_minutes", "A poll on X is open for 5 minutes to 7 days.", "poll-duration")


def _together(content: Content, options: XOptions) -> Iterator[Wrong]:
    if options.poll is not None and content.media:
        yield Wrong("/options/x/poll", "X takes a poll or pictures, not both. Remove one of them.", "excluded")
    if options.poll is not None and options.quote.strip():
        yield Wrong("/options/x/poll", "X takes a poll or a quote, not both. Remove one of them.", "excluded")
    if options.quote.strip() and content.media:
        yield Wrong("/options/x/quote", "X takes a quote or pictures, not both. Remove one of them.", "excluded")


def _of_the_parts(content: Content) -> Iterator[Wrong]:
    for number, part in enumerate(content.parts):
        at = f"/thread/{number - 1}" if number else ""
        if UNSENDABLE.search(part.text):
            yield _unsendable(f"{at}/text")
        if len(CASHTAG.findall(part.text)) > CASHTAGS:
            words = "X takes one cashtag in a post from programs like this one. Remove the $ from the others."
            yield Wrong(f"{at}/text", words, "cashtags")


def _unsendable(pointer: str) -> Wrong:
    words = "The text holds an invisible character that X refuses. Remove it, or type the text anew."
    return Wrong(pointer, words, "character")


def _remarks(content: Content, options: XOptions) -> Iterator[str]:
    dear = sum(1 for part in content.parts if addresses(part.text))
    if dear:
        which = "A post" if len(content.parts) == 1 else f"{dear} of {len(content.parts)} parts"
        verb = "with an address costs" if len(content.parts) == 1 else "have an address, and each such part costs"
        yield f"{which} {verb} $0.20 at X instead of $0.015. Whoever runs this installation pays it."
    if options.quote.strip():
        yield "Since April 2026 X lets most apps no longer quote posts. It may refuse this."
    if options.reply_to.strip():
        yield (
            "X lets most apps answer a post only where its author mentioned or quoted this account. "
            "Elsewhere it refuses the answer."
        )


def is_gif(item: MediaItem) -> bool:
    """Whether a file is what X calls a GIF: a picture that moves. One that does not is a picture like any other."""
    return item.animated and item.mime == "image/gif"
