"""X's text: how long it is, what is a link in it, and how it comes back. Sheet: Limits; After a crash."""

import html
import re
import unicodedata

import regex

SHORT_LINK = 23
LIMIT = 280
PREMIUM_LIMIT = 25_000
LIGHT = ((0x0, 0x10FF), (0x2000, 0x200D), (0x2010, 0x201F), (0x2032, 0x2037))
INVALID = re.compile("[\ufffe\ufeff\uffff]")

# Enough of the top-level domains to tell a bare address from a full stop without a space.
_TLD = (
    "com|org|net|edu|gov|info|biz|io|dev|app|social|blog|shop|online|site|xyz|tech|cloud|ai|co|me|tv|news|page|art|"
    "de|uk|fr|jp|es|it|nl|eu|us|ca|au|at|ch|se|no|dk|fi|pl|cz|pt|br|in|ru|cn|kr"
)
_HOST = r"(?:[\p{L}\p{N}](?:[\p{L}\p{N}_-]*[\p{L}\p{N}])?\.)+"
_PATH = (
    r"(?:/(?:[^\s<>()\[\]{}\"'。、！？「」]|\([^\s()]*\))*(?<![.,!?:;'\"&])/?)?"
    r"(?:\?[^\s<>\"。]*[\p{L}\p{N}_=&#/])?(?:#[\w/-]+)?"
)
_BARE = r"(?:[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?\.)+"
LINK = regex.compile(
    rf"(?<![@#$\w.])(?:https?://{_HOST}[\p{{L}}]{{2,}}(?::\d+)?{_PATH}|(?<![-/]){_BARE}(?:{_TLD})(?![\p{{L}}\p{{N}}@.-]*[a-z0-9@]){_PATH})"
    rf"|(?<=[\p{{Han}}\p{{Hiragana}}\p{{Katakana}}。、])https?://{_HOST}[\p{{L}}]{{2,}}{_PATH}",
    regex.IGNORECASE,
)
MENTION = re.compile(r"(?<![\w@])@(\w{1,15})")
EMOJI = regex.compile(
    r"\p{Regional_Indicator}{2}|[0-9#*]\ufe0f?\u20e3|"
    r"(?:\p{Extended_Pictographic}(?:\ufe0f|\p{Emoji_Modifier})?(?:[\U000E0020-\U000E007F]+)?"
    r"(?:\u200d\p{Extended_Pictographic}(?:\ufe0f|\p{Emoji_Modifier})?)*)"
)


def weight(text: str) -> int:
    """How long it is: code points weigh 1 or 2, an emoji 2, a link 23."""
    total, place = 0, 0
    composed = unicodedata.normalize("NFC", text)
    for found in LINK.finditer(composed):
        total += _plain(composed[place : found.start()]) + SHORT_LINK
        place = found.end()
    return total + _plain(composed[place:])


def _plain(text: str) -> int:
    total, place = 0, 0
    for found in EMOJI.finditer(text):
        if len(found[0]) == 1 and ord(found[0]) < 0x1100:
            continue  # © and the like are letters unless a selector makes them emoji
        total += sum(map(_weight, text[place : found.start()])) + 2
        place = found.end()
    return total + sum(map(_weight, text[place:]))


def _weight(letter: str) -> int:
    return 1 if any(low <= ord(letter) <= high for low, high in LIGHT) else 2


def links(text: str, first: int) -> dict[str, str]:
    """What each short link of a new post stands for, in order. `first` makes them differ from every other post's."""
    found = [each[0] for each in LINK.finditer(text)]
    return {f"https://t.co/{_code(first, number)}": link for number, link in enumerate(found)}


def shown(text: str, shortened: dict[str, str], media_link: str | None) -> str:
    """The text as the API gives it back: short links, the media's own at the end, HTML entities."""
    short = iter(shortened)
    linked = LINK.sub(lambda _: next(short), text) if shortened else text
    body = html.escape(linked, quote=False)
    return " ".join(part for part in (body, media_link) if part)


def _code(first: int, number: int) -> str:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    value, code = first * 8 + number, ""
    while len(code) < 10:
        value, digit = divmod(value, len(letters))
        code += letters[digit]
    return code
