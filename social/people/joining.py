"""By invitation: it is made, shown to whoever has its link, withdrawn, and accepted by somebody new or known."""

from datetime import datetime

import msgspec
from beanie import PydanticObjectId
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from social.backing import Backing
from social.errors import Conflict, Forbidden, NotFound
from social.outbox.documents import announce
from social.people import tries
from social.people.documents import Membership, User, Workspace
from social.people.invitations import LASTS, MOST, Invitation, digest, new_token
from social.people.members import MOST as MOST_MEMBERS
from social.people.members import Member, role_of, row
from social.people.roles import Caller, Role, reaches
from social.people.signin import Newcomer, SignedIn, SignIn, Visitor

NOT_OPEN = "This invitation was used, was withdrawn or has run out. Please ask for another one."
KNOWN = "There is already somebody with this e-mail. If that is you, sign in and open the link again."


class Invited(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation, and what its workspace is called."""

    invitation: Invitation
    workspace: str


async def invite(caller: Caller, role: Role, note: str, backing: Backing, now: datetime) -> tuple[Invitation, str]:
    """A new invitation and its token, which nobody can be told again. Forbidden for a role beyond the caller's reach,
    Conflict when too many are open."""
    token = new_token()
    invitation = Invitation(
        id=PydanticObjectId(),
        workspace_id=caller.workspace_id,
        digest=digest(token),
        role=role,
        note=note.strip(),
        invited_by=caller.user_id,
        inviter=caller.name,
        created_at=now,
        expires_at=now + LASTS,
    )

    async def write(session: AsyncClientSession) -> None:
        if not reaches(await role_of(caller, session), role):
            raise Forbidden("Nobody can invite to a role beyond their own.")
        if await Invitation.count_in(caller.workspace_id, now, session) >= MOST:
            raise Conflict(f"{MOST} invitations are open. Withdraw some of them first.")
        await invitation.insert(session=session)

    await backing.transaction(write)
    return invitation, token


async def open_ones(caller: Caller, now: datetime) -> list[Invitation]:
    """Those of the caller's workspace, the newest first."""
    found = await Invitation.of(caller, {"expires_at": {"$gt": now}}).limit(2 * MOST).to_list()
    return sorted(found, key=lambda each: each.created_at, reverse=True)


async def withdraw(caller: Caller, id: str) -> None:
    """Its link opens nothing any more. NotFound."""
    await (await Invitation.found(caller, id)).delete()


async def read(token: str, visitor: Visitor, now: datetime) -> Invited:
    """What the link leads to. NotFound if it is not open, TooMany after many tries from one address."""
    await tries.spend(tries.INVITATION_FROM_ADDRESS, tries.of_address(visitor.address))
    invitation = await Invitation.open(token, now)
    workspace = invitation and await Workspace.get(invitation.workspace_id)
    if invitation is None or workspace is None:
        raise NotFound(NOT_OPEN)
    return Invited(invitation=invitation, workspace=workspace.name)


async def join(user_id: PydanticObjectId, token: str, visitor: Visitor, backing: Backing, now: datetime) -> Membership:
    """Somebody known becomes a member too. Conflict if they are one, and then the invitation stays good; NotFound."""
    invited = await read(token, visitor, now)
    user = await User.get(user_id)
    if user is None:
        raise NotFound(NOT_OPEN)
    membership = _membership(user_id, invited.invitation, now)

    async def write(session: AsyncClientSession) -> None:
        await Workspace.people_change(membership.workspace_id, session)
        if await Membership.between(user_id, membership.workspace_id, session):
            raise Conflict(f"You are already a member of {invited.workspace}.", already=True)
        await _admit(user, membership, invited.invitation, session)

    await backing.transaction(write)
    return membership


async def join_as_newcomer(
    newcomer: Newcomer, token: str, visitor: Visitor, signin: SignIn, now: datetime
) -> tuple[SignedIn, Membership]:
    """Somebody unknown becomes a user and a member, and is signed in. Invalid names all that is wrong with them,
    Conflict if their e-mail is known, NotFound."""
    invited = await read(token, visitor, now)
    user = await signin.user(newcomer, now)
    assert user.id
    membership = _membership(user.id, invited.invitation, now)

    async def write(session: AsyncClientSession) -> None:
        await Workspace.people_change(membership.workspace_id, session)
        await user.insert(session=session)
        await _admit(user, membership, invited.invitation, session)

    try:
        await signin.backing.transaction(write)
    except DuplicateKeyError:
        raise Conflict(KNOWN) from None
    return await signin.begin(user, visitor, now), membership


async def _admit(user: User, membership: Membership, invitation: Invitation, session: AsyncClientSession) -> None:
    assert invitation.id
    if not await Invitation.use_up(invitation.id, session):
        raise NotFound(NOT_OPEN)
    if await Membership.count_in(membership.workspace_id, session) >= MOST_MEMBERS:
        raise Conflict(f"This workspace has {MOST_MEMBERS} members, which is as many as there may be.")
    await membership.insert(session=session)
    await announce([row("member.joined", Member(user=user, membership=membership), user.name)], session)


def _membership(user_id: PydanticObjectId, invitation: Invitation, now: datetime) -> Membership:
    return Membership(
        id=PydanticObjectId(),
        workspace_id=invitation.workspace_id,
        user_id=user_id,
        role=invitation.role,
        created_at=now,
    )
