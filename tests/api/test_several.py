"""One word for many publications over the API: one call, and what came of each."""

from tests.servers.product import Person
from tests.servers.sandbox import Sandbox


async def test_what_a_hold_kept_back_is_decided_in_one_call_each(person: Person, sandbox: Sandbox) -> None:
    account = await person.connect(sandbox)
    held = await person.ask("POST", "/holds", json={})
    posts = [await person.plan(await person.write(text, account["id"]), now=True) for text in ("one", "two", "three")]
    sent, cancelled, left = [post["publications"][0]["id"] for post in posts]
    later = (await person.plan(await person.write("later", account["id"]), at="2031-01-01T00:00:00Z"))["publications"][
        0
    ]
    await person.ask("DELETE", f"/holds/{held['id']}")

    going = await person.ask("POST", "/publications/attempts", json={"ids": [sent, later["id"], "nonsense"]})
    gone = await person.ask("POST", "/publications/cancellations", json={"ids": [cancelled]})

    assert [(each["id"], each["outcome"], each["kind"]) for each in going] == [
        (sent, "done", None),
        (later["id"], "refused", "conflict"),
        ("nonsense", "refused", "not-found"),
    ]
    assert [each["publication"] and each["publication"]["state"] for each in going] == ["planned", "planned", None]
    assert going[1]["text"].startswith("There is nothing to try again")
    assert [(each["outcome"], each["publication"]["state"]) for each in gone] == [("done", "cancelled")]
    assert (await person.ask("GET", f"/posts/{posts[1]['id']}"))["state"] == "draft"
    assert (await person.ask("GET", f"/publications/{left}"))["state"] in {"planned", "held"}


async def test_the_same_call_with_the_same_key_is_answered_again(person: Person, sandbox: Sandbox) -> None:
    account = await person.connect(sandbox)
    post = await person.plan(await person.write("later", account["id"]), at="2031-01-01T00:00:00Z")
    ask = {"json": {"ids": [post["publications"][0]["id"]]}, "headers": {"Idempotency-Key": "once"}}

    first = await person.ask("POST", "/publications/cancellations", **ask)

    assert [each["outcome"] for each in first] == ["done"]
    assert await person.ask("POST", "/publications/cancellations", **ask) == first


async def test_none_and_too_many_are_refused(person: Person) -> None:
    for ids in ([], ["0" * 24] * 101, ["0" * 25]):
        await person.ask("POST", "/publications/attempts", expect=422, json={"ids": ids})
