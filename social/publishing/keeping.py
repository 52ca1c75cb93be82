"""Many publications are held for one reason, or go on together: a hold, a login that is lost and found again.

In batches, each publication's condition in the write. A batch is noted before it is written, so that whoever finds its
process dead tells of it in its place.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne

from social.backing import Backing
from social.backing.mongo import as_bson, insist
from social.outbox.documents import announce
from social.publishing.documents import Publication, in_states
from social.publishing.facts import FREE, InHand, Json
from social.publishing.shown import row
from social.publishing.states import BEFORE_SENDING, OPEN, Reason, State
from social.publishing.tellings import Telling

TOGETHER = 500  # publications in one write


async def keep_back(accounts: Sequence[ObjectId], reason: Reason, backing: Backing) -> int:
    """Holds everything on these accounts that is not being sent, for `reason`. How many they are."""
    here = {"account_id": {"$in": list(accounts)}} | in_states(BEFORE_SENDING, OPEN)
    kept = 0
    while ids := [found["_id"] async for found in Publication.engine().find(here, {"_id": 1}).limit(TOGETHER)]:
        later = {"$max": [backing.now(), {"$add": ["$updated_at", 1]}]}
        held = {"state": State.HELD, "reason": {"$literal": as_bson(reason)}, "next_at": None, "updated_at": later}
        batch = await _begun(ids, backing)
        chosen = here | {"_id": {"$in": ids}}
        await insist(partial(Publication.engine().update_many, chosen, [{"$set": held | FREE}]))
        kept += await tell(ids, backing, {"state": State.HELD, "reason.code": reason.code})
        await Telling.end(batch)
    return kept


async def let_go(
    accounts: Sequence[ObjectId], code: str, after: Callable[[Publication], tuple[str, Json]], backing: Backing
) -> Counter[str]:
    """What is held on these accounts for the reason `code` goes on, or asks: `after` says what it comes to, by a word
    that is counted, and what is written for it, which takes that reason away."""
    counts = Counter[str]()
    here = {"account_id": {"$in": list(accounts)}, "reason.code": code} | in_states([State.HELD], OPEN)
    left: list[ObjectId] = []  # for a newer version, which wrote them
    while found := await Publication.engine().find(here | {"_id": {"$nin": left}}).limit(TOGETHER).to_list():
        batch = [each for each in map(Publication.readable, found) if each is not None]
        left += {each["_id"] for each in found} - {each.id for each in batch}
        if not batch:
            continue
        changes = [(each, *after(each)) for each in batch]
        ids = [each.id for each in batch]
        noted = await _begun(ids, backing)
        # One that was edited since it was read is looked at once more: what is to be prepared is another's by then.
        writes = [
            UpdateOne(here | each.as_it_was(), {"$set": written | {"updated_at": each.later(backing.now())}})
            for each, _, written in changes
        ]
        await Publication.engine().bulk_write(writes, ordered=False)
        still = {"_id": {"$in": ids}} | here
        again = {each["_id"] async for each in Publication.engine().find(still, {"_id": 1})}
        for each, what, _ in changes:
            counts[what] += each.id not in again
        await tell(ids, backing, {})
        await Telling.end(noted)
    return counts


async def tell(ids: Sequence[ObjectId], backing: Backing, which: Json) -> int:
    """Tells of those of the publications that are `which`. How many they are."""
    found: Any = Publication.engine().find({"_id": {"$in": list(ids)}} | which)
    present = [InHand.readable(each) async for each in found]
    rows = [row(each) for each in present if each is not None]
    await announce(rows)
    backing.announced.set()
    return len(rows)


async def _begun(ids: Sequence[ObjectId], backing: Backing) -> str:
    """Notes what is about to be written, under a name that is answered."""
    batch = f"kept {ObjectId()}"
    await Telling.begin(batch, ids, owner=backing.owner, at=backing.now())
    return batch
