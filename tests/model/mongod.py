"""The real mongod behind the same methods as `table`: each call blocks, so that the simulated loop stays in order.

`$$NOW` becomes the simulated instant at the moment of the call, for mongod's own clock is not the simulated one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bson.codec_options import CodecOptions
from pymongo import MongoClient, UpdateOne, WriteConcern
from pymongo.client_session import ClientSession

from tests.model.stages import Order
from tests.model.table import Written
from tests.model.values import Json

AWARE: CodecOptions[Json] = CodecOptions(tz_aware=True, tzinfo=UTC)
WATCHED = ("publications", "lanes", "attempts", "outbox", "tellings")
Seen = Callable[[Any, Json | None, Json | None], None]


class Mongod:
    """One database of a real server. `table.Database`'s methods, by the wire."""

    def __init__(self, client: MongoClient[Json], name: str, now: Callable[[], datetime], seen: Seen | None) -> None:
        self.database = client.get_database(name, codec_options=AWARE, write_concern=WriteConcern(w=1))
        self.now = now
        self.seen = seen
        self.session: ClientSession | None = None
        self._client = client
        self._tables: dict[str, MongodTable] = {}
        self._known: dict[str, dict[Any, Json]] = {}
        self._touched: set[str] = set()
        self._fresh = True

    def __getitem__(self, name: str) -> "MongodTable":
        table = self._tables.get(name)
        if table is None:
            table = self._tables[name] = MongodTable(name, self)
        return table

    def empty(self) -> None:
        """Takes everything away; collections and indexes stay."""
        for name in self.database.list_collection_names() if self._fresh else self._touched:
            self.database[name].delete_many({})
        self._fresh = False
        self._touched.clear()
        self._known.clear()

    def begin(self) -> None:
        """Begins a transaction."""
        assert self.session is None, "one at a time"
        self.session = self._client.start_session()
        self.session.start_transaction()

    def commit(self) -> None:
        """Ends it: everything was written."""
        assert self.session is not None
        self.session.commit_transaction()
        self.session.end_session()
        self.session = None
        for name in sorted(self._touched):
            self.written(name)

    def roll_back(self) -> None:
        """Ends it: nothing was written."""
        assert self.session is not None
        if self.session.in_transaction:
            self.session.abort_transaction()
        self.session.end_session()
        self.session = None

    def written(self, name: str) -> None:
        """Tells of what has changed in the collection since the last look at it."""
        self._touched.add(name)
        if self.seen is None or self.session is not None or name not in WATCHED:
            return
        known = self._known.get(name, {})
        present = {each["_id"]: each for each in self.database[name].find()}
        self._known[name] = present
        for id, document in present.items():
            if known.get(id) != document:
                self.seen(self[name], known.get(id), document)
        for id in known.keys() - present.keys():
            self.seen(self[name], known[id], None)


class MongodTable:
    """One collection of it."""

    def __init__(self, name: str, server: Mongod) -> None:
        self.name = name
        self._server = server
        self._collection = server.database[name]

    @property
    def documents(self) -> dict[Any, Json]:
        """All of it, by id."""
        return {each["_id"]: each for each in self._collection.find()}

    def find(
        self,
        filter: Json | None = None,
        *,
        projection: Mapping[str, Any] | Sequence[str] | None = None,
        sort: Order | None = None,
        limit: int = 0,
        skip: int = 0,
    ) -> list[Json]:
        how = {"sort": sort, "limit": limit, "skip": skip, "session": self._server.session}
        return list(self._collection.find(self._at(filter or {}), projection, **how))

    def count(self, filter: Json) -> int:
        return self._collection.count_documents(self._at(filter), session=self._server.session)

    def distinct(self, path: str, filter: Json | None = None) -> list[Any]:
        return list(self._collection.distinct(path, self._at(filter or {}), session=self._server.session))

    def aggregate(self, stages: list[Json]) -> list[Json]:
        return list(self._collection.aggregate(self._at(stages), session=self._server.session))

    def insert(self, documents: Iterable[Json]) -> Written:
        ids = [self._collection.insert_one(each, session=self._server.session).inserted_id for each in documents]
        self._server.written(self.name)
        return Written(inserted_count=len(ids), inserted_ids=tuple(ids), inserted_id=ids[0] if ids else None)

    def insert_many(self, documents: Iterable[Json], *, ordered: bool = True) -> Written:
        done = self._collection.insert_many(list(documents), ordered=ordered, session=self._server.session)
        self._server.written(self.name)
        return Written(inserted_count=len(done.inserted_ids), inserted_ids=tuple(done.inserted_ids))

    def update(self, filter: Json, update: Any, *, many: bool, upsert: bool = False) -> Written:
        write = self._collection.update_many if many else self._collection.update_one
        done = write(self._at(filter), self._at(update), upsert=upsert, session=self._server.session)
        if done.modified_count or done.upserted_id is not None:
            self._server.written(self.name)
        return Written(done.matched_count, done.modified_count, upserted_id=done.upserted_id)

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
        found = self._collection.find_one_and_update(
            self._at(filter),
            self._at(update),
            projection=projection,
            sort=sort,
            upsert=upsert,
            return_document=return_document,
            session=self._server.session,
        )
        if found is not None or upsert:
            self._server.written(self.name)
        return found

    def replace(self, filter: Json, document: Json) -> Written:
        done = self._collection.replace_one(self._at(filter), document, session=self._server.session)
        self._server.written(self.name)
        return Written(done.matched_count, done.modified_count)

    def delete(self, filter: Json, *, many: bool) -> Written:
        take = self._collection.delete_many if many else self._collection.delete_one
        done = take(self._at(filter), session=self._server.session)
        if done.deleted_count:
            self._server.written(self.name)
        return Written(deleted_count=done.deleted_count)

    def bulk(self, requests: Sequence[Any], *, ordered: bool = True) -> Written:
        at = [
            UpdateOne(self._at(each._filter), self._at(each._doc), upsert=bool(each._upsert))
            if isinstance(each, UpdateOne)
            else each
            for each in requests
        ]
        done = self._collection.bulk_write(at, ordered=ordered, session=self._server.session)
        self._server.written(self.name)
        return Written(done.matched_count, done.modified_count, done.deleted_count, done.inserted_count)

    def _at(self, part: Any) -> Any:
        return at_the_instant(part, self._server.now())


def at_the_instant(part: Any, now: datetime) -> Any:
    """`part` of a filter, an update or a pipeline with `now` in place of `$$NOW`."""
    if isinstance(part, dict):
        return {name: at_the_instant(value, now) for name, value in part.items()}
    if isinstance(part, list | tuple):
        return [at_the_instant(each, now) for each in part]
    return now if isinstance(part, str) and part == "$$NOW" else part
