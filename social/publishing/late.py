"""What could not go out in time: missed, or held until a person says whether it is to go out all the same.

That it is not sent from its deadline on is the arm's doing; here it is only said. What is in doubt is settled first,
and what is partly online is not left half for being late.
"""

from collections.abc import Sequence
from typing import Any

import structlog
from bson import ObjectId
from pymongo import UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession

from social.backing import Backing
from social.outbox.documents import announce
from social.publishing.documents import Publication, in_states
from social.publishing.facts import FREE, InHand, Json
from social.publishing.shown import row
from social.publishing.states import BEFORE_SENDING, OPEN, State, too_late

log = structlog.get_logger()
TOGETHER = 200  # in one transaction


async def pass_by(backing: Backing) -> None:
    """Concludes what is past its deadline and was not sent, whatever kept it: a quota, an outage, a long line, nobody
    being there. Safe to run twice and in many processes."""
    left: set[ObjectId] = set()  # for a newer version, which wrote them
    while not backing.stopping.is_set():
        before = len(left)
        passed = await _some(left, backing)
        if passed:
            missed = sum(each.state is State.MISSED for each in passed)
            backing.tally.count("publications", State.MISSED, missed)
            backing.tally.count("publications", State.HELD, len(passed) - missed)
            log.info("publications.late", missed=missed, held=len(passed) - missed)
        if len(passed) + len(left) - before < TOGETHER:
            return


async def _some(left: set[ObjectId], backing: Backing) -> Sequence[InHand]:
    """Concludes some that are not among those `left`, and adds to these what it cannot read."""
    at = backing.now()
    past: Json = in_states(BEFORE_SENDING, OPEN) | {
        "deadline": {"$lte": at, "$type": "date"},  # the type makes it use the partial index
        "ambiguous": False,
        "receipts.0": {"$exists": False},
    }
    if left:
        past["_id"] = {"$nin": list(left)}
    if await Publication.engine().find_one(past, {"_id": 1}) is None:
        return ()

    async def body(session: AsyncClientSession) -> Sequence[InHand]:
        found: Any = Publication.engine().find(past, session=session).limit(TOGETHER)
        there = {one["_id"]: InHand.readable(one) async for one in found}
        late = [each for each in there.values() if each is not None]
        left.update(there.keys() - {each.id for each in late})
        if not late:
            return ()
        changes = [each.after(too_late(each.lateness), at) | FREE | {"prepare_at": None} for each in late]
        writes = [
            UpdateOne(past | {"_id": each.id}, {"$set": written}) for each, written in zip(late, changes, strict=True)
        ]
        await Publication.engine().bulk_write(writes, session=session)
        concluded = [each.with_changes(written) for each, written in zip(late, changes, strict=True)]
        await announce([row(each) for each in concluded], session)
        return concluded

    return await backing.transaction(body)
