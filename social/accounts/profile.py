"""What an account's server says about it, read again once a day: its name, picture and limits, its token's health.

The reading also keeps a token alive that nobody uses: it is refreshed before it is used, and so before it lapses.
"""

from datetime import timedelta
from typing import Any

import structlog

from social.accounts.documents import Account
from social.accounts.link import give_back_forgotten
from social.accounts.quotas import lapsed
from social.accounts.tokens import as_account, changed, mark_disconnected
from social.backing import Backing
from social.backing.mongo import as_bson
from social.errors import Disconnected, PlatformError, Unavailable
from social.moments import now
from social.outbox.documents import announce
from social.platforms import PLATFORMS
from social.platforms.contract import Identity

log = structlog.get_logger()
FRESH_FOR = timedelta(days=1)


async def read_again(backing: Backing, *, most: int = 20) -> list[Account]:
    """Reads at most `most` accounts that were not read for a day. Those that turned out to be lost are the answer.

    Safe to run anywhere at any time: each is taken by one write, and one that could not be read waits for the next day.
    What was found and never linked is given back on the way.
    """
    await give_back_forgotten(backing)
    lost = []
    for _ in range(most):
        account = await Account.take_stale(now() - FRESH_FOR)
        if account is None:
            break
        found = await _read(account, backing)
        if found is not None:
            lost.append(found)
    return lost


async def read_now(account: Account, backing: Backing) -> Account | None:
    """Reads `account` now, if it is connected. It, marked, if it turned out to be lost; None otherwise.

    Unavailable if its platform has trouble and nothing could be read.
    """
    if account.state != "connected":
        return None
    try:
        await _kept(account, backing)
    except Disconnected as error:
        return await mark_disconnected(account, error, backing)
    except PlatformError as error:
        raise Unavailable(f"{error.sentence} Please try again.", retry_after=30, code="platform") from error
    return None


async def _read(account: Account, backing: Backing) -> Account | None:
    try:
        await _kept(account, backing)
    except Disconnected as error:
        return await mark_disconnected(account, error, backing)
    except PlatformError as error:
        log.info("account.not_read", account=str(account.id), outcome=type(error).__name__)
    return None


async def _kept(account: Account, backing: Backing) -> None:
    await _keep(account, await as_account(account, backing, PLATFORMS[account.platform].identify), backing)


async def _keep(account: Account, identity: Identity, backing: Backing) -> None:
    """Writes down what is new, and tells of it."""
    read = {
        "handle": identity.handle,
        "name": identity.name,
        "avatar_url": identity.avatar_url,
        "profile_url": identity.profile_url,
        "limits": identity.limits,
    }
    news = {name: value for name, value in read.items() if getattr(account, name) != value}
    if identity.id != account.remote_id:
        return
    old = {f"told_quotas.{name}": "" for name in lapsed(account)}
    if not news and not old:
        await _looked(account)
        return
    if "limits" in news:
        news["limits"] = as_bson(identity.limits) if identity.limits else None

    async def body(session: Any) -> None:
        written = {"$set": news | {"limits_read_at": now(), "updated_at": now()}} | ({"$unset": old} if old else {})
        await Account.get_pymongo_collection().update_one({"_id": account.id}, written, session=session)
        await announce([changed(account)], session)

    await backing.transaction(body)


async def _looked(account: Account) -> None:
    """There is nothing new to tell of, only that somebody looked."""
    await Account.get_pymongo_collection().update_one({"_id": account.id}, {"$set": {"limits_read_at": now()}})
