"""BSON values in Python: how mongod orders and compares them, and what it makes of what it is given. Pure."""

from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

from bson import ObjectId, Timestamp

Json = dict[str, Any]


class Missing:
    """What a path leads to where there is nothing: not null."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()
PLAIN = frozenset({str, int, bool, float, type(None), ObjectId, bytes, Timestamp})
RANKS: dict[type, int] = {
    Missing: 0,
    type(None): 1,
    int: 2,
    float: 2,
    str: 3,
    dict: 4,
    list: 5,
    bytes: 6,
    ObjectId: 7,
    bool: 8,
    datetime: 9,
    Timestamp: 10,
}
NAMES: dict[type, str] = {
    Missing: "missing",
    type(None): "null",
    int: "int",
    float: "double",
    str: "string",
    dict: "object",
    list: "array",
    bytes: "binData",
    ObjectId: "objectId",
    bool: "bool",
    datetime: "date",
    Timestamp: "timestamp",
}


def kept(value: Any) -> Any:
    """`value` as mongod keeps it: enums as text, tuples as lists, instants in UTC to the millisecond."""
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is datetime:
        spare = value.microsecond % 1000
        if value.tzinfo is UTC and not spare:
            return value
        utc = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return utc.replace(microsecond=utc.microsecond - spare)
    if kind is dict:
        return {name: each if type(each) in PLAIN else kept(each) for name, each in value.items()}
    if kind is list or kind is tuple:
        return [each if type(each) in PLAIN else kept(each) for each in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, ObjectId):
        return ObjectId(value.binary)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, dict):
        return {name: kept(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [kept(each) for each in value]
    raise TypeError(f"no BSON for {kind.__name__}")


def rank(value: Any) -> int:
    """Where the type of `value` stands in BSON's order of types; an ObjectId's or text's subclass counts as such."""
    found = RANKS.get(type(value))
    if found is not None:
        return found
    RANKS[type(value)] = place = next(place for kind, place in RANKS.items() if isinstance(value, kind))
    return place


def name(value: Any) -> str:
    """What mongod calls the type of `value`."""
    found = NAMES.get(type(value))
    return found if found is not None else next(name for kind, name in NAMES.items() if isinstance(value, kind))


def compare(one: Any, other: Any) -> int:
    """-1, 0 or 1: BSON's order over all types."""
    mine, its = RANKS.get(type(one)) or rank(one), RANKS.get(type(other)) or rank(other)
    if mine != its:
        return -1 if mine < its else 1
    if mine <= 1:
        return 0
    if mine == 9:
        return -1 if one < other else 1 if one > other else 0
    if mine == 4:
        return _compare_all(
            [part for name, value in one.items() for part in (rank(value), name, value)],
            [part for name, value in other.items() for part in (rank(value), name, value)],
        )
    if mine == 5:
        return _compare_all(one, other)
    if mine == 6 and len(one) != len(other):
        return -1 if len(one) < len(other) else 1
    return -1 if one < other else 1 if one > other else 0


def _compare_all(mine: list[Any], its: list[Any]) -> int:
    for one, other in zip(mine, its, strict=False):
        if found := compare(one, other):
            return found
    return (len(mine) > len(its)) - (len(mine) < len(its))


def equal(one: Any, other: Any) -> bool:
    """Whether they are the same value: 1 and 1.0 are, 1 and true are not, and maps are in the order of their names."""
    if type(one) is type(other) and type(one) in PLAIN:
        return bool(one == other)
    return compare(one, other) == 0


class Ordered:
    """`value` as a key to sort by."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: "Ordered") -> bool:
        return compare(self.value, other.value) < 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ordered) and compare(self.value, other.value) == 0

    __hash__ = None  # type: ignore[assignment]
