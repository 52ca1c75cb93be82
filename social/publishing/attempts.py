"""Attempts: what was tried and what came of it, part by part. The facts that no claim is needed for."""

from contextlib import suppress
from datetime import datetime
from typing import Annotated

from beanie import Document, PydanticObjectId
from pydantic import Field
from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from social.backing.mongo import BSON_ENCODERS, stored
from social.platforms.contract import Receipt
from social.publishing.documents import Publication


class Attempt(Document):
    """One attempt at one part and what came of it; only ever added. A receipt is inserted whoever holds the claim by
    then."""

    id: PydanticObjectId = Field(default_factory=PydanticObjectId)
    workspace_id: PydanticObjectId
    publication_id: PydanticObjectId
    rev: int
    part: int = 0
    n: int  # of all attempts at the publication
    fence: int
    key: str
    sent_at: datetime
    answered_at: datetime
    outcome: str  # Receipt, or the error's class
    sentence: str | None = None
    status: int | None = None
    said: str | None = None  # the platform's words, cut, without secrets
    receipt: Annotated[Receipt | None, stored(Receipt | None)] = None

    class Settings:
        name = "attempts"
        bson_encoders = BSON_ENCODERS
        indexes = (IndexModel([("publication_id", 1), ("rev", 1), ("n", 1)]),)

    async def note(self) -> None:
        """Adds it on its own, without a claim and outside any transaction. Adding it again changes nothing."""
        with suppress(DuplicateKeyError):
            await self.insert()

    @classmethod
    async def receipt_for(cls, publication: Publication) -> "Attempt | None":
        """The fact that the part of this revision whose turn it is went out, if one was written."""
        fact = {
            "publication_id": publication.id,
            "rev": publication.rev,
            "part": publication.part if publication.part else {"$in": [0, None]},  # None: before there were parts
            "receipt": {"$type": "object"},
        }
        return await cls.find_one(fact)

    @classmethod
    async def history(cls, publication: Publication) -> list["Attempt"]:
        """All attempts at a publication, oldest first."""
        return (
            await cls.find({"workspace_id": publication.workspace_id, "publication_id": publication.id})
            .sort("rev", "n")
            .to_list()
        )
