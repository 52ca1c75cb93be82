"""Aggregation stages, sorting and projections over lists of documents. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.model.expressions import NotSpoken, added, evaluated
from tests.model.filters import meets
from tests.model.paths import field, put, reached, remove
from tests.model.values import MISSING, Json, Ordered, compare, kept, rank

Order = list[tuple[str, int]]
Tables = Callable[[str], list[Json]]


def in_order(documents: list[Json], order: Order) -> list[Json]:
    """`documents` as `order` wants them; what is equal stays in the order it was in."""
    if len(documents) < 2:
        return documents
    for path, direction in reversed(order):
        documents = sorted(documents, key=lambda each: _sorting(each, path, direction), reverse=direction < 0)
    return documents


def _sorting(document: Json, path: str, direction: int) -> tuple[bool, Ordered]:
    """An empty list comes before everything, even before what is not there."""
    value = field(document, path)
    if isinstance(value, list) and value:
        value = (min if direction > 0 else max)(map(Ordered, value)).value
    return value != [], Ordered(None if value is MISSING else value)


def projected(document: Json, projection: Mapping[str, Any] | None) -> Json:
    """What of `document` a find's projection shows: fields that are wanted, or all but those that are not."""
    if not projection:
        return document
    if all(wanted == 1 and "." not in path for path, wanted in projection.items()):  # like most
        return {name: value for name, value in document.items() if name in projection or name == "_id"}
    if all(not wanted for path, wanted in projection.items() if path != "_id") and set(projection) != {"_id"}:
        shown = dict(document)
        for path, wanted in projection.items():
            if not wanted:
                remove(shown, path)
        return shown
    if set(projection) == {"_id"} and not projection["_id"]:
        return {name: value for name, value in document.items() if name != "_id"}
    wanted = [path for path, shown in projection.items() if shown and path != "_id"]
    kept_fields = _with(document, wanted)
    return {"_id": document["_id"]} | kept_fields if projection.get("_id", True) else kept_fields


def _with(document: Json, paths: list[str]) -> Json:
    heads: dict[str, list[str]] = {}
    for path in paths:
        head, _, rest = path.partition(".")
        heads.setdefault(head, []).append(rest)
    shown: Json = {}
    for head, value in document.items():
        rests = heads.get(head)
        if rests is None:
            continue
        if "" in rests:
            shown[head] = value
        elif isinstance(value, dict):
            shown[head] = _with(value, rests)
        elif isinstance(value, list):
            shown[head] = [_with(each, rests) for each in value if isinstance(each, dict)]
    return shown


def aggregated(documents: list[Json], stages: list[Json], tables: Tables, given: Json) -> list[Json]:
    """What `stages` make of `documents`. `tables` gives another collection's by name."""
    for stage in stages:
        ((operator, argument),) = stage.items()
        carry = STAGES.get(operator)
        if carry is None:
            raise NotSpoken(f"stage {operator}")
        documents = carry(documents, argument, tables, given)
    return documents


def _match(documents: list[Json], condition: Any, tables: Tables, given: Json) -> list[Json]:
    return [each for each in documents if meets(each, condition, given)]


def _group(documents: list[Json], argument: Any, tables: Tables, given: Json) -> list[Json]:
    groups: list[tuple[Any, list[Json]]] = []
    for each in documents:
        key = evaluated(argument["_id"], each, given)
        key = None if key is MISSING else key
        members = next((members for known, members in groups if compare(known, key) == 0), None)
        if members is None:
            groups.append((key, members := []))
        members.append(each)
    return [
        {"_id": key} | {name: _gathered(how, members, given) for name, how in argument.items() if name != "_id"}
        for key, members in groups
    ]


def _gathered(how: Json, members: list[Json], given: Json) -> Any:
    ((operator, expression),) = how.items()
    if operator == "$count":
        return len(members)
    values = [evaluated(expression, each, given) for each in members]
    there = [each for each in values if each is not MISSING]
    if operator == "$first":
        return None if values[0] is MISSING else values[0]
    if operator == "$last":
        return None if values[-1] is MISSING else values[-1]
    if operator == "$push":
        return there
    if operator == "$addToSet":
        distinct: list[Any] = []
        for each in there:
            if not any(compare(each, known) == 0 for known in distinct):
                distinct.append(each)
        return distinct
    if operator == "$sum":
        return sum(each for each in there if type(each) in {int, float})
    if operator in {"$min", "$max"}:
        known = [each for each in there if each is not None]
        ordered = sorted(known, key=Ordered)
        return None if not ordered else ordered[0 if operator == "$min" else -1]
    raise NotSpoken(f"accumulator {operator}")


def _unwind(documents: list[Json], argument: Any, tables: Tables, given: Json) -> list[Json]:
    how = {"path": argument} if isinstance(argument, str) else argument
    path, index = how["path"][1:], how.get("includeArrayIndex")
    unwound = []
    for each in documents:
        value = field(each, path)
        alone = not isinstance(value, list)
        items = ([] if value is MISSING or value is None else [value]) if alone else value
        if not items and how.get("preserveNullAndEmptyArrays"):
            unwound.append(each)
        for at, item in enumerate(items):
            one = dict(each)
            put(one, path, item)
            if index:
                put(one, index, None if alone else at)
            unwound.append(one)
    return unwound


def _project(documents: list[Json], argument: Any, tables: Tables, given: Json) -> list[Json]:
    computed = {name: how for name, how in argument.items() if not isinstance(how, bool | int | float)}
    plain = {name: how for name, how in argument.items() if name not in computed}
    if not computed:
        return [projected(each, argument) for each in documents]
    shown = []
    for each in documents:
        one = projected(each, {"_id": 1} | plain)
        for name, how in computed.items():
            value = evaluated(how, each, given)
            if value is not MISSING:
                put(one, name, value)
        shown.append(one)
    return shown


def _lookup(documents: list[Json], argument: Any, tables: Tables, given: Json) -> list[Json]:
    joined = []
    for each in documents:
        found = tables(argument["from"])
        if "localField" in argument:
            mine = field(each, argument["localField"])
            sought = mine if isinstance(mine, list) else [None if mine is MISSING else mine]
            found = [other for other in found if _joins(other, argument["foreignField"], sought)]
        inner = given | {name: evaluated(how, each, given) for name, how in argument.get("let", {}).items()}
        joined.append({**each, argument["as"]: aggregated(found, argument.get("pipeline", []), tables, inner)})
    return joined


def _joins(other: Json, path: str, sought: list[Any]) -> bool:
    for value in reached(other, path):
        values = [value, *value] if isinstance(value, list) else [None if value is MISSING else value]
        if any(rank(one) == rank(each) and compare(one, each) == 0 for one in values for each in sought):
            return True
    return False


STAGES: dict[str, Callable[[list[Json], Any, Tables, Json], list[Json]]] = {
    "$match": _match,
    "$sort": lambda documents, order, tables, given: in_order(documents, list(order.items())),
    "$limit": lambda documents, most, tables, given: documents[:most],
    "$skip": lambda documents, some, tables, given: documents[some:],
    "$group": _group,
    "$unwind": _unwind,
    "$project": _project,
    "$set": lambda documents, fields, tables, given: [added(each, fields, given) for each in documents],
    "$addFields": lambda documents, fields, tables, given: [added(each, fields, given) for each in documents],
    "$lookup": _lookup,
    "$count": lambda documents, name, tables, given: [{kept(name): len(documents)}] if documents else [],
    "$replaceWith": lambda documents, how, tables, given: [evaluated(how, each, given) for each in documents],
}
