"""One XRPC call: what was asked, and what its reply carries besides its body."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

import msgspec
from litestar import Request, Response

from social.sandbox.bluesky.errors import Headers, invalid_request, too_large
from social.sandbox.bluesky.pds import Pds
from social.sandbox.bluesky.quotas import Bucket
from social.sandbox.bluesky.records import Json

JSON_LIMIT = 1_000_000  # bytes of a request's body where it is no file
FORM_LIMIT = 100_000

Web = Request[Any, Any, Any]


class Call:
    def __init__(self, request: Web, nsid: str, pds: Pds) -> None:
        self.request = request
        self.nsid = nsid
        self.pds = pds
        self.quota_headers: Headers = ()
        self._query = parse_qs(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)

    @property
    def authorization(self) -> tuple[str, str]:
        """Scheme in lower case, and what follows; empty where nothing was given."""
        scheme, _, credentials = self.request.headers.get("authorization", "").partition(" ")
        return scheme.lower(), credentials.strip()

    def text(self, name: str) -> str | None:
        return self._query.get(name, [None])[-1]

    def needed(self, name: str) -> str:
        """Raises Refused 400 where the parameter is missing."""
        value = self.text(name)
        if not value:
            raise invalid_request(f'Error: Params must have the property "{name}"')
        return value

    def texts(self, name: str) -> list[str]:
        return self._query.get(name) or self._query.get(f"{name}[]") or []

    def number(self, name: str, usual: int, lowest: int, highest: int) -> int:
        value = self.text(name)
        if value is None:
            return usual
        if not value.lstrip("-").isdecimal() or not lowest <= int(value) <= highest:
            raise invalid_request(f"Error: {name} must be an integer from {lowest} to {highest}")
        return int(value)

    def flag(self, name: str) -> bool:
        return self.text(name) == "true"

    async def body(self) -> Json:
        """The JSON object that was sent. Raises Refused 400, 413."""
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip()
        if kind != "application/json":
            raise invalid_request(f"Wrong request encoding (Content-Type): {kind or 'none'}")
        try:
            value = msgspec.json.decode(await whole(self.request, JSON_LIMIT))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            raise invalid_request("Unable to parse input") from None
        if not isinstance(value, dict):
            raise invalid_request("Input must be an object")
        return value

    def spend(self, buckets: Iterable[Bucket], who: str, points: int = 1) -> None:
        """Counts towards quotas; the reply tells of the latest. Raises Refused 429."""
        standing = self.pds.quotas.spend(buckets, who, points)
        if standing is not None:
            self.quota_headers = standing.headers


async def whole(request: Web, limit: int) -> bytes:
    """Raises Refused 413."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large()
    return bytes(body)


def field(body: Json, name: str, kind: type = str) -> Any:
    """Raises Refused 400 where it is missing or of another kind."""
    if name not in body:
        raise invalid_request(f'Error: Input must have the property "{name}"')
    value = optional(body, name, kind)
    if value is None:
        raise invalid_request(f"Error: Input/{name} must be a {_KINDS[kind]}")
    return value


def optional(body: Json, name: str, kind: type = str) -> Any:
    value = body.get(name)
    if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        raise invalid_request(f"Error: Input/{name} must be a {_KINDS[kind]}")
    return value


def reply(value: object, status: int = 200, headers: Headers = ()) -> Response[bytes]:
    return Response(
        msgspec.json.encode(value),
        status_code=status,
        headers=dict(headers),
        media_type="application/json; charset=utf-8",
    )


def empty() -> Response[bytes]:
    return Response(b"", status_code=200, media_type="text/plain")


_KINDS = {str: "string", int: "integer", bool: "boolean", dict: "object", list: "array"}
