"""A long text made into the parts of a thread. Pure."""

from collections.abc import Callable, Iterator

import regex

Fits = Callable[[str], bool]

PARAGRAPH = regex.compile(r"\n[ \t]*\n\s*")
SENTENCE = regex.compile(r"(?<=[.!?…。！？][\p{Pf}\p{Pe}\"']*)\s+|(?<=[。！？])|\n+")
WORD = regex.compile(r"\s+")
GRAPHEME = regex.compile(r"(?=\X)")
# A better place to cut is taken although it lies earlier, as long as this share of what would fit is used.
PLACES = ((PARAGRAPH, 0.3), (SENTENCE, 0.3))
MOST = 1_000  # parts
NEAR = 256  # characters that are looked at first, and besides: an address counts more until its host is complete


def split(text: str, fits: Fits, *, numbered: bool = False) -> list[str]:
    """`text` in parts that each fit, cut between paragraphs, sentences or words, in this order of liking.

    `numbered` ends each part with its number, as " 2/7", where there are several. A word that does not fit anywhere is
    cut between graphemes; a grapheme that does not is left out. At most 1,000 parts, the last with whatever is left.
    """
    whole = text.strip()
    if not whole or fits(whole):
        return [whole] if whole else []
    if not numbered:
        return list(_parts(whole, fits))
    digits, parts = 0, [whole]
    while (needed := len(str(len(parts)))) > digits:
        digits = needed
        widest = f" {'9' * digits}/{'9' * digits}"
        parts = list(_parts(whole, lambda part, end=widest: fits(part + end)))  # type: ignore[misc]
    return [f"{part} {number}/{len(parts)}" for number, part in enumerate(parts, 1)]


def _parts(rest: str, fits: Fits) -> Iterator[str]:
    for _ in range(MOST - 1):
        near = _near(rest, fits)
        if not near or (near == rest and fits(rest)):
            break
        end = _end(near, fits)
        if end:
            yield rest[:end].rstrip()
        rest = rest[end or _first_grapheme(rest) :].lstrip()
    if rest:
        yield rest


def _near(text: str, fits: Fits) -> str:
    """The beginning of `text` in which its first part ends, so that no more of a long one is looked at: counting all of
    100,000 characters for every part took a minute, and everybody waited."""
    size = NEAR
    while size < len(text) and fits(text[:size]):
        size *= 2
    return text[: size + NEAR]


def _end(text: str, fits: Fits) -> int:
    """Where the first part of `text` ends best."""
    furthest = _furthest(_cuts(WORD, text), text, fits) or _furthest(_cuts(GRAPHEME, text), text, fits)
    for place, share in PLACES:
        end = max((cut for cut in _cuts(place, text) if cut <= furthest), default=0)  # it fits, for it is shorter
        if end and end >= share * furthest and fits(text[:end].rstrip()):
            return end
    return furthest


def _cuts(place: "regex.Pattern[str]", text: str) -> list[int]:
    return [found.start() for found in place.finditer(text) if found.start()]


def _furthest(cuts: list[int], text: str, fits: Fits) -> int:
    """The last of `cuts` up to which `text` fits; 0 if none. A longer text is never shorter to a platform."""
    low, high = 0, len(cuts)
    while low < high:
        middle = (low + high) // 2
        if fits(text[: cuts[middle]].rstrip()):
            low = middle + 1
        else:
            high = middle
    return cuts[low - 1] if low else 0


def _first_grapheme(text: str) -> int:
    return next((found.start() for found in GRAPHEME.finditer(text) if found.start()), len(text))
