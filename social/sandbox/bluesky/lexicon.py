"""Checks a value against a schema of the protocol, and says where it is wrong. Pure.

A check takes a value and its path and raises Invalid. Fields that a schema does not know are let through, and so are
kinds that a union does not know: schemas are open.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import regex

from social.sandbox.clock import read_iso

Check = Callable[[Any, str], None]

FORMATS = {
    "datetime": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,20})?(?:Z|[+]\d\d:\d\d|-(?!00:00)\d\d:\d\d)"),
    "did": re.compile(r"did:[a-z]+:[A-Za-z0-9._:%-]*[A-Za-z0-9._-]"),
    "uri": re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+"),
    "at-uri": re.compile(r"at://[A-Za-z0-9.:_%-]+(?:/[A-Za-z0-9.-]+(?:/[A-Za-z0-9._~:@!$&')(*+,;=-]+)?)?"),
    "cid": re.compile(r"[A-Za-z0-9+]{8,256}"),
    "language": re.compile(r"(?:[A-Za-z]{2,3}|[A-Za-z]{4,8}|i|x)(?:-[A-Za-z0-9]{1,8})*"),
}
_CLUSTER = regex.compile(r"\X")


class Invalid(Exception):
    """`str()` is the sentence, with the path at its end."""

    def __init__(self, problem: str, path: str) -> None:
        super().__init__(f"{problem} at {path}")


def text(*, size: int | None = None, graphemes: int | None = None, form: str | None = None) -> Check:
    """A string of at most `size` bytes in UTF-8; `form`: one of FORMATS."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, str):
            raise Invalid(f"expected string value type (got {_kind(value)})", path)
        actual = len(value.encode())
        if size is not None and actual > size:
            raise Invalid(f"string too big (maximum {size}, got {actual})", path)
        if graphemes is not None and (counted := clusters(value)) > graphemes:
            raise Invalid(f"string too big (maximum {graphemes} graphemes, got {counted})", path)
        if form is not None and not (FORMATS[form].fullmatch(value) and (form != "datetime" or _is_time(value))):
            raise Invalid(f"expected {form} formatted string", path)

    return check


def whole(lowest: int = 0) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Invalid(f"expected integer value type (got {_kind(value)})", path)
        if value < lowest:
            raise Invalid(f"integer too small (minimum {lowest}, got {value})", path)

    return check


def many(of: Check, most: int | None = None) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, list):
            raise Invalid(f"expected array value type (got {_kind(value)})", path)
        if most is not None and len(value) > most:
            raise Invalid(f"array too big (maximum {most}, got {len(value)})", path)
        for place, item in enumerate(value):
            of(item, f"{path}[{place}]")

    return check


def shape(needed: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    every = {**needed, **(optional or {})}

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise Invalid(f"expected object value type (got {_kind(value)})", path)
        for name, inner in every.items():
            if name in value:
                inner(value[name], f"{path}.{name}")
            elif name in needed:
                raise Invalid(f'missing required key "{name}"', path)

    return check


def one_of(kinds: Mapping[str, Check]) -> Check:
    """An open union: what has another `$type` is none of our business."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict) or not isinstance(value.get("$type"), str):
            raise Invalid('expected an object which includes the "$type" property', path)
        kinds.get(value["$type"], anything)(value, path)

    return check


def blob(accept: str, most: int) -> Check:
    def check(value: Any, path: str) -> None:
        if not is_blob(value):
            raise Invalid(f"expected blob value type (got {_kind(value)})", path)
        if not fnmatchcase(value["mimeType"], accept):
            raise Invalid(f"mime type mismatch (expected {accept}, got {value['mimeType']})", path)
        if value["size"] > most:
            raise Invalid(f"blob too big (maximum {most}, got {value['size']})", path)

    return check


def anything(_: Any, __: str) -> None:
    pass


def is_blob(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.get("$type") == "blob"
        and isinstance(value.get("ref"), dict)
        and isinstance(value["ref"].get("$link"), str)
        and isinstance(value.get("mimeType"), str)
        and isinstance(value.get("size"), int)
    )


def blobs_in(value: Any) -> Iterator[dict[str, Any]]:
    """Every blob anywhere in a record."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if is_blob(one):
            yield one
        elif isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def clusters(words: str) -> int:
    """Graphemes: what a reader sees as one character."""
    if words.isascii():
        return len(words) - words.count("\r\n")
    return sum(1 for _ in _CLUSTER.finditer(words))


def _is_time(value: str) -> bool:
    return read_iso(re.sub(r"(\.\d{6})\d+", r"\1", value)) is not None


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "boolean", int: "integer", float: "float", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "unknown")
