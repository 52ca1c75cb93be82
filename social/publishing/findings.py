"""Which publication a post stands for that a look found on the platform.

Where a platform knows no key, a post is known by its words, and two publications may have the same. Two looks at once,
in two instances, would both take the one post that is there for theirs, and what is missing would never be sent. So who
finds a post notes it first, under the post's own name: the first note wins.
"""

from datetime import datetime, timedelta
from typing import ClassVar

from beanie import Document, PydanticObjectId
from pymongo import ASCENDING, IndexModel

from social.accounts.documents import Account
from social.errors import RetryLater
from social.publishing.documents import Publication
from social.publishing.states import FINAL

MAYBE_ANOTHER_S = "What was found may be another post of the same words."
KEPT = timedelta(days=7)  # much longer than from a look to the receipt that is written then, and by which it is known


class Finding(Document):
    """A post that was found, and what it was taken for. `_id` is its name: realm, server and the platform's id."""

    id: str  # type: ignore[assignment]
    publication_id: PydanticObjectId
    at: datetime

    class Settings:
        name = "findings"
        indexes: ClassVar = [IndexModel([("at", ASCENDING)], expireAfterSeconds=int(KEPT.total_seconds()))]

    @classmethod
    async def stands_for(cls, publication: Publication, found: str, account: Account, *, at: datetime) -> bool:
        """Whether the post with the id `found` on the account's server stands for `publication`, noted at the instant
        `at`, and not for another one, which has it. RetryLater while it is open whether that one gets it."""
        post = {"_id": f"{account.realm} {account.origin} {found}"}
        findings = cls.get_pymongo_collection()
        first = {"$setOnInsert": {"publication_id": publication.id, "at": at}}
        noted = await findings.find_one_and_update(post, first, upsert=True, return_document=True)
        holder = noted["publication_id"] if noted else None  # there always is one: it was made if it was not there
        if holder == publication.id:
            return True
        other = await Publication.engine().find_one({"_id": holder}, {"state": 1, "receipts.id": 1})
        if other is not None and any(receipt["id"] == found for receipt in other.get("receipts", ())):
            return False
        if other is None or other["state"] in FINAL:  # it has ended without
            mine = {"$set": {"publication_id": publication.id, "at": at}}
            if (await findings.update_one(post | {"publication_id": holder}, mine)).matched_count:
                return True
        raise RetryLater(MAYBE_ANOTHER_S)
