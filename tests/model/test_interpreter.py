"""The interpreter of our queries against a real mongod: random documents, filters, updates and pipelines."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient, UpdateOne
from pymongo.errors import OperationFailure

from social.backing import Backing
from social.publishing import claims
from social.publishing.documents import Publication
from tests.model.mongod import Mongod
from tests.model.table import Database
from tests.model.values import Json, Ordered
from tests.servers import Servers

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
STATES = ["planned", "queued", "sending", "waiting", "online"]
numbers = st.integers(-2, 3)
instants = st.integers(-3, 3).map(lambda seconds: NOW + timedelta(seconds=seconds))
ids = st.integers(1, 4).map(lambda number: ObjectId(f"{number:024x}"))
plain = st.one_of(st.none(), numbers, instants, st.sampled_from(STATES), st.booleans(), ids)
inner = st.dictionaries(st.sampled_from(["token", "lease_until", "pid"]), plain, max_size=3)
lists = st.lists(st.one_of(plain, inner), max_size=3)
receipts = st.lists(st.fixed_dictionaries({"id": st.sampled_from(["p1", "p2", ""])}), max_size=2)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "state": st.one_of(st.sampled_from(STATES), st.none()),
    "token": st.one_of(st.none(), st.sampled_from(["a", "b"])),
    "fence": numbers,
    "part": st.one_of(st.none(), numbers),
    "due_at": st.one_of(instants, st.none()),
    "next_at": st.one_of(instants, st.none()),
    "deadline": st.one_of(instants, st.none()),
    "work": st.one_of(st.none(), inner),
    "owner": st.one_of(st.none(), inner),
    "account_id": ids,
    "receipts": st.one_of(receipts, lists),
    "odd": st.one_of(plain, inner, lists),
}
documents = st.fixed_dictionaries({}, optional=FIELDS)
PATHS = [*FIELDS, "work.token", "work.lease_until", "owner.pid", "receipts.id", "odd.token"]
paths = st.sampled_from(PATHS)
operands = st.one_of(plain, st.sampled_from(["a", "b", "p1"]))
ordered = st.sampled_from(["$lt", "$lte", "$gt", "$gte"])
conditions = st.one_of(
    operands,
    inner,
    lists,
    st.builds(lambda operator, value: {operator: value}, ordered, st.one_of(operands, inner)),
    st.builds(lambda one, value, other, more: {one: value, other: more}, ordered, instants, ordered, instants),
    st.builds(lambda operator, value: {operator: value}, st.sampled_from(["$eq", "$ne"]), st.one_of(operands, inner)),
    st.builds(
        lambda operator, some: {operator: some}, st.sampled_from(["$in", "$nin"]), st.lists(operands, max_size=3)
    ),
    st.builds(lambda there: {"$exists": there}, st.booleans()),
    st.builds(lambda kind: {"$type": kind}, st.sampled_from(["date", "string", "object", "array", "null", "number"])),
    st.builds(lambda value, low: {"$gt": low, "$type": value}, st.sampled_from(["date", "int"]), instants),
    st.builds(lambda value: {"$not": {"$gt": value}}, operands),
    st.builds(lambda token: {"$elemMatch": {"id": token}}, st.sampled_from(["p1", "p2"])),
)
fields = paths.map(lambda path: "$" + path)
atoms = st.one_of(fields, plain.map(lambda value: {"$literal": value}), numbers, st.just("$$NOW"))


def _operations(inside: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    two, three = st.tuples(inside, inside).map(list), st.tuples(inside, inside, inside).map(list)
    compared = st.sampled_from(["$eq", "$ne", "$lt", "$lte", "$gt", "$gte"])
    return st.one_of(
        st.builds(lambda operator, pair: {operator: pair}, compared, two),
        two.map(lambda pair: {"$and": pair}),
        two.map(lambda pair: {"$or": pair}),
        inside.map(lambda value: {"$not": [value]}),
        three.map(lambda parts: {"$cond": parts}),
        two.map(lambda pair: {"$ifNull": pair}),
        inside.map(lambda value: {"$type": value}),
        two.map(lambda pair: {"$max": pair}),
        two.map(lambda pair: {"$min": pair}),
        st.builds(lambda value: {"$add": [{"$ifNull": ["$fence", 0]}, value]}, numbers),
        st.builds(lambda value: {"$add": ["$$NOW", value]}, st.integers(0, 5000)),
        st.builds(
            lambda array, sought: {"$arrayElemAt": [array, {"$indexOfArray": [["a", "b", "planned"], sought]}]},
            st.just([1, 2, 3]),
            inside,
        ),
        st.builds(lambda some: {"$concatArrays": [[some], ["x"]]}, inside),
        st.builds(
            lambda case, then, other: {"$switch": {"branches": [{"case": case, "then": then}], "default": other}},
            inside,
            inside,
            inside,
        ),
        st.builds(lambda value, use: {"$let": {"vars": {"v": value}, "in": {"$ifNull": ["$$v", use]}}}, inside, inside),
        st.just({"$mergeObjects": [{"a": 1}, {"$cond": [{"$eq": [{"$type": "$work"}, "object"]}, "$work", {}]}]}),
        st.just({"$getField": "state"}),
    )


expressions = st.recursive(atoms, _operations, max_leaves=6)
filters = st.recursive(
    st.one_of(st.dictionaries(paths, conditions, max_size=3), expressions.map(lambda found: {"$expr": found})),
    lambda deeper: st.one_of(
        st.lists(deeper, min_size=1, max_size=2).map(lambda several: {"$or": several}),
        st.lists(deeper, min_size=1, max_size=2).map(lambda several: {"$and": several}),
    ),
    max_leaves=4,
)
values = st.one_of(plain, inner, lists)
TOP = ["state", "token", "fence", "next_at", "work", "odd", "new", "another"]
INNER = ["work.token", "work.lease_until", "owner.pid", "fresh.deep"]
sets = st.dictionaries(st.sampled_from(TOP[:5]), values, min_size=1, max_size=3)
operators = st.one_of(
    sets.map(lambda changes: {"$set": changes}),
    st.builds(lambda path, value: {"$set": {path: value}}, st.sampled_from(INNER), values),
    st.builds(lambda path: {"$unset": {path: ""}}, st.sampled_from([*TOP, *INNER])),
    st.builds(lambda changes, by: {"$set": changes, "$inc": {"revision": by}}, sets, numbers),
    st.builds(lambda value: {"$push": {"pushed": value}}, values),
    st.builds(lambda value: {"$max": {"odd": value}}, plain),
    st.builds(lambda changes: {"$setOnInsert": changes, "$set": {"seen": True}}, sets),
)
stages = st.one_of(
    st.dictionaries(st.sampled_from([*TOP, *INNER]), expressions, min_size=1, max_size=3)
    .filter(lambda changes: not ({"work", "owner"} & changes.keys() and any("." in path for path in changes)))
    .map(lambda changes: {"$set": changes}),
    st.builds(lambda path, value: {"$set": {path: {"deep": value}}}, st.sampled_from(["work", "odd"]), expressions),
    st.sampled_from(["token", "odd", "work"]).map(lambda path: {"$unset": path}),
)
updates = st.one_of(operators, st.lists(stages, min_size=1, max_size=2))
MANY = settings(
    max_examples=300, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)


@pytest.fixture(scope="module")
def mongod(servers: Servers, process: str) -> Iterator[Mongod]:
    """A database of a real mongod."""
    client: MongoClient[Json] = MongoClient(servers.mongo_url, tz_aware=True)
    name = f"interpreted_{process}"
    yield Mongod(client, name, lambda: NOW, None)
    client.drop_database(name)
    client.close()


def both(mongod: Mongod, some: list[Json]) -> tuple[Database, Any, Any]:
    """The same documents in both."""
    mongod["x"].delete({}, many=True)
    database = Database(lambda: NOW)
    stored = [{"_id": number} | each for number, each in enumerate(some)]
    if stored:
        mongod["x"].insert(stored)
        database["x"].insert(stored)
    return database, database["x"], mongod["x"]


def outcome(work: Any) -> Any:
    """What it answers, or that it was refused."""
    try:
        return work()
    except OperationFailure:
        return "refused"


@given(some=st.lists(documents, max_size=5), filter=filters)
@MANY
def test_a_filter_finds_what_mongod_finds(mongod: Mongod, some: list[Json], filter: Json) -> None:
    _, ours, its = both(mongod, some)

    assert ours.find(filter, sort=[("_id", 1)]) == its.find(filter, sort=[("_id", 1)])


@given(some=st.lists(documents, min_size=1, max_size=4), filter=filters, update=updates, many=st.booleans())
@MANY
def test_an_update_leaves_what_mongod_leaves(
    mongod: Mongod, some: list[Json], filter: Json, update: Any, many: bool
) -> None:
    _, ours, its = both(mongod, some)

    did = outcome(lambda: its.update(filter, update, many=many).matched_count)
    if did == "refused":  # mongod leaves what it wrote before; nothing of ours relies on that
        return
    assert ours.update(filter, update, many=many).matched_count == did
    assert exactly(ours) == exactly(its)


@given(
    some=st.lists(documents, max_size=4),
    filter=st.dictionaries(st.sampled_from(["token", "fence", "account_id"]), plain, min_size=1, max_size=2),
    changes=sets,
)
@MANY
def test_an_upsert_makes_what_mongod_makes(mongod: Mongod, some: list[Json], filter: Json, changes: Json) -> None:
    _, ours, its = both(mongod, some)
    once = {"$setOnInsert": {name: value for name, value in changes.items() if name not in filter} | {"n": 1}}

    assert ours.update(filter, once, many=False, upsert=True).matched_count == (
        its.update(filter, once, many=False, upsert=True).matched_count
    )
    assert without_ids(ours) == without_ids(its)


@given(some=st.lists(documents, max_size=5), filter=filters, path=paths)
@MANY
def test_distinct_values_are_the_same(mongod: Mongod, some: list[Json], filter: Json, path: str) -> None:
    _, ours, its = both(mongod, some)

    assert sorted(ours.distinct(path, filter), key=Ordered) == sorted(its.distinct(path, filter), key=Ordered)


@given(
    some=st.lists(documents, max_size=5),
    path=st.sampled_from(["state", "token", "fence", "next_at", "odd", "work.token"]),
    direction=st.sampled_from([1, -1]),
    limit=st.integers(0, 3),
    shown=st.sampled_from([None, {"state": 1}, {"receipts.id": 1}, {"work.token": 1, "_id": 0}, {"odd": 0}]),
)
@MANY
def test_a_sorted_page_is_the_same(
    mongod: Mongod, some: list[Json], path: str, direction: int, limit: int, shown: Any
) -> None:
    _, ours, its = both(mongod, some)
    how: Json = {"sort": [(path, direction), ("_id", 1)], "limit": limit, "projection": shown}

    assert ours.find({}, **how) == its.find({}, **how)


@given(some=st.lists(documents, max_size=6), filter=filters, most=st.integers(1, 4))
@MANY
def test_the_engines_aggregations_are_the_same(mongod: Mongod, some: list[Json], filter: Json, most: int) -> None:
    _, ours, its = both(mongod, some)
    fair: list[Json] = [
        {"$match": filter},
        {"$group": {"_id": {"w": "$state", "a": "$account_id"}, "first": {"$min": "$next_at"}}},
        {"$sort": {"first": 1, "_id": 1}},
        {"$group": {"_id": "$_id.w", "accounts": {"$push": "$_id.a"}, "first": {"$min": "$first"}}},
        {"$sort": {"_id": 1}},
        {"$unwind": {"path": "$accounts", "includeArrayIndex": "turn"}},
        {"$set": {"turn": {"$add": ["$turn", 0]}}},  # without it mongod 6.0.5 sorts before it unwinds
        {"$sort": {"turn": 1, "first": 1, "_id": 1}},
        {"$limit": most},
    ]
    looked: list[Json] = [
        {"$match": {"_id": {"$lt": 3}}},
        {
            "$lookup": {
                "from": "x",
                "localField": "account_id",
                "foreignField": "account_id",
                "pipeline": [{"$match": filter}, {"$sort": {"next_at": 1, "_id": 1}}, {"$limit": most}],
                "as": "line",
            }
        },
        {"$sort": {"_id": 1}},
        {"$project": {"line": 1}},
    ]

    assert ours.aggregate(fair) == its.aggregate(fair)
    assert ours.aggregate(looked) == its.aggregate(looked)


@given(some=st.lists(documents, min_size=2, max_size=4), filter=filters, changes=sets)
@MANY
def test_writes_in_bulk_match_as_many(mongod: Mongod, some: list[Json], filter: Json, changes: Json) -> None:
    _, ours, its = both(mongod, some)
    requests = [UpdateOne({"_id": number} | filter, {"$set": changes}) for number in range(len(some))]

    assert ours.bulk(requests, ordered=False).matched_count == its.bulk(requests, ordered=False).matched_count
    assert exactly(ours) == exactly(its)


@given(
    some=st.lists(documents, min_size=1, max_size=4),
    filter=filters,
    update=updates,
    after=st.booleans(),
    direction=st.sampled_from([1, -1]),
)
@MANY
def test_find_one_and_update_answers_the_same(
    mongod: Mongod, some: list[Json], filter: Json, update: Any, after: bool, direction: int
) -> None:
    _, ours, its = both(mongod, some)
    how: Json = {"sort": [("_id", direction)], "return_document": after}

    did = outcome(lambda: its.find_one_and_update(filter, update, **how))
    if did == "refused":
        return
    assert ours.find_one_and_update(filter, update, **how) == did
    assert exactly(ours) == exactly(its)


async def test_due_accounts_come_in_the_order_that_the_interpreter_says(backing: Backing) -> None:
    """The first account of each workspace comes before the second of any; mongod and the interpreter agree on it."""
    database = Database(lambda: NOW)
    due = [(1, 1, 0), (1, 2, 1), (1, 3, 2), (2, 4, 50), (3, 5, 60), (3, 6, 70)]
    some = [
        {
            "_id": ObjectId(f"{number + 1:024x}"),
            "post_id": ObjectId(f"{number + 1:024x}"),
            "workspace_id": ObjectId(f"{workspace:024x}"),
            "account_id": ObjectId(f"{account:024x}"),
            "next_at": NOW + timedelta(seconds=seconds),
            "prepare_at": None,
            "state": "planned",
        }
        for number, (workspace, account, seconds) in enumerate(due)
    ]
    await Publication.engine().insert_many(some)
    database["publications"].insert(some)
    stages: list[Any] = []

    class Engine:
        async def aggregate(self, given: list[Any]) -> Any:
            stages.extend(given)
            return await Publication.get_pymongo_collection().aggregate(given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Publication, "engine", Engine)
        found = await claims.due_accounts(NOW + timedelta(hours=1), 4)

    assert found == [each["accounts"] for each in database["publications"].aggregate(stages)]
    assert [int(str(each), 16) for each in found] == [1, 4, 5, 2]


def test_a_transaction_is_all_or_nothing() -> None:
    database = Database(lambda: NOW)
    database["x"].insert([{"_id": 1, "a": 1}])

    database.begin()
    database["x"].update({"_id": 1}, {"$set": {"a": 2}}, many=False)
    database["y"].insert([{"_id": 5}])
    database.roll_back()

    assert database["x"].find() == [{"_id": 1, "a": 1}]
    assert database["y"].find() == []


def exactly(table: Any) -> list[Any]:
    """All documents with the order of their fields."""
    return [list(each.items()) for each in table.find({}, sort=[("_id", 1)])]


def without_ids(table: Any) -> list[Any]:
    """All documents but for their ids, which upserts make up."""
    found = [{name: value for name, value in each.items() if name != "_id"} for each in table.find({})]
    return sorted(found, key=Ordered)
