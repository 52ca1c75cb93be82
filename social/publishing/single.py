"""What people do to one publication: move, cancel, try again, say what became of it.

Each is one transaction, with the condition on the publication's state in the write itself, as in `plan.py`.
"""

from datetime import datetime, timedelta
from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession

from social.accounts.documents import Account
from social.backing import Backing
from social.backing.mongo import as_bson
from social.errors import Conflict, RetryLater
from social.moments import now
from social.outbox.documents import announce
from social.people.roles import Caller
from social.platforms.contract import Receipt
from social.posts.documents import Post
from social.posts.when import Plan, at_the_instant, must_be_ahead
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
from social.publishing.findings import Finding
from social.publishing.plan import writable
from social.publishing.send import went_out
from social.publishing.shown import row
from social.publishing.states import CHANGEABLE, GOING_OUT, PARTLY, State, on_a_persons_word, on_with, one_by_one
from social.publishing.taken_back import take_back

Json = dict[str, Any]


async def move(caller: Caller, publication_id: str, when: Plan, backing: Backing) -> Publication:
    """Another date for one publication. Its content and revision stay. What was cancelled is planned again.

    Invalid for a time that has passed. Conflict if it is going out, partly online or has ended in another way.
    """
    must_be_ahead(when, backing.now())
    publication = await _writable(caller, publication_id)
    if publication.state in GOING_OUT:
        raise going_out(publication)
    if publication.partly_online:
        raise partly_online(publication)
    if publication.state == State.CANCELLED:
        moved = await take_back(caller, publication, when, backing)
    elif publication.state in CHANGEABLE:
        changes = dated(when, publication) | {"state": State.PLANNED, "reason": None, "tries": 0}
        moved = await _change_and_tell(publication, changes, CHANGEABLE, backing)
    else:
        raise Conflict("It is no longer planned. Plan its post again.")
    await hint(when.due_at, backing)
    return moved


async def cancel(caller: Caller, publication_id: str, backing: Backing) -> Publication:
    """Takes one publication out; a post of which nothing is left is a draft again. What is partly online is left so.

    Conflict if it is going out or already gone.
    """
    return await take_out(caller, await _writable(caller, publication_id), backing)


async def take_out(caller: Caller, publication: Publication, backing: Backing) -> Publication:
    """As `cancel`, of one that the caller may change."""

    async def body(session: AsyncClientSession) -> Publication:
        # Of two at once one sees what the other has taken out, so that the last one makes the post a draft.
        await _touched(publication, session)
        changed = await cancelled(publication, session)
        if changed is None:
            raise going_out(publication)
        rows = [row(changed)]
        left = await Publication.of_post(caller, publication.post_id, session)
        if all(each.state == State.CANCELLED for each in left):
            post = await Post.found(caller, str(publication.post_id), session)
            draft = await post_changed(post, post.revision, {"draft": True, "plan": None}, session)
            rows.append(post_row(draft, "post.changed"))
        await announce(rows, session)
        return changed

    taken_out = await backing.transaction(body)
    await stop_unneeded(publication.workspace_id, [publication.content])
    return taken_out


async def again(caller: Caller, publication_id: str, backing: Backing) -> Publication:
    """Tries now what waits, is held, failed, was missed or cancelled; of a thread the part whose turn it is. What is in
    doubt is looked for first.

    What had ended gets a new revision and a new key at the platform. Conflict for what is planned, going out or online,
    and where the post is a draft again: its words may have changed since.
    """
    return await try_now(await _writable(caller, publication_id), backing)


async def try_now(publication: Publication, backing: Backing, *, after: timedelta = timedelta()) -> Publication:
    """As `again`, of one that the caller may change: so long `after` now, where it is one of several."""
    if publication.ambiguous and publication.state in (State.HELD, State.WAITING, State.UNCONFIRMED):
        changes: Json = {"state": State.UNCONFIRMED, "next_at": backing.now(), "deaths": 0}
        return await _change_and_tell(publication, changes, (publication.state,), backing, in_doubt=True)
    if publication.state not in (State.WAITING, State.HELD, *REVIVABLE):
        raise Conflict("There is nothing to try again: it is planned, going out or online.", state=publication.state)
    if publication.partly_online and publication.receipts[-1].evidence == "person":
        sentence = publication.reason.text if publication.reason else "The rest cannot be attached to what is online."
        raise Conflict(sentence, publication_id=str(publication.id))
    ended = publication.state in REVIVABLE or (publication.reason is not None and publication.reason.code == PARTLY)
    present = backing.now()
    at = present + after
    changes = _sent_again(publication, at) if ended else _at_once(publication, at, present)
    if after:
        changes["reason"] = as_bson(one_by_one(at))
    tried = await _change_and_tell(publication, changes, (publication.state,), backing)
    await hint(backing.now(), backing)
    return tried


async def verdict(
    caller: Caller, publication_id: str, *, is_there: bool, url: str | None, backing: Backing
) -> Publication:
    """The person looked: it is there (online, on their word), or it is not (sent again as a new revision). Of a thread
    that is said of the part in doubt; one after which more should come is held, for only its id could be replied to.

    Conflict where there is no doubt, and for "it is not" while we are still checking.
    """
    publication = await _writable(caller, publication_id)
    if not publication.ambiguous or publication.state not in (State.HELD, State.UNCONFIRMED):
        raise Conflict("There is no doubt about this one.", state=publication.state)
    changes: Json = {"ambiguous": False, "refusal": None}
    fact = await _written_down(publication, backing)
    if fact is not None:
        await went_out(publication, fact, backing)
        return await Publication.found(caller, publication_id)
    if is_there:
        changes |= _there(publication, Receipt(id=url or "", url=url, evidence="person"), backing.now())
    elif _may_still_arrive(publication, backing):
        text = "It was sent only a moment ago and may still arrive. Look again in a minute, then say so."
        raise Conflict(text, state=publication.state)
    elif publication.state == State.HELD:
        # It counts as a repeat: the platform may know better than the person, and say that it has this already.
        changes |= _sent_again(publication, backing.now()) | {"attempts_before": publication.attempts_before}
    else:  # the first one may still land: two keys would make two posts
        raise _still_checking(publication)
    changed = await _change_and_tell(publication, changes, (publication.state,), backing, in_doubt=True)
    await hint(backing.now(), backing)
    return changed


async def _written_down(publication: Publication, backing: Backing) -> Receipt | None:
    """The answer, where it had come before its process died. Conflict while it is open whose it is."""
    try:
        account = await Account.readable(publication.account_id)
        return await Finding.written_down(publication, account.origin if account else "", at=backing.now())
    except RetryLater as error:
        raise _still_checking(publication) from error


def _may_still_arrive(publication: Publication, backing: Backing) -> bool:
    """Whether what was armed may be handed over yet, or be on its way: under a new key it would be there twice. It is
    held so soon where a hold came, or the login was lost, before a look could prove that it is absent."""
    lease = backing.settings.times.timedelta("lease")
    return publication.sent_at is not None and publication.sent_at + lease > backing.now()


def _still_checking(publication: Publication) -> Conflict:
    return Conflict("We are still checking this ourselves. Wait until we ask you.", state=publication.state)


def _sent_again(publication: Publication, at: datetime) -> Json:
    """At that instant under a new key: all of it, or the part whose turn it is and what follows."""
    if publication.partly_online:
        return renewed(publication, at) | _its_turn(publication, at)
    planned = {"state": State.PLANNED, "reason": None, "tries": 0}
    return dated(at_the_instant(at, publication.zone), publication) | renewed(publication, at) | planned


def _at_once(publication: Publication, at: datetime, present: datetime) -> Json:
    """What it waits for is not waited for; one that was held before its time still waits for that. From then on it has
    as long again until it is too late."""
    at = max(at, publication.due_at)
    changes: Json = not_later(publication.lateness, at) | {
        "state": State.PLANNED,
        "reason": None,
        "tries": 0,
        "deaths": 0,
        "next_at": at,
        "prepare_at": present if publication.prepare_at else publication.prepare_for(at),
    }
    return changes | _its_turn(publication, at) if publication.partly_online else changes


def _its_turn(publication: Publication, at: datetime) -> Json:
    return publication.after(on_with(publication.progress, now=at), at) | {"tries": 0}


def _there(publication: Publication, receipt: Receipt, at: datetime) -> Json:
    """The receipt's fields, and the end; or for a part that others follow, that a person must decide."""
    ended = publication.after(on_a_persons_word(publication.progress), at)
    return ended | publication.turn_passes(receipt) | {"answered_at": at, "prepare_at": None}


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


async def _touched(publication: Publication, session: AsyncClientSession) -> None:
    """Writes to the post, so that of two changes at once one sees the other."""
    its = {"_id": publication.post_id, "workspace_id": publication.workspace_id}
    await Post.get_pymongo_collection().update_one(its, {"$set": {"updated_at": now()}}, session=session)


async def _still_planned(publication: Publication, session: AsyncClientSession) -> None:
    """Conflict if its post is a draft. Writes to the post, so that of two changes at once one sees the other."""
    planned = {"_id": publication.post_id, "workspace_id": publication.workspace_id, "draft": False}
    seen = await Post.get_pymongo_collection().update_one(planned, {"$set": {"updated_at": now()}}, session=session)
    if not seen.matched_count:
        raise Conflict("Its post is a draft again. Plan the post to send it.", state=publication.state)


async def _writable(caller: Caller, publication_id: str) -> Publication:
    publication = await Publication.found(caller, publication_id)
    await writable(caller, str(publication.post_id))
    return publication
