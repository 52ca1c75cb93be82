"""What every request must carry, and what every response does."""

from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

import structlog
from litestar.datastructures import MutableScopeHeaders
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from social.errors import Forbidden, Refused

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})

ON_EVERY_RESPONSE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


class Misdirected(Refused):
    """The request was meant for another host; behind it may be a page that points its name at us."""

    status, kind, title = 421, "invalid", "Not this address"


class Entrance(ASGIMiddleware):
    """Binds a number for the log, and lets nobody in who calls us by another name than ours or a loopback's."""

    def __init__(self, public_url: str) -> None:
        self._host = urlsplit(public_url).netloc.lower()

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Misdirected for a foreign Host. What asks after our health may use any: orchestrators call us by number."""
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=token_hex(8))
        host = _header(scope, b"host").lower()
        if host != self._host and _name(host) not in LOOPBACK and not scope["path"].startswith("/health"):
            raise Misdirected("This service is known by another address. If this one is right, set SOCIAL_PUBLIC_URL.")
        await next_app(scope, receive, send)


class OnTheWayOut:
    """Adds to every response what it does not say otherwise: the least that a browser and a cache may do with it."""

    def __init__(self, public_url: str) -> None:
        self._headers = dict(ON_EVERY_RESPONSE)
        if public_url.startswith("https:"):
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, message: Message, _: Scope) -> None:
        """Litestar's before_send."""
        if message["type"] == "http.response.start":
            headers = MutableScopeHeaders.from_message(message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)


def page_policy(public_url: str, bucket: str | None) -> str:
    """What a page of the web client may load: all from us, nothing from anywhere else but that it may send files to a
    `bucket` that browsers reach. No nonces: it is cached."""
    others = ["ws" + public_url.removeprefix("http")]
    if bucket is not None:
        others.append("{0.scheme}://{0.netloc}".format(urlsplit(bucket)))
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; "
        f"connect-src 'self' {' '.join(others)}; "
        "img-src 'self' blob: data:; media-src 'self' blob:; manifest-src 'self'; worker-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )


def must_come_from_our_page(headers: Any, public_url: str) -> None:
    """Guards what a cookie alone opens. Forbidden where another site could have sent it.

    A browser names the page's origin and its relation to us, and lets no foreign page add a header of its own.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if "social-client" not in headers:
        raise Forbidden("Add the header Social-Client, which says that our own client is asking.")
    if (origin is not None and origin.lower() != public_url.lower()) or site not in {None, "same-origin"}:
        raise Forbidden(f"This came from another page than ours. Open {public_url} and try again.")


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _name(host: str) -> str:
    """The host without its port; IPv6 keeps its brackets."""
    return host if host.endswith("]") else host.rpartition(":")[0] or host
