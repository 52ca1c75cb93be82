"""What an account's login means for its publications: lost, they are held; back, they go on."""

from collections.abc import Sequence
from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession

from social.accounts.documents import Account
from social.accounts.tokens import mark_disconnected
from social.backing import Backing
from social.backing.mongo import as_bson
from social.errors import Disconnected, PlatformError
from social.moments import now
from social.outbox.documents import announce
from social.publishing.documents import Publication
from social.publishing.shown import row
from social.publishing.states import CHANGEABLE, PARTLY, Reason, State

Json = dict[str, Any]
LATE = "Its time passed while the account was disconnected. Send it now, or cancel it."
WHILE = "The account was disconnected then. Send the rest now, or leave it so."
LOST = Reason(code="disconnected", text="This account is disconnected. Connect it again, then this can go out.")


async def login_refused(account: Account | None, error: PlatformError, backing: Backing) -> None:
    """If `error` says that the login of `account`, as it was used, is dead, everything planned on it is held.

    It says nothing of a login made since: then what was held for the old one goes on.
    """
    if account is None or not isinstance(error, Disconnected):
        return
    lost = await mark_disconnected(account, error, backing) if account.state == "connected" else None
    if lost is not None:
        await account_lost(lost, backing)
        return
    present = await Account.get(account.id)
    if present is not None and present.state == "connected":
        await account_back(present, backing)


async def account_lost(account: Account, backing: Backing) -> None:
    """The account is disconnected: what was planned on it is held until it is back."""
    held = {"state": State.HELD, "next_at": None, "reason": as_bson(LOST)}
    states = [state for state in CHANGEABLE if state != State.HELD]
    for publication in await Publication.on_account(account.id, states):
        await _tell_if_changed(publication, held, states, backing)


async def account_back(account: Account, backing: Backing) -> None:
    """The account is connected again: what still lies ahead is planned as before, what is in doubt is looked for, and
    what has passed meanwhile, or stopped in the middle of a thread, asks the person."""
    for publication in await Publication.on_account(account.id, [State.HELD]):
        if publication.reason is None or publication.reason.code != "disconnected":
            continue
        if publication.ambiguous:
            changes: Json = {"state": State.UNCONFIRMED, "next_at": now(), "reason": None}
            if publication.refusal is not None and publication.refusal.kind == Disconnected.__name__:
                changes["refusal"] = None  # it was about the old login
        elif publication.due_at > now():
            changes = {
                "state": State.PLANNED,
                "next_at": publication.due_at,
                "prepare_at": publication.prepare_for(publication.due_at),
                "reason": None,
            }
        else:
            changes = {"state": State.HELD, "reason": as_bson(_passed(publication))}
        await _tell_if_changed(publication, changes, [State.HELD], backing)


def _passed(publication: Publication) -> Reason:
    if publication.partly_online:
        return Reason(code=PARTLY, text=f"{publication.progress.words}. {WHILE}")
    return Reason(code="late", text=LATE)


async def _tell_if_changed(publication: Publication, changes: Json, states: Sequence[State], backing: Backing) -> None:
    async def body(session: AsyncClientSession) -> None:
        changed = await Publication.change(publication, changes, session, states=states, in_doubt=None)
        if changed is not None:
            await announce([row(changed)], session)

    await backing.transaction(body)
