"""The one place where a query is bound to the caller's workspace."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from beanie import Document, PydanticObjectId
from beanie.odm.queries.find import FindMany
from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from social.errors import Newer, NotFound
from social.people.reading import Listed, Many, One, newer
from social.people.roles import Caller


class OfWorkspace(Document):
    """The base of every document that belongs to a workspace. What doors read goes through `of` and `found`.

    Each subclass has a collection of its own (beanie shares one only under `is_root`). `noun` is its name in sentences.
    """

    noun: ClassVar[str] = "thing"
    _find_one_query_class: ClassVar[type] = One
    _find_many_query_class: ClassVar[type] = Many

    workspace_id: PydanticObjectId

    @classmethod
    def of(cls, caller: Caller, *conditions: Mapping[Any, Any] | bool) -> FindMany[Self]:
        """The documents of the caller's workspace that meet all `conditions`, but for those that a newer version wrote
        so that this one cannot read them."""
        return cls.listed({"workspace_id": caller.workspace_id}, *conditions)

    @classmethod
    def listed(cls, *conditions: Mapping[Any, Any] | bool) -> FindMany[Self]:
        """As `of`, of all workspaces: for what works for all of them at once."""
        found: FindMany[Self] = Listed(document_model=cls).find(*conditions)
        return found

    @classmethod
    async def found(cls, caller: Caller, id: str, session: AsyncClientSession | None = None) -> Self:
        """The document of the caller's workspace with this id. NotFound also for one that is none or another's; Newer
        for one that a newer version wrote so that this one cannot read it."""
        document = None
        if ObjectId.is_valid(id):
            mine = {"_id": PydanticObjectId(id), "workspace_id": caller.workspace_id}
            document = await cls.find_one(mine, session=session)
        if document is None:
            raise _missing(cls)
        return document

    @classmethod
    async def lacking(cls, caller: Caller, ids: Sequence[str]) -> dict[str, NotFound | Newer]:
        """Why each of `ids`, which `of` did not find in the caller's workspace, is not among what it found."""
        wanted = {id: ObjectId(id) for id in ids if ObjectId.is_valid(id)}
        there = set[ObjectId]()
        if wanted:
            mine = {"_id": {"$in": list(wanted.values())}, "workspace_id": caller.workspace_id}
            there = {found["_id"] async for found in cls.get_pymongo_collection().find(mine, {"_id": 1})}
        return {id: newer(cls) if wanted.get(id) in there else _missing(cls) for id in ids}


def _missing(kind: type[OfWorkspace]) -> NotFound:
    return NotFound(f"There is no {kind.noun} with this id.")
