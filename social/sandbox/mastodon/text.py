"""Text as Mastodon counts it and shows it. Sheet: Limits (status_length_validator). Pure."""

import re
from collections.abc import Callable
from html import escape
from typing import NamedTuple

import regex

URL_COUNTS = 23

_URL = r"(?<![A-Za-z0-9@＠$#＃])(?P<url>https?://[\w.-]+(?::\d+)?(?:[/?#][\w!?*'();:&=+$/%#\[\].,~|@-]*)?)"
_MENTION = r"(?<![=/\w])@(?P<user>[a-z0-9_]+(?:[a-z0-9_.-]+[a-z0-9_]+)?)(?:@(?P<domain>[\w.-]*\w))?"
_HASHTAG = r"(?<![\w/)&#])#(?P<tag>\w*[^\W\d]\w*)"
_ENTITY = re.compile(f"{_URL}|{_MENTION}|{_HASHTAG}", re.IGNORECASE)
_URL_ENDS = re.compile(r"[\w=#/+&-]")
_CLUSTER = regex.compile(r"\X")


class Entities(NamedTuple):
    users: list[tuple[str, str | None]]  # as written: name, domain
    tags: list[str]


def length(text: str, spoiler: str = "", *, spoiler_urls_in_full: bool = True) -> int:
    """In grapheme clusters: a URL is 23 however long, `@user@domain` is `@user`."""
    counted = spoiler if spoiler_urls_in_full else _rewritten(spoiler, str, _as_counted)
    return clusters(counted + _rewritten(text, str, _as_counted))


def clusters(text: str) -> int:
    if text.isascii():
        return len(text) - text.count("\r\n")
    return sum(1 for _ in _CLUSTER.finditer(text))


def entities(text: str) -> Entities:
    """Mentions and hashtags, each once, in order."""
    users: dict[tuple[str, str | None], None] = {}
    tags: dict[str, None] = {}
    for match in _ENTITY.finditer(text):
        if match["user"]:
            users[match["user"], match["domain"]] = None
        elif match["tag"]:
            tags[match["tag"].lower()] = None
    return Entities(list(users), list(tags))


def html(text: str, origin: str, known: Callable[[str, str | None], str | None]) -> str:
    """As in a status's `content`. `known` gives the page of somebody mentioned, None where nobody is there."""

    def linked(match: re.Match[str]) -> str:
        if match["url"]:
            return _link(match["url"])
        if match["tag"]:
            tag = escape(match["tag"])
            return f'<a href="{origin}/tags/{tag.lower()}" class="mention hashtag" rel="tag">#<span>{tag}</span></a>'
        page = known(match["user"], match["domain"])
        if page is None:
            return escape(match[0])
        name = escape(match["user"])
        link = f'<a href="{page}" class="u-url mention">@<span>{name}</span></a>'
        return f'<span class="h-card" translate="no">{link}</span>'

    paragraphs = re.split(r"\n{2,}", text.replace("\r\n", "\n").strip())
    shown = (_rewritten(paragraph, escape, linked).replace("\n", "<br />") for paragraph in paragraphs)
    return "".join(f"<p>{paragraph}</p>" for paragraph in shown) if text.strip() else ""


def _link(url: str) -> str:
    """Scheme and what is beyond thirty characters are there, but not seen."""
    scheme, rest = re.match(r"(https?://(?:www\.)?)(.*)", url, re.IGNORECASE | re.DOTALL).groups()  # type: ignore[union-attr]
    seen, hidden = rest[:30], rest[30:]
    style = "ellipsis" if hidden else ""
    return (
        f'<a href="{escape(url)}" target="_blank" rel="nofollow noopener" translate="no">'
        f'<span class="invisible">{scheme}</span><span class="{style}">{escape(seen)}</span>'
        f'<span class="invisible">{escape(hidden)}</span></a>'
    )


def _as_counted(match: re.Match[str]) -> str:
    if match["url"]:
        return "x" * URL_COUNTS
    return f"@{match['user']}" if match["user"] else match[0]


def _rewritten(text: str, plain: Callable[[str], str], entity: Callable[[re.Match[str]], str]) -> str:
    """`text` with its entities through `entity` and what is between them through `plain`."""
    parts: list[str] = []
    at = 0
    while match := _ENTITY.search(text, at):
        if match["url"] and (cut := _end_of_url(match["url"])) < len(match["url"]):
            match = _ENTITY.match(text, match.start(), match.start() + cut)  # the same, without its tail
            assert match
        parts += (plain(text[at : match.start()]), entity(match))
        at = match.end()
    return "".join(parts) + plain(text[at:])


def _end_of_url(url: str) -> int:
    """Punctuation behind an address belongs to the sentence; a closing bracket only if none was opened in it."""
    end = len(url)
    floor = url.index("://") + 4
    while end > floor and not _URL_ENDS.match(url[end - 1]):
        if url[end - 1] == ")" and url.count("(", 0, end) >= url.count(")", 0, end):
            break
        end -= 1
    return end
