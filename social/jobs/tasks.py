"""What the queue may run. A job is a hint: it may come twice, late or never, so it names no publication."""

from typing import Any

import structlog

from social.accounts.profile import read_again
from social.backing import Backing
from social.backing.s3 import BucketError
from social.media import fetching, sweep
from social.media.benches import Benches
from social.publishing import due, leftovers, originals
from social.publishing.reconnect import account_lost, all_back

log = structlog.get_logger()


async def wake(ctx: dict[str, Any]) -> None:
    """Something falls due: look now instead of at the clock's next tick. Begins the look and ends at once."""
    ctx["running"].spawn(due.look(ctx["backing"]), "wake")


async def profiles(backing: Backing) -> None:
    """Reads anew what the platforms say of accounts; what is planned on one whose login is dead is held, and what was
    held on one that is connected again goes on, if nobody has seen to that."""
    for account in await read_again(backing):
        await account_lost(account, backing)
    await all_back(backing)


async def swept(backing: Backing) -> None:
    """Throws away what nobody needs any more of files, and fetches on what was left off. With the bucket away, the next
    time does."""
    try:
        await sweep.sweep(backing)
        await fetching.take_over(backing, Benches())
        await originals.drop_originals(backing)
        await leftovers.drop_renditions(backing)
    except BucketError as error:
        log.warning("sweep.bucket_away", error=error.facts.get("code"))


TASKS = (wake,)
