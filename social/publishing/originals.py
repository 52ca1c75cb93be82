"""Files whose every post is online everywhere are of no more use where a workspace does not want to keep them."""

from datetime import datetime, timedelta

import structlog
from beanie import PydanticObjectId

from social.backing import Backing
from social.media.documents import Media
from social.moments import now
from social.people.documents import Tries, Workspace
from social.posts.documents import Post
from social.publishing.documents import Publication
from social.publishing.states import State

log = structlog.get_logger()

DAY = timedelta(days=1)
RESTED = timedelta(days=7)  # since the last one went online: until then somebody may want the post once more
AT_ONCE = 100


async def drop_originals(backing: Backing) -> None:
    """Once a day, by whichever instance comes first, in the workspaces that chose so."""
    if await Tries.take("dropping of originals", every=DAY, burst=1) is not None:
        return
    for workspace_id in await Workspace.dropping():
        await drop_in(workspace_id, now() - RESTED, backing)


async def drop_in(workspace_id: PydanticObjectId, before: datetime, backing: Backing) -> None:
    """Drops what was all online before `before`. Drafts, and files that no post shows, keep what they have."""
    last = None
    while files := await Media.kept_since(workspace_id, last, before, most=AT_ONCE):
        for file in files:
            if await _has_done(file, before):
                await file.drop_original(backing)
                log.info("media.original_dropped", media=str(file.id))
        last = files[-1].id


async def _has_done(file: Media, before: datetime) -> bool:
    """Whether there are posts that show it, and all of them are online on every account since `before`."""
    mine = {"workspace_id": file.workspace_id}
    posts = await Post.find(mine | {"media_ids": {"$in": [file.id]}}).to_list()
    publications = await Publication.find(mine | {"post_id": {"$in": [each.id for each in posts]}}).to_list()
    planned = {each.post_id for each in publications}
    return (
        bool(posts)
        and all(each.id in planned for each in posts)
        and all(each.state is State.ONLINE and each.updated_at < before for each in publications)
    )
