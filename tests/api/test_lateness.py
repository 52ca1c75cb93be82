"""How late a post may go out: of a workspace, and of one post."""

from typing import Any

import aiohttp
import pytest

from social.backing import Backing
from social.people.roles import Role
from tests.api.test_tenancy import signed_in_elsewhere
from tests.servers.product import Person
from tests.servers.sandbox import Sandbox

THEN = "2031-01-01T00:00:00Z"
MISS = {"then": "miss", "minutes": 15}


async def test_a_workspace_says_how_late_its_posts_may_be(person: Person, sandbox: Sandbox) -> None:
    account = await person.connect(sandbox)
    usual = await person.ask("GET", "/workspace/settings")
    before = await person.plan(await person.write("before", account["id"]), at=THEN)

    changed = await person.ask("PUT", "/workspace/settings", json={"lateness": MISS})
    after = await person.plan(await person.write("after", account["id"]), at=THEN)

    assert usual == {"lateness": {"then": "ask", "minutes": 24 * 60}, "originals": "keep"}
    assert changed == await person.ask("GET", "/workspace/settings") == {"lateness": MISS, "originals": "keep"}
    assert _of(before) == (usual["lateness"], "2031-01-02T00:00:00Z")
    assert _of(after) == (MISS, "2031-01-01T00:15:00Z")
    assert (before["plan"]["lateness"], after["plan"]["lateness"]) == (None, None)


async def test_a_post_says_it_for_itself(person: Person, sandbox: Sandbox) -> None:
    account = await person.connect(sandbox)

    whenever = {"then": "send", "minutes": None}
    planned = await person.plan(await person.write("whenever", account["id"]), at=THEN, lateness=whenever)

    assert planned["plan"]["lateness"] == whenever
    assert _of(planned) == (whenever, None)


@pytest.mark.parametrize(
    ("lateness", "pointer"),
    [
        ({"then": "ask"}, "/lateness/minutes"),
        ({"then": "send", "minutes": 5}, "/lateness/minutes"),
        ({"then": "ask", "minutes": 0}, "/lateness/minutes"),
        ({"then": "ask", "minutes": 10**9}, "/lateness/minutes"),
        ({"then": "forget", "minutes": 5}, "/lateness/then"),
        ({"then": "ask", "minutes": 5, "seconds": 5}, "/lateness/seconds"),
    ],
)
async def test_what_cannot_be_is_told_so(
    lateness: dict[str, Any], pointer: str, person: Person, sandbox: Sandbox
) -> None:
    account = await person.connect(sandbox)
    draft = await person.write("unclear", account["id"])
    body = {"revision": draft["revision"], "at": THEN, "lateness": lateness}

    for method, path, json in (
        ("PUT", "/workspace/settings", {"lateness": lateness}),
        ("PUT", f"/posts/{draft['id']}/plan", body),
    ):
        problem = await person.ask(method, path, expect=422, json=json)
        assert [each["pointer"] for each in problem["errors"]] == [pointer]


async def test_editors_read_the_settings_and_admins_change_them(
    person: Person, backing: Backing, session: aiohttp.ClientSession, door: str
) -> None:
    home = (await person.ask("GET", "/me"))["workspace_id"]
    editor = await signed_in_elsewhere(backing, session, door, Role.EDITOR, workspace=home, name="editor")
    elsewhere = await signed_in_elsewhere(backing, session, door, Role.OWNER, name="elsewhere")

    await editor.ask("PUT", "/workspace/settings", expect=403, json={"lateness": MISS})
    await person.ask("PUT", "/workspace/settings", json={"lateness": MISS})

    assert (await editor.ask("GET", "/workspace/settings"))["lateness"] == MISS
    assert (await elsewhere.ask("GET", "/workspace/settings"))["lateness"]["then"] == "ask"


def _of(post: dict[str, Any]) -> tuple[Any, Any]:
    [publication] = post["publications"]
    return publication["lateness"], publication["deadline"]
