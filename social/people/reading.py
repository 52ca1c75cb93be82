"""How documents of workspaces are read. One that a newer version of this program wrote, before it was rolled back to
this one, may not be readable: it waits for that version, and is nobody else's trouble.

Lists leave it out. Whoever needs just this one is refused (`errors.Newer`), before anything is written.
"""

from collections.abc import Coroutine, Generator
from typing import Any, TypeVar, cast

import structlog
from beanie.odm.queries.find import FindMany, FindOne
from beanie.odm.utils.parsing import parse_obj
from bson import ObjectId
from pydantic import BaseModel, ValidationError

from social.errors import Newer

log = structlog.get_logger()
Found = TypeVar("Found", bound=BaseModel)
Json = dict[str, Any]


class One(FindOne[Found]):
    """The query for one. Newer if it is there and cannot be read."""

    def __await__(self) -> Generator[Coroutine[Any, Any, Any], None, Found | None]:
        found: Json | None = yield from self._find_one().__await__()  # type: ignore[no-untyped-call]
        return None if found is None else cast(Found, read(self.document_model, found))


class Many(FindMany[Found]):
    """The query for several. Newer if one of them cannot be read, for whoever must not miss any."""

    async def to_list(self, length: int | None = None) -> list[Found]:
        """All of them, in their order."""
        return [cast(Found, read(self.document_model, each)) for each in await self._stored(length)]

    async def _stored(self, length: int | None) -> list[Json]:
        cursor = await self.get_cursor()
        assert cursor is not None
        found: list[Json] = await cursor.to_list(length)
        return found


class Listed(Many[Found]):
    """The query for those that can be read, as if there were no others: a limit is one of these alone."""

    async def to_list(self, length: int | None = None) -> list[Found]:
        """Those that can be read, in their order."""
        while True:
            stored = await self._stored(length)
            found = [(each["_id"], readable(self.document_model, each)) for each in stored]
            left: list[ObjectId] = [id for id, document in found if document is None]
            if not left or not self.limit_number or len(stored) < self.limit_number:
                return [cast(Found, document) for _, document in found if document is not None]
            self.find({"_id": {"$nin": left}})  # others have room in its place

    async def __anext__(self) -> Found:
        """The next one that can be read. A limit is one of all that are there, here."""
        if self.cursor is None:
            self.cursor = await self.get_cursor()
        assert self.cursor is not None
        while (document := readable(self.document_model, await self.cursor.__anext__())) is None:
            pass
        return cast(Found, document)


def readable(model: Any, found: Json) -> Any:
    """The document of type `model` that is stored as `found`, or None if this version cannot read it."""
    try:
        return parse_obj(model, found)
    except ValidationError as error:
        said = str(error.errors(include_input=False))
        log.warning(f"{model.noun}.unreadable", **{model.noun: str(found["_id"])}, error=said)
        return None


def read(model: Any, found: Json) -> Any:
    """As `readable`, but Newer if it cannot be read."""
    document = readable(model, found)
    if document is None:
        raise newer(model)
    return document


def newer(model: Any) -> Newer:
    """Why nothing can be done with one of these."""
    return Newer(
        f"A newer version of this program has written this {model.noun}, and this one cannot read it. Update the "
        "program to that version to see or change it; until then it stays as it is."
    )
