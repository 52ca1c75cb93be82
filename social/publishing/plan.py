"""What people do to posts, and so to their publications: plan, edit, cancel, delete.

Each is one transaction: the post, its publications, their lanes and the outbox's rows change together or not at all.
The condition on a publication's state stands in the write itself, so that nothing that is going out is ever changed.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from social.accounts.documents import Account
from social.backing import Backing
from social.backing.mongo import as_bson
from social.errors import Conflict, Forbidden, Invalid, Wrong
from social.media.documents import Media
from social.outbox.documents import announce
from social.people.documents import Workspace
from social.people.lateness import Lateness, sensible
from social.people.roles import Caller, Role, allowed
from social.platforms.contract import Content
from social.posts.documents import Post, Written
from social.posts.when import Plan, must_be_ahead
from social.publishing.changes import (
    REVIVABLE,
    cancelled,
    dated,
    going_out,
    not_later,
    partly_online,
    post_changed,
    post_row,
    renewed,
)
from social.publishing.conversions import stop_unneeded
from social.publishing.documents import Publication
from social.publishing.due import hint
from social.publishing.facts import key_of, preparing_begins
from social.publishing.fitting import fitting, known
from social.publishing.holds import hold_new
from social.publishing.lanes import Lane
from social.publishing.shown import row
from social.publishing.states import CHANGEABLE, FINAL, State

Json = dict[str, Any]


async def create(caller: Caller, written: Written, backing: Backing) -> Post:
    """A new draft. Invalid if it names accounts, media or platforms that are not there."""
    await known(caller, written)
    post = Post(
        workspace_id=caller.workspace_id,
        written=written,
        media_ids=_shown_files(written),
        author_id=caller.user_id,
        author_name=caller.name,
    )

    async def body(session: AsyncClientSession) -> None:
        await post.insert(session=session)
        await announce([post_row(post, "post.created")], session)

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
            raise _gone_out()
        await known(caller, written)  # it failed everywhere: written anew it is a draft, to be planned again
        return await _changed(post, revision, _writing(written) | {"draft": True, "plan": None}, {}, backing)
    contents = await fitting(caller, written, post.plan.due_at, backing)
    return await _changed(post, revision, _writing(written), contents, backing)


async def plan(caller: Caller, post_id: str, revision: int, when: Plan, backing: Backing) -> Post:
    """Gives a post its date, or another one: one publication per account, content frozen inside. Accepted is durable.

    Invalid lists everything that keeps it from any of its accounts, at once. Conflict as in `save`.
    """
    post = await writable(caller, post_id)
    must_be_ahead(when, backing.now())
    if when.lateness:
        sensible(when.lateness)
    contents = await fitting(caller, post.written, when.due_at, backing)
    await _kept_words(caller, post.written, backing)
    planned = await _changed(post, revision, {"plan": as_bson(when), "draft": False}, contents, backing, to=when)
    await hint(when.due_at, backing)
    return planned


async def _kept_words(caller: Caller, written: Written, backing: Backing) -> None:
    """What a post says for those who cannot see a file stays with the file, if nobody has said anything of it yet: the
    next post begins with it."""
    said = {each.id: each.alt for _, each in written.attached() if each.alt}
    if said:
        silent = {"_id": {"$in": [PydanticObjectId(id) for id in said]}, "alt": ""}
        for file in await Media.of(caller, silent).to_list():
            await file.describe(backing, alt=said[str(file.id)])


async def cancel(caller: Caller, post_id: str, revision: int, backing: Backing) -> Post:
    """Takes the date away from everything that is not going out yet. A post of which nothing is out is a draft again;
    what is partly online is left so.

    Conflict if there is nothing left to cancel, or the revision is stale.
    """
    post = await writable(caller, post_id)
    before: list[Content] = []

    async def body(session: AsyncClientSession) -> Post:
        publications = await Publication.of_post(caller, post.id, session)
        before[:] = [each.content for each in publications]
        changed = [await cancelled(each, session) for each in publications]
        if publications and not any(changed):
            raise Conflict("It is going out or already gone; there is nothing left to cancel.")
        present = [after or before for after, before in zip(changed, publications, strict=True)]
        nothing_left = all(each.state == State.CANCELLED for each in present)
        left = await post_changed(post, revision, {"draft": True, "plan": None} if nothing_left else {}, session)
        await announce([post_row(left, "post.changed"), *(row(each) for each in changed if each)], session)
        return left

    left = await backing.transaction(body)
    await stop_unneeded(post.workspace_id, before)
    return left


async def delete(caller: Caller, post_id: str, revision: int, backing: Backing) -> None:
    """Removes a post that was never online, with its publications. Conflict if any of it is online or going out."""
    post = await writable(caller, post_id)
    before: list[Content] = []

    async def body(session: AsyncClientSession) -> None:
        publications = await Publication.of_post(caller, post.id, session)
        before[:] = [each.content for each in publications]
        for publication in publications:
            if publication.receipts:
                raise Conflict("Part of it is online. Its history is kept, so it cannot be deleted here.")
            gone = await Publication.change(
                publication, {"state": State.CANCELLED, "next_at": None}, session, states=(*CHANGEABLE, *REVIVABLE)
            )
            if gone is None:
                raise going_out(publication)
        await post_changed(post, revision, {}, session)
        await Publication.forget(post.id, caller, session)
        await post.forget(session)
        await announce([post_row(post, "post.deleted")], session)

    await backing.transaction(body)
    await stop_unneeded(post.workspace_id, before)


async def writable(caller: Caller, post_id: str) -> Post:
    """The post, if the caller may change it: editors everybody's, authors their own. NotFound, Forbidden."""
    post = await Post.found(caller, post_id)
    may_change(caller, post)
    return post


def may_change(caller: Caller, post: Post) -> None:
    """Forbidden unless the caller may change `post`, which is of the caller's workspace."""
    if not allowed(caller, Role.EDITOR) and post.author_id != caller.user_id:
        raise Forbidden("Only its author and the workspace's editors can change this post.")


# What a change is made of


def _gone_out() -> Conflict:
    return Conflict("This post has gone out and can no longer be edited. Make a copy to write it anew.")


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
    Without it only words change: each publication keeps its own date, and what has ended stays ended, until somebody
    tries it again.
    """
    before: list[Content] = []

    async def body(session: AsyncClientSession) -> Post:
        changed = await post_changed(post, revision, changes, session)
        present = await Publication.find(
            {"workspace_id": post.workspace_id, "post_id": post.id}, session=session
        ).to_list()
        before[:] = [each.content for each in present]
        if changes.get("draft") and any(each.state not in FINAL for each in present):
            raise Conflict("It was tried again just now. Look at it again, then save.", stale=True)
        states = {each.state for each in present}
        if to is None and contents and states <= set(FINAL) and State.ONLINE in states:
            raise _gone_out()  # a moment ago
        if to is None and contents and (begun := next((each for each in present if each.partly_online), None)):
            raise partly_online(begun)
        there = {publication.account_id: publication for publication in present}
        await Lane.exist(list(contents), session)
        await hold_new(post.workspace_id, [account for account, _ in contents.values()], session)
        date = to or post.plan
        lateness = (date and date.lateness) or await Workspace.lateness_of(post.workspace_id, session)
        told = [
            await _followed(changed, account, content, there.get(account.id), to, lateness, backing.now(), session)
            for account, content in contents.values()
        ]
        if contents:
            gone = [each for each in present if each.account_id not in contents and not each.partly_online]
            told += [await cancelled(each, session) for each in gone]
        await announce([post_row(changed, "post.changed"), *(row(each) for each in told if each)], session)
        return changed

    changed = await backing.transaction(body)
    await stop_unneeded(post.workspace_id, before)
    return changed


async def _followed(
    post: Post,
    account: Account,
    content: Content,
    publication: Publication | None,
    to: Plan | None,
    lateness: Lateness,
    present: datetime,
    session: AsyncClientSession,
) -> Publication | None:
    """One account's publication after its post has changed; None if it stays as it is."""
    if publication is None:
        when = to or post.plan
        if when is None or (to is None and when.due_at < present):
            detail = "Its time has passed. Plan the post anew to send it here too."
            raise Invalid("This account was added too late.", [Wrong("/accounts", detail, "past")])
        return await _inserted(post, account, content, when, lateness, session)
    if publication.receipts:
        return None
    ended = publication.state in REVIVABLE
    changes = _redated(publication, to, lateness) if to else {}
    if ended and not to:
        changes = {"content": as_bson(content)} if content != publication.content else {}
    elif content != publication.content or ended:
        due_at = to.due_at if to else publication.due_at
        changes |= renewed(publication, due_at) | {
            "content": as_bson(content),
            "prepare_at": preparing_begins(content, publication.platform, due_at),
        }
        if publication.state != State.HELD or to:  # what a person has to release stays with them
            changes |= {"state": State.PLANNED, "next_at": due_at, "reason": None, "tries": 0}
    if not changes:
        return None
    changed = await Publication.change(publication, changes, session, states=(*CHANGEABLE, *REVIVABLE))
    if changed is None:
        raise going_out(publication)
    return changed


def _redated(publication: Publication, to: Plan, lateness: Lateness) -> Json:
    """The new date's fields; where it is the same, only how late it may be, if that is another."""
    if (to.due_at, to.zone) == (publication.due_at, publication.zone) and publication.state in {
        State.PLANNED,
        State.PREPARING,
        State.PREPARED,
    }:
        return {} if lateness == publication.lateness else not_later(lateness, to.due_at)
    return dated(to, publication, lateness) | {"state": State.PLANNED, "reason": None, "tries": 0}


async def _inserted(
    post: Post, account: Account, content: Content, when: Plan, lateness: Lateness, session: AsyncClientSession
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
        key=key_of(id, 1),
        wall=when.wall,
        zone=when.zone,
        fold=when.fold,
        due_at=when.due_at,
        deadline=lateness.deadline(when.due_at),
        lateness=lateness,
        next_at=when.due_at,
        prepare_at=preparing_begins(content, account.platform, when.due_at),
    )
    await publication.insert(session=session)
    return publication


def _writing(written: Written) -> Json:
    return {"written": as_bson(written), "media_ids": _shown_files(written)}


def _shown_files(written: Written) -> list[PydanticObjectId]:
    return [PydanticObjectId(id) for id in dict.fromkeys(id for _, id in written.files())]
