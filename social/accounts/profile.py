"""What an account's server says about it, read again once a day: its name, picture and limits, its token's health."""

from datetime import timedelta
from typing import Any

import structlog

from social.accounts.documents import Account
from social.accounts.tokens import call_as, changed, mark_disconnected
from social.backing import Backing
from social.backing.mongo import as_bson
from social.errors import Disconnected, PlatformError
from social.moments import now
from social.outbox.documents import announce
from social.platforms import PLATFORMS
from social.platforms.contract import Identity

log = structlog.get_logger()
FRESH_FOR = timedelta(days=1)


async def read_again(backing: Backing, *, most: int = 20) -> list[Account]:
    """Reads at most `most` accounts that were not read for a day. Those that turned out to be lost are the answer.

    Safe to run anywhere at any time: each is taken by one write, and one that could not be read waits for the next day.
    """
    lost = []
    for _ in range(most):
        account = await Account.take_stale(now() - FRESH_FOR)
        if account is None:
            break
        found = await _read(account, backing)
        if found is not None:
            lost.append(found)
    return lost


async def _read(account: Account, backing: Backing) -> Account | None:
    try:
        await _keep(account, await PLATFORMS[account.platform].identify(await call_as(account, backing)), backing)
    except Disconnected as error:
        return await mark_disconnected(account, error, backing)
    except PlatformError as error:
        log.info("account.not_read", account=str(account.id), outcome=type(error).__name__)
    return None


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
    if not news or identity.id != account.remote_id:
        return
    if "limits" in news:
        news["limits"] = as_bson(identity.limits) if identity.limits else None

    async def body(session: Any) -> None:
        written = {"$set": news | {"updated_at": now()}}
        await Account.get_pymongo_collection().update_one({"_id": account.id}, written, session=session)
        await announce([changed(account)], session)

    await backing.transaction(body)
