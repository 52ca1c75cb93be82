"""By link into a workspace: once, within a week, and never further up than who invited."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from beanie import PydanticObjectId
from bson import encode

from social.backing import Backing
from social.moments import now
from social.people.documents import Membership, User, Workspace
from social.people.invitations import MOST, Invitation
from social.people.roles import Role
from tests.api.crowd import Someone, home, member, owner
from tests.api.serving import PASSWORD, Answer, Api

NEW = {"name": "Bea", "email": "Bea@Example.org", "password": PASSWORD + " more", "zone": "Europe/Paris"}


async def invited(by: Someone, role: str = "editor", **more: Any) -> str:
    """The token of a new invitation."""
    answer = await by.ask("POST", "/invitations", json={"role": role, **more})
    assert answer.status == 201, answer.body
    token: str = answer.json["link"].partition("#")[2]
    return token


async def accept(api: Api, token: str, **new: Any) -> Answer:
    """As somebody who is nobody yet."""
    return await api.ask("POST", "/invitations/acceptances", json={"token": token, **new})


async def test_the_link_is_shown_once_and_only_its_hash_is_kept(api: Api, backing: Backing) -> None:
    ada = await owner(api)

    made = (await ada.ask("POST", "/invitations", json={"role": "editor", "note": "for Bea"})).json
    [listed] = (await ada.ask("GET", "/invitations")).json

    link = made.pop("link")
    assert made == listed
    assert set(listed) == {"id", "role", "note", "invited_by", "created_at", "expires_at"}
    assert (listed["role"], listed["note"], listed["invited_by"]) == ("editor", "for Bea", "Ada")
    address, _, token = link.partition("#")
    assert address == f"{backing.settings.public_url}/join"
    assert len(token) >= 43
    for name in await backing.db.list_collection_names():
        async for document in backing.db[name].find():
            assert token.encode() not in encode(document)


async def test_somebody_new_begins_where_they_were_invited(api: Api, backing: Backing) -> None:
    ada = await owner(api)
    token = await invited(ada)

    read = (await api.ask("POST", "/invitations/readings", json={"token": token})).json
    answer = await accept(api, token, **NEW)

    assert (read["workspace"], read["role"], read["invited_by"]) == ("Works", "editor", "Ada")
    assert answer.status == 201
    assert set(answer.json) == {"access_token", "expires_at", "me"}
    assert "httponly" in answer.cookies["social"].lower()
    me = answer.json["me"]
    assert me["user"]["email"] == "Bea@Example.org"
    assert [(each["id"], each["role"]) for each in me["workspaces"]] == [(await home(ada), "editor")]
    bea = Someone(api, me["user"]["id"], answer.json["access_token"])
    assert (await bea.ask("POST", "/posts", json={"text": "hello"})).status == 201
    assert [each["name"] for each in (await ada.ask("GET", "/members")).json] == ["Ada", "Bea"]
    rows = await backing.db["outbox"].find({"type": "member.joined"}).to_list()
    assert [row["data"] for row in rows] == [{"id": bea.id, "name": "Bea", "role": "editor", "by": "Bea"}]


async def test_a_link_is_good_once(api: Api) -> None:
    ada = await owner(api)
    token = await invited(ada)

    answers = await asyncio.gather(*(accept(api, token, **NEW | {"email": f"{n}@example.org"}) for n in range(6)))

    assert sorted(each.status for each in answers) == [201] + [404] * 5
    assert await User.count() == await Membership.count() == 2
    for body in (await api.ask("POST", "/invitations/readings", json={"token": token}), await accept(api, token)):
        assert body.status in {404, 422}
    assert (await ada.ask("GET", "/invitations")).json == []


@pytest.mark.parametrize("end", ["run out", "withdrawn", "made up", "its inviter left"])
async def test_a_link_that_is_over_opens_nothing(api: Api, end: str) -> None:
    ada = await owner(api)
    bea = await member(api, await home(ada), Role.ADMIN, "bea")
    token = await invited(bea)
    [listed] = (await ada.ask("GET", "/invitations")).json
    if end == "run out":
        await Invitation.find_all().set({"expires_at": now() - timedelta(seconds=1)})
    elif end == "withdrawn":
        assert (await ada.ask("DELETE", f"/invitations/{listed['id']}")).status == 204
    elif end == "made up":
        token = token[:-1] + ("A" if token[-1] != "A" else "B")
    else:
        await ada.ask("DELETE", f"/members/{bea.id}")

    for answer in (
        await api.ask("POST", "/invitations/readings", json={"token": token}),
        await accept(api, token, **NEW),
        await ada.ask("POST", "/invitations/acceptances", json={"token": token}),
    ):
        assert (answer.status, answer.problem) == (404, "not-found")
    assert await User.count() == 2


async def test_an_invitation_lasts_seven_days(api: Api) -> None:
    await invited(await owner(api))
    [invitation] = await Invitation.find_all().to_list()

    assert invitation.expires_at - invitation.created_at == timedelta(days=7)


async def test_somebody_signed_in_joins_and_keeps_what_they_have(api: Api) -> None:
    ada = await owner(api)
    token = await invited(ada, "author")
    home_of_bea = await Workspace(id=PydanticObjectId(), name="Bea's", created_at=now()).insert()
    bea = await member(api, str(home_of_bea.id), Role.OWNER, "bea")

    answer = await bea.ask("POST", "/invitations/acceptances", json={"token": token})

    assert (answer.status, answer.cookies) == (201, {})
    me = answer.json["me"]
    assert [(each["name"], each["role"]) for each in me["workspaces"]] == [("Bea's", "owner"), ("Works", "author")]
    assert me["workspace_id"] == await home(ada)
    for workspace, count in ((str(home_of_bea.id), 1), (await home(ada), 2)):
        seen = await bea.ask("GET", "/members", headers={"Social-Workspace": workspace})
        assert len(seen.json) == count
    assert len((await bea.ask("GET", "/sessions")).json) == 1
    again = Someone(api, bea.id, answer.json["access_token"])
    assert (await again.ask("GET", "/me")).status == 200


async def test_a_member_is_told_that_they_are_one_and_the_link_stays_good(api: Api) -> None:
    ada = await owner(api)
    token = await invited(ada, "owner")
    bea = await member(api, await home(ada), Role.VIEWER, "bea")

    answer = await bea.ask("POST", "/invitations/acceptances", json={"token": token})

    assert (answer.status, answer.problem, answer.json["already"]) == (409, "conflict", True)
    assert "already a member of Works" in answer.json["detail"]
    assert (await bea.ask("GET", "/me")).json["workspaces"][0]["role"] == "viewer"
    assert (await accept(api, token, **NEW | {"email": "cyd@example.org"})).status == 201


async def test_one_may_join_many_times_at_once_and_is_a_member_once(api: Api) -> None:
    ada = await owner(api)
    tokens = [await invited(ada) for _ in range(4)]
    elsewhere = await Workspace(id=PydanticObjectId(), name="Bea's", created_at=now()).insert()
    bea = await member(api, str(elsewhere.id), Role.OWNER, "bea")

    answers = await asyncio.gather(
        *(bea.ask("POST", "/invitations/acceptances", json={"token": token}) for token in tokens)
    )

    assert sorted(each.status for each in answers) == [201, 409, 409, 409]
    assert await Invitation.count() == 3


async def test_everything_wrong_with_a_newcomer_is_said_and_the_link_stays_good(api: Api) -> None:
    token = await invited(await owner(api))

    missing = await accept(api, token)
    weak = await accept(api, token, **NEW | {"password": "password1234", "zone": "Mars/Base", "name": " "})
    known = await accept(api, token, **NEW | {"email": "ADA@example.org"})

    assert {each["pointer"] for each in missing.json["errors"]} == {"/name", "/email", "/password", "/zone"}
    assert {each["pointer"] for each in weak.json["errors"]} == {"/name", "/password", "/zone"}
    assert (known.status, known.problem) == (409, "conflict")
    assert "sign in" in known.json["detail"]
    assert await User.count() == 1
    assert (await accept(api, token, **NEW)).status == 201


@pytest.mark.parametrize("acting", [Role.OWNER, Role.ADMIN])
async def test_nobody_invites_further_up_than_themselves(api: Api, acting: Role) -> None:
    ada = await owner(api)
    by = await member(api, await home(ada), acting, "by")

    for role in Role:
        answer = await by.ask("POST", "/invitations", json={"role": role})
        assert answer.status == (403 if acting is Role.ADMIN and role is Role.OWNER else 201)


async def test_too_many_open_ones_are_too_many(api: Api) -> None:
    ada = await owner(api)
    [made] = [await ada.ask("POST", "/invitations", json={"role": "viewer"})]
    [one] = await Invitation.find_all().to_list()
    copies = [one.model_copy(update={"id": PydanticObjectId(), "digest": f"{n:064}"}) for n in range(MOST - 1)]
    await Invitation.insert_many(copies)

    answer = await ada.ask("POST", "/invitations", json={"role": "viewer"})

    assert (made.status, answer.status, answer.problem) == (201, 409, "conflict")


async def test_guesses_from_one_address_are_limited(api: Api) -> None:
    await owner(api)

    answers = await asyncio.gather(
        *(
            api.ask(
                "POST",
                "/invitations/readings",
                json={"token": f"guess {n}"},
                headers={"X-Forwarded-For": f"203.0.113.{n}"},
            )
            for n in range(40)
        )
    )

    assert sorted(each.status for each in answers) == [404] * 30 + [429] * 10


async def test_a_token_that_does_not_count_is_no_newcomer(api: Api) -> None:
    token = await invited(await owner(api))

    answer = await api.ask(
        "POST", "/invitations/acceptances", json={"token": token, **NEW}, headers={"Authorization": "Bearer x"}
    )

    assert answer.problem == "sign-in-needed"
    assert await User.count() == 1


async def test_no_secret_reaches_the_log(api: Api, capfd: pytest.CaptureFixture[str]) -> None:
    token = await invited(await owner(api))
    answer = await accept(api, token, **NEW)

    logged = "".join(capfd.readouterr())
    for secret in (token, NEW["password"], answer.json["access_token"]):
        assert secret not in logged
