"""What a program calls itself (the header User-Agent), in words: enough for a person to know their own sign-ins."""

import re

# First match wins: browsers name those they descend from too. Sources: the browsers' own documentation of the header.
BROWSERS: tuple[tuple[str, str], ...] = (
    (r"Edg(?:e|A|iOS)?/", "Edge"),
    (r"OPR/|Opera", "Opera"),
    (r"Vivaldi/", "Vivaldi"),
    (r"SamsungBrowser/", "Samsung Internet"),
    (r"Firefox/|FxiOS/", "Firefox"),
    (r"Chrom(?:e|ium)/|CriOS/", "Chrome"),
    (r"Version/.* Safari/", "Safari"),
)
SYSTEMS: tuple[tuple[str, str], ...] = (
    (r"iPhone", "iPhone"),
    (r"iPad", "iPad"),
    (r"Android", "Android"),
    (r"Windows", "Windows"),
    (r"CrOS", "ChromeOS"),
    (r"Macintosh|Mac OS X", "macOS"),
    (r"Linux|X11", "Linux"),
)
PRODUCT = re.compile(r"([A-Za-z][A-Za-z0-9_.\- ]{0,39}?)(?:/|$)")
UNKNOWN = "Unknown program"


def label(user_agent: str) -> str:
    """`Firefox on Linux`, or for what is no browser the name that it begins with, or that it is unknown."""
    browser, system = _first(BROWSERS, user_agent), _first(SYSTEMS, user_agent)
    if browser is None:
        product = PRODUCT.match(user_agent)
        browser = product[1] if product and product[1] != "Mozilla" else UNKNOWN
    return f"{browser} on {system}" if system else browser


def _first(known: tuple[tuple[str, str], ...], user_agent: str) -> str | None:
    return next((name for pattern, name in known if re.search(pattern, user_agent)), None)
