"""How much an account may post where that is not what its platform usually allows: what the platform's own answers said
of it, and what a person set, who knows of another limit or wants one. The person's figure wins; what the platform
refuses is waited for in any case.

Only windows that are counted for the account alone are an account's own: no workspace decides what all of an
installation may do together.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import NamedTuple

from beanie import PydanticObjectId
from pymongo import UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession

from social.accounts.documents import Account, OwnQuota, ToldQuota
from social.accounts.tokens import changed
from social.backing import Backing
from social.backing.mongo import as_bson
from social.errors import Conflict, Invalid, Wrong
from social.moments import now
from social.outbox.documents import announce
from social.people.roles import Caller
from social.platforms import PLATFORMS
from social.platforms.contract import Quota

BELIEVED_FOR = timedelta(days=2)  # what no answer has said for longer is forgotten when the account is read


class News(NamedTuple):
    """An answer said of an account's quota of that name how many posts it allows in all."""

    account_id: PydanticObjectId
    quota: str
    posts: int


async def set_own(caller: Caller, account: Account, wanted: Mapping[str, int], backing: Backing) -> Account:
    """The account with `wanted` posts by the name of the quota in place of whatever a person set before; none: back to
    what its platform allows.

    Invalid if its platform has no quota of such a name, or not for one account alone.
    """
    of_platform = {quota.name: quota for quota in PLATFORMS[account.platform].windows}
    if wrong := [each for n, name in enumerate(wanted) if (each := _wrong(n, of_platform.get(name)))]:
        raise Invalid("These limits cannot be set.", wrong)
    before, at = account.own_quotas, now()
    own = {
        name: before[name]
        if name in before and before[name].posts == posts
        else OwnQuota(posts=posts, by=caller.name, at=at)
        for name, posts in wanted.items()
    }

    async def body(session: AsyncClientSession) -> Account:
        written = {"own_quotas": {name: as_bson(each) for name, each in own.items()}, "updated_at": at}
        found = await Account.get_pymongo_collection().find_one_and_update(
            {"_id": account.id, "workspace_id": caller.workspace_id},
            {"$set": written},
            return_document=True,
            session=session,
        )
        if found is None:
            raise Conflict("This account is no longer here.")
        present: Account = Account.model_validate(found)
        await announce([changed(present)], session)
        return present

    return await backing.transaction(body)


async def keep_told(news: Iterable[News]) -> None:
    """Keeps what answers said. A figure that is the platform's usual one is kept too: it takes the place of another."""
    at = now()
    writes = [
        UpdateOne(
            {"_id": each.account_id},
            {"$set": {f"told_quotas.{each.quota}": as_bson(ToldQuota(posts=each.posts, at=at))}},
        )
        for each in news
    ]
    if writes:
        await Account.get_pymongo_collection().bulk_write(writes, ordered=False)


def lapsed(account: Account) -> list[str]:
    """The names of the quotas of which no answer has told for days: the platform may have thought better of them."""
    return [name for name, told in account.told_quotas.items() if told.at <= now() - BELIEVED_FOR]


def _wrong(n: int, quota: Quota | None) -> Wrong | None:
    pointer = f"/quotas/{n}/name"
    if quota is None:
        return Wrong(pointer, "This account's platform has no limit of this name.", "unknown")
    if quota.per != "account":
        return Wrong(pointer, "All accounts of this installation share this limit.", "shared")
    return None
