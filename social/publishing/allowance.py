"""How much an account may post, as a person sees it and says it: kept, and obeyed from the next post on."""

from collections.abc import Mapping
from typing import Any

from social.accounts.documents import Account
from social.accounts.quotas import set_own
from social.backing import Backing
from social.people.roles import Caller
from social.publishing.documents import Publication, in_states
from social.publishing.states import OPEN, QUOTA, State


async def allow(caller: Caller, account: Account, wanted: Mapping[str, int], backing: Backing) -> Account:
    """The account with `wanted` posts by the name of the quota, in place of what was set before. What waits for a quota
    there asks the gate again at once, which knows whether there is more room now. Invalid as in `set_own`."""
    present = await set_own(caller, account, wanted, backing)
    at = backing.now()
    waiting: dict[str, Any] = {
        "account_id": account.id,
        "reason.code": QUOTA,
        "next_at": {"$gt": at},
        **in_states([State.WAITING], OPEN),
    }
    sooner = {"next_at": {"$max": [at, "$due_at"]}, "updated_at": {"$max": [at, {"$add": ["$updated_at", 1]}]}}
    if (await Publication.engine().update_many(waiting, [{"$set": sooner}])).matched_count:
        backing.planned.set()
    return present
