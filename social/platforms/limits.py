"""How long a text is to a platform. Pure.

Mastodon's rules (its sheet, section Limits): grapheme clusters; each http(s) URL counts a fixed number, short ones
too; `@user@domain` counts as `@user`; an address without its scheme counts in full. Where a URL ends follows the way
links are commonly found in text: a closing bracket belongs to it only if it was opened in it, punctuation at the end
never does.
"""

import regex

from social.platforms.contract import Limits
from social.platforms.weighted import weight

_LABEL = r"(?:xn--[a-z0-9-]+|[\p{L}\p{N}\p{M}](?:[\p{L}\p{N}\p{M}_-]*[\p{L}\p{N}\p{M}])?)"
# No name has more labels; without an end, to look for one in 100,000 of them took a second.
_HOST = rf"(?:{_LABEL}\.){{1,126}}(?:xn--[a-z0-9-]+|[\p{{L}}\p{{M}}]{{2,}})"
_INNER = r"[^\s<>()?]"
_BRACKETS = rf"\((?:{_INNER}|\({_INNER}*+\))*+\)"
_PATH_END = r"[^\s<>()?!*\"'「」;:=,.$%\[\]~&|@]"
_PATH = rf"(?:/(?:(?:{_INNER}|{_BRACKETS})*(?:{_PATH_END}|{_BRACKETS}))?)"
_QUERY = r"(?:\?[^\s<>\"「」{}`\\]*[\p{L}\p{N}_&=#/-])"
URL = regex.compile(rf"(?<![a-z0-9@$#＠＃])https?://{_HOST}(?::\d+)?{_PATH}?{_QUERY}?", regex.IGNORECASE)
MENTION = regex.compile(
    r"(?<![\w/=])(@[a-z0-9_]+(?:[.-]+[a-z0-9_]+)*)@[\p{L}\p{N}_]+(?:[.-]+[\p{L}\p{N}_]+)*", regex.IGNORECASE
)
GRAPHEME = regex.compile(r"\X")


def length(text: str, limits: Limits) -> int:
    """How long `text` is to a platform, in the unit its limit is given in (`limits.counted_as`).

    graphemes: what a reader sees as one character; utf16: UTF-16 code units; characters: code points.
    A URL counts `limits.url_length` where that is set. Never raises.
    """
    if limits.counted_as == "weighted":
        return weight(text, limits.url_length or 0)
    if limits.url_length is not None:
        text = URL.sub("x" * limits.url_length, text)
    if limits.mentions_without_domain:
        text = MENTION.sub(r"\1", text)
    match limits.counted_as:
        case "graphemes":
            return sum(1 for _ in GRAPHEME.finditer(text))
        case "utf16":
            return len(text.encode("utf-16-le", "surrogatepass")) // 2
        case "characters":
            return len(text)
    raise AssertionError(limits.counted_as)
