"""Parameters as a Rails server takes them: form, multipart or JSON, `a[]=`, `a[b]=`, `a[][b]=`, or natural JSON.

Lenient like the original: what has the wrong shape counts as not given. Only a body that cannot be read at all is 400.
"""

import re
import secrets
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Request
from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from social.sandbox.mastodon.errors import Refused
from social.sandbox.platform import Answer

Call = Request[Any, Any, Any]

FORM_LIMIT = 2 * 2**20  # bytes of everything that is no file
PROXY_LIMIT = 110 * 2**20  # the proxy in front says 413 in HTML; that it does, and from where on: unconfirmed


class Upload(msgspec.Struct, frozen=True):
    """A file of the request, on disk under a name of ours. Whoever reads the parameters moves or removes it."""

    path: Path
    declared: str  # the MIME type the caller says it is
    bytes: int


class TooLarge(Exception):
    """More than the proxy in front lets through."""

    answer = Answer(413, b"<html><head><title>413 Request Entity Too Large</title></head></html>", "text/html")


class Params:
    """Query and body in one, the body on top. Every reader answers None, or nothing, for a value of the wrong shape."""

    def __init__(self, values: Mapping[str, object], uploads: Mapping[str, Upload] | None = None) -> None:
        self._values = values
        self.uploads = dict(uploads or {})

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str) -> str | None:
        value = self._values.get(name)
        if isinstance(value, bool) or value is None:
            return None if value is None else str(value).lower()
        return str(value) if isinstance(value, str | int | float) else None

    def flag(self, name: str) -> bool | None:
        """As Rails casts to boolean."""
        value = self.text(name)
        return None if not value else value.lower() not in {"0", "f", "false", "off", "no"}

    def number(self, name: str) -> int | None:
        """As Ruby's to_i: the digits in front, 0 where there are none."""
        value = self.text(name)
        if value is None:
            return None
        digits = re.match(r"\s*(-?\d{1,18})", value)
        return int(digits[1]) if digits else 0

    def texts(self, name: str) -> list[str] | None:
        value = self._values.get(name)
        if not isinstance(value, list):
            return None
        return [str(item) for item in value if isinstance(item, str | int | float) and not isinstance(item, bool)]

    def inner(self, name: str) -> "Params | None":
        value = self._values.get(name)
        return Params(value) if isinstance(value, dict) else None

    def inners(self, name: str) -> "list[Params]":
        value = self._values.get(name)
        return [Params(item) for item in value if isinstance(item, dict)] if isinstance(value, list) else []

    def drop_uploads(self) -> None:
        for upload in self.uploads.values():
            upload.path.unlink(missing_ok=True)


async def read_params(call: Call, incoming: Path) -> Params:
    """All parameters; files are streamed to `incoming`. Raises Refused 400 for a broken body, TooLarge."""
    query = _nested(parse_qsl(call.scope["query_string"].decode("latin-1"), keep_blank_values=True))
    kind, options = parse_options_header(call.headers.get("content-type", ""))
    _refuse_large(call)
    if kind == "multipart/form-data":
        pairs, uploads = await _multipart(call, options.get("boundary", ""), incoming)
        return Params({**query, **_nested(pairs)}, uploads)
    body = await _whole(call)
    if kind.endswith("json"):
        return Params({**query, **_json(body)})
    if kind == "application/x-www-form-urlencoded":
        return Params({**query, **_nested(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))})
    return Params(query)


def read_query(call: Call) -> Params:
    return Params(_nested(parse_qsl(call.scope["query_string"].decode("latin-1"), keep_blank_values=True)))


def _refuse_large(call: Call) -> None:
    length = call.headers.get("content-length", "0")
    if length.isdigit() and int(length) > PROXY_LIMIT:
        raise TooLarge


async def _whole(call: Call) -> bytes:
    body = bytearray()
    async for chunk in _chunks(call, FORM_LIMIT):
        body += chunk
    return bytes(body)


async def _chunks(call: Call, limit: int) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in call.stream():
        size += len(chunk)
        if size > limit:
            raise TooLarge
        if chunk:
            yield chunk


def _json(body: bytes) -> dict[str, object]:
    try:
        value = msgspec.json.decode(body) if body.strip() else {}
    except (msgspec.DecodeError, RecursionError):
        raise _broken() from None
    return value if isinstance(value, dict) else {}


async def _multipart(call: Call, boundary: str, incoming: Path) -> tuple[list[tuple[str, str]], dict[str, Upload]]:
    reading = _Multipart(incoming)
    try:
        with PushMultipartParser(boundary, max_segment_count=200, strict=False) as parser:
            async for chunk in _chunks(call, PROXY_LIMIT):
                for event in parser.parse(chunk):
                    reading.take(event)
    except (MultipartError, ValueError):
        reading.abandon()
        raise _broken() from None
    except BaseException:
        reading.abandon()
        raise
    return reading.pairs, reading.uploads


class _Multipart:
    """Collects fields in memory, up to FORM_LIMIT together, and files on disk."""

    def __init__(self, incoming: Path) -> None:
        self.pairs: list[tuple[str, str]] = []
        self.uploads: dict[str, Upload] = {}
        self._incoming = incoming
        self._segment: MultipartSegment | None = None
        self._field = bytearray()
        self._fields_size = 0
        self._path: Path | None = None
        self._file: Any = None

    def take(self, event: MultipartSegment | bytes | bytearray | None) -> None:
        if isinstance(event, MultipartSegment):
            self._begin(event)
        elif event is None:
            self._end()
        elif self._file is not None:
            self._file.write(event)
        else:
            self._fields_size += len(event)
            if self._fields_size > FORM_LIMIT:
                raise TooLarge
            self._field += event

    def abandon(self) -> None:
        if self._file is not None:
            self._file.close()
        for path in (self._path, *(upload.path for upload in self.uploads.values())):
            if path is not None:
                path.unlink(missing_ok=True)

    def _begin(self, segment: MultipartSegment) -> None:
        self._segment = segment
        self._field.clear()
        if segment.filename is not None:
            self._path = self._incoming / secrets.token_hex(12)
            self._file = self._path.open("wb")

    def _end(self) -> None:
        segment = self._segment
        assert segment is not None
        if self._file is None:
            self.pairs.append((segment.name, self._field.decode("utf-8", "replace")))
            return
        size = self._file.tell()
        self._file.close()
        assert self._path is not None
        earlier = self.uploads.get(segment.name)
        if earlier is not None:
            earlier.path.unlink(missing_ok=True)
        self.uploads[segment.name] = Upload(self._path, segment.content_type or "", size)
        self._file = self._path = None


_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_DEPTH = 4  # the deepest the API asks for is media_attributes[][id]


def _nested(pairs: list[tuple[str, str]]) -> dict[str, object]:
    """`poll[options][]=a` becomes {"poll": {"options": ["a"]}}. What contradicts an earlier pair is left out."""
    top: dict[str, object] = {}
    for name, value in pairs:
        match = _NAME.fullmatch(name)
        if match:
            steps = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
            if len(steps) <= _DEPTH:
                _put(top, steps, value)
    return top


def _put(into: dict[str, object], steps: list[str], value: str) -> None:
    name, *rest = steps
    if not rest:
        into[name] = value
    elif rest[0]:
        inner = into.setdefault(name, {})
        if isinstance(inner, dict):
            _put(inner, rest, value)
    else:
        items = into.setdefault(name, [])
        if isinstance(items, list):
            _append(items, rest[1:], value)


def _append(items: list[object], steps: list[str], value: str) -> None:
    """A list of hashes begins its next one where a name comes up again, as Rack reads it."""
    if not steps:
        items.append(value)
        return
    last = items[-1] if items else None
    if not isinstance(last, dict) or steps[0] in last:
        last = {}
        items.append(last)
    _put(last, steps, value)


def _broken() -> Refused:
    return Refused(400, "Bad Request")
