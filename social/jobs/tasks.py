"""What the queue may run. A job is a hint: it may come twice, late or never, so it names no publication."""

from typing import Any

from social.accounts.profile import read_again
from social.backing import Backing
from social.publishing import due
from social.publishing.reconnect import account_lost


async def wake(ctx: dict[str, Any]) -> None:
    """Something falls due: look now instead of at the clock's next tick. Begins the look and ends at once."""
    ctx["running"].spawn(due.look(ctx["backing"]), "wake")


async def profiles(backing: Backing) -> None:
    """Reads anew what the platforms say of accounts; what is planned on one whose login is dead is held."""
    for account in await read_again(backing):
        await account_lost(account, backing)


TASKS = (wake,)
