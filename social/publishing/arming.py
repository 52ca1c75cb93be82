"""What a claim writes on publications before any of them goes out: that they are its own, and the intent to send."""

from collections.abc import Sequence
from datetime import datetime

from bson import ObjectId

from social.backing.mongo import Instant, as_bson
from social.backing.owner import Owner
from social.publishing.documents import Publication, in_states
from social.publishing.facts import Facts, Json
from social.publishing.lanes import Lane
from social.publishing.states import CLAIMABLE, OPEN, State

WRITTEN = {"sent_at": 1, "begun_at": 1, "first_sent_at": 1, "attempt_no": 1, "updated_at": 1}  # by an arm
# What a claim did not arm becomes claimable again, as it was.
AS_IT_WAS: Json = {
    "$cond": [
        {"$or": [{"$gt": ["$tries", 0]}, {"$gt": ["$part", 0]}]},
        State.WAITING,
        {"$cond": ["$prepared_until", State.PREPARED, State.PLANNED]},
    ]
}


async def stamp(
    accounts: Sequence[ObjectId],
    before: datetime,
    *,
    token: str,
    owner: Owner,
    at: Instant,
    inherited: Sequence[ObjectId] = (),
) -> int:
    """Makes what the claimed lanes have due before `before` the claim's: queued, with its token and a higher fence. How
    many they are.

    On `inherited` lanes, whose holder lost them, what it had queued comes along.
    """
    taken = [
        {
            "$set": {
                "state": State.QUEUED,
                "token": token,
                "fence": {"$add": ["$fence", 1]},
                "owner": {"$literal": as_bson(owner)},
                "started_at": {"$cond": [{"$gt": ["$part", 0]}, "$started_at", at]},  # of the first part, as begun_at
                "updated_at": _later_than_before(at),
            }
        }
    ]
    mine: Json = {"account_id": {"$in": list(accounts)}, "next_at": {"$lte": before}}
    due = mine | in_states(CLAIMABLE, OPEN) | {"prepare_at": None}
    stamped = (await Publication.engine().update_many(due, taken)).matched_count
    if inherited:
        queued = {"account_id": {"$in": list(inherited)}, "state": State.QUEUED, "token": {"$ne": token}}
        stamped += (await Publication.engine().update_many(mine | queued, taken)).matched_count
    return stamped


async def arm(publications: Sequence[Facts], *, token: str, at: Instant) -> dict[ObjectId, Json]:
    """Writes the intent to send: what it wrote into each, by id. Due and deadline are looked at by the server's clock.

    What is missing from the answer was edited, held, cancelled or taken over, or it is too early or too late for it.
    The token implies the fence: whoever takes a lane over changes both.
    """
    if not publications:
        return {}
    ids = [each.id for each in publications]
    mine: Json = {"_id": {"$in": ids}, "token": token}
    in_time = {
        "$and": [
            {"$lte": ["$due_at", at]},
            {"$or": [{"$gt": ["$part", 0]}, {"$not": "$deadline"}, {"$gt": ["$deadline", at]}]},
        ]
    }
    intent = {
        "state": State.SENDING,
        "sent_at": at,
        "begun_at": {"$cond": [{"$gt": ["$part", 0]}, "$begun_at", at]},
        "first_sent_at": {"$ifNull": ["$first_sent_at", at]},
        "attempt_no": {"$add": ["$attempt_no", 1]},
        "reason": None,
        "updated_at": _later_than_before(at),
    }
    due = mine | {"state": State.QUEUED, "$expr": in_time}
    if len(ids) == 1:
        one = await Publication.engine().find_one_and_update(
            due, [{"$set": intent}], projection=WRITTEN, return_document=True
        )
        armed = [one] if one else []
    else:
        written = await Publication.engine().update_many(due, [{"$set": intent}])
        armed = await _all_armed(publications, mine) if written.matched_count == len(ids) else []
        armed = armed or await Publication.engine().find(mine | {"state": State.SENDING}, WRITTEN).to_list()
    sending: Json = {"state": State.SENDING, "reason": None}
    return {found.pop("_id"): found | sending for found in armed}


async def _all_armed(publications: Sequence[Facts], mine: Json) -> list[Json]:
    """What one write armed them with: its instant is the same in all, and the rest follows from what they were. Empty
    if the instant cannot be read any more."""
    one = await Publication.engine().find_one(
        mine | {"_id": publications[0].id, "state": State.SENDING}, {"sent_at": 1}
    )
    if one is None:
        return []
    at = one["sent_at"]
    return [
        {
            "_id": each.id,
            "sent_at": at,
            "begun_at": each.begun_at if each.part else at,
            "first_sent_at": each.first_sent_at or at,
            "attempt_no": each.attempt_no + 1,
            "updated_at": each.later(at),
        }
        for each in publications
    ]


def _later_than_before(at: Instant) -> Json:
    return {"$max": [at, {"$add": ["$updated_at", 1]}]}


async def kept(fences: dict[ObjectId, int], token: str) -> dict[ObjectId, int]:
    """Those of the lanes that are still the claim's now that it has stamped what is theirs: a hold may have come
    between. What it stamped on others is given back; nobody can take it from there while they are held."""
    ours = await Lane.ours(list(fences), token)
    if lost := [account for account in fences if account not in ours]:
        mine = {"account_id": {"$in": lost}, "token": token} | in_states([State.QUEUED], OPEN)
        await Publication.engine().update_many(mine, [{"$set": {"state": AS_IT_WAS, "token": None, "owner": None}}])
    return {account: fence for account, fence in fences.items() if account in ours}
