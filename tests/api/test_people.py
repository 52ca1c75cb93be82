"""Set-up, sign-in, refresh and sign-out over HTTP: what is answered, what the cookie is, and who may use it."""

import asyncio

import pytest

from social.backing import Backing
from social.people.documents import Session, User
from tests.api.serving import PASSWORD, SET_UP, Api, served, with_settings

NEVER = {"password", "password_hash", "email_folded", "current", "previous", "successor"}


def refresh_of(cookie: str) -> str:
    """The value of the cookie `social`."""
    return cookie.partition("=")[2].partition(";")[0]


async def test_the_set_up_is_needed_until_it_was_done(api: Api) -> None:
    assert (await api.ask("GET", "/setup")).json == {"needed": True}
    answer = await api.set_up()

    assert answer.status == 201
    assert (await api.ask("GET", "/setup")).json == {"needed": False}
    assert (await api.set_up()).problem == "conflict"


async def test_signing_in_tells_who_one_is_and_nothing_more(api: Api) -> None:
    await api.set_up()

    answer = await api.ask("POST", "/session", json={"email": "ADA@example.org", "password": PASSWORD})

    assert answer.status == 201
    assert set(answer.json) == {"access_token", "expires_at", "me"}
    me = answer.json["me"]
    assert me["user"] == {"id": me["user"]["id"], "name": "Ada", "email": "ada@example.org", "zone": "Europe/Berlin"}
    assert [(each["name"], each["role"]) for each in me["workspaces"]] == [("Works", "owner")]
    assert me["workspace_id"] == me["workspaces"][0]["id"]
    assert answer.json["expires_at"].endswith("Z")
    assert len(answer.json["expires_at"]) == len("2026-11-22T09:30:00.000Z")
    assert (await api.ask("GET", "/me")).json == me
    assert not any(name.encode() in answer.body for name in NEVER)


async def test_a_wrong_email_and_a_wrong_password_have_one_answer(api: Api) -> None:
    await api.set_up()

    known = await api.ask("POST", "/session", json={"email": "ada@example.org", "password": "wrong"})
    unknown = await api.ask("POST", "/session", json={"email": "eve@example.org", "password": "wrong"})

    assert (known.status, known.problem) == (401, "sign-in-needed")
    assert known.body == unknown.body
    assert known.json["detail"] == "The e-mail or the password is not right."


async def test_too_many_tries_are_told_when_to_come_back(api: Api) -> None:
    await api.set_up()
    answers = [
        await api.ask(
            "POST",
            "/session",
            json={"email": "ada@example.org", "password": "wrong"},
            headers={"X-Forwarded-For": f"203.0.113.{n}", "Forwarded": f"for=203.0.113.{n}"},
        )
        for n in range(11)
    ]

    assert [each.status for each in answers] == [401] * 10 + [429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


async def test_what_claims_to_be_forwarded_gets_no_tries_of_its_own(api: Api) -> None:
    tried = await asyncio.gather(
        *(
            api.ask(
                "POST",
                "/setup",
                json=SET_UP | {"token": "guess"},
                headers={"X-Forwarded-For": f"203.0.113.{n}", "X-Real-IP": f"203.0.113.{n}"},
            )
            for n in range(30)
        )
    )

    assert sorted(each.status for each in tried) == [403] * 20 + [429] * 10


async def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(api: Api) -> None:
    cookie = (await api.set_up()).cookies["social"]

    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "path=/", "samesite=strict"} <= attributes
    assert not any(each.startswith("domain") for each in attributes)
    assert [each for each in attributes if each.startswith("max-age=25919")]  # 30 days, less what passed since


async def test_on_https_the_cookie_has_the_host_prefix(backing: Backing) -> None:
    async with served(with_settings(backing, public_url="https://social.example.org")) as api:
        answer = await api.set_up()

        assert set(answer.cookies) == {"__Host-social"}
        assert "secure" in answer.cookies["__Host-social"].lower()
        assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_a_refresh_from_our_page_gives_the_next_pair(api: Api, backing: Backing) -> None:
    first = refresh_of((await api.set_up()).cookies["social"])

    answer = await api.ask("POST", "/session/refresh", headers=_ours(backing, first))

    assert answer.status == 201
    assert refresh_of(answer.cookies["social"]) != first
    api.token = answer.json["access_token"]
    assert (await api.ask("GET", "/me")).status == 200


FOREIGN = {
    "no header of our client": {"Social-Client": None},
    "another site": {"Origin": "https://evil.example.org"},
    "no origin to tell": {"Origin": "null"},
    "another port": {"Origin": "http://127.0.0.1:1"},
    "another scheme": {"Origin": "https://127.0.0.1:8080"},
    "a name that begins like ours": {"Origin": "http://127.0.0.1:8080.evil.example.org"},
    "cross-site": {"Sec-Fetch-Site": "cross-site"},
    "same-site": {"Sec-Fetch-Site": "same-site"},
}


@pytest.mark.parametrize("changes", FOREIGN.values(), ids=FOREIGN.keys())
@pytest.mark.parametrize(("method", "path"), [("POST", "/session/refresh"), ("DELETE", "/session")])
async def test_a_cookie_alone_opens_nothing_to_another_page(
    api: Api, backing: Backing, changes: dict[str, str | None], method: str, path: str
) -> None:
    cookie = refresh_of((await api.set_up()).cookies["social"])
    api.token = None
    headers = {name: value for name, value in {**_ours(backing, cookie), **changes}.items() if value is not None}

    answer = await api.ask(method, path, headers=headers)

    assert (answer.status, answer.problem) == (403, "forbidden")
    assert (await api.ask("POST", "/session/refresh", headers=_ours(backing, cookie))).status == 201


async def test_a_refresh_without_a_cookie_or_with_a_used_up_one_asks_to_sign_in(api: Api, backing: Backing) -> None:
    cookie = refresh_of((await api.set_up()).cookies["social"])
    api.token = None
    await api.ask("DELETE", "/session", headers=_ours(backing, cookie))

    for value in (cookie, "", "rubbish"):
        answer = await api.ask("POST", "/session/refresh", headers=_ours(backing, value))
        assert (answer.status, answer.problem) == (401, "sign-in-needed")


async def test_signing_out_ends_the_access_token_at_once(api: Api) -> None:
    await api.set_up()
    assert (await api.ask("GET", "/me")).status == 200

    answer = await api.ask("DELETE", "/session")

    assert answer.status == 204
    assert "max-age=0" in answer.cookies["social"].lower()
    assert (await api.ask("GET", "/me")).problem == "sign-in-needed"
    assert await Session.count() == 0


async def test_signing_out_twice_or_without_having_been_in_changes_nothing(api: Api) -> None:
    await api.set_up()
    for _ in range(2):
        assert (await api.ask("DELETE", "/session")).status == 204
    api.token = None
    assert (await api.ask("DELETE", "/session")).status == 204


async def test_everything_wrong_with_the_set_up_is_said_at_once(api: Api) -> None:
    answer = await api.ask("POST", "/setup", json={"token": "x", "email": "nobody", "zone": 5, "owner": True})

    assert (answer.status, answer.problem) == (422, "invalid")
    assert {each["pointer"]: each["code"] for each in answer.json["errors"]} == {
        "/name": "missing",
        "/email": "form",
        "/password": "missing",
        "/workspace": "missing",
        "/zone": "type",
        "/owner": "unknown",
    }
    assert await User.count() == 0


async def test_no_secret_reaches_the_log(api: Api, backing: Backing, capfd: pytest.CaptureFixture[str]) -> None:
    signed_in = await api.set_up()
    first = refresh_of(signed_in.cookies["social"])
    second = refresh_of((await api.ask("POST", "/session/refresh", headers=_ours(backing, first))).cookies["social"])
    third = refresh_of((await api.ask("POST", "/session/refresh", headers=_ours(backing, second))).cookies["social"])
    await api.ask("POST", "/session/refresh", headers=_ours(backing, first))
    await api.ask("POST", "/session", json={"email": "ada@example.org", "password": "a wrong password"})

    logged = "".join(capfd.readouterr())
    assert "session.reused" in logged
    for secret in (PASSWORD, "a wrong password", SET_UP["token"], signed_in.json["access_token"], first, second, third):
        assert secret not in logged


def _ours(backing: Backing, cookie: str) -> dict[str, str]:
    """What our own page sends with the cookie."""
    return {
        "Cookie": f"social={cookie}",
        "Origin": backing.settings.public_url,
        "Sec-Fetch-Site": "same-origin",
        "Social-Client": "web",
    }
