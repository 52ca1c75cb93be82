"""Aggregation expressions, as far as we use them and a little further: evaluated against one document. Pure."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tests.model.paths import field, put
from tests.model.values import MISSING, Json, compare, equal, kept, name


class NotSpoken(Exception):
    """This is not interpreted here. Teach it, and the differential test with it."""


def evaluated(expression: Any, document: Any, given: Json) -> Any:
    """What `expression` comes to. `given` holds the variables by name: NOW (the instant), ROOT, and those of $let."""
    kind = type(expression)
    if isinstance(expression, str):
        if expression[:2] == "$$":
            variable, _, rest = expression[2:].partition(".")
            if variable == "REMOVE":
                return MISSING
            value = document if variable in {"ROOT", "CURRENT"} else given[variable]
            return field(value, rest) if rest else value
        if expression[:1] == "$":
            path = expression[1:]
            return field(document, path) if "." in path else document.get(path, MISSING)
        return kept(expression)
    if kind is dict:
        if len(expression) == 1:
            ((operator, argument),) = expression.items()
            if operator[:1] == "$":
                operation = OPERATIONS.get(operator)
                if operation is None:
                    raise NotSpoken(f"expression {operator}")
                return operation(argument, document, given)
        found = {inner: evaluated(each, document, given) for inner, each in expression.items()}
        return {inner: each for inner, each in found.items() if each is not MISSING}
    if kind is list or kind is tuple:
        found_all = [evaluated(each, document, given) for each in expression]
        return [None if each is MISSING else each for each in found_all]
    return kept(expression)


def true(value: Any) -> bool:
    """Whether mongod takes `value` for true: everything but false, null, nothing and zero."""
    return not (value is None or value is MISSING or value is False or (type(value) in {int, float} and value == 0))


def _all(arguments: Any, document: Any, given: Json) -> list[Any]:
    if isinstance(arguments, list | tuple):
        return [evaluated(each, document, given) for each in arguments]
    return [evaluated(arguments, document, given)]


def _one(argument: Any, document: Any, given: Json) -> Any:
    if isinstance(argument, list | tuple) and len(argument) == 1:
        argument = argument[0]
    return evaluated(argument, document, given)


def _comparing(holds: Callable[[int], bool]) -> Callable[[Any, Any, Json], Any]:
    def operation(arguments: Any, document: Any, given: Json) -> bool:
        one, other = _all(arguments, document, given)
        return holds(compare(one, other))

    return operation


def _cond(arguments: Any, document: Any, given: Json) -> Any:
    if isinstance(arguments, dict):
        condition, then, otherwise = arguments["if"], arguments["then"], arguments["else"]
    else:
        condition, then, otherwise = arguments
    return evaluated(then if true(evaluated(condition, document, given)) else otherwise, document, given)


def _if_null(arguments: Any, document: Any, given: Json) -> Any:
    value: Any = MISSING
    for each in arguments:
        value = evaluated(each, document, given)
        if value is not None and value is not MISSING:
            return value
    return value


def _add(arguments: Any, document: Any, given: Json) -> Any:
    values = _all(arguments, document, given)
    if any(each is None or each is MISSING for each in values):
        return None
    total: Any = 0
    instant: datetime | None = None
    for each in values:
        if isinstance(each, datetime):
            instant = each
        else:
            total += each
    return kept(instant + timedelta(milliseconds=round(total))) if instant is not None else total


def _subtract(arguments: Any, document: Any, given: Json) -> Any:
    one, other = _all(arguments, document, given)
    if one is None or other is None or MISSING in (one, other):
        return None
    if isinstance(one, datetime):
        if isinstance(other, datetime):
            return (one - other) // timedelta(milliseconds=1)
        return kept(one - timedelta(milliseconds=round(other)))
    return one - other


def _multiply(arguments: Any, document: Any, given: Json) -> Any:
    product: Any = 1
    for each in _all(arguments, document, given):
        if each is None or each is MISSING:
            return None
        product *= each
    return product


def _and(arguments: Any, document: Any, given: Json) -> bool:
    arguments = arguments if isinstance(arguments, list | tuple) else [arguments]
    return all(true(evaluated(each, document, given)) for each in arguments)


def _or(arguments: Any, document: Any, given: Json) -> bool:
    arguments = arguments if isinstance(arguments, list | tuple) else [arguments]
    return any(true(evaluated(each, document, given)) for each in arguments)


def _array_elem_at(arguments: Any, document: Any, given: Json) -> Any:
    array, at = _all(arguments, document, given)
    if array is None or array is MISSING or at is None or at is MISSING:
        return None
    return array[at] if -len(array) <= at < len(array) else MISSING


def _index_of_array(arguments: Any, document: Any, given: Json) -> Any:
    array, sought = _all(arguments, document, given)[:2]
    if array is None or array is MISSING:
        return None
    return next((at for at, each in enumerate(array) if equal(each, sought)), -1)


def _concat_arrays(arguments: Any, document: Any, given: Json) -> Any:
    arrays = _all(arguments, document, given)
    if any(each is None or each is MISSING for each in arrays):
        return None
    return [each for array in arrays for each in array]


def _switch(argument: Any, document: Any, given: Json) -> Any:
    for branch in argument["branches"]:
        if true(evaluated(branch["case"], document, given)):
            return evaluated(branch["then"], document, given)
    return evaluated(argument["default"], document, given)


def _let(argument: Any, document: Any, given: Json) -> Any:
    inner = {each: evaluated(value, document, given) for each, value in argument["vars"].items()}
    return evaluated(argument["in"], document, given | inner)


def _get_field(argument: Any, document: Any, given: Json) -> Any:
    if isinstance(argument, dict):
        source = evaluated(argument["input"], document, given)
        wanted = evaluated(argument["field"], document, given)
    else:
        source, wanted = document, evaluated(argument, document, given)
    if source is None:
        return None
    return source.get(wanted, MISSING) if isinstance(source, dict) else MISSING


def _merge_objects(arguments: Any, document: Any, given: Json) -> Json:
    merged: Json = {}
    for each in _all(arguments, document, given):
        if each is not None and each is not MISSING:
            merged |= each
    return merged


def _in(arguments: Any, document: Any, given: Json) -> bool:
    sought, array = _all(arguments, document, given)
    return any(equal(sought, each) for each in array)


def _extreme(sign: int) -> Callable[[Any, Any, Json], Any]:
    def operation(arguments: Any, document: Any, given: Json) -> Any:
        values = _all(arguments, document, given)
        if len(values) == 1 and isinstance(values[0], list):
            values = values[0]
        best: Any = None
        for each in values:
            if each is None or each is MISSING:
                continue
            if best is None or compare(each, best) * sign > 0:
                best = each
        return best

    return operation


def _size(argument: Any, document: Any, given: Json) -> int:
    return len(_one(argument, document, given))


def _filter(argument: Any, document: Any, given: Json) -> Any:
    array = evaluated(argument["input"], document, given)
    if array is None or array is MISSING:
        return None
    called = argument.get("as", "this")
    return [each for each in array if true(evaluated(argument["cond"], document, given | {called: each}))]


def _map(argument: Any, document: Any, given: Json) -> Any:
    array = evaluated(argument["input"], document, given)
    if array is None or array is MISSING:
        return None
    called = argument.get("as", "this")
    found = [evaluated(argument["in"], document, given | {called: each}) for each in array]
    return [None if each is MISSING else each for each in found]


OPERATIONS: dict[str, Callable[[Any, Any, Json], Any]] = {
    "$literal": lambda argument, document, given: kept(argument),
    "$eq": _comparing(lambda found: found == 0),
    "$ne": _comparing(lambda found: found != 0),
    "$lt": _comparing(lambda found: found < 0),
    "$lte": _comparing(lambda found: found <= 0),
    "$gt": _comparing(lambda found: found > 0),
    "$gte": _comparing(lambda found: found >= 0),
    "$cond": _cond,
    "$ifNull": _if_null,
    "$add": _add,
    "$subtract": _subtract,
    "$multiply": _multiply,
    "$and": _and,
    "$or": _or,
    "$not": lambda argument, document, given: not true(_one(argument, document, given)),
    "$type": lambda argument, document, given: name(_one(argument, document, given)),
    "$arrayElemAt": _array_elem_at,
    "$indexOfArray": _index_of_array,
    "$concatArrays": _concat_arrays,
    "$switch": _switch,
    "$let": _let,
    "$getField": _get_field,
    "$mergeObjects": _merge_objects,
    "$in": _in,
    "$max": _extreme(1),
    "$min": _extreme(-1),
    "$size": _size,
    "$filter": _filter,
    "$map": _map,
}


def added(document: Json, fields: Json, given: Json) -> Json:
    """A copy of `document` with what `$set` of a pipeline makes of `fields`: all of them see it as it was."""
    after = dict(document)
    for path, expression in fields.items():
        _added(after, path, expression, document, given)
    return after


def _added(after: Json, path: str, expression: Any, before: Json, given: Json) -> None:
    if type(expression) is dict and expression and not next(iter(expression)).startswith("$"):
        for inner, each in expression.items():  # a map that is written out is merged into the one that is there
            _added(after, f"{path}.{inner}", each, before, given)
        return
    value = evaluated(expression, before, given)
    if value is MISSING:
        from_there = path.split(".")
        if len(from_there) == 1:
            after.pop(path, None)
        return
    if "." in path:
        put(after, path, value, over=True)
    else:
        after[path] = value
