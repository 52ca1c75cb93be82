"""What people do to publications: plan, edit, move, cancel, try again, say what became of one.

Each is one transaction: the post, its publications, their lanes and the outbox's rows change together or not at all.
The condition on a publication's state stands in the write itself, so that nothing that is going out is ever changed.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from social.accounts.documents import Account
from social.backing import Backing
from social.backing.mongo import as_bson
from social.errors import Conflict, Forbidden, Invalid, Wrong
from social.moments import now
from social.outbox.documents import Row, announce
from social.people.roles import Caller, Role, allowed
from social.platforms.contract import Content, Receipt
from social.posts.documents import Post, Written
from social.posts.when import Plan, at_the_instant, must_be_ahead
from social.publishing.documents import Publication, preparing_begins
from social.publishing.due import hint
from social.publishing.fitting import fitting, known
from social.publishing.lanes import Lane
from social.publishing.send import went_out
from social.publishing.shown import row
from social.publishing.states import CHANGEABLE, FINAL, GOING_OUT, State

KEYS = uuid.UUID("7f0c6f5e-6a0e-4b57-9a4d-3a1f6f2b8f10")  # namespace of idempotency keys
REVIVABLE = (State.FAILED, State.CANCELLED, State.MISSED)
Json = dict[str, Any]


async def create(caller: Caller, written: Written, backing: Backing) -> Post:
    """A new draft. Invalid if it names accounts, media or platforms that are not there."""
    await known(caller, written)
    post = Post(
        workspace_id=caller.workspace_id,
        written=written,
        media_ids=[PydanticObjectId(attached.id) for attached in written.media],
        author_id=caller.user_id,
        author_name=caller.name,
    )

    async def body(session: AsyncClientSession) -> None:
        await post.insert(session=session)
        await announce([_post_row(post, "post.created")], session)

    await backing.transaction(body)
    return post


async def save(caller: Caller, post_id: str, revision: int, written: Written, backing: Backing) -> Post:
    """Changes what was written. A planned post stays planned, with its publications' content renewed.

    Conflict if somebody saved since `revision`, or if part of it is going out or all of it is final; Invalid if a
    planned post would no longer fit.
    """
    post = await writable(caller, post_id)
    if post.draft or post.plan is None:
        await known(caller, written)
        return await _changed(post, revision, _writing(written), {}, backing)
    states = {each.state for each in await Publication.of_post(caller, post.id)}
    if states <= set(FINAL):
        if State.ONLINE in states:
            raise Conflict("This post has gone out and can no longer be edited. Make a copy to write it anew.")
        await known(caller, written)  # it failed everywhere: written anew it is a draft, to be planned again
        return await _changed(post, revision, _writing(written) | {"draft": True, "plan": None}, {}, backing)
    contents = await fitting(caller, written)
    return await _changed(post, revision, _writing(written), contents, backing)


async def plan(caller: Caller, post_id: str, revision: int, when: Plan, backing: Backing) -> Post:
    """Gives a post its date, or another one: one publication per account, content frozen inside. Accepted is durable.

    Invalid lists everything that keeps it from any of its accounts, at once. Conflict as in `save`.
    """
    post = await writable(caller, post_id)
    must_be_ahead(when, now())
    contents = await fitting(caller, post.written)
    planned = await _changed(post, revision, {"plan": as_bson(when), "draft": False}, contents, backing, to=when)
    await hint(when.due_at, backing)
    return planned


async def cancel(caller: Caller, post_id: str, revision: int, backing: Backing) -> Post:
    """Takes the date away from everything that is not going out yet. A post of which nothing is out is a draft again.

    Conflict if there is nothing left to cancel, or the revision is stale.
    """
    post = await writable(caller, post_id)

    async def body(session: AsyncClientSession) -> Post:
        publications = await Publication.of_post(caller, post.id, session)
        cancelled = [await _cancelled(each, session) for each in publications]
        if publications and not any(cancelled):
            raise Conflict("It is going out or already gone; there is nothing left to cancel.")
        left = [
            each
            for each, gone in zip(publications, cancelled, strict=True)
            if gone is None and each.state != State.CANCELLED
        ]
        changes = {} if left else {"draft": True, "plan": None}
        changed = await _post_changed(post, revision, changes, session)
        await announce([_post_row(changed, "post.changed"), *(row(each) for each in cancelled if each)], session)
        return changed

    return await backing.transaction(body)


async def delete(caller: Caller, post_id: str, revision: int, backing: Backing) -> None:
    """Removes a post that was never online, with its publications. Conflict if part of it is online or going out."""
    post = await writable(caller, post_id)

    async def body(session: AsyncClientSession) -> None:
        for publication in await Publication.of_post(caller, post.id, session):
            if publication.state == State.ONLINE:
                raise Conflict("Part of it is online. Its history is kept, so it cannot be deleted here.")
            gone = await Publication.change(
                publication, {"state": State.CANCELLED, "next_at": None}, session, states=(*CHANGEABLE, *REVIVABLE)
            )
            if gone is None:
                raise _going_out(publication)
        await _post_changed(post, revision, {}, session)
        await Publication.forget(post.id, caller, session)
        await post.forget(session)
        await announce([_post_row(post, "post.deleted")], session)

    await backing.transaction(body)


async def move(caller: Caller, publication_id: str, when: Plan, backing: Backing) -> Publication:
    """Another date for one publication. Its content and revision stay. Conflict if it is going out or final."""
    must_be_ahead(when, now())
    publication = await _writable_publication(caller, publication_id)
    if publication.state not in CHANGEABLE:
        raise (
            _going_out(publication)
            if publication.state in GOING_OUT
            else Conflict("It is no longer planned. Plan its post again.")
        )
    changes = _dated(when, publication) | {"state": State.PLANNED, "reason": None, "tries": 0}
    moved = await _change_and_tell(publication, changes, CHANGEABLE, backing)
    await hint(when.due_at, backing)
    return moved


async def cancel_one(caller: Caller, publication_id: str, backing: Backing) -> Publication:
    """Takes one publication out; a post of which nothing is left is a draft again.

    Conflict if it is going out or already gone.
    """
    publication = await _writable_publication(caller, publication_id)

    async def body(session: AsyncClientSession) -> Publication:
        cancelled = await _cancelled(publication, session)
        if cancelled is None:
            raise _going_out(publication)
        rows = [row(cancelled)]
        left = await Publication.of_post(caller, publication.post_id, session)
        if all(each.state == State.CANCELLED for each in left):
            post = await Post.found(caller, str(publication.post_id), session)
            changed = await _post_changed(post, post.revision, {"draft": True, "plan": None}, session)
            rows.append(_post_row(changed, "post.changed"))
        await announce(rows, session)
        return cancelled

    return await backing.transaction(body)


async def again(caller: Caller, publication_id: str, backing: Backing) -> Publication:
    """Tries now what waits, is held, failed, was missed or cancelled. What is in doubt is looked for first.

    What had ended gets a new revision and a new key at the platform. Conflict for what is planned, going out or online,
    and where the post is a draft again: its words may have changed since.
    """
    publication = await _writable_publication(caller, publication_id)
    if publication.ambiguous and publication.state in (State.HELD, State.WAITING, State.UNCONFIRMED):
        changes: Json = {"state": State.UNCONFIRMED, "next_at": now()}
        return await _change_and_tell(publication, changes, (publication.state,), backing, in_doubt=True)
    if publication.state not in (State.WAITING, State.HELD, *REVIVABLE):
        raise Conflict("There is nothing to try again: it is planned, going out or online.", state=publication.state)
    changes = {"state": State.PLANNED, "reason": None, "tries": 0}
    if publication.state in REVIVABLE:
        changes |= _dated(at_the_instant(now(), publication.zone), publication) | _renewed(publication)
    else:
        at = max(now(), publication.due_at)  # one that was held before its time still waits for it
        changes |= {"next_at": at, "prepare_at": now() if publication.prepare_at else publication.prepare_for(at)}
    tried = await _change_and_tell(publication, changes, (publication.state,), backing)
    await hint(now(), backing)
    return tried


async def verdict(
    caller: Caller, publication_id: str, *, is_there: bool, url: str | None, backing: Backing
) -> Publication:
    """The person looked: it is there (online, on their word), or it is not (sent again as a new revision).

    Conflict where there is no doubt, and for "it is not" while we are still checking.
    """
    publication = await _writable_publication(caller, publication_id)
    if not publication.ambiguous or publication.state not in (State.HELD, State.UNCONFIRMED):
        raise Conflict("There is no doubt about this one.", state=publication.state)
    if is_there:
        await went_out(publication, Receipt(id=url or "", url=url, evidence="person"), backing)
        return await Publication.found(caller, publication_id)
    if publication.state != State.HELD:  # the first one may still land: two keys would make two posts
        raise Conflict("We are still checking this ourselves. Wait until we ask you.", state=publication.state)
    changes = _dated(at_the_instant(now(), publication.zone), publication) | _renewed(publication)
    changes |= {"state": State.PLANNED, "reason": None, "tries": 0, "ambiguous": False, "refusal": None}
    sent_again = await _change_and_tell(publication, changes, (publication.state,), backing, in_doubt=True)
    await hint(now(), backing)
    return sent_again


async def writable(caller: Caller, post_id: str) -> Post:
    """The post, if the caller may change it: editors everybody's, authors their own. NotFound, Forbidden."""
    post = await Post.found(caller, post_id)
    if not allowed(caller, Role.EDITOR) and post.author_id != caller.user_id:
        raise Forbidden("Only its author and the workspace's editors can change this post.")
    return post


# What a change is made of


async def _changed(
    post: Post,
    revision: int,
    changes: Json,
    contents: Mapping[ObjectId, tuple[Account, Content]],
    backing: Backing,
    *,
    to: Plan | None = None,
) -> Post:
    """The post's change and what follows for its publications, in one transaction.

    `to` is the date that was asked for: it goes to all accounts, also where it had been cancelled or had failed.
    Without it only what will be sent changes: each publication keeps its own date, and what has ended stays ended.
    """

    async def body(session: AsyncClientSession) -> Post:
        changed = await _post_changed(post, revision, changes, session)
        present = await Publication.find(
            {"workspace_id": post.workspace_id, "post_id": post.id}, session=session
        ).to_list()
        if changes.get("draft") and any(each.state not in FINAL for each in present):
            raise Conflict("It was tried again just now. Look at it again, then save.", stale=True)
        there = {publication.account_id: publication for publication in present}
        await Lane.exist(list(contents), session)
        told = [
            await _followed(changed, account, content, there.get(account.id), to, session)
            for account, content in contents.values()
        ]
        if contents:
            told += [await _cancelled(each, session) for each in present if each.account_id not in contents]
        await announce([_post_row(changed, "post.changed"), *(row(each) for each in told if each)], session)
        return changed

    return await backing.transaction(body)


async def _followed(
    post: Post,
    account: Account,
    content: Content,
    publication: Publication | None,
    to: Plan | None,
    session: AsyncClientSession,
) -> Publication | None:
    """One account's publication after its post has changed; None if it stays as it is."""
    if publication is None:
        when = to or post.plan
        if when is None or (to is None and when.due_at < now()):
            detail = "Its time has passed. Plan the post anew to send it here too."
            raise Invalid("This account was added too late.", [Wrong("/accounts", detail, "past")])
        return await _inserted(post, account, content, when, session)
    if publication.state == State.ONLINE or (to is None and publication.state in REVIVABLE):
        return None
    changes = _redated(publication, to) if to else {}
    if content != publication.content or publication.state in REVIVABLE:
        due_at = to.due_at if to else publication.due_at
        changes |= _renewed(publication) | {
            "content": as_bson(content),
            "prepare_at": preparing_begins(content, publication.platform, due_at),
        }
        if publication.state != State.HELD or to:  # what a person has to release stays with them
            changes |= {"state": State.PLANNED, "next_at": due_at, "reason": None, "tries": 0}
    if not changes:
        return None
    changed = await Publication.change(publication, changes, session, states=(*CHANGEABLE, *REVIVABLE))
    if changed is None:
        raise _going_out(publication)
    return changed


def _redated(publication: Publication, to: Plan) -> Json:
    """The new date's fields; nothing where it is the same, and nothing else changes either."""
    if (to.due_at, to.zone) == (publication.due_at, publication.zone) and publication.state in {
        State.PLANNED,
        State.PREPARING,
        State.PREPARED,
    }:
        return {}
    return _dated(to, publication) | {"state": State.PLANNED, "reason": None, "tries": 0}


async def _post_changed(post: Post, revision: int, changes: Json, session: AsyncClientSession) -> Post:
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


async def _inserted(
    post: Post, account: Account, content: Content, when: Plan, session: AsyncClientSession
) -> Publication:
    id = PydanticObjectId()
    publication = Publication(
        id=id,
        workspace_id=post.workspace_id,
        post_id=post.id,
        account_id=account.id,
        platform=account.platform,
        realm=account.realm,
        content=content,
        key=_key(id, 1),
        wall=when.wall,
        zone=when.zone,
        fold=when.fold,
        due_at=when.due_at,
        next_at=when.due_at,
        prepare_at=preparing_begins(content, account.platform, when.due_at),
    )
    await publication.insert(session=session)
    return publication


async def _cancelled(publication: Publication, session: AsyncClientSession) -> Publication | None:
    changes = {"state": State.CANCELLED, "next_at": None, "prepare_at": None, "reason": None}
    return await Publication.change(publication, changes, session)


async def _change_and_tell(
    publication: Publication, changes: Json, states: tuple[State, ...], backing: Backing, *, in_doubt: bool = False
) -> Publication:
    async def body(session: AsyncClientSession) -> Publication:
        if publication.state in REVIVABLE:
            await _still_planned(publication, session)
        changed = await Publication.change(publication, changes, session, states=states, in_doubt=in_doubt)
        if changed is None:
            raise Conflict(
                "It was changed just now, or is going out. Look at it again.", publication_id=str(publication.id)
            )
        await announce([row(changed)], session)
        return changed

    return await backing.transaction(body)


async def _still_planned(publication: Publication, session: AsyncClientSession) -> None:
    """Conflict if its post is a draft. Writes to the post, so that of two changes at once one sees the other."""
    planned = {"_id": publication.post_id, "workspace_id": publication.workspace_id, "draft": False}
    seen = await Post.get_pymongo_collection().update_one(planned, {"$set": {"updated_at": now()}}, session=session)
    if not seen.matched_count:
        raise Conflict("Its post is a draft again. Plan the post to send it.", state=publication.state)


async def _writable_publication(caller: Caller, publication_id: str) -> Publication:
    publication = await Publication.found(caller, publication_id)
    await writable(caller, str(publication.post_id))
    return publication


def _dated(when: Plan, publication: Publication) -> Json:
    """The date's fields, and whether something must be prepared (again) for it."""
    return {
        "wall": when.wall,
        "zone": when.zone,
        "fold": when.fold,
        "due_at": when.due_at,
        "next_at": when.due_at,
        "prepare_at": publication.prepare_for(when.due_at),
    }


def _renewed(publication: Publication) -> Json:
    """A new revision: a new key, nothing prepared, no attempt known."""
    rev = publication.rev + 1
    return {
        "rev": rev,
        "key": _key(publication.id, rev),
        "prepared": {},
        "prepared_until": None,
        "prepare_at": now() if publication.content.media else None,
        "first_sent_at": None,
        "sent_at": None,
        "answered_at": None,
    }


def _key(id: PydanticObjectId | ObjectId | None, rev: int) -> str:
    return str(uuid.uuid5(KEYS, f"{id}:{rev}"))


def _writing(written: Written) -> Json:
    return {"written": as_bson(written), "media_ids": [ObjectId(attached.id) for attached in written.media]}


def _going_out(publication: Publication) -> Conflict:
    sentence = "It is going out right now and can no longer be changed."
    if publication.ambiguous and publication.state == State.HELD:
        sentence = "It may be online already. Say first whether it is there."
    return Conflict(sentence, publication_id=str(publication.id))


def _post_row(post: Post, type: Any) -> Row:
    return Row.about(
        workspace_id=post.workspace_id,
        type=type,
        post_id=str(post.id),
        data={"id": str(post.id), "revision": post.revision},
    )
