"""Files of posts that are online everywhere go where a workspace chose so, and no others."""

from datetime import timedelta
from typing import Any

import pytest
from beanie import PydanticObjectId

from social.backing import Backing
from social.jobs.running import Running
from social.moments import now
from social.people.documents import Workspace
from social.publishing.originals import RESTED, drop_in, drop_originals
from tests.api.test_media import in_the_bucket, workspace_of
from tests.pictures import jpeg
from tests.servers.product import Person
from tests.servers.sandbox import Sandbox

Json = dict[str, Any]


async def test_only_what_is_online_everywhere_is_dropped_and_its_thumbnail_stays(
    person: Person, sandbox: Sandbox, engine: Running, backing: Backing
) -> None:
    account = await person.connect(sandbox)
    shown, drafted, unused = [await person.upload(jpeg(size, size)) for size in (40, 50, 60)]
    post = await person.write("out", account["id"], media=({"id": shown["id"]},))
    await person.until(await person.plan(post, now=True), "online")
    await person.write("not yet", media=({"id": drafted["id"]},))
    workspace = await workspace_of(person)
    assert len(await in_the_bucket(backing, workspace)) == 6

    await drop_in(PydanticObjectId(workspace), now() - RESTED, backing)
    assert len(await in_the_bucket(backing, workspace)) == 6, "it has not rested yet"
    await drop_in(PydanticObjectId(workspace), now() + timedelta(seconds=1), backing)

    seen = {each["id"]: each for each in (await person.ask("GET", "/media"))["items"]}
    assert {id: each["dropped"] for id, each in seen.items()} == {
        shown["id"]: True,
        drafted["id"]: False,
        unused["id"]: False,
    }
    assert seen[shown["id"]]["bytes"] == 0
    assert len(await in_the_bucket(backing, workspace)) == 5
    async with person._session.get(backing.settings.public_url + seen[shown["id"]]["thumbnail_url"]) as answer:
        assert answer.status == 200
    problem = await person.ask("POST", "/posts", expect=422, json={"text": "again", "media": [{"id": shown["id"]}]})
    assert problem["errors"][0]["code"] == "dropped"
    assert (await person.ask("GET", f"/posts/{post['id']}"))["media"][0]["id"] == shown["id"]


@pytest.mark.parametrize("chosen", [True, False])
async def test_a_workspace_chooses(chosen: bool, person: Person, backing: Backing) -> None:
    if chosen:
        changed = await person.ask("PUT", "/workspace/settings", json={"originals": "drop"})
        assert changed["originals"] == "drop"
    await drop_originals(backing)

    assert await Workspace.dropping() == ([PydanticObjectId(await workspace_of(person))] if chosen else [])


async def test_whether_platforms_can_fetch_files_is_said_in_words(person: Person, backing: Backing) -> None:
    answer = await person.ask("POST", "/reachability")

    assert answer["address"] == backing.settings.public_url
    assert "https" in answer["problem"]
    assert [each.key async for each in backing.bucket.listed("reach/")] == []
