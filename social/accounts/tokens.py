"""A Call as an account. The token is opened here, for one Call, and nowhere else."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from social.accounts.documents import Account, Reason
from social.accounts.renewal import GONE, renewed
from social.backing import Backing
from social.backing.vault import Unsealable
from social.errors import Disconnected, PlatformError, TokenExpired
from social.moments import now
from social.outbox.documents import Announcement, Row, announce
from social.platforms import PLATFORMS
from social.platforms.calls import Call

T = TypeVar("T")


async def as_account(account: Account, backing: Backing, act: Callable[[Call], Awaitable[T]]) -> T:
    """What `act` answers, done with a token that is fresh: refreshed before it ends, and once more if it is refused.

    However many do this at once, in however many instances, a token is refreshed once. `account` is brought up to date
    in place, so that what is said of its login afterwards is said of the one that was used. PlatformError alone:
    Disconnected only where the platform refused for good; while no new token can be had, RetryLater.
    """
    if account.refresh_at is not None and account.refresh_at <= now():
        await renewed(account, backing, forced=False)
    call = await call_as(account, backing)
    try:
        return await act(call)
    except TokenExpired as expired:
        if call.token is None or call.token.refresh is None:
            raise Disconnected(expired.sentence, **expired.facts) from expired
    await renewed(account, backing, forced=True)
    return await act(await call_as(account, backing))


async def call_as(account: Account, backing: Backing) -> Call:
    """A Call with the account's token as it is. Disconnected if it has none that opens. Asks nobody."""
    try:
        token = account.opened_token(backing.vault)
    except Unsealable:
        raise Disconnected(
            "The account's token cannot be opened with this installation's key. Connect it again.", code="unsealable"
        ) from None
    if token is None:
        raise Disconnected(GONE, code="disconnected")
    return Call.to(
        PLATFORMS[account.platform],
        account.origin,
        account.realm,
        outbound=backing.outbound,
        patience=backing.settings.times.http_timeout,
        token=token,
        reading=backing.bucket.reading,
    )


async def mark_disconnected(account: Account, error: PlatformError, backing: Backing) -> Account | None:
    """Writes down that the platform no longer takes the account's token. None if it was connected anew since."""
    reason = Reason(code=str(error.facts.get("code", "disconnected")), text=error.sentence)

    async def body(session: Any) -> Account | None:
        marked = await Account.disconnect(account, reason, session)
        if marked is not None:
            await announce([changed(marked)], session)
        return marked

    return await backing.transaction(body)


def changed(account: Account) -> Announcement:
    """The event that `account` is not what it was."""
    return Row.about(workspace_id=account.workspace_id, type="account.changed", data={"id": str(account.id)})
