"""What becomes of an account we were let into: linked, or given back. And parting from a linked one."""

from contextlib import suppress

from beanie import PydanticObjectId
from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from social.accounts.documents import Account, Reason, SealedApp
from social.accounts.pending import FoundAccount
from social.accounts.renewal import give_back
from social.accounts.tokens import changed
from social.backing import Backing
from social.backing.vault import Unsealable
from social.errors import Conflict, NotFound
from social.moments import now
from social.outbox.documents import Row, announce
from social.people.roles import Caller

NOBODY = PydanticObjectId("0" * 24)


async def link(caller: Caller, found_id: str, backing: Backing) -> Account:
    """Links what the caller found. An account that was connected before stays itself, with all its posts.

    NotFound if the caller's session found no such thing in this workspace, or longer than ten minutes ago.
    """
    id = _id(found_id)
    for _ in range(2):  # the second time, if somebody linked the same one in the same moment
        with suppress(DuplicateKeyError):
            account = await _linked(caller, id, backing)
            backing.announced.set()
            return account
    raise Conflict("This account was connected by somebody else in the same moment. Look again.")


async def drop(caller: Caller, found_id: str, backing: Backing) -> None:
    """Gives the permission back instead. NotFound as with `link`."""
    found = await FoundAccount.taken(_id(found_id), caller)
    if found is None:
        raise _not_found()
    await give_back_found(found, backing)


async def give_back_forgotten(backing: Backing, *, most: int = 20) -> None:
    """Gives back what nobody linked in time. Safe to run anywhere at any time: each is taken by one write."""
    for _ in range(most):
        found = await FoundAccount.take_forgotten()
        if found is None:
            return
        await give_back_found(found, backing)


async def give_back_found(found: FoundAccount, backing: Backing) -> None:
    """Makes the token of an account that is not linked worthless, as far as that can be done now."""
    with suppress(Unsealable):
        token = found.opened_token(backing.vault)
        await give_back(account_of(found, None, found.id, backing), token, backing)


async def disconnect(caller: Caller, account: Account, backing: Backing) -> Account:
    """Gives the token back to the platform, as far as that can be done now, and forgets it.

    Conflict if the account was connected anew in the meantime.
    """
    reason = Reason(code="by-hand", text=f"Disconnected by {caller.name}.")

    async def body(session: AsyncClientSession) -> Account | None:
        marked = await Account.disconnect(account, reason, session)
        if marked is not None:
            await announce([changed(marked)], session)
        return marked

    marked = await backing.transaction(body)
    if marked is None:
        raise Conflict("This account was connected anew just now. Look again.")
    with suppress(Unsealable):
        token = marked.opened_token(backing.vault)
        if token is not None:
            await give_back(marked, token, backing)
    return await _forgotten(marked)


def account_of(found: FoundAccount, caller: Caller | None, id: PydanticObjectId, backing: Backing) -> Account:
    """What was found, as the account `id`. Stores nothing. Unsealable if it was sealed with another key."""
    who, at = found.identity, now()
    app = found.app.opened(backing.vault, place=found.place("app"))
    account = Account(
        id=id,
        workspace_id=found.workspace_id,
        platform=found.platform,
        realm=found.realm,
        origin=found.origin,
        remote_id=who.id,
        handle=who.handle,
        name=who.name,
        avatar_url=who.avatar_url,
        profile_url=who.profile_url,
        way=found.way,
        endpoints=found.endpoints,
        app=SealedApp(client_id=app.client_id, secret=b""),
        limits=who.limits,
        limits_read_at=at,
        connected_at=at,
        connected_by=caller.user_id if caller else NOBODY,
    )
    account.app = SealedApp.of(app, backing.vault, place=account.place("app"))
    account.hold(found.opened_token(backing.vault), backing.vault)
    return account


async def _linked(caller: Caller, id: PydanticObjectId, backing: Backing) -> Account:
    """Takes what was found and stores the account, both or neither."""

    async def body(session: AsyncClientSession) -> Account:
        found = await FoundAccount.taken(id, caller, session)
        if found is None:
            raise _not_found()
        account = account_of(found, caller, PydanticObjectId(), backing)
        before = await Account.same_as(account, session)
        if before is None:
            await account.insert(session=session)
        else:
            account = account_of(found, caller, before.id, backing)
            account.own_quotas = before.own_quotas
            await account.replace(session=session)
        row = Row.about(workspace_id=account.workspace_id, type="account.connected", data={"id": str(account.id)})
        await announce([row], session)
        return account

    return await backing.transaction(body)


async def _forgotten(account: Account) -> Account:
    if account.token is None:
        return account
    await Account.get_pymongo_collection().update_one(
        {"_id": account.id, "token": account.token, "state": "disconnected"}, {"$set": {"token": None}}
    )
    account.token = None
    return account


def _id(given: str) -> PydanticObjectId:
    if not ObjectId.is_valid(given):
        raise _not_found()
    return PydanticObjectId(given)


def _not_found() -> NotFound:
    return NotFound("There is no connection waiting with this id, or it took too long. Begin again.")
