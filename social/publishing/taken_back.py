"""A cancellation is taken back: one account that was taken out of a post is planned again, and no other is touched."""

from typing import Any

import msgspec
from pymongo.asynchronous.client_session import AsyncClientSession

from social.backing import Backing
from social.backing.mongo import as_bson
from social.errors import Conflict
from social.moments import now
from social.outbox.documents import Announcement, announce
from social.people.roles import Caller
from social.posts.documents import Post
from social.posts.when import Plan
from social.publishing.changes import dated, post_changed, post_row, renewed
from social.publishing.documents import Publication
from social.publishing.facts import preparing_begins
from social.publishing.fitting import fitting
from social.publishing.holds import hold_new
from social.publishing.lanes import Lane
from social.publishing.shown import row
from social.publishing.states import State

Json = dict[str, Any]


async def take_back(caller: Caller, publication: Publication, when: Plan, backing: Backing) -> Publication:
    """Plans `publication`, which was cancelled and which the caller may change, for `when`, as late as it could be
    before. It goes out with the words its post has now: they may have changed since. If that was a draft, for nothing
    of it was left, it is planned again, on this account alone.

    Invalid lists what keeps it from its account; Conflict if the post goes there no longer, or if either was changed
    just now.
    """
    post = await Post.found(caller, str(publication.post_id))
    account_id = str(publication.account_id)
    if account_id not in post.written.accounts:
        raise Conflict("Its post no longer goes out on this account. Choose the account there, then plan the post.")
    here_alone = msgspec.structs.replace(post.written, accounts=(account_id,))
    account, content = (await fitting(caller, here_alone, when.due_at, backing))[publication.account_id]
    changes = dated(when, publication) | renewed(publication, when.due_at)
    changes |= {
        "content": as_bson(content),
        "prepare_at": preparing_begins(content, publication.platform, when.due_at),
        "state": State.PLANNED,
        "reason": None,
        "tries": 0,
    }

    async def body(session: AsyncClientSession) -> Publication:
        rows = await _planned(post, msgspec.structs.replace(when, lateness=publication.lateness), session)
        await Lane.exist([publication.account_id], session)
        await hold_new(post.workspace_id, [account], session)
        changed = await Publication.change(publication, changes, session, states=(State.CANCELLED,))
        if changed is None:
            raise _changed_just_now(publication)
        await announce([*rows, row(changed)], session)
        return changed

    return await backing.transaction(body)


async def _planned(post: Post, when: Plan, session: AsyncClientSession) -> list[Announcement]:
    """The post is planned, if it was a draft by then. Written to in any case, at the revision whose words are to go
    out, so that of two changes at once one sees the other."""
    if post.draft:
        planned = await post_changed(post, post.revision, {"draft": False, "plan": as_bson(when)}, session)
        return [post_row(planned, "post.changed")]
    same: Json = {"_id": post.id, "workspace_id": post.workspace_id, "revision": post.revision, "draft": False}
    seen = await Post.get_pymongo_collection().update_one(same, {"$set": {"updated_at": now()}}, session=session)
    if not seen.matched_count:
        raise _changed_just_now(post)
    return []


def _changed_just_now(what: Post | Publication) -> Conflict:
    return Conflict("It was changed just now. Look at it again.", id=str(what.id))
