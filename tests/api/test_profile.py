"""What people say of themselves, and who is told of it."""

from typing import Any

import pytest
from beanie import PydanticObjectId

from social.backing import Backing
from social.moments import now
from social.people.documents import Membership, User, Workspace
from social.people.roles import Role
from tests.api.crowd import home, member, owner
from tests.api.serving import Api


async def test_name_and_zone_are_changed_together_or_alone(api: Api) -> None:
    ada = await owner(api)
    before = (await ada.ask("GET", "/me")).json

    both = await ada.ask("PATCH", "/me", json={"name": " Ada L. ", "zone": "Asia/Tokyo"})
    zone = await ada.ask("PATCH", "/me", json={"zone": "UTC"})
    name = await ada.ask("PATCH", "/me", json={"name": "Ada"})
    none = await ada.ask("PATCH", "/me", json={})

    assert both.json == before | {"user": before["user"] | {"name": "Ada L.", "zone": "Asia/Tokyo"}}
    assert zone.json["user"] == both.json["user"] | {"zone": "UTC"}
    assert name.json == none.json == (await ada.ask("GET", "/me")).json
    assert name.json["user"] == before["user"] | {"zone": "UTC"}


async def test_another_name_is_told_in_ones_own_workspaces_and_counts_at_once(api: Api, backing: Backing) -> None:
    ada = await owner(api)
    works = await home(ada)
    bea = await member(api, works, Role.EDITOR, "bea")
    second, foreign = [await Workspace(id=PydanticObjectId(), name=n, created_at=now()).insert() for n in "SF"]
    assert second.id
    await Membership(
        workspace_id=second.id, user_id=PydanticObjectId(bea.id), role=Role.OWNER, created_at=now()
    ).insert()
    await member(api, str(foreign.id), Role.OWNER, "cyd")

    await bea.ask("PATCH", "/me", json={"name": "Beatrice"})
    await bea.ask("PATCH", "/me", json={"name": "Beatrice", "zone": "UTC"})  # no other name, nothing to tell

    rows = await backing.db["outbox"].find({"type": "member.changed"}).to_list()
    told = {"id": bea.id, "name": "Beatrice", "by": "Beatrice"}
    assert [(str(row["workspace_id"]), row["data"]) for row in rows] == [
        (works, told | {"role": "editor"}),
        (str(second.id), told | {"role": "owner"}),
    ]
    assert [each["name"] for each in (await ada.ask("GET", "/members")).json] == ["Ada", "Beatrice"]
    post = (await bea.ask("POST", "/posts", json={"text": "hello"}, headers={"Social-Workspace": works})).json
    assert post["id"]


WRONG: list[tuple[dict[str, Any], set[str]]] = [
    ({"name": " ", "zone": "Mars/Base"}, {"/name", "/zone"}),
    ({"name": "", "zone": ""}, {"/name"}),
    ({"name": "x" * 101, "zone": "x" * 65}, {"/name", "/zone"}),
    ({"name": None, "zone": {"$ne": None}}, {"/name", "/zone"}),
    ({"name": "Eve", "email": "eve@example.org"}, {"/email"}),
    ({"name": "Eve", "id": "x", "role": "owner", "password_hash": "x"}, {"/id", "/role", "/password_hash"}),
]


@pytest.mark.parametrize(("body", "pointers"), WRONG)
async def test_all_that_is_wrong_is_said_and_nothing_is_changed(
    api: Api, backing: Backing, body: dict[str, Any], pointers: set[str]
) -> None:
    ada = await owner(api)
    before = await User.find_all().to_list()

    answer = await ada.ask("PATCH", "/me", json=body)

    assert (answer.status, answer.problem) == (422, "invalid")
    assert {each["pointer"] for each in answer.json["errors"]} == pointers
    assert await User.find_all().to_list() == before
    assert await backing.db["outbox"].count_documents({}) == 0


async def test_nobody_changes_anybody_else(api: Api) -> None:
    ada = await owner(api)
    bea = await member(api, await home(ada), Role.ADMIN, "bea")
    before = await User.by_email("ada@example.org")

    await bea.ask("PATCH", "/me", json={"name": "Bea B.", "zone": "UTC"})
    await bea.ask("PUT", "/me/password", json={"current": "four words in a row", "password": "four other words"})

    assert await User.by_email("ada@example.org") == before
    assert (await ada.ask("GET", "/me")).status == 200


async def test_who_belongs_nowhere_may_too(api: Api) -> None:
    bea = await member(api, str(PydanticObjectId()), Role.VIEWER, "bea")
    await Membership.find_all().delete()

    answer = await bea.ask("PATCH", "/me", json={"name": "Bea"})

    assert (answer.status, answer.json["user"]["name"], answer.json["workspace_id"]) == (200, "Bea", None)
