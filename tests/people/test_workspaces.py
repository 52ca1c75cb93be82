"""What binds a document to its workspace."""

import pytest

from social.backing import Backing
from social.errors import NotFound
from social.moments import now
from social.people.documents import Membership
from social.people.roles import Caller, Role, allowed
from tests.connecting import somebody


def caller(role: Role = Role.OWNER) -> Caller:
    """Somebody in a workspace of their own."""
    return somebody(role)


async def membership(of: Caller) -> Membership:
    """Any document of the caller's workspace."""
    return await Membership(workspace_id=of.workspace_id, user_id=of.user_id, role=of.role, created_at=now()).insert()


async def test_each_document_has_a_collection_of_its_own(backing: Backing) -> None:
    await membership(caller())

    assert Membership.get_collection_name() == "memberships"
    assert "_class_id" not in (await backing.db["memberships"].find_one() or {})


async def test_a_query_sees_the_callers_workspace_and_nothing_else(backing: Backing) -> None:
    one, other = caller(), caller()
    mine = await membership(one)
    await membership(other)

    assert [each.id for each in await Membership.of(one).to_list()] == [mine.id]
    assert await Membership.of(one, {"role": "viewer"}).to_list() == []
    assert await Membership.of(one, {"workspace_id": other.workspace_id}).to_list() == []


async def test_what_belongs_to_others_is_as_absent_as_what_never_was(backing: Backing) -> None:
    one, other = caller(), caller()
    theirs = await membership(other)

    said = set()
    for id in (str(theirs.id), "0" * 24, "", "x", "0" * 23, "0" * 25, "\0" * 12, "é" * 24, "a" * 10_000):
        with pytest.raises(NotFound) as refused:
            await Membership.found(one, id)
        said.add(refused.value.sentence)

    assert said == {"There is no member with this id."}
    assert (await Membership.found(other, str(theirs.id))).id == theirs.id


def test_each_role_may_do_what_the_weaker_ones_may() -> None:
    order = [Role.OWNER, Role.ADMIN, Role.EDITOR, Role.AUTHOR, Role.VIEWER]
    for place, role in enumerate(order):
        assert [allowed(caller(role), needed) for needed in order] == [place <= n for n in range(5)]
