"""What the production code takes for PyMongo's async client: every call is a step that the world lets happen."""

from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from contextvars import copy_context
from functools import partial
from types import SimpleNamespace
from typing import Any, Protocol

import bson
from bson.raw_bson import RawBSONDocument

from tests.model.stages import Order
from tests.model.values import Json

READS = frozenset({"find", "count", "distinct", "aggregate"})


class Gate(Protocol):
    """What the driver asks of the world: when a step happens, and whether its answer arrives."""

    store: Any
    now: Callable[[], Any]

    async def step(self, name: str, carry: Callable[[], Any], *, writes: bool, of: str = "") -> Any:
        """What `carry` answers, when it is its turn."""
        ...


class Client:
    """The client of all instances: the world tells them apart."""

    append_metadata = None

    def __init__(self, world: Gate) -> None:
        self._world = world
        self.admin = self

    def start_session(self) -> "Session":
        """A session for one transaction."""
        return Session(self._world)

    async def command(self, command: Any) -> Json:
        """`hello` and `buildInfo`; nothing else is asked."""
        if command == "hello":
            found: Json = await self._world.step("hello", lambda: {"localTime": self._world.now()}, writes=False)
            return found
        return {"version": "6.0.5"}


class Named:
    """The database: collections by name."""

    def __init__(self, world: Gate, client: Client) -> None:
        self._world = world
        self.client = client
        self._collections: dict[str, Collection] = {}

    def __getitem__(self, name: str) -> "Collection":
        return self._collections.setdefault(name, Collection(self._world, name))

    async def command(self, command: Any) -> Json:
        """As the client's."""
        return await self.client.command(command)

    async def list_collection_names(self, **_: Any) -> list[str]:
        """None: whoever asks makes what it lacks, which is nothing."""
        return []


class Session:
    """A transaction is one step: what it reads and writes is of one instant, and its answer may be lost as a whole."""

    def __init__(self, world: Gate) -> None:
        self._world = world

    async def __aenter__(self) -> "Session":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def with_transaction(self, body: Callable[["Session"], Awaitable[Any]]) -> Any:
        """What `body` answers, once all of it was written; nothing was if it raises."""
        mine = copy_context()
        return await self._world.step("transaction", lambda: mine.run(self._carried, body), writes=True)

    def _carried(self, body: Callable[["Session"], Awaitable[Any]]) -> Any:
        store = self._world.store
        store.begin()
        try:
            answer = finished(body(self))
        except BaseException:
            store.roll_back()
            raise
        store.commit()
        return answer


def finished(work: Awaitable[Any]) -> Any:
    """What `work` answers, that waits for nothing."""
    waiting = work.__await__()
    try:
        next(waiting)
    except StopIteration as end:
        return end.value
    waiting.close()  # type: ignore[attr-defined]
    raise RuntimeError("a transaction's body waits for something other than its own reads and writes")


class Cursor:
    """What a find or an aggregation will answer. `ask` makes the step."""

    def __init__(
        self, ask: Callable[["Cursor"], Awaitable[list[Json]]], order: Order | None = None, limit: int = 0
    ) -> None:
        self.ask = ask
        self.order = order
        self.most = limit
        self.skipped = 0
        self._found: Any = None

    def sort(self, key: str | Sequence[tuple[str, int]], direction: int = 1) -> "Cursor":
        """In this order."""
        self.order = [(key, direction)] if isinstance(key, str) else list(key)
        return self

    def limit(self, most: int) -> "Cursor":
        """At most so many."""
        self.most = most
        return self

    def skip(self, some: int) -> "Cursor":
        """Without the first so many."""
        self.skipped = some
        return self

    def __aiter__(self) -> "Cursor":
        return self

    async def __anext__(self) -> Any:
        if self._found is None:
            self._found = iter(await self.ask(self))
        for each in self._found:
            return each
        raise StopAsyncIteration

    async def to_list(self, length: int | None = None) -> list[Json]:
        """All of it."""
        return await self.ask(self)


class Reading:
    """An aggregation: awaited, it answers its cursor."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def __await__(self) -> Generator[Any, None, Cursor]:
        self._cursor._found = iter((yield from self._cursor.ask(self._cursor).__await__()))
        return self._cursor


class Collection:
    """One collection, as the production code calls it."""

    def __init__(self, world: Gate, name: str, *, raw: bool = False) -> None:
        self._world = world
        self.name = name
        self._raw = raw

    def with_options(self, codec_options: Any = None, **_: Any) -> "Collection":
        """The same collection; with RawBSONDocument as the class of documents it answers such ones."""
        raw = codec_options is not None and codec_options.document_class is RawBSONDocument
        return Collection(self._world, self.name, raw=raw)

    def find(
        self,
        filter: Json | None = None,
        projection: Any = None,
        *,
        sort: Any = None,
        limit: int | None = 0,
        skip: int | None = 0,
        session: Session | None = None,
        **_: Any,
    ) -> Cursor:
        async def ask(cursor: Cursor) -> list[Json]:
            found: list[Json] = await self._do(
                session,
                "find",
                filter,
                projection=projection,
                sort=cursor.order,
                limit=cursor.most,
                skip=cursor.skipped,
            )
            return [_raw(each) for each in found] if self._raw else found

        cursor = Cursor(ask, list(sort) if sort else None, limit or 0)
        cursor.skipped = skip or 0
        return cursor

    def find_raw_batches(self, filter: Json | None = None, projection: Any = None, **how: Any) -> Cursor:
        """As `find`, as the bytes that come over the wire: here in one batch."""
        cursor = self.find(filter, projection, **how)
        ask = cursor.ask

        async def batches(cursor: Cursor) -> list[Any]:
            found = await ask(cursor)
            return [b"".join(map(bson.encode, found))] if found else []

        cursor.ask = batches
        return cursor

    async def find_one(
        self, filter: Any = None, projection: Any = None, *, sort: Any = None, session: Session | None = None, **_: Any
    ) -> Json | None:
        wanted = filter if isinstance(filter, dict) or filter is None else {"_id": filter}
        order = list(sort) if sort else None
        found = await self._do(session, "find", wanted, projection=projection, sort=order, limit=1)
        return found[0] if found else None

    async def count_documents(self, filter: Json, *, session: Session | None = None, **_: Any) -> Any:
        return await self._do(session, "count", filter)

    async def distinct(self, key: str, filter: Json | None = None, session: Session | None = None) -> Any:
        return await self._do(session, "distinct", key, filter)

    def aggregate(self, pipeline: Sequence[Json], session: Session | None = None, **_: Any) -> Reading:
        async def ask(cursor: Cursor) -> list[Json]:
            found: list[Json] = await self._do(session, "aggregate", list(pipeline))
            return [_raw(each) for each in found] if self._raw else found

        return Reading(Cursor(ask))

    async def insert_one(self, document: Json, *, session: Session | None = None) -> Any:
        return await self._do(session, "insert", [document])

    async def insert_many(
        self, documents: Iterable[Json], ordered: bool = True, *, session: Session | None = None
    ) -> Any:
        return await self._do(session, "insert_many", list(documents), ordered=ordered)

    async def update_one(
        self, filter: Json, update: Any, *, upsert: bool = False, session: Session | None = None
    ) -> Any:
        return await self._do(session, "update", filter, update, many=False, upsert=upsert)

    async def update_many(
        self, filter: Json, update: Any, *, upsert: bool = False, session: Session | None = None
    ) -> Any:
        return await self._do(session, "update", filter, update, many=True, upsert=upsert)

    async def find_one_and_update(
        self, filter: Json, update: Any, *, session: Session | None = None, **how: Any
    ) -> Any:
        return await self._do(session, "find_one_and_update", filter, update, **how)

    async def replace_one(self, filter: Json, document: Json, *, session: Session | None = None, **_: Any) -> Any:
        return await self._do(session, "replace", filter, document)

    async def delete_one(self, filter: Json, *, session: Session | None = None, **_: Any) -> Any:
        return await self._do(session, "delete", filter, many=False)

    async def delete_many(self, filter: Json, *, session: Session | None = None, **_: Any) -> Any:
        return await self._do(session, "delete", filter, many=True)

    async def bulk_write(self, requests: Sequence[Any], ordered: bool = True, session: Session | None = None) -> Any:
        return await self._do(session, "bulk", requests, ordered=ordered)

    def _do(self, session: Session | None, method: str, *given: Any, **how: Any) -> Awaitable[Any]:
        """What the table's method answers, when it is its turn."""
        carry = partial(getattr(self._world.store[self.name], method), *given, **how)
        if session is not None:
            return _at_once(carry)  # its transaction's step has begun
        return self._world.step(method, carry, writes=method not in READS, of=self.name)


async def _at_once(carry: Callable[[], Any]) -> Any:
    return carry()


def _raw(found: Json) -> Json:
    """As RawBSONDocument is read by us: inner documents give their bytes."""
    return {
        name: [_inner(each) for each in value] if isinstance(value, list) else value for name, value in found.items()
    }


def _inner(value: Any) -> Any:
    return SimpleNamespace(raw=bson.encode(value)) if isinstance(value, dict) else value
