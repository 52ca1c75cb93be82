"""Holds over the API: one call, acknowledged; listed; ended."""

from typing import Any

from tests.servers.product import Person
from tests.servers.sandbox import Sandbox


async def test_everything_is_held_in_one_call_and_goes_on_with_another(person: Person, sandbox: Sandbox) -> None:
    account = await person.connect(sandbox)
    await person.plan(await person.write("later", account["id"]), at="2031-01-01T00:00:00Z")

    begun = await person.ask("POST", "/holds", json={"note": "a crisis"})
    listed = await person.ask("GET", "/holds")
    waiting = (await person.ask("GET", "/publications?state=held"))["items"]
    ended = await person.ask("DELETE", f"/holds/{begun['id']}")

    assert (begun["scope"], begun["held"], begun["going_out"], begun["note"]) == ("workspace", 1, [], "a crisis")
    assert [(each["id"], each["by"]) for each in listed] == [(begun["id"], begun["by"])]
    assert [each["reason"]["code"] for each in waiting] == ["hold"]
    assert ended == {"planned": 1, "late": 0, "checking": 0, "held": 0}
    assert await person.ask("GET", "/holds") == []
    assert [each["state"] for each in (await person.ask("GET", "/publications"))["items"]] == ["planned"]


async def test_what_a_hold_keeps_back_is_told_apart_from_what_is_held_for_another_reason(
    person: Person, sandbox: Sandbox
) -> None:
    ada, grace = await person.connect(sandbox, "ada"), await person.connect(sandbox, "grace")
    await person.plan(await person.write("later", ada["id"]), at="2031-01-01T00:00:00Z")
    await person.plan(await person.write("lost", grace["id"]), at="2031-01-02T00:00:00Z")
    await person.ask("DELETE", f"/accounts/{grace['id']}")
    await person.ask("POST", "/holds", json={"scope": "account", "account_id": ada["id"]})

    found = {}
    for query in ("", "&on_hold=true", "&on_hold=false"):
        page = await person.ask("GET", f"/publications?state=held&state=planned{query}")
        found[query] = [each["reason"]["code"] for each in page["items"]]

    assert found == {"": ["hold", "disconnected"], "&on_hold=true": ["hold"], "&on_hold=false": ["disconnected"]}


async def test_what_is_held_says_what_the_end_of_the_hold_comes_to_for_it(person: Person, sandbox: Sandbox) -> None:
    account = await person.connect(sandbox)
    await person.plan(await person.write("passed", account["id"]), now=True)
    await person.plan(await person.write("later", account["id"]), at="2031-01-01T00:00:00Z")

    held = await person.ask("POST", "/holds", json={})
    passed, ahead = (await person.ask("GET", "/publications?state=held"))["items"]
    ended = await person.ask("DELETE", f"/holds/{held['id']}")

    assert "you are asked whether to send it then or to cancel it" in passed["why"]["text"]
    assert "goes out at its time if the hold is ended before that" in ahead["why"]["text"]
    assert (ended["late"], ended["planned"]) == (1, 1)


async def test_a_hold_that_cannot_be_is_told_so(person: Person) -> None:
    await person.ask("POST", "/holds", json={})

    bodies: tuple[tuple[dict[str, Any], int], ...] = (
        ({}, 409),
        ({"scope": "platform", "platform": "myspace"}, 422),
        ({"scope": "account"}, 404),
        ({"scope": "galaxy"}, 422),
        ({"everything": True}, 422),
    )
    for body, status in bodies:
        problem = await person.ask("POST", "/holds", expect=status, json=body)
        assert problem["detail"]
