"""Files whose every post is online everywhere are of no more use where a workspace does not want to keep them."""

from collections.abc import Sequence
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
        done = await _have_done(workspace_id, files, before)
        for file in files:
            if file.id in done:
                await file.drop_original(backing)
                log.info("media.original_dropped", media=str(file.id))
        last = files[-1].id


async def _have_done(
    workspace_id: PydanticObjectId, files: Sequence[Media], before: datetime
) -> set[PydanticObjectId | None]:
    """The ids of those that posts show, all of which are online on every account since `before`."""
    posts = await Post.ids_using(workspace_id, [each.id for each in files])
    theirs = {"workspace_id": workspace_id, "post_id": {"$in": list(posts)}}
    publications = await Publication.engine().find(theirs, {"post_id": 1, "state": 1, "updated_at": 1}).to_list()
    out = {each["post_id"] for each in publications}
    out -= {each["post_id"] for each in publications if each["state"] != State.ONLINE or each["updated_at"] >= before}
    shown = {id: [post in out for post, its in posts.items() if id in its] for id in (each.id for each in files)}
    return {id for id, done in shown.items() if done and all(done)}
