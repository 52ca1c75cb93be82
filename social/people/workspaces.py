"""The one place where a query is bound to the caller's workspace."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from beanie import Document, PydanticObjectId
from beanie.odm.queries.find import FindMany
from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from social.errors import NotFound
from social.people.roles import Caller


class OfWorkspace(Document):
    """The base of every document that belongs to a workspace. What doors read goes through `of` and `found`.

    Each subclass has a collection of its own (beanie shares one only under `is_root`). `noun` is its name in sentences.
    """

    noun: ClassVar[str] = "thing"

    workspace_id: PydanticObjectId

    @classmethod
    def of(cls, caller: Caller, *conditions: Mapping[Any, Any] | bool) -> FindMany[Self]:
        """The documents of the caller's workspace that meet all `conditions`."""
        return cls.find({"workspace_id": caller.workspace_id}, *conditions)

    @classmethod
    async def found(cls, caller: Caller, id: str, session: AsyncClientSession | None = None) -> Self:
        """The document of the caller's workspace with this id. NotFound also for one that is none or another's."""
        document = None
        if ObjectId.is_valid(id):
            mine = {"_id": PydanticObjectId(id), "workspace_id": caller.workspace_id}
            document = await cls.find_one(mine, session=session)
        if document is None:
            raise NotFound(f"There is no {cls.noun} with this id.")
        return document
