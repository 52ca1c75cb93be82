"""Content against a platform's limits: everything that is wrong with it, at once, in words. Pure.

The same function decides while composing, when planning and when an edit is saved.
"""

from collections.abc import Iterator, Mapping

import msgspec

from social.errors import Invalid, Wrong
from social.files import Probe
from social.media.fit import File, Outcome, best
from social.media.plans import Cannot
from social.platforms.contract import Content, Limits, MediaItem, Part, Platform
from social.platforms.limits import length


def problems(content: Content, limits: Limits, platform: Platform) -> list[Wrong]:
    """What `platform` would refuse about `content`, in the order a reader meets it. Empty means it fits.

    Pointers lead into the content: /text, /media/0, /media/0/alt, /thread/0/text, /options/mastodon/....
    """
    wrong = list(_options(content, platform))
    fitting_options = not wrong
    for number in range(len(content.parts)):
        wrong += _part(content, number, limits, platform)
    if len(content.parts) > limits.thread:
        words = (
            f"{platform.title} takes {limits.thread} parts at most."
            if limits.thread > 1
            else f"{platform.title} has no threads. Leave the further parts out here."
        )
        wrong.append(Wrong("/thread", words, "too-many"))
    if fitting_options:
        wrong += platform.objections(content, limits)
    return wrong


def remarks(content: Content, platform: Platform) -> list[str]:
    """What the person should know and is no fault. What becomes of files is said with each of them."""
    return list(platform.remarks(content))


def empty(content: Content) -> bool:
    """Whether there is nothing to send in the first part."""
    return _is_empty(content.parts[0])


def counted(content: Content, part: int, limits: Limits, platform: Platform) -> int:
    """How long the text of a part is to the platform, in its own unit."""
    return sum(length(piece, limits) for piece in platform.counted_text(content, part))


def _part(content: Content, number: int, limits: Limits, platform: Platform) -> Iterator[Wrong]:
    part, at = content.parts[number], f"/thread/{number - 1}" if number else ""
    if number and _is_empty(part):
        yield Wrong(f"{at}/text", "This part is empty. Write something or remove it.", "missing")
    yield from _text(content, number, at, limits, platform)
    yield from _media(part, at, limits, platform)


def _is_empty(part: Part) -> bool:
    return not part.text.strip() and not part.media


def _options(content: Content, platform: Platform) -> Iterator[Wrong]:
    try:
        msgspec.convert(content.options, platform.options)
    except msgspec.ValidationError as wrong:
        yield Wrong(f"/options/{platform.name}", f"{platform.title} does not take this: {wrong}", "options")


def _text(content: Content, number: int, at: str, limits: Limits, platform: Platform) -> Iterator[Wrong]:
    text = content.parts[number].text
    if limits.text_needed and not text.strip():
        yield Wrong(f"{at}/text", f"{platform.title} needs some text.", "missing")
    too_long = counted(content, number, limits, platform) - limits.text
    size = len(text.encode("utf-8", "surrogatepass"))
    if too_long > 0:
        words = f"{too_long} too long for {platform.title}, which takes {limits.text}. Shorten the text."
        yield Wrong(f"{at}/text", words, "too-long")
    elif limits.text_bytes is not None and size > limits.text_bytes:
        words = (
            f"{platform.title} takes {limits.text_bytes} bytes of text, and this has {size}: "
            "emoji and some scripts take several each. Shorten the text."
        )
        yield Wrong(f"{at}/text", words, "too-long")
    if "\x00" in text:
        yield Wrong(f"{at}/text", "The text holds a character that cannot be sent. Remove it.", "character")


def _media(part: Part, at: str, limits: Limits, platform: Platform) -> Iterator[Wrong]:
    found = outcome(part, limits, platform)
    if found is not None and found.because is not None:
        yield Wrong(f"{at}/media", found.because.because, found.because.code)
    for number, item in enumerate(part.media):
        verdict = found.files[number] if found is not None else None
        if isinstance(verdict, Cannot) and (found is None or found.because is None):
            yield Wrong(f"{at}/media/{number}", verdict.because, verdict.code)
        if len(item.alt) > limits.alt:
            words = f"{platform.title} takes {limits.alt} characters of alt text."
            yield Wrong(f"{at}/media/{number}/alt", words, "too-long")


def outcome(part: Part, limits: Limits, platform: Platform) -> Outcome | None:
    """What becomes of a part's files there; None where it has none."""
    if not part.media:
        return None
    files = [File(probe=_facts(item), choice=item.choice) for item in part.media]
    return best(files, platform.kinds(limits), platform.title)


def _facts(item: MediaItem) -> Probe:
    return item.probe or Probe(
        mime=item.mime, bytes=item.bytes, width=item.width, height=item.height, frames=2 if item.animated else 1
    )


def typed_options(options: Mapping[str, object], known: Mapping[str, Platform]) -> None:
    """Invalid if `options` names a platform that does not exist."""
    strangers = [name for name in options if name not in known]
    if strangers:
        raise Invalid(
            "There is no such platform.",
            [Wrong(f"/options/{name}", "Not a platform we know.", "unknown") for name in strangers],
        )
