"""What people's changes to publications are made of: fields to write, and the words where it is too late for them."""

from datetime import datetime
from typing import Any

import msgspec
from pymongo.asynchronous.client_session import AsyncClientSession

from social.backing.mongo import as_bson
from social.errors import Conflict
from social.events import EventType
from social.moments import now
from social.outbox.documents import Announcement, Row
from social.people.lateness import Lateness
from social.posts.documents import Post
from social.posts.when import Plan
from social.publishing.documents import Publication
from social.publishing.facts import key_of, preparing_begins
from social.publishing.states import State

REVIVABLE = (State.FAILED, State.CANCELLED, State.MISSED)
Json = dict[str, Any]


def dated(when: Plan, publication: Publication, lateness: Lateness | None = None) -> Json:
    """The date's fields, and whether something must be prepared (again) for it. How late it may go out stays as it is,
    or becomes `lateness`; from when on it is too late is new in any case. It has all its lives again."""
    return not_later(lateness or publication.lateness, when.due_at) | {
        "wall": when.wall,
        "zone": when.zone,
        "fold": when.fold,
        "due_at": when.due_at,
        "next_at": when.due_at,
        "prepare_at": publication.prepare_for(when.due_at),
        "deaths": 0,
    }


def not_later(lateness: Lateness | None, due_at: datetime) -> Json:
    """The fields of how late something may go out that is due at `due_at`. None: whenever it can."""
    return {
        "lateness": as_bson(lateness) if lateness else None,
        "deadline": lateness.deadline(due_at) if lateness else None,
    }


def renewed(publication: Publication, at: datetime) -> Json:
    """A new revision, to go out `at` that instant: a new key, nothing prepared, no attempt and no death known. What is
    online of it stays so."""
    rev = publication.rev + 1
    fresh: Json = {
        "rev": rev,
        "key": key_of(publication.id, rev, publication.part),
        "prepared": {},
        "prepared_until": None,
        "prepare_at": preparing_begins(publication.content, publication.platform, at),
        "waits_since": None,
        "first_sent_at": None,
        "deaths": 0,
        "attempts_before": publication.attempt_no,
    }
    return fresh if publication.receipts else fresh | {"sent_at": None, "begun_at": None, "answered_at": None}


async def cancelled(publication: Publication, session: AsyncClientSession) -> Publication | None:
    """Takes it out. What is partly online is left so, which makes it online with a note. None if that is too late."""
    changes: Json = {"state": State.CANCELLED}
    if publication.partly_online:
        *before, last = publication.receipts
        note = f"Stopped after part {publication.progress.online} of {publication.progress.parts}."
        last = msgspec.structs.replace(last, notes=(*last.notes, note))
        changes = {"state": State.ONLINE, "receipts": [as_bson(each) for each in (*before, last)]}
    return await Publication.change(
        publication, changes | {"next_at": None, "prepare_at": None, "reason": None}, session
    )


def going_out(publication: Publication) -> Conflict:
    """Nothing can be changed: it is being sent, or may be online."""
    sentence = "It is going out right now and can no longer be changed."
    if publication.ambiguous and publication.state == State.HELD:
        sentence = "It may be online already. Say first whether it is there."
    return Conflict(sentence, publication_id=str(publication.id))


def partly_online(publication: Publication) -> Conflict:
    """Nothing can be changed: some of its parts are online."""
    sentence = f"{publication.progress.words}, so it can no longer be changed. Let the rest go out, or leave it so."
    return Conflict(sentence, publication_id=str(publication.id))


async def post_changed(post: Post, revision: int, changes: Json, session: AsyncClientSession) -> Post:
    """The post with `changes`, one revision on. Conflict if `revision` is not its present one."""
    found = await Post.get_pymongo_collection().find_one_and_update(
        {"_id": post.id, "workspace_id": post.workspace_id, "revision": revision},
        {"$set": changes | {"updated_at": now()}, "$inc": {"revision": 1}},
        return_document=True,
        session=session,
    )
    if found is None:
        raise Conflict("This post was changed elsewhere. Look at the newest version, then save again.", stale=True)
    changed: Post = Post.model_validate(found)
    return changed


def post_row(post: Post, type: EventType) -> Announcement:
    """The event that a post was created, changed or deleted."""
    return Row.about(
        workspace_id=post.workspace_id,
        type=type,
        post_id=str(post.id),
        data={"id": str(post.id), "revision": post.revision},
    )
