"""Who may change whom, and that a workspace never loses its last owner."""

import asyncio
import itertools
from datetime import timedelta

import aiohttp
import pytest
from beanie import PydanticObjectId

from social.backing import Backing
from social.jobs.running import Running
from social.moments import now, rfc3339
from social.people.documents import Membership
from social.people.invitations import Invitation
from social.people.roles import STRENGTH, Role
from tests.api.crowd import Someone, home, member, owner
from tests.api.serving import Api
from tests.api.test_tenancy import signed_in_elsewhere
from tests.servers.commands import Commands, collection, conditions, scans
from tests.servers.product import Person
from tests.servers.sandbox import Sandbox


async def told(backing: Backing) -> list[tuple[str, object, object, object]]:
    """The events about members so far."""
    rows = await backing.db["outbox"].find({"type": {"$regex": "^member"}}).sort("unnumbered").to_list()
    return [(row["type"], row["data"]["name"], row["data"]["role"], row["data"]["by"]) for row in rows]


async def role_of(someone: Someone) -> str | None:
    """What they are now."""
    found = await Membership.find_one({"user_id": PydanticObjectId(someone.id)})
    return found.role if found else None


async def test_members_see_one_another(api: Api) -> None:
    ada = await owner(api)
    bea = await member(api, await home(ada), Role.VIEWER, "bea")

    [first, second] = (await bea.ask("GET", "/members")).json

    assert set(first) == {"id", "name", "email", "role", "joined_at", "you"}
    assert (first["name"], first["role"], first["you"]) == ("Ada", "owner", False)
    assert (second["id"], second["email"], second["you"]) == (bea.id, "bea@example.org", True)


@pytest.mark.parametrize("acting", list(Role))
async def test_who_may_make_whom_what(api: Api, backing: Backing, acting: Role) -> None:
    """Every change of a role by every role: owners all, admins up to admin, the others nothing."""
    ada = await owner(api)
    workspace = await home(ada)
    by = await member(api, workspace, acting, "by")
    of = await member(api, workspace, Role.VIEWER, "of")
    for before, after in itertools.product(Role, Role):
        await Membership.find({"user_id": PydanticObjectId(of.id)}).set({"role": before})

        answer = await by.ask("PUT", f"/members/{of.id}/role", json={"role": after})

        may = acting is Role.OWNER or (acting is Role.ADMIN and Role.OWNER not in (before, after))
        assert answer.status == (200 if may else 403), (acting, before, after)
        assert await role_of(of) == (after if may else before)
        assert not may or answer.json["role"] == after


@pytest.mark.parametrize("acting", list(Role))
async def test_nobody_raises_themselves(api: Api, acting: Role) -> None:
    ada = await owner(api)
    by = await member(api, await home(ada), acting, "by")

    for role in Role:
        if STRENGTH[role] > STRENGTH[acting]:
            assert (await by.ask("PUT", f"/members/{by.id}/role", json={"role": role})).problem == "forbidden"
    assert await role_of(by) == acting


@pytest.mark.parametrize("acting", list(Role))
@pytest.mark.parametrize("role", list(Role))
async def test_who_may_remove_whom(api: Api, acting: Role, role: Role) -> None:
    ada = await owner(api)
    workspace = await home(ada)
    by, of = await member(api, workspace, acting, "by"), await member(api, workspace, role, "of")

    answer = await by.ask("DELETE", f"/members/{of.id}")

    may = acting is Role.OWNER or (acting is Role.ADMIN and role is not Role.OWNER)
    assert answer.status == (204 if may else 403)
    assert (await of.ask("GET", "/members")).status == (403 if may else 200)


async def test_the_last_owner_stays_one_and_stays(api: Api) -> None:
    ada = await owner(api)
    await member(api, await home(ada), Role.ADMIN, "bea")

    for answer in (
        await ada.ask("PUT", f"/members/{ada.id}/role", json={"role": "admin"}),
        await ada.ask("DELETE", f"/members/{ada.id}"),
    ):
        assert (answer.status, answer.problem) == (409, "conflict")
        assert "only one" in answer.json["detail"]
    assert await role_of(ada) == "owner"


async def test_two_owners_who_remove_each_other_at_once_leave_one(api: Api) -> None:
    ada = await owner(api)
    workspace = await home(ada)
    for n in range(4):
        bea = await member(api, workspace, Role.OWNER, f"bea{n}")

        answers = await asyncio.gather(
            ada.ask("PUT", f"/members/{bea.id}/role", json={"role": "viewer"}),
            bea.ask("PUT", f"/members/{ada.id}/role", json={"role": "viewer"}),
        )

        assert sorted(each.status for each in answers) == [200, 403]
        owners = await Membership.find({"role": "owner"}).to_list()
        assert len(owners) == 1
        await Membership.find({"user_id": PydanticObjectId(bea.id)}).delete()
        await Membership.find({"user_id": PydanticObjectId(ada.id)}).set({"role": Role.OWNER})


async def test_a_change_counts_at_once_and_is_told(api: Api, backing: Backing) -> None:
    ada = await owner(api)
    workspace = await home(ada)
    bea = await member(api, workspace, Role.EDITOR, "bea")
    assert (await bea.ask("POST", "/posts", json={"text": "mine"})).status == 201

    await ada.ask("PUT", f"/members/{bea.id}/role", json={"role": "viewer"})
    assert (await bea.ask("POST", "/posts", json={"text": "no more"})).problem == "forbidden"
    await ada.ask("PUT", f"/members/{bea.id}/role", json={"role": "viewer"})  # changes nothing, tells nothing
    assert (await bea.ask("DELETE", f"/members/{bea.id}")).status == 204

    assert (await bea.ask("GET", "/posts")).problem == "forbidden"
    assert (await bea.ask("GET", "/me")).json["workspaces"] == []
    assert [each["name"] for each in (await ada.ask("GET", "/members")).json] == ["Ada"]
    assert await told(backing) == [
        ("member.changed", "bea", "viewer", "Ada"),
        ("member.left", "bea", "viewer", "bea"),
    ]


async def test_what_a_removed_member_planned_stays_and_goes_out(
    api: Api, backing: Backing, door: str, person: Person, sandbox: Sandbox, engine: Running
) -> None:
    account = await person.connect(sandbox)
    me = await person.ask("GET", "/me")
    async with aiohttp.ClientSession() as client:
        bea = await signed_in_elsewhere(backing, client, door, Role.AUTHOR, workspace=me["workspace_id"], name="bea")
        due = rfc3339(now() + timedelta(seconds=3))
        post = await bea.plan(await bea.write("planned and gone", account["id"]), at=due)
        [her] = [each["id"] for each in await person.ask("GET", "/members") if not each["you"]]
        await person.ask("DELETE", f"/members/{her}")
        await bea.ask("GET", "/posts", expect=403)

    seen = await person.until(post, "online")

    assert sandbox.texts() == ["planned and gone"]
    assert seen["author"]["name"] == "bea"


async def test_what_a_member_had_promised_goes_with_their_right_to(api: Api) -> None:
    ada = await owner(api)
    workspace = await home(ada)
    bea = await member(api, workspace, Role.ADMIN, "bea")
    for role in ("admin", "viewer"):
        assert (await bea.ask("POST", "/invitations", json={"role": role})).status == 201
    await ada.ask("POST", "/invitations", json={"role": "viewer"})

    await ada.ask("PUT", f"/members/{bea.id}/role", json={"role": "editor"})

    assert [each["invited_by"] for each in (await ada.ask("GET", "/invitations")).json] == ["Ada"]
    assert await Invitation.count() == 1


async def test_nobody_with_such_an_id_is_there(api: Api) -> None:
    ada = await owner(api)
    for id in ("0" * 24, "x", '{"$ne":null}'):
        assert (await ada.ask("PUT", f"/members/{id}/role", json={"role": "viewer"})).problem == "not-found"
        assert (await ada.ask("DELETE", f"/members/{id}")).problem == "not-found"
    answer = await ada.ask("PUT", f"/members/{ada.id}/role", json={"role": "emperor", "user_id": "x"})
    assert {each["code"] for each in answer.json["errors"]} == {"choice", "unknown"}


async def test_every_query_on_people_has_its_index(api: Api, backing: Backing, commands: Commands) -> None:
    ada = await owner(api)
    bea = await member(api, await home(ada), Role.ADMIN, "bea")
    made = [(await ada.ask("POST", "/invitations", json={"role": "viewer"})).json for _ in range(2)]
    for path in ("/members", "/invitations", "/sessions", "/me"):
        await ada.ask("GET", path)
    await ada.ask("DELETE", f"/invitations/{made[1]['id']}")
    token = made[0]["link"].partition("#")[2]
    await api.ask("POST", "/invitations/readings", json={"token": token})
    await ada.ask("POST", "/invitations/acceptances", json={"token": token})
    new = {"name": "Cyd", "email": "cyd@example.org", "password": "four words in a row", "zone": "UTC"}
    cyd = (await api.ask("POST", "/invitations/acceptances", json={"token": token, **new})).json["me"]["user"]["id"]
    await ada.ask("PUT", f"/members/{ada.id}/role", json={"role": "viewer"})
    await ada.ask("PUT", f"/members/{bea.id}/role", json={"role": "author"})
    await ada.ask("DELETE", f"/members/{cyd}")
    [hers] = (await bea.ask("GET", "/sessions")).json
    await bea.ask("DELETE", "/sessions")
    await bea.ask("DELETE", f"/sessions/{hers['id']}")
    commands.listening = False

    of_people = {"users", "workspaces", "memberships", "invitations", "sessions", "tries"}
    asked = [each for each in commands.seen.values() if collection(each) in of_people and conditions(each)]
    assert {collection(each) for each in asked} == of_people
    assert len(asked) >= 20
    for command in asked:
        assert scans(await backing.db.command("explain", command, verbosity="queryPlanner")) == [], command
