"""Dotted paths into documents: read as filters do, as expressions do, and written without touching what is shared."""

from collections.abc import Iterator
from typing import Any

from tests.model.values import MISSING, Json


def reached(document: Any, path: str) -> Iterator[Any]:
    """Every value that a filter's `path` leads to: arrays on the way are entered. MISSING where there is nothing."""
    if "." not in path:
        yield document.get(path, MISSING)
        return
    yield from _reached(document, path.split("."))


def _reached(value: Any, steps: list[str]) -> Iterator[Any]:
    if not steps:
        yield value
        return
    first, rest = steps[0], steps[1:]
    if isinstance(value, dict):
        yield from _reached(value.get(first, MISSING), rest)
    elif isinstance(value, list):
        if first.isdigit():
            yield from _reached(value[int(first)] if int(first) < len(value) else MISSING, rest)
        for each in value:
            if isinstance(each, dict):
                yield from _reached(each, steps)
    else:
        yield MISSING


def field(document: Any, path: str) -> Any:
    """What an expression's `path` leads to: over an array it is the array of what its elements have."""
    if "." not in path and type(document) is dict:
        return document.get(path, MISSING)
    value = document
    for at, step in enumerate(steps := path.split(".")):
        if isinstance(value, dict):
            value = value.get(step, MISSING)
        elif isinstance(value, list):
            rest = ".".join(steps[at:])
            found = [field(each, rest) for each in value if isinstance(each, dict)]
            return [each for each in found if each is not MISSING]
        else:
            return MISSING
    return value


class NotThere(Exception):
    """Something is to be written into what is no map."""


def put(document: Json, path: str, value: Any, *, over: bool = False) -> None:
    """Writes `value` at `path` into `document`, whose inner maps are copied first: others may share them.

    NotThere if a map is needed where something else is, unless that is to be written `over`.
    """
    if "." not in path:
        document[path] = value
        return
    *way, last = path.split(".")
    at = document
    for step in way:
        inner = at.get(step, MISSING)
        if isinstance(inner, dict):
            inner = dict(inner)
        elif inner is MISSING or over:
            inner = {}
        else:
            raise NotThere(f"cannot create a field in {step}")
        at[step] = inner
        at = inner
    at[last] = value


def remove(document: Json, path: str) -> None:
    """Takes away what is at `path`, as far as there is something."""
    *way, last = path.split(".")
    at = document
    for step in way:
        inner = at.get(step)
        if not isinstance(inner, dict):
            return
        at[step] = at = dict(inner)
    at.pop(last, None)
