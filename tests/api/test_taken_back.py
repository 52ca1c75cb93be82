"""One account was taken out of a post by mistake: it comes back with its date, if that is still ahead."""

from datetime import timedelta

from social.jobs.running import Running
from social.moments import now, rfc3339
from tests.api.test_lateness import MISS
from tests.servers.product import Person
from tests.servers.sandbox import Sandbox

WALL = {"wall": "2031-10-26T02:30:00", "zone": "Europe/Berlin", "fold": 1}  # the second time that clocks show that


async def test_one_of_several_comes_back_with_its_date_and_the_others_are_not_touched(
    person: Person, sandbox: Sandbox
) -> None:
    accounts = [(await person.connect(sandbox, name))["id"] for name in ("ada", "grace", "mary")]
    planned = await person.plan(await person.write("together", *accounts), **WALL, lateness=MISS)
    mine, gone, moved = planned["publications"]
    await person.ask("PUT", f"/publications/{moved['id']}/plan", json={"at": "2030-06-01T00:00:00Z"})
    await person.ask("DELETE", f"/publications/{gone['id']}/plan")
    await person.ask("DELETE", f"/publications/{mine['id']}/plan")

    back = await person.ask("PUT", f"/publications/{mine['id']}/plan", json=WALL)

    same = ("due_at", "wall", "zone", "fold", "lateness", "deadline", "excerpt")
    assert {name: back[name] for name in same} == {name: mine[name] for name in same}
    assert (back["state"], back["rev"]) == ("planned", mine["rev"] + 1)
    seen = await person.ask("GET", f"/posts/{planned['id']}")
    assert (seen["state"], seen["revision"], seen["plan"]) == ("planned", planned["revision"], planned["plan"])
    others = {each["id"]: (each["state"], each["due_at"]) for each in seen["publications"] if each["id"] != mine["id"]}
    assert others == {gone["id"]: ("cancelled", gone["due_at"]), moved["id"]: ("planned", "2030-06-01T00:00:00Z")}


async def test_the_last_one_that_was_taken_out_makes_a_planned_post_of_the_draft_again(
    person: Person, sandbox: Sandbox
) -> None:
    accounts = [(await person.connect(sandbox, name))["id"] for name in ("ada", "grace")]
    planned = await person.plan(await person.write("together", *accounts), **WALL, lateness=MISS)
    first, last = (each["id"] for each in planned["publications"])
    for each in (first, last):
        await person.ask("DELETE", f"/publications/{each}/plan")
    draft = await person.ask("GET", f"/posts/{planned['id']}")

    await person.ask("PUT", f"/publications/{last}/plan", json=WALL)

    seen = await person.ask("GET", f"/posts/{planned['id']}")
    assert (draft["state"], draft["plan"]) == ("draft", None)
    assert (seen["state"], seen["plan"]) == ("planned", planned["plan"])
    assert {each["id"]: each["state"] for each in seen["publications"]} == {first: "cancelled", last: "planned"}


async def test_it_goes_out_once_with_the_words_that_its_post_has_by_then(
    person: Person, sandbox: Sandbox, engine: Running
) -> None:
    accounts = [(await person.connect(sandbox, name))["id"] for name in ("ada", "grace")]
    planned = await person.plan(await person.write("old words", *accounts), at="2031-01-01T00:00:00Z")
    gone, kept = (each["id"] for each in planned["publications"])
    await person.ask("DELETE", f"/publications/{gone}/plan")
    edit = {"revision": planned["revision"], "text": "new words", "accounts": accounts}
    await person.ask("PUT", f"/posts/{planned['id']}", json=edit)

    await person.ask("PUT", f"/publications/{gone}/plan", json={"at": rfc3339(now() + timedelta(seconds=1))})
    await person.ask("DELETE", f"/publications/{kept}/plan")
    await person.until(planned, "online", "cancelled")

    assert sandbox.texts() == ["new words"]


async def test_where_there_is_no_way_back_the_answer_says_why(person: Person, sandbox: Sandbox) -> None:
    ada, grace = [(await person.connect(sandbox, name))["id"] for name in ("ada", "grace")]
    planned = await person.plan(await person.write("together", ada, grace), **WALL)
    gone = next(each["id"] for each in planned["publications"] if each["account_id"] == grace)
    await person.ask("DELETE", f"/publications/{gone}/plan")

    passed = await person.ask("PUT", f"/publications/{gone}/plan", expect=422, json={"at": "2026-01-01T00:00:00Z"})
    edit = {"revision": planned["revision"], "text": "ada's alone", "accounts": [ada]}
    await person.ask("PUT", f"/posts/{planned['id']}", json=edit)
    elsewhere = await person.ask("PUT", f"/publications/{gone}/plan", expect=409, json=WALL)

    assert passed["detail"] == "This time has passed."
    assert "no longer goes out on this account" in elsewhere["detail"]
    assert (await person.ask("GET", f"/publications/{gone}"))["state"] == "cancelled"


async def test_what_comes_back_while_all_is_held_is_held_too(person: Person, sandbox: Sandbox, engine: Running) -> None:
    accounts = [(await person.connect(sandbox, name))["id"] for name in ("ada", "grace")]
    planned = await person.plan(await person.write("together", *accounts), at="2031-01-01T00:00:00Z")
    gone = planned["publications"][0]["id"]
    await person.ask("DELETE", f"/publications/{gone}/plan")
    await person.ask("POST", "/holds", json={})

    await person.ask("PUT", f"/publications/{gone}/plan", json={"at": "2031-01-01T00:00:00Z"})

    seen = await person.until(planned, "held")
    assert {each["reason"]["code"] for each in seen["publications"]} == {"hold"}
