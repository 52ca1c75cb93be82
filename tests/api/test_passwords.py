"""Another password: by the present one, or by the link for whoever forgot it. All other sessions end with the old."""

import asyncio
from datetime import timedelta

import pytest
from bson import encode

from social.backing import Backing
from social.moments import now
from social.people import new_passwords
from social.people.documents import Session, User
from social.people.password_links import PasswordLink
from social.people.roles import Role
from tests.api.crowd import Someone, home, member, owner, signed_in
from tests.api.serving import PASSWORD, Answer, Api

OTHER = "a river without a name"
ADA = "ada@example.org"


async def token_for(email: str, backing: Backing) -> str:
    """The token of a new link."""
    return (await new_passwords.link(email, backing, now())).partition("#token=")[2]


async def read(api: Api, token: str) -> Answer:
    return await api.ask("POST", "/password-links/readings", json={"token": token})


async def choose(api: Api, token: str, password: str = OTHER) -> Answer:
    return await api.ask("POST", "/password-links/uses", json={"token": token, "password": password})


async def sign_in(api: Api, password: str, email: str = ADA) -> int:
    """The status."""
    return (await api.ask("POST", "/session", json={"email": email, "password": password})).status


async def change(someone: Someone, current: str, password: str = OTHER) -> Answer:
    return await someone.ask("PUT", "/me/password", json={"current": current, "password": password})


async def test_whoever_forgot_theirs_chooses_another_and_is_signed_in_here_alone(api: Api, backing: Backing) -> None:
    ada = await owner(api)
    elsewhere = await signed_in(api, ADA, ada.id)
    bea = await member(api, await home(ada), Role.EDITOR, "bea")
    assert [(await each.ask("GET", "/me")).status for each in (ada, elsewhere)] == [200, 200]
    token = await token_for("ADA@example.org ", backing)

    whose = await read(api, token)
    answer = await choose(api, token)

    assert (whose.status, whose.json["name"], whose.json["email"]) == (200, "Ada", ADA)
    assert set(whose.json) == {"name", "email", "expires_at"}
    assert answer.status == 201
    assert set(answer.json) == {"access_token", "expires_at", "me"}
    assert "httponly" in answer.cookies["social"].lower()
    here = Someone(api, ada.id, answer.json["access_token"])
    assert [(await each.ask("GET", "/me")).status for each in (here, ada, elsewhere, bea)] == [200, 401, 401, 200]
    assert len((await here.ask("GET", "/sessions")).json) == 1
    assert [await sign_in(api, each) for each in (PASSWORD, OTHER)] == [401, 201]
    assert await sign_in(api, PASSWORD, "bea@example.org") == 201


async def test_a_link_names_the_page_and_only_its_hash_is_kept_for_an_hour(api: Api, backing: Backing) -> None:
    await owner(api)
    began = now()

    address, _, token = (await new_passwords.link(ADA, backing, began)).partition("#token=")

    assert address == f"{backing.settings.public_url}/password"
    assert len(token) >= 43
    [kept] = await PasswordLink.find_all().to_list()
    assert kept.expires_at - began == timedelta(hours=1)
    for name in await backing.db.list_collection_names():
        async for document in backing.db[name].find():
            assert token.encode() not in encode(document)
    indexes = await PasswordLink.get_pymongo_collection().index_information()
    assert indexes["expires_at_1"]["expireAfterSeconds"] == 0


async def test_a_link_is_good_once(api: Api, backing: Backing) -> None:
    await owner(api)
    token = await token_for(ADA, backing)

    answers = await asyncio.gather(*(choose(api, token, f"{OTHER} {n}") for n in range(5)))

    assert sorted(each.status for each in answers) == [201] + [404] * 4
    assert await Session.count() == 1
    assert (await read(api, token)).problem == "not-found"


@pytest.mark.parametrize("end", ["run out", "replaced", "made up", "password changed"])
async def test_a_link_that_is_over_opens_nothing(api: Api, backing: Backing, end: str) -> None:
    ada = await owner(api)
    token = await token_for(ADA, backing)
    if end == "run out":
        await PasswordLink.find_all().set({"expires_at": now() - timedelta(seconds=1)})
    elif end == "replaced":
        newer = await token_for(ADA, backing)
    elif end == "made up":
        token = token[:-1] + ("A" if token[-1] != "A" else "B")
    else:
        assert (await change(ada, PASSWORD, PASSWORD + " more")).status == 204
    before = await User.find_all().to_list()

    for answer in (await read(api, token), await choose(api, token)):
        assert (answer.status, answer.problem) == (404, "not-found")
        assert answer.json["detail"] == new_passwords.NOT_OPEN
    assert await User.find_all().to_list() == before
    assert (await ada.ask("GET", "/me")).status == 200
    if end == "replaced":
        assert (await choose(api, newer)).status == 201


async def test_a_weak_password_is_refused_and_the_link_stays_good(api: Api, backing: Backing) -> None:
    ada = await owner(api)
    token = await token_for(ADA, backing)

    for weak in ("short", "password1234", ADA, "x" * 129):
        answer = await choose(api, token, weak)
        assert (answer.status, [each["pointer"] for each in answer.json["errors"]]) == (422, ["/password"])
    for body in ({"token": token}, {"token": {"$ne": None}, "password": OTHER}, {"token": token, "user": ada.id}):
        assert (await api.ask("POST", "/password-links/uses", json=body)).problem == "invalid"

    assert (await ada.ask("GET", "/me")).status == 200
    assert (await choose(api, token)).status == 201


async def test_guesses_at_links_from_one_address_are_limited(api: Api) -> None:
    await owner(api)

    answers = await asyncio.gather(*(choose(api, f"guess {n}") for n in range(40)))

    assert sorted(each.status for each in answers) == [404] * 30 + [429] * 10


async def test_a_sign_in_that_looked_at_the_old_password_just_before_does_not_stay(api: Api, backing: Backing) -> None:
    await owner(api)
    token = await token_for(ADA, backing)

    chosen, *others = await asyncio.gather(choose(api, token), *(sign_in(api, PASSWORD) for _ in range(8)))

    assert chosen.status == 201
    assert set(others) <= {201, 401}
    assert await Session.count() == 1


async def test_a_sign_in_is_refused_whose_password_was_changed_while_it_looked(api: Api, backing: Backing) -> None:
    ada = await owner(api)
    known = await User.by_email(ADA)
    assert known is not None
    assert await known.has_this_password()

    await change(ada, PASSWORD)

    assert not await known.has_this_password()


async def test_no_link_and_no_password_reaches_the_log(
    api: Api, backing: Backing, capfd: pytest.CaptureFixture[str]
) -> None:
    ada = await owner(api)
    await change(ada, "a wrong password")
    await change(ada, PASSWORD)
    token = await token_for(ADA, backing)
    await choose(api, token, PASSWORD)

    logged = "".join(capfd.readouterr())
    assert logged.count("password.changed") == 2
    for secret in (token, "a wrong password", PASSWORD, OTHER):
        assert secret not in logged


async def test_by_the_present_one_it_is_changed_and_this_session_stays_alone(api: Api) -> None:
    ada = await owner(api)
    elsewhere = await signed_in(api, ADA, ada.id)
    bea = await member(api, await home(ada), Role.VIEWER, "bea")
    assert (await elsewhere.ask("GET", "/me")).status == 200

    answer = await change(ada, PASSWORD)

    assert (answer.status, answer.body) == (204, b"")
    assert [(await each.ask("GET", "/me")).status for each in (ada, elsewhere, bea)] == [200, 401, 200]
    assert len((await ada.ask("GET", "/sessions")).json) == 1
    assert [await sign_in(api, each) for each in (PASSWORD, OTHER)] == [401, 201]


async def test_a_wrong_present_password_and_a_weak_new_one_are_said_at_once_and_change_nothing(api: Api) -> None:
    ada = await owner(api)
    elsewhere = await signed_in(api, ADA, ada.id)

    both = await change(ada, "not this one at all", "short")
    wrong = await change(ada, "not this one at all")
    weak = await change(ada, PASSWORD, ADA)
    unknown = await ada.ask("PUT", "/me/password", json={"current": PASSWORD, "password": OTHER, "user_id": "x"})

    assert [each["pointer"] for each in both.json["errors"]] == ["/current", "/password"]
    assert [(each["pointer"], each["code"]) for each in wrong.json["errors"]] == [("/current", "wrong")]
    assert [each["pointer"] for each in weak.json["errors"]] == ["/password"]
    assert [each.status for each in (both, wrong, weak, unknown)] == [422] * 4
    assert (await elsewhere.ask("GET", "/me")).status == 200
    assert await sign_in(api, PASSWORD) == 201


async def test_guesses_at_the_present_password_are_limited_with_those_at_the_door(api: Api) -> None:
    ada = await owner(api)

    guesses = [(await change(ada, f"guess {n}")).status for n in range(11)]

    assert guesses == [422] * 10 + [429]
    assert (await change(ada, PASSWORD)).problem == "too-many"
    assert await sign_in(api, PASSWORD) == 429


async def test_of_two_changes_at_once_one_counts(api: Api) -> None:
    ada = await owner(api)
    elsewhere = await signed_in(api, ADA, ada.id)

    answers = await asyncio.gather(change(ada, PASSWORD, OTHER + " one"), change(elsewhere, PASSWORD, OTHER + " two"))

    first = [n for n, each in enumerate(answers) if each.status == 204]
    assert len(first) == 1
    assert answers[1 - first[0]].status in {401, 409, 422}
    assert await sign_in(api, OTHER + (" one", " two")[first[0]]) == 201
