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
