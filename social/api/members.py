"""Who is in the workspace: the list, roles, removal, and leaving."""

from datetime import datetime

import msgspec
from litestar import Controller, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from social.api.callers import Callers, needs
from social.backing import Backing
from social.outbox.bus import somebody_left
from social.people import members
from social.people.roles import Caller, Role


class MemberOut(msgspec.Struct, kw_only=True):
    """Somebody in the workspace; `id` is the user's."""

    id: str
    name: str
    email: str
    role: Role
    joined_at: datetime
    you: bool


class RoleIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a member is to be."""

    role: Role


class MemberController(Controller):
    """The workspace's people."""

    path = "/members"
    tags = ("people",)

    @get("/", summary="All members", guards=[needs("viewer")])
    async def list(self, caller: NamedDependency[Caller]) -> list[MemberOut]:
        """Who joined first at the front."""
        return [_shown(each, caller) for each in await members.members(caller)]

    @put("/{user_id:str}/role", summary="Change a role", guards=[needs("admin")])
    async def change(
        self,
        user_id: FromPath[str],
        data: JSONBody[RoleIn],
        caller: NamedDependency[Caller],
        callers: NamedDependency[Callers],
        backing: NamedDependency[Backing],
    ) -> MemberOut:
        """Owners give and take every role, admins all but owner's. 409 where no owner would be left."""
        member = await members.change_role(caller, user_id, data.role, backing)
        callers.forget_user(member.membership.user_id)
        return _shown(member, caller)

    @delete("/{user_id:str}", summary="Remove a member, or leave", guards=[needs("viewer")])
    async def remove(
        self,
        user_id: FromPath[str],
        caller: NamedDependency[Caller],
        callers: NamedDependency[Callers],
        backing: NamedDependency[Backing],
    ) -> None:
        """With one's own id one leaves. Others are removed by owners, and by admins unless they are owners.

        They lose the workspace at once; what they planned stays and goes out. 409 where no owner would be left.
        """
        callers.forget_user(await members.remove(caller, user_id, backing))
        await somebody_left(backing)


def _shown(member: members.Member, caller: Caller) -> MemberOut:
    user, membership = member.user, member.membership
    return MemberOut(
        id=str(user.id),
        name=user.name,
        email=user.email,
        role=membership.role,
        joined_at=membership.created_at,
        you=user.id == caller.user_id,
    )
