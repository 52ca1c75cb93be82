"""A collection in memory that carries out our reads and writes as mongod does, one at a time. No clock of its own."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bson import ObjectId, Timestamp
from pymongo import DeleteMany, DeleteOne, InsertOne, UpdateMany, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, WriteError

from tests.model import paths
from tests.model.expressions import NotSpoken
from tests.model.filters import meets
from tests.model.stages import Order, aggregated, in_order, projected
from tests.model.updates import updated
from tests.model.values import MISSING, Json, equal, kept

Seen = Callable[["Table", Json | None, Json | None], None]
DUPLICATE = 11000
BY_THE_SERVER = Timestamp(0, 0)


@dataclass(frozen=True)
class Written:
    """What a write did, as PyMongo's results tell it."""

    matched_count: int = 0
    modified_count: int = 0
    deleted_count: int = 0
    inserted_count: int = 0
    upserted_id: Any = None
    inserted_id: Any = None
    inserted_ids: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Unique:
    """A unique index: no two documents that meet `partly` have the same `fields`."""

    fields: tuple[str, ...]
    partly: Json = field(default_factory=dict)

    def keeps(self, before: Json, after: Json) -> bool:
        """Whether a change has surely nothing to do with it."""
        return not self.partly and all(before.get(each) is after.get(each) for each in self.fields)

    def key(self, document: Json, given: Json) -> tuple[Any, ...] | None:
        """What may be there once; None if it may be there often."""
        if self.partly and not meets(document, self.partly, given):
            return None
        found = (paths.field(document, each) for each in self.fields)
        return tuple(None if value is MISSING else value for value in found)


class Database:
    """Tables by name, and the instant that `$$NOW` is. What is read is shared: nobody may write into it."""

    def __init__(self, now: Callable[[], datetime], seen: Seen | None = None) -> None:
        """`seen` is told of each change of a document: its table, what it was and what it is."""
        self.now = now
        self.seen = seen
        self._tables: dict[str, Table] = {}
        self._before: dict[str, dict[Any, Json]] | None = None
        self._changes: list[tuple[Table, Json | None, Json | None]] = []
        self._stamps = 0

    def __getitem__(self, name: str) -> "Table":
        table = self._tables.get(name)
        if table is None:
            table = self._tables[name] = Table(name, self)
        return table

    def stamp(self) -> Timestamp:
        """The server's next cluster time."""
        self._stamps += 1
        return Timestamp(1_000_000, self._stamps)

    def begin(self) -> None:
        """Begins a transaction: until it ends, everything belongs to it."""
        assert self._before is None, "one at a time"
        self._before = {}
        self._changes = []

    def commit(self) -> None:
        """What was written since `begin` stays, and is told of."""
        self._before = None
        changes, self._changes = self._changes, []
        for change in changes:
            if self.seen is not None:
                self.seen(*change)

    def roll_back(self) -> None:
        """Nothing that was written since `begin` was."""
        assert self._before is not None
        for name, documents in self._before.items():
            self[name].documents = documents
        self._before, self._changes = None, []

    def changing(self, table: "Table", before: Json | None, after: Json | None) -> None:
        """Called for each change, right before it is made."""
        if self._before is not None:
            self._before.setdefault(table.name, dict(table.documents))
            self._changes.append((table, before, after))
        elif self.seen is not None:
            self.seen(table, before, after)


class Table:
    """One collection. Every method is one step that nothing comes between."""

    def __init__(self, name: str, database: Database) -> None:
        self.name = name
        self.documents: dict[Any, Json] = {}
        self.unique: list[Unique] = []
        self._database = database

    def find(
        self,
        filter: Json | None = None,
        *,
        projection: Mapping[str, Any] | Sequence[str] | None = None,
        sort: Order | None = None,
        limit: int = 0,
        skip: int = 0,
    ) -> list[Json]:
        """What meets `filter`, in `sort`'s order, else in the order of insertion."""
        found = self._meeting(filter or {})
        if sort:
            found = in_order(found, sort)
        if skip or limit:
            found = found[skip : skip + limit] if limit else found[skip:]
        if projection is None:
            return [dict(each) for each in found]
        wanted = projection if isinstance(projection, Mapping) else dict.fromkeys(projection, 1)
        return [projected(each, wanted) for each in found]

    def count(self, filter: Json) -> int:
        """How many meet `filter`."""
        return len(self._meeting(filter))

    def distinct(self, path: str, filter: Json | None = None) -> list[Any]:
        """The different values at `path` of what meets `filter`."""
        values: list[Any] = []
        for document in self._meeting(filter or {}):
            for value in paths.reached(document, path):
                for each in value if isinstance(value, list) else [value]:
                    if each is not MISSING and not any(equal(each, known) for known in values):
                        values.append(each)
        return values

    def aggregate(self, stages: list[Json]) -> list[Json]:
        """What `stages` make of all documents."""
        first = stages[0].get("$match") if stages else None
        documents = self._meeting(first) if first is not None else list(self.documents.values())
        rest = stages[1:] if first is not None else stages
        found = aggregated(documents, rest, lambda name: list(self._database[name].documents.values()), self._given())
        return [dict(each) for each in found]

    def insert(self, documents: Iterable[Json]) -> Written:
        """Adds `documents`, one after another. DuplicateKeyError where one is there already."""
        ids = []
        for each in documents:
            document = kept(each)
            if "_id" not in document:
                document = {"_id": ObjectId()} | document
            for name, value in document.items():
                if type(value) is Timestamp and value == BY_THE_SERVER:
                    document[name] = self._database.stamp()
            self._put(None, document)
            ids.append(document["_id"])
        return Written(inserted_count=len(ids), inserted_ids=tuple(ids), inserted_id=ids[0] if ids else None)

    def insert_many(self, documents: Iterable[Json], *, ordered: bool = True) -> Written:
        """Adds them; BulkWriteError where one is there already, after the others if they are not `ordered`."""
        ids: list[Any] = []
        errors: list[Json] = []
        for each in documents:
            try:
                ids.append(self.insert([each]).inserted_id)
            except DuplicateKeyError as error:
                errors.append(dict(error.details or {}))
                if ordered:
                    break
        if errors:
            raise BulkWriteError({"nInserted": len(ids), "writeErrors": errors})
        return Written(inserted_count=len(ids), inserted_ids=tuple(ids))

    def update(self, filter: Json, update: Any, *, many: bool, upsert: bool = False) -> Written:
        """Writes `update` into what meets `filter`: all of it, or the first."""
        given = self._given()
        matched = self._meeting(filter, most=0 if many else 1)
        modified = sum(self._write(each, update, given) is not None for each in matched)
        if matched or not upsert:
            return Written(matched_count=len(matched), modified_count=modified)
        document = self._upserted(filter, update, given)
        return Written(upserted_id=document["_id"])

    def find_one_and_update(
        self,
        filter: Json,
        update: Any,
        *,
        sort: Order | None = None,
        projection: Mapping[str, Any] | None = None,
        upsert: bool = False,
        return_document: bool = False,
    ) -> Json | None:
        """The first that meets `filter`, after `update` was written into it if `return_document`, else before."""
        given = self._given()
        found = self._meeting(filter)
        if not found:
            if not upsert:
                return None
            document = self._upserted(filter, update, given)
            return projected(document, projection) if return_document else None
        first = (in_order(found, sort) if sort else found)[0]
        after = self._write(first, update, given) or first
        return dict(projected(after if return_document else first, projection))

    def replace(self, filter: Json, document: Json) -> Written:
        """Puts `document` in place of the first that meets `filter`."""
        found = self._meeting(filter, most=1)
        for each in found:
            self._put(each, {"_id": each["_id"]} | kept(document))
        return Written(matched_count=len(found), modified_count=len(found))

    def delete(self, filter: Json, *, many: bool) -> Written:
        """Takes away what meets `filter`."""
        gone = self._meeting(filter, most=0 if many else 1)
        for each in gone:
            self._database.changing(self, each, None)
            del self.documents[each["_id"]]
        return Written(deleted_count=len(gone))

    def bulk(self, requests: Sequence[Any], *, ordered: bool = True) -> Written:
        """Carries out PyMongo's write requests in order. BulkWriteError for a duplicate, after the others if not
        `ordered`."""
        matched = modified = inserted = deleted = 0
        errors: list[Json] = []
        for request in requests:
            try:
                if isinstance(request, UpdateOne | UpdateMany):
                    done = self.update(
                        request._filter,
                        request._doc,
                        many=isinstance(request, UpdateMany),
                        upsert=bool(request._upsert),
                    )
                elif isinstance(request, InsertOne):
                    done = self.insert([request._doc])
                elif isinstance(request, DeleteOne | DeleteMany):
                    done = self.delete(request._filter, many=isinstance(request, DeleteMany))
                else:
                    raise NotSpoken(type(request).__name__)
            except DuplicateKeyError as error:
                errors.append(dict(error.details or {}))
                if ordered:
                    break
                continue
            matched, modified = matched + done.matched_count, modified + done.modified_count
            inserted, deleted = inserted + done.inserted_count, deleted + done.deleted_count
        if errors:
            raise BulkWriteError({"nMatched": matched, "writeErrors": errors})
        return Written(matched, modified, deleted, inserted)

    def _given(self) -> Json:
        return {"NOW": self._database.now()}

    def _meeting(self, filter: Json, *, most: int = 0) -> list[Json]:
        if not self.documents:
            return []
        given = self._given()
        id = filter.get("_id")
        if isinstance(id, ObjectId):
            one = self.documents.get(id)
            return [one] if one is not None and meets(one, filter, given) else []
        found: list[Json] = []
        for each in self.documents.values():
            if meets(each, filter, given):
                found.append(each)
                if most and len(found) == most:
                    break
        return found

    def _write(self, document: Json, update: Any, given: Json) -> Json | None:
        """The document after it; None if nothing changed."""
        try:
            after = updated(document, update, given)
        except paths.NotThere as error:
            raise WriteError(str(error), 28) from None
        if after == document and list(after) == list(document):
            return None
        self._put(document, after)
        return after

    def _upserted(self, filter: Json, update: Any, given: Json) -> Json:
        base: Json = {}
        for name, value in sorted(filter.items()):
            if name[:1] == "$":
                continue
            if isinstance(value, dict) and value and next(iter(value))[:1] == "$":
                if "$eq" in value:
                    paths.put(base, name, kept(value["$eq"]))
            else:
                paths.put(base, name, kept(value))
        document = updated(base, update, given, inserting=True)
        if "_id" not in document:
            document = {"_id": ObjectId()} | document
        self._put(None, document)
        return document

    def _put(self, before: Json | None, after: Json) -> None:
        id = after["_id"]
        if before is None and id in self.documents:
            self._refuse({"_id": id})
        for index in self.unique:
            if before is not None and index.keeps(before, after):
                continue
            key = index.key(after, self._given())
            if key is None or (before is not None and index.key(before, self._given()) == key):
                continue
            for other in self.documents.values():
                if other["_id"] != id and index.key(other, self._given()) == key:
                    self._refuse(dict(zip(index.fields, key, strict=True)))
        self._database.changing(self, before, after)
        self.documents[id] = after

    def _refuse(self, key: Json) -> None:
        raise DuplicateKeyError(
            f"E11000 duplicate key error collection: {self.name} {key}", DUPLICATE, {"code": DUPLICATE, "keyValue": key}
        )
