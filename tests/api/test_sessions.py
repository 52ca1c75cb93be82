"""Where one is signed in, and ending it."""

import time

import aiohttp
import pytest

from social.api.callers import FRESH
from social.backing import Backing
from social.people.documents import Session
from social.people.roles import Role
from tests.api.crowd import home, member, owner, signed_in
from tests.api.serving import Api, served
from tests.servers.product import Person

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


async def test_they_are_listed_with_what_they_are_and_without_secrets(api: Api) -> None:
    ada = await owner(api)
    await signed_in(api, "ada@example.org", ada.id, **{"User-Agent": FIREFOX})

    answer = await ada.ask("GET", "/sessions")

    here, there = answer.json
    assert set(here) == {"id", "current", "label", "user_agent", "created_at", "used_at", "ends_at"}
    assert (here["current"], there["current"]) == (True, False)
    assert (there["label"], there["user_agent"]) == ("Firefox on Linux", FIREFOX)


async def test_a_revoked_one_ends_at_once_and_the_others_stay(api: Api) -> None:
    ada = await owner(api)
    elsewhere = await signed_in(api, "ada@example.org", ada.id)
    third = await signed_in(api, "ada@example.org", ada.id)
    for each in (elsewhere, third):
        assert (await each.ask("GET", "/me")).status == 200
    [id] = [each["id"] for each in (await elsewhere.ask("GET", "/sessions")).json if each["current"]]

    assert (await ada.ask("DELETE", f"/sessions/{id}")).status == 204

    assert (await elsewhere.ask("GET", "/me")).problem == "sign-in-needed"
    assert (await third.ask("GET", "/me")).status == 200
    assert (await ada.ask("DELETE", f"/sessions/{id}")).problem == "not-found"


async def test_everywhere_else_is_all_but_here(api: Api) -> None:
    ada = await owner(api)
    bea = await member(api, await home(ada), Role.VIEWER, "bea")
    others = [await signed_in(api, "ada@example.org", ada.id) for _ in range(2)]
    for each in others:
        await each.ask("GET", "/me")

    assert (await ada.ask("DELETE", "/sessions")).status == 204

    assert [(await each.ask("GET", "/me")).status for each in (*others, ada, bea)] == [401, 401, 200, 200]
    assert len((await ada.ask("GET", "/sessions")).json) == 1


async def test_somebody_elses_is_not_found(api: Api) -> None:
    ada = await owner(api)
    bea = await member(api, await home(ada), Role.ADMIN, "bea")
    [hers] = (await bea.ask("GET", "/sessions")).json

    for id in (hers["id"], "0" * 24, "x", '{"$ne":null}'):
        assert (await ada.ask("DELETE", f"/sessions/{id}")).problem == "not-found"
    assert await Session.count() == 2


async def test_in_another_instance_it_ends_within_seconds(api: Api, backing: Backing) -> None:
    ada = await owner(api)
    elsewhere = await signed_in(api, "ada@example.org", ada.id)
    async with served(backing) as other:
        mine = {"Authorization": f"Bearer {elsewhere.token}"}
        assert (await other.ask("GET", "/me", headers=mine)).status == 200
        began = time.monotonic()
        await ada.ask("DELETE", "/sessions")

        while (await other.ask("GET", "/me", headers=mine)).status == 200:
            assert time.monotonic() - began < FRESH + 1


@pytest.mark.parametrize("way", ["revoked", "everywhere else", "signed out"])
async def test_the_sockets_of_an_ended_session_are_closed_soon(
    person: Person, door: str, session: aiohttp.ClientSession, way: str
) -> None:
    async with aiohttp.ClientSession() as client:
        elsewhere = Person(client, door)
        credentials = {"email": "ada@example.org", "password": "a long and quiet river"}
        elsewhere.token = (await elsewhere.ask("POST", "/session", json=credentials))["access_token"]
        sockets = []
        for each in (person, elsewhere):
            ticket = (await each.ask("POST", "/live/tickets"))["ticket"]
            sockets.append(await client.ws_connect(f"{door.replace('http', 'ws')}/live?ticket={ticket}"))
            await sockets[-1].receive_json()

        if way == "revoked":
            [its] = [each["id"] for each in await elsewhere.ask("GET", "/sessions") if each["current"]]
            await person.ask("DELETE", f"/sessions/{its}")
        elif way == "everywhere else":
            await person.ask("DELETE", "/sessions")
        else:
            await elsewhere.ask("DELETE", "/session")

        message = await sockets[1].receive(timeout=5)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 4401)
        await sockets[0].send_str('{"type":"ping"}')
        assert (await sockets[0].receive_json(timeout=5))["type"] == "pong"
