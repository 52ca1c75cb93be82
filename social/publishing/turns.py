"""How many are before a publication on its account: those that are due before it and have not gone out."""

import asyncio
from collections.abc import Iterable
from datetime import datetime

from bson import ObjectId

from social.publishing.documents import Publication, in_states
from social.publishing.states import CLAIMABLE, OPEN, TAKEN
from social.publishing.waiting import may_be_behind

MOST = 1_000  # that are counted on one account: who is behind more will not wait for the number


async def before(publications: Iterable[Publication], present: datetime) -> dict[ObjectId, int]:
    """For each of `publications` that is due and waits, how many are before it; others are missing. They are of one
    workspace. One query for each account with such a one, of which there are none in a good hour."""
    of_accounts: dict[ObjectId, list[Publication]] = {}
    for each in publications:
        if may_be_behind(each, present):
            of_accounts.setdefault(each.account_id, []).append(each)
    found: dict[ObjectId, int] = {}

    async def on_account(account_id: ObjectId, waiting: list[Publication]) -> None:
        last = max(each.next_at or each.due_at for each in waiting)
        line = (
            Publication.engine()
            .find(
                {
                    "workspace_id": waiting[0].workspace_id,
                    "account_id": account_id,
                    "next_at": {"$lte": last},
                    "prepare_at": None,
                }
                | in_states((*CLAIMABLE, *TAKEN), OPEN),
                {"next_at": 1},
            )
            .sort([("next_at", 1), ("_id", 1)])
            .limit(MOST)
        )
        places = [(other["next_at"], other["_id"]) async for other in line]
        for each in waiting:
            its = (each.next_at or each.due_at, each.id)
            found[each.id] = sum(place < its for place in places)

    await asyncio.gather(*(on_account(*each) for each in of_accounts.items()))
    return found
