"""Whether a document meets a filter, as mongod sees it. Pure."""

import re
from collections.abc import Callable
from typing import Any

from bson import ObjectId

from tests.model.expressions import NotSpoken, evaluated, true
from tests.model.paths import reached
from tests.model.values import MISSING, Json, compare, equal, name, rank

SINGLE = frozenset({str, ObjectId})


def meets(document: Json, filter: Json, given: Json) -> bool:
    """Whether `document` meets `filter`. `given` holds the variables of $expr: NOW."""
    for key, condition in filter.items():
        if key[0] == "$":
            if not _joined(document, key, condition, given):
                return False
        elif type(condition) is dict and condition and next(iter(condition))[:1] == "$":
            for operator, operand in condition.items():
                test = TESTS.get(operator)
                if test is None:
                    raise NotSpoken(f"filter {operator}")
                if not test(document, key, operand, condition):
                    return False
        elif not _is(document, key, condition, condition):
            return False
    return True


def _joined(document: Json, operator: str, condition: Any, given: Json) -> bool:
    if operator == "$expr":
        return true(evaluated(condition, document, given))
    if operator == "$or":
        return any(meets(document, each, given) for each in condition)
    if operator == "$and":
        return all(meets(document, each, given) for each in condition)
    if operator == "$nor":
        return not any(meets(document, each, given) for each in condition)
    raise NotSpoken(f"filter {operator}")


def _same(value: Any, sought: Any) -> bool:
    if sought is None:
        return value is None or value is MISSING or (isinstance(value, list) and None in value)
    kind = type(value)
    if kind is str:
        return bool(value == sought)
    if kind is list:
        return equal(value, sought) or any(equal(each, sought) for each in value)
    return bool(value == sought) if kind is type(sought) and kind is not dict else equal(value, sought)


def _is(document: Json, path: str, sought: Any, all: Any) -> bool:
    if "." not in path:
        return _same(document.get(path, MISSING), sought)
    return any(_same(value, sought) for value in reached(document, path))


def _in(document: Json, path: str, sought: Any, all: Any) -> bool:
    if "." not in path:
        value = document.get(path, MISSING)
        if type(value) in SINGLE:
            return value in sought
    return any(_is(document, path, each, all) for each in sought)


def _ordered(holds: Callable[[int], bool], or_equal: bool) -> Callable[[Json, str, Any, Any], bool]:
    def one(value: Any, operand: Any) -> bool:
        if operand is None:
            return or_equal and (value is None or value is MISSING)
        return rank(value) == rank(operand) and holds(compare(value, operand))

    def test(document: Json, path: str, operand: Any, all: Any) -> bool:
        if "." not in path:
            value = document.get(path, MISSING)
            if type(value) is not list:
                return one(value, operand)
        for value in reached(document, path):
            if one(value, operand):
                return True
            if isinstance(value, list) and any(one(each, operand) for each in value):
                return True
        return False

    return test


def _exists(document: Json, path: str, wanted: Any, all: Any) -> bool:
    if "." not in path:
        return (path in document) == bool(wanted)
    return any(value is not MISSING for value in reached(document, path)) == bool(wanted)


def _type(document: Json, path: str, wanted: Any, all: Any) -> bool:
    names = wanted if isinstance(wanted, list | tuple) else [wanted]

    def one(value: Any) -> bool:
        found = name(value)
        return found in names or ("number" in names and found in {"int", "double"})

    for value in reached(document, path):
        if value is MISSING:
            continue
        if one(value) or (isinstance(value, list) and any(map(one, value))):
            return True
    return False


def _regex(document: Json, path: str, pattern: Any, all: Any) -> bool:
    found = re.compile(pattern, re.IGNORECASE if "i" in all.get("$options", "") else 0)
    return any(isinstance(value, str) and found.search(value) is not None for value in reached(document, path))


def _size(document: Json, path: str, size: Any, all: Any) -> bool:
    return any(isinstance(value, list) and len(value) == size for value in reached(document, path))


def _element(document: Json, path: str, condition: Any, all: Any) -> bool:
    for value in reached(document, path):
        if isinstance(value, list):
            for each in value:
                if isinstance(each, dict) and meets(each, condition, {}):
                    return True
    return False


def _not(document: Json, path: str, condition: Any, all: Any) -> bool:
    return not meets(document, {path: condition}, {})


TESTS: dict[str, Callable[[Json, str, Any, Any], bool]] = {
    "$eq": _is,
    "$ne": lambda document, path, sought, all: not _is(document, path, sought, all),
    "$in": _in,
    "$nin": lambda document, path, sought, all: not _in(document, path, sought, all),
    "$lt": _ordered(lambda found: found < 0, False),
    "$lte": _ordered(lambda found: found <= 0, True),
    "$gt": _ordered(lambda found: found > 0, False),
    "$gte": _ordered(lambda found: found >= 0, True),
    "$exists": _exists,
    "$type": _type,
    "$regex": _regex,
    "$options": lambda document, path, options, all: True,
    "$size": _size,
    "$elemMatch": _element,
    "$not": _not,
}
