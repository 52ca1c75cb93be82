"""What platforms answer, read without trust: their words about a refusal, and when a spent quota begins anew."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from secrets import randbelow
from typing import Any

import msgspec
from yarl import URL

from social.logs import SECRET_TEXT
from social.platforms.contract import About, Fault, Quota, Told

SAID = 300  # characters of a platform's words that are kept
QUOTA_WAIT = timedelta(minutes=5)  # where a platform does not say when its quota begins anew
QUOTA_MOST = timedelta(hours=24)  # a longer wait is asked for by mistake or by malice
QUOTA_LEAST = timedelta(seconds=5)  # clocks differ: a reset that seems past must not become a storm
LONGEST = 2_000  # characters of an address
OF_ONE_ERROR = ("message", "code", "title", "detail")  # what is read of each of several errors
NO_KIND = "about:blank"  # a problem's type where there is none (RFC 9457, section 4.2.1)


class Raw(msgspec.Struct, frozen=True):
    """An answer as it came, its headers in lower case, and what tells what must not be repeated of it."""

    status: int
    headers: dict[str, str]
    body: bytes
    secrets: Callable[[], tuple[str, ...]]


class Envelope(msgspec.Struct, frozen=True):
    """How platforms wrap what they refuse. Anything but a JSON object is somebody else's answer."""

    error: Any = None
    error_description: Any = None
    message: Any = None
    title: Any = None
    detail: Any = None
    reason: Any = None
    type: Any = None
    errors: Any = None


def envelope(body: bytes) -> Envelope | None:
    """The refusal in `body`; None if it is no JSON object. Never raises."""
    try:
        return msgspec.json.decode(body, type=Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def said(refusal: Envelope | None, *, kind: bool = True) -> str:
    """A platform's words about a refusal: codes and texts, each once, as far as they are texts or numbers.

    Without `kind`, its `type` is left out: often an address, and nothing for people.
    """
    return ": ".join(dict.fromkeys(_words(refusal, kind=kind)))


def matches(row: Fault, status: int, words: str, to: About) -> bool:
    """Whether an answer is what `row` is about."""
    return (
        row.status == status
        and row.to in ("any", to)
        and (row.saying is None or row.saying.casefold() in words.casefold())
    )


def cut(text: str, secrets: tuple[str, ...]) -> str:
    """`text` on one line, shortened, without `secrets` and whatever else looks like one."""
    for secret in secrets:
        text = text.replace(secret, "***")
    text = SECRET_TEXT.sub(r"\1***", " ".join(text.split()))
    return text if len(text) <= SAID else text[: SAID - 1] + "…"


def reset_at(headers: Mapping[str, str], at: datetime) -> datetime:
    """When a spent quota begins anew, with a little jitter so that not everything comes back at once. Never raises.

    Retry-After as seconds or a date; else any *-limit*-reset, as ISO 8601, epoch seconds or seconds from now (the
    sheets have them all), of the window that its `remaining` calls spent where there are several. Measured from the
    server's own clock where it tells the time.
    """
    named = {name.lower(): value.strip() for name, value in headers.items()}
    server = _date(named.get("date", "")) or at
    wait = _seconds(named.get("retry-after", ""), server) or _spent(named, server)
    wait = min(max(wait or QUOTA_WAIT, QUOTA_LEAST), QUOTA_MOST)
    return at + wait + timedelta(milliseconds=randbelow(5_000))


def told(headers: Mapping[str, str], windows: Iterable[Quota], at: datetime) -> tuple[Told, ...]:
    """What an answer's headers (their names in lower case) say of those of `windows` that they tell of. Never raises.

    A reset that is missing, past or too far away says nothing. Of several windows that one header tells of it means the
    one whose seconds its "-policy" names ("5000;w=3600"), or, without, the first.
    """
    heard: list[Told] = []
    said: set[str] = set()
    for window in windows:
        left = _number(headers.get(f"{window.headers}-remaining", "")) if window.headers else None
        if window.headers is None or left is None:
            continue
        policy = _seconds_of(headers.get(f"{window.headers}-policy", ""))
        if window.headers in said if policy is None else policy != window.seconds:
            continue
        said.add(window.headers)
        server = _date(headers.get("date", "")) or at
        wait = _seconds(headers.get(f"{window.headers}-reset", ""), server)
        if wait is not None and timedelta() < wait <= QUOTA_MOST:
            most = _number(headers.get(f"{window.headers}-limit", "")) if window.exact or policy else None
            posts = most // window.cost if most else None
            heard.append(Told(window.name, left // window.cost, wait.total_seconds(), posts or None))
    return tuple(heard)


def web_address(text: str | None) -> str | None:
    """`text` if it is an address that a browser may be sent to. A server's word is a stranger's. Never raises."""
    try:
        address = URL(text or "")
    except ValueError:
        return None
    return text if address.scheme in {"http", "https"} and address.host and len(str(text)) <= LONGEST else None


def _words(refusal: Envelope | None, *, kind: bool) -> Iterator[str]:
    if refusal is None:
        return
    told = (refusal.error, refusal.error_description, refusal.message, refusal.title, refusal.detail, refusal.reason)
    errors = refusal.errors if isinstance(refusal.errors, list) else ()
    for word in (*told, *errors, refusal.type if kind and refusal.type != NO_KIND else None):
        yield from _texts(word)


def _texts(word: Any) -> Iterator[str]:
    """`word` itself if it is one, or what an object says of an error. Whatever else it is says nothing."""
    if isinstance(word, str) and word:
        yield word
    elif isinstance(word, int | float) and not isinstance(word, bool):
        yield str(word)
    elif isinstance(word, dict):
        for name in OF_ONE_ERROR:
            inner = word.get(name)
            if not isinstance(inner, dict):
                yield from _texts(inner)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _seconds_of(policy: str) -> int | None:
    """The length of the one window that a policy ("5000;w=3600") is about; None if it is none, or of several."""
    named = [_number(part.strip().removeprefix("w=")) for part in policy.split(";")[1:] if part.strip()[:2] == "w="]
    return named[0] if len(named) == 1 and "," not in policy else None


def _spent(headers: Mapping[str, str], server: datetime) -> timedelta | None:
    """The wait for the windows that are spent; where none says so, for the one that ends first."""
    waits: dict[bool, list[timedelta]] = {True: [], False: []}
    for name, value in headers.items():
        window = name.removesuffix("-reset")
        wait = _seconds(value, server) if window != name and "limit" in window else None
        if wait is not None:
            waits[headers.get(f"{window}-remaining") == "0"].append(wait)
    if waits[True]:
        return max(waits[True])
    return min(waits[False], default=None)


def _seconds(text: str, server: datetime) -> timedelta | None:
    """A wait out of seconds from now, seconds since 1970, ISO 8601 or an HTTP date."""
    try:
        number = float(text)
    except ValueError:
        moment = _date(text)
        return moment - server if moment else None
    if not 0 <= number < 1e11:  # also not a number at all
        return None
    return timedelta(seconds=number - server.timestamp() if number > 1e9 else number)


def _date(text: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
