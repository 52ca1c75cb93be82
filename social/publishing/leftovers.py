"""Renditions that nothing will send any more are thrown away. Should one be wanted again, it is made again."""

from datetime import datetime, timedelta

import structlog

from social.backing import Backing
from social.media.renditions import Rendition
from social.moments import now
from social.people.documents import Tries
from social.publishing.documents import Publication

log = structlog.get_logger()

DAY = timedelta(days=1)
KEPT = timedelta(days=7)  # since somebody wanted it or what shows it was online: the same is often sent once more
AT_ONCE = 100


async def drop_renditions(backing: Backing) -> None:
    """Once a day, by whichever instance comes first."""
    if await Tries.take("dropping of renditions", every=DAY, burst=1) is None:
        await drop_unneeded(now() - KEPT, backing)


async def drop_unneeded(before: datetime, backing: Backing) -> None:
    """Drops those that nobody has wanted since `before`, and that no publication shows which is not online since then:
    what failed or was cancelled may be tried again as it is."""
    async for some in Rendition.unwanted_since(before, most=AT_ONCE):
        needed = await Publication.renditions_shown([str(each.id) for each in some], since=before)
        for each in some:
            if str(each.id) not in needed and await each.drop(before, backing):
                log.info("rendition.dropped", rendition=str(each.id))
