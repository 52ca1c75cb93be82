"""Which publication a post stands for, where that is not plain.

Where a platform knows no key, a post is known by its words, and two publications may have the same. Two looks at once,
in two instances, would both take the one post that is there for theirs, and what is missing would never be sent. So who
finds a post notes it first, under the post's own name: the first note wins. Who comes with a receipt after the claim
was lost does the same: a look may have taken that post for another by then. The two have changed places, and this one
is looked for.

Of others of the same words some have no receipt to tell them by: `another_s` and `said_to_be_there` say when what was
found may be one of these, and nothing is noted.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from beanie import Document, PydanticObjectId
from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from social.accounts.documents import Account
from social.errors import RetryLater
from social.platforms import PLATFORMS
from social.platforms.contract import Realm, Receipt, Sought
from social.publishing.attempts import Attempt
from social.publishing.documents import Publication
from social.publishing.facts import Facts
from social.publishing.states import FINAL, State, repeatable

MAYBE_ANOTHER_S = "What was found may be another post of the same words."
MAYBE_KNOWN = 2  # times as long as a platform surely knows a key: then it has surely forgotten it
BESIDE = timedelta(minutes=10)  # apart two were sent at most if a look for one may find the other: clocks differ
SCHEME = re.compile("https?://", re.IGNORECASE)
KEPT = timedelta(days=7)  # much longer than from a look to the receipt that is written then, and by which it is known


class Finding(Document):
    """A post that was found, and what it was taken for. `_id` is its name: realm, platform, server and the platform's
    id."""

    id: str  # type: ignore[assignment]
    publication_id: PydanticObjectId
    at: datetime

    class Settings:
        name = "findings"
        indexes: ClassVar = [IndexModel([("at", ASCENDING)], expireAfterSeconds=int(KEPT.total_seconds()))]

    @classmethod
    async def stands_for(cls, publication: Facts, found: str, origin: str, *, at: datetime) -> bool:
        """Whether the post with the id `found` on the account's server (`origin`) stands for `publication`, noted at
        the instant `at`, and not for another one, which has it. RetryLater while it is open whether that one gets it.
        """
        post = {"_id": _name(publication.realm, publication.platform, origin, found)}
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

    @classmethod
    async def of_others(cls, publication_id: ObjectId, posts: Collection[str], account: Account) -> int:
        """How many of the `posts` with these ids on the account's server stand for other publications."""
        names = [_name(account.realm, account.platform, account.origin, post) for post in posts]
        others = {"_id": {"$in": names}, "publication_id": {"$ne": publication_id}}
        return await cls.get_pymongo_collection().count_documents(others)

    @classmethod
    async def written_down(cls, publication: Publication, origin: str, *, at: datetime) -> Receipt | None:
        """The receipt of the part whose turn it is, if an attempt brought one before its process died. RetryLater while
        it is open whether its post stands for another one."""
        for receipt in await Attempt.receipts_for(publication):
            if await cls.stands_for(publication, receipt.id, origin, at=at):
                return receipt
        return None


async def another_s(
    found: Receipt, sought: Sought, publication: Publication, same: Sequence[ObjectId], at: datetime
) -> bool:
    """Whether `found`, which a look for `publication` at the instant `at` found by what was `sought`, may be another
    publication's of the accounts `same`: one whose receipt came while we looked, or one of the same words that is being
    sent at this moment. Also one that is in doubt like this one, where the key of either will tell. Without keys the
    two may as well change places, for what is found for one is not found for the other again."""
    # In this order: what is sent no longer has its receipt.
    unheard_of = any(
        each.part == 0 and _of_the_same_words(each, sought)
        for each in await Publication.unheard_of_beside(publication, same)
        if each.state == State.SENDING or any(has_a_key(one, at, MAYBE_KNOWN) for one in (publication, each))
    )
    return unheard_of or found.id in await Publication.ids_beside(publication, same, sought.first_sent_at)


async def said_to_be_there(sought: Sought, same: Sequence[ObjectId]) -> bool:
    """Whether a person has said of another publication of the accounts `same`, of the words that are `sought`, that it
    is there, and not which it is: only a person can tell then whether what was found is that one."""
    beside = await Publication.said_to_be_there_beside(same, sought.first_sent_at - BESIDE)
    return any(_of_the_same_words(each, sought) for each in beside)


def has_a_key(publication: Publication, at: datetime, times: int = 1) -> bool:
    """Whether the platform would know it by its key if it came again at the instant `at`; or, so many `times` as long
    after it was sent first as that is certain, whether it might."""
    platform = PLATFORMS[publication.platform]
    first_sent_at = publication.first_sent_at or publication.sent_at or publication.due_at
    return repeatable(platform.settles, first_sent_at, platform.replay_for * times, at)


def _of_the_same_words(publication: Publication, sought: Sought) -> bool:
    """Parts after the first are known by what they answer."""
    return sought.part == 0 and _words(publication.content.text) == _words(sought.text)


def _words(text: str) -> str:
    """What is left of a text where nobody would take two for different that a platform may not tell apart: some change
    white space, how letters are composed, and addresses."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFC", SCHEME.sub("", text))))


def _name(realm: Realm, platform: str, origin: str, post: str) -> str:
    return f"{realm} {platform} {origin} {post}"
