"""What an update makes of a document: operators or a pipeline, never in place. Pure."""

from datetime import datetime
from typing import Any

from tests.model.expressions import NotSpoken, added
from tests.model.paths import field, put, remove
from tests.model.values import MISSING, Json, compare, kept


def updated(document: Json, update: Any, given: Json, *, inserting: bool = False) -> Json:
    """A copy of `document` after `update`. `inserting`: it is new, by an upsert. NotThere as mongod's WriteError."""
    if isinstance(update, list | tuple):
        for stage in update:
            document = _staged(document, stage, given)
        return document
    after = dict(document)
    if len(update) == 1 and "$set" in update and len(update["$set"]) < 2:
        for path, value in update["$set"].items():
            put(after, path, kept(value))
        return after
    changes = [
        (path, operator, value)
        for operator, fields in update.items()
        if operator != "$setOnInsert" or inserting
        for path, value in fields.items()
    ]
    for path, operator, value in sorted(changes, key=_path):  # what is new comes in the order of its name
        _applied(after, operator, path, value, given["NOW"])
    return after


def _path(change: tuple[str, str, Any]) -> str:
    return change[0]


def _staged(document: Json, stage: Json, given: Json) -> Json:
    ((operator, argument),) = stage.items()
    if operator in {"$set", "$addFields"}:
        return added(document, argument, given)
    if operator in {"$unset", "$project"} and isinstance(argument, str | list | tuple):
        after = dict(document)
        for path in [argument] if isinstance(argument, str) else argument:
            remove(after, path)
        return after
    raise NotSpoken(f"update stage {operator}")


def _applied(after: Json, operator: str, path: str, value: Any, now: datetime) -> None:
    if operator in {"$set", "$setOnInsert"}:
        put(after, path, kept(value))
    elif operator == "$unset":
        remove(after, path)
    elif operator == "$inc":
        there = field(after, path)
        put(after, path, value if there is MISSING else there + value)
    elif operator in {"$max", "$min"}:
        there, value = field(after, path), kept(value)
        sign = 1 if operator == "$max" else -1
        if there is MISSING or compare(value, there) * sign > 0:
            put(after, path, value)
    elif operator in {"$push", "$addToSet"}:
        there = field(after, path)
        several = isinstance(value, dict) and "$each" in value
        more = kept(value["$each"]) if several else [kept(value)]
        array = [] if there is MISSING else list(there)
        for each in more:
            if operator == "$push" or each not in array:
                array.append(each)
        put(after, path, array)
    elif operator == "$pull":
        there = field(after, path)
        if isinstance(there, list):
            put(after, path, [each for each in there if compare(each, kept(value)) != 0])
    elif operator == "$currentDate":
        put(after, path, now)
    else:
        raise NotSpoken(f"update {operator}")
