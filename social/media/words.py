"""What a file is found by: the beginnings of words in its name, its description and its tags. Pure."""

import re
import unicodedata
from collections.abc import Iterable

WORD = re.compile(r"[^\W_]+")
MOST = 200  # words of one file
LONGEST = 40  # characters of a word that count
ASKED = 8  # words of one question


def folded(text: str) -> str:
    """What two spellings of a word have in common: no case, no accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in apart if not unicodedata.combining(sign))


def words(*texts: str) -> list[str]:
    """All different words in `texts`, as they are looked for."""
    found = (word[:LONGEST] for text in texts for word in WORD.findall(folded(text)))
    return list(dict.fromkeys(found))[:MOST]


def beginnings(asked: str) -> list[re.Pattern[str]]:
    """What a file's words must begin with to be found, each of these at least one word."""
    return [re.compile(f"^{re.escape(word)}") for word in words(asked)[:ASKED]]


def tidy_tags(given: Iterable[str]) -> list[str]:
    """Tags without what cannot be seen of them, each once."""
    tidied = (" ".join(unicodedata.normalize("NFC", tag).split()) for tag in given)
    return list({folded(tag): tag for tag in tidied if tag}.values())
