"""What an account's login means for its publications: lost, they are held; back, they go on."""

from datetime import datetime, timedelta
from typing import Any

from social.accounts.documents import Account
from social.accounts.tokens import mark_disconnected
from social.backing import Backing
from social.backing.mongo import as_bson
from social.errors import Disconnected, PlatformError
from social.moments import now
from social.publishing.documents import Publication
from social.publishing.keeping import keep_back, let_go
from social.publishing.states import PARTLY, Reason, State

Json = dict[str, Any]
LATELY = timedelta(hours=1)
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
    await keep_back([account.id], LOST, backing)


async def account_back(account: Account, backing: Backing) -> None:
    """The account is connected again: what still lies ahead is planned as before, what is in doubt is looked for, and
    what has passed meanwhile, or stopped in the middle of a thread, asks the person."""
    await let_go([account.id], LOST.code, lambda each: _after(each, backing.now()), backing)


async def all_back(backing: Backing) -> None:
    """The same for accounts that were connected lately: whoever connected one may have ended before that was done, and
    the person has done all that was asked of them."""
    lately = {"$gte": now() - LATELY}
    connected: Json = {"state": "connected", "limits_read_at": lately, "connected_at": lately}
    for account in await Account.listed(connected).to_list():
        await account_back(account, backing)


def _after(publication: Publication, at: datetime) -> tuple[str, Json]:
    if publication.ambiguous:
        doubted: Json = {"state": State.UNCONFIRMED, "next_at": at, "reason": None}
        of_the_login = publication.refusal is not None and publication.refusal.kind == Disconnected.__name__
        return "checking", doubted | ({"refusal": None} if of_the_login else {})  # it was about the old one
    if publication.due_at > at:
        prepare_at = publication.prepare_for(publication.due_at)
        again: Json = {"state": State.PLANNED, "next_at": publication.due_at, "prepare_at": prepare_at, "reason": None}
        return "planned", again
    return "late", {"reason": as_bson(_passed(publication))}


def _passed(publication: Publication) -> Reason:
    if publication.partly_online:
        return Reason(code=PARTLY, text=f"{publication.progress.words}. {WHILE}")
    return Reason(code="late", text=LATE)
