"""Conversions that nobody needs any more: those of posts that were changed, cancelled or deleted."""

from collections.abc import Iterable

import structlog
from beanie import PydanticObjectId
from pymongo.errors import PyMongoError

from social.media.renditions import Rendition
from social.platforms.contract import Content
from social.publishing.documents import Publication

log = structlog.get_logger()


async def stop_unneeded(workspace_id: PydanticObjectId, contents: Iterable[Content]) -> None:
    """Stops whatever is still being made of the files of `contents`, which were planned and may not be any more.

    What any publication that has not ended shows is gone on with. One that is planned at this very moment wants it
    again, at the latest when it is prepared. With Mongo away nothing stops, and no harm is done.
    """
    ids = {id for content in contents for id in content.renditions}
    if not ids:
        return
    try:
        if not (unmade := await Rendition.unmade(workspace_id, ids)):
            return
        unneeded = unmade - await Publication.needed(workspace_id, unmade)
        if unneeded:
            await Rendition.let_go(workspace_id, unneeded)
            log.info("renditions.let_go", renditions=len(unneeded))
    except PyMongoError as error:
        log.warning("renditions.not_let_go", error=type(error).__name__)
