"""Attempts: what was tried and what came of it, part by part. The facts that no claim is needed for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from beanie import Document, PydanticObjectId
from bson import ObjectId
from pydantic import Field
from pymongo import IndexModel
from pymongo.errors import BulkWriteError

from social.backing.mongo import BSON_ENCODERS, as_bson, stored
from social.errors import PlatformError
from social.platforms.contract import Receipt
from social.publishing.documents import Publication
from social.publishing.facts import Facts, Json
from social.publishing.states import State

DUPLICATE = 11000  # what Mongo calls a second document with the same id


class Attempt(Document):
    """One attempt at one part and what came of it; only ever added. A receipt is inserted whoever holds the claim by
    then.

    A publication that is online at the first attempt holds all of it itself, and has none here.
    """

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
        indexes = (
            IndexModel([("publication_id", 1), ("rev", 1), ("n", 1)]),
            IndexModel([("answered_at", 1)], name="further", partialFilterExpression={"n": {"$gt": 1}}),
        )

    @classmethod
    async def note(cls, attempts: Sequence[Json]) -> None:
        """Adds what `written` made, whoever holds the claim by now. Adding it again changes nothing."""
        if not attempts:
            return
        try:
            await cls.get_pymongo_collection().insert_many(attempts, ordered=False)
        except BulkWriteError as error:
            if any(each["code"] != DUPLICATE for each in error.details["writeErrors"]):
                raise

    @classmethod
    async def receipts_for(cls, publication: Publication) -> list[Receipt]:
        """The facts that the part of this revision whose turn it is went out, as far as some were written, latest
        first."""
        fact = {
            "publication_id": publication.id,
            "rev": publication.rev,
            "part": publication.part if publication.part else {"$in": [0, None]},  # None: before there were parts
            "receipt": {"$type": "object"},
        }
        brought = await cls.find(fact).sort("-n").to_list()
        return [attempt.receipt for attempt in brought if attempt.receipt is not None]

    @classmethod
    async def history(cls, publication: Publication) -> list["Attempt"]:
        """All attempts at a publication, oldest first. One that had a plain success at once says so itself."""
        noted = (
            await cls.find({"workspace_id": publication.workspace_id, "publication_id": publication.id})
            .sort("rev", "n")
            .to_list()
        )
        return noted or [cls.model_validate(each) for each in _only(publication)]


def _only(publication: Publication) -> list[Json]:
    """The one attempt of what is online, if that was no more than a request and its answer."""
    if publication.state is not State.ONLINE or publication.attempt_no != 1 or publication.sent_at is None:
        return []
    if len(publication.receipts) != 1 or publication.receipts[0].evidence != "reply":
        return []
    return [written(publication, publication.receipts[0], publication.answered_at or publication.sent_at)]


def written(publication: Facts, outcome: Receipt | PlatformError, at: datetime) -> Json:
    """The attempt that `publication` was armed for, as it is stored, answered with `outcome` at the instant `at`."""
    refused = outcome if isinstance(outcome, PlatformError) else None
    return {
        "_id": ObjectId(),
        "workspace_id": publication.workspace_id,
        "publication_id": publication.id,
        "rev": publication.rev,
        "part": publication.part,
        "n": publication.attempt_no,
        "fence": publication.fence,
        "key": publication.key,
        "sent_at": publication.sent_at or at,
        "answered_at": at,
        "outcome": type(outcome).__name__,
        "sentence": refused.sentence if refused else None,
        "status": refused.facts.get("status") if refused else None,
        "said": refused.facts.get("said") if refused else None,
        "receipt": as_bson(outcome) if isinstance(outcome, Receipt) else None,
    }
