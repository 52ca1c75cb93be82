"""The next token for an account: asked for once, however many want it in however many instances, and stored before use.

Some platforms take a refresh token once and end the whole permission when it comes again. So whoever refreshes holds a
lease on the account; the others wait for what they get. A holder that dies leaves a lease that runs out (at once, where
its death is proven), and the next one tries the old token: the platform's definite refusal is then the end of it.
"""

import asyncio
import random
import time
import uuid
from collections.abc import Coroutine
from typing import Any

import structlog
from pymongo.errors import PyMongoError

from social.accounts.apps import app_of
from social.accounts.documents import Account
from social.backing import Backing
from social.backing.mongo import insist
from social.backing.vault import Unsealable
from social.errors import (
    Disconnected,
    OperatorNeeded,
    PlatformError,
    QuotaSpent,
    RetryLater,
    TokenExpired,
)
from social.platforms import PLATFORMS, oauth
from social.platforms.calls import Call
from social.platforms.contract import Platform, Token

log = structlog.get_logger()
GONE = "This account is no longer connected. Connect it again."
REQUESTS = 3  # that a refresh may take at most, repeats for a nonce included
PAUSE = 20.0  # seconds in which a failed refresh is not tried again while the token still works
LOOK = 0.1  # seconds between two looks at whether the holder has done it


async def renewed(account: Account, backing: Backing, *, forced: bool) -> None:
    """Brings `account` the next token, from the platform or from whoever gets it at this moment.

    Unless `forced`, the token still works for a while: then trouble changes nothing. PlatformError: Disconnected where
    the platform refuses for good, RetryLater(answered=False) where nobody can tell, for nothing of ours went out.
    """
    try:
        await _renewed(account, backing, forced=forced)
    except PyMongoError as error:
        raise _later("Our own database does not answer right now.", "mongo-away") from error


async def _renewed(account: Account, backing: Backing, *, forced: bool) -> None:
    lasts = lease(backing)
    patience = time.monotonic() + 2 * lasts
    dead: str | None = None
    while True:
        mine = uuid.uuid4().hex
        taken = await Account.take_refresh(
            account, by=mine, owner=backing.owner, seconds=lasts, instead_of=dead, over_failed=forced
        )
        if taken is not None:
            account.hold_as(taken)
            await _to_its_end(_holding(account, mine, backing, forced=forced))
            return
        present = await Account.get(account.id)
        if present is None or present.state != "connected" or present.token is None:
            raise Disconnected(GONE, code="disconnected")
        if present.token != account.token:
            account.hold_as(present)
            return
        holder = present.refreshing
        if holder is not None and holder.failed and not forced:
            return
        if time.monotonic() > patience:
            raise _later("Another part of this installation still asks for a new permission.", "refresh-busy")
        dead = holder.by if holder is not None and holder.owner.proven_dead(backing.owner) else None
        if dead is None:
            await asyncio.sleep(LOOK * random.uniform(0.5, 1.5))  # noqa: S311 - so that not all look at once


def lease(backing: Backing) -> float:
    """For how many seconds nobody else may refresh. The holder ends before."""
    times = backing.settings.times
    return REQUESTS * times.http_timeout + 2 * times.margin


async def _to_its_end(holding: Coroutine[Any, Any, None]) -> None:
    """Ends even if whoever wanted it is cancelled: a pair that was got and not stored is a lost permission."""
    task = asyncio.create_task(holding)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # looked at
        raise


async def _holding(account: Account, mine: str, backing: Backing, *, forced: bool) -> None:
    """As the one who holds the lease: asks the platform, stores what it gives, and only then lets it be used."""
    before = account.token
    try:
        async with asyncio.timeout(lease(backing) - backing.settings.times.margin):
            token = await _asked(account, backing)
    except (PlatformError, TimeoutError) as error:
        if isinstance(error, Disconnected):
            raise
        await Account.not_refreshed(account, by=mine, again_in=PAUSE)
        log.warning("account.not_refreshed", account=str(account.id), error=type(error).__name__)
        if not forced:
            return
        if isinstance(error, TimeoutError):
            raise _later("The platform did not give a new permission in time.", "no-answer") from error
        raise
    account.hold(token, backing.vault)
    if await insist(lambda: Account.refreshed(account, before)):
        log.info("account.refreshed", account=str(account.id))
        return
    await _overtaken(account, token, backing)


async def _overtaken(account: Account, token: Token, backing: Backing) -> None:
    """This write did not store the pair: an earlier try of it did, or somebody connected or parted meanwhile."""
    present = await Account.get(account.id)
    if present is None or present.state != "connected":
        await give_back(account, token, backing)
        raise Disconnected(GONE, code="disconnected")
    account.hold_as(present)


async def _asked(account: Account, backing: Backing) -> Token:
    """The platform's answer to the account's refresh token. PlatformError as it is to whoever wanted to act."""
    platform = PLATFORMS[account.platform]
    try:
        old = account.opened_token(backing.vault)
        app = app_of(account, backing)
    except Unsealable:
        raise Disconnected(
            "The account's token cannot be opened with this installation's key. Connect it again.", code="unsealable"
        ) from None
    if old is None or old.refresh is None:
        raise Disconnected(GONE, code="disconnected")
    call = as_nobody(platform, account, backing)
    try:
        if platform.refresh is not None and (account.way == "password" or platform.login is None):
            return await platform.refresh(call, app, old)
        where = account.endpoints or oauth.declared(platform, account.origin, account.realm)
        return await oauth.refresh(platform, call, where, app, old)
    except PlatformError as error:
        raise _meant(error, call) from error


def _meant(error: PlatformError, call: Call) -> PlatformError:
    """What a refused refresh is to somebody who wanted to act: their request was never made."""
    if isinstance(error, TokenExpired):
        return Disconnected(error.sentence, **error.facts)
    if isinstance(error, RetryLater):
        return RetryLater(error.sentence, until=error.until, answered=False, **error.facts)
    if isinstance(error, Disconnected | OperatorNeeded | QuotaSpent):
        return error
    said = error.facts.get("said")
    quoted = f': "{said}"' if said else "."
    return OperatorNeeded(f"{call.host} did not renew the permission for this account{quoted}", **error.facts)


async def give_back(account: Account, token: Token, backing: Backing) -> None:
    """Makes `token` worthless at the platform, as far as that can be done now. What goes wrong is logged."""
    platform = PLATFORMS[account.platform]
    try:
        call = as_nobody(platform, account, backing)
        app = app_of(account, backing)
        if platform.revoke is not None and (account.way == "password" or platform.login is None):
            await platform.revoke(call, app, token)
        elif account.way == "page":
            where = account.endpoints or oauth.declared(platform, account.origin, account.realm)
            await oauth.revoke(platform, call, where, app, token)
    except (PlatformError, Unsealable) as error:
        log.warning("account.not_revoked", account=str(account.id), error=type(error).__name__)


def as_nobody(platform: Platform, account: Account, backing: Backing) -> Call:
    """A Call to the account's server without its token."""
    patience = backing.settings.times.http_timeout
    return Call.to(platform, account.origin, account.realm, outbound=backing.outbound, patience=patience)


def _later(sentence: str, code: str) -> RetryLater:
    return RetryLater(sentence, answered=False, code=code)
