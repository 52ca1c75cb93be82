"""Who is asking, and what a role may do."""

from enum import StrEnum

import msgspec
from beanie import PydanticObjectId


class Role(StrEnum):
    """What a member is in a workspace, strongest first. Each may do all that those after it may."""

    OWNER = "owner"  # everything, including giving the workspace away
    ADMIN = "admin"  # people and accounts
    EDITOR = "editor"  # everybody's posts
    AUTHOR = "author"  # posts of their own
    VIEWER = "viewer"  # looks on


STRENGTH = {role: place for place, role in enumerate(reversed(Role))}

# Which roles each role may give to others and take from them. Nobody finds one above their own here, so nobody raises
# themselves; that a workspace keeps an owner is minded where members change.
REACH: dict[Role, frozenset[Role]] = {
    Role.OWNER: frozenset(Role),
    Role.ADMIN: frozenset(Role) - {Role.OWNER},
    Role.EDITOR: frozenset(),
    Role.AUTHOR: frozenset(),
    Role.VIEWER: frozenset(),
}


class Somebody(msgspec.Struct, frozen=True, kw_only=True):
    """A signed-in person, wherever they belong."""

    user_id: PydanticObjectId
    session_id: PydanticObjectId
    name: str


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """A signed-in person acting in one workspace. `api/callers.py` makes it; every room takes it.

    `name` is shown to others as the author's.
    """

    user_id: PydanticObjectId
    workspace_id: PydanticObjectId
    role: Role
    session_id: PydanticObjectId
    name: str


def allowed(caller: Caller, role: Role) -> bool:
    """Whether the caller is at least `role` in the workspace they act in."""
    return STRENGTH[caller.role] >= STRENGTH[role]


def reaches(role: Role, *others: Role) -> bool:
    """Whether somebody who is `role` may give and take away each of `others`."""
    return REACH[role].issuperset(others)
