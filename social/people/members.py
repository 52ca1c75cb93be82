"""Who is in a workspace, and how that changes: a role is given, somebody is removed or leaves.

Each change is one transaction that first writes to the workspace, so that of two at once the second sees the first:
two owners cannot make each other the last. What the acting person may do is read in there, too, not remembered.
"""

import msgspec
from beanie import PydanticObjectId
from beanie.operators import In
from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from social.backing import Backing
from social.errors import Conflict, Forbidden, NotFound
from social.events import EventType
from social.outbox.documents import Announcement, Row, announce
from social.people.documents import Membership, User, Workspace
from social.people.invitations import Invitation
from social.people.roles import Caller, Role, reaches

LAST_OWNER = "A workspace needs an owner, and this is its only one. Make somebody else an owner first."
NOBODY = "There is no member with this id."
MOST = 500  # members of a workspace; the list has no pages


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A user, and what they are in the workspace."""

    user: User
    membership: Membership


async def members(caller: Caller) -> list[Member]:
    """Everybody in the caller's workspace, who joined first at the front."""
    found = await Membership.of(caller).limit(MOST).to_list()
    users = {user.id: user async for user in User.find(In("_id", [each.user_id for each in found]))}
    found.sort(key=lambda each: (each.created_at, str(each.id)))
    return [Member(user=users[each.user_id], membership=each) for each in found if each.user_id in users]


async def change_role(caller: Caller, user_id: str, role: Role, backing: Backing) -> Member:
    """Makes a member something else. Forbidden beyond the caller's reach, Conflict for the last owner, NotFound."""

    async def write(session: AsyncClientSession) -> Member:
        acting, member = await _both(caller, user_id, session)
        before = member.membership.role
        if not reaches(acting, before, role):
            raise Forbidden(_out_of_reach(acting, before if not reaches(acting, before) else role))
        if before is Role.OWNER and role is not Role.OWNER:
            await _another_owner(caller.workspace_id, session)
        if before is not role:
            member.membership.role = role
            await member.membership.set({"role": role}, session=session)
            await Invitation.void(member.membership, role, session)
            await announce([row("member.changed", member, caller.name)], session)
        return member

    return await backing.transaction(write)


async def remove(caller: Caller, user_id: str, backing: Backing) -> PydanticObjectId:
    """Takes a member out, or lets the caller leave; the user's id. What they planned stays and goes out.

    Forbidden beyond the caller's reach, Conflict for the last owner, NotFound.
    """

    async def write(session: AsyncClientSession) -> PydanticObjectId:
        acting, member = await _both(caller, user_id, session)
        role = member.membership.role
        leaves = member.membership.user_id == caller.user_id
        if not leaves and not reaches(acting, role):
            raise Forbidden(_out_of_reach(acting, role))
        if role is Role.OWNER:
            await _another_owner(caller.workspace_id, session)
        await member.membership.delete(session=session)
        await Invitation.void(member.membership, None, session)
        await announce([row("member.left", member, caller.name)], session)
        return member.membership.user_id

    return await backing.transaction(write)


def row(what: EventType, member: Member, by: str) -> Announcement:
    """The event that something became of `member`. `by`: the name of whoever did it."""
    membership = member.membership
    return Row.about(
        workspace_id=membership.workspace_id,
        type=what,
        data={"id": str(membership.user_id), "name": member.user.name, "role": membership.role, "by": by},
    )


async def role_of(caller: Caller, session: AsyncClientSession) -> Role:
    """Begins a change of the people of the caller's workspace, and says what the caller is in it now. Forbidden."""
    await Workspace.people_change(caller.workspace_id, session)
    acting = await Membership.between(caller.user_id, caller.workspace_id, session)
    if acting is None:
        raise Forbidden("You are not a member of this workspace any more.")
    return acting.role


async def _both(caller: Caller, user_id: str, session: AsyncClientSession) -> tuple[Role, Member]:
    acting = await role_of(caller, session)
    if not ObjectId.is_valid(user_id):
        raise NotFound(NOBODY)
    membership = await Membership.between(PydanticObjectId(user_id), caller.workspace_id, session)
    user = membership and await User.get(membership.user_id, session=session)
    if membership is None or user is None:
        raise NotFound(NOBODY)
    return acting, Member(user=user, membership=membership)


async def _another_owner(workspace_id: PydanticObjectId, session: AsyncClientSession) -> None:
    if await Membership.count_in(workspace_id, session, Role.OWNER) < 2:
        raise Conflict(LAST_OWNER)


def _out_of_reach(acting: Role, role: Role) -> str:
    if not reaches(acting, role) and acting is Role.ADMIN:
        return "Only an owner can make somebody an owner, or change what an owner is."
    return f"For this, your role in the workspace must be {Role.ADMIN} or more; it is {acting}."
