"""A Call as an account. The token is opened here, for one Call, and nowhere else."""

from typing import Any

from social.accounts.documents import Account, Reason
from social.backing import Backing
from social.backing.vault import Unsealable
from social.errors import Disconnected, PlatformError
from social.outbox.documents import Row, announce
from social.platforms import PLATFORMS
from social.platforms.calls import Call

GONE = "This account is no longer connected. Connect it again."


async def call_as(account: Account, backing: Backing) -> Call:
    """A Call with the account's token. Disconnected if it has none that opens. Asks nobody."""
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


def changed(account: Account) -> Row:
    """The event that `account` is not what it was."""
    return Row.about(workspace_id=account.workspace_id, type="account.changed", data={"id": str(account.id)})
