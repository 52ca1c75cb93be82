"""What is wrong with the engine is listed for its workspace for as long as it is wrong."""

from datetime import timedelta

import aiohttp
from beanie import PydanticObjectId

from social.backing import Backing
from social.outbox.documents import Row
from social.people.roles import Role
from social.publishing import watchdog
from social.publishing.documents import Publication
from social.publishing.watchdog import Alarm, Beat
from tests.api.test_tenancy import signed_in_elsewhere
from tests.servers.product import Person
from tests.servers.sandbox import Sandbox


async def test_what_is_wrong_is_listed_from_when_it_is_seen_until_it_is_mended(
    person: Person, sandbox: Sandbox, backing: Backing, session: aiohttp.ClientSession, door: str
) -> None:
    account = await person.connect(sandbox)
    post = await person.plan(await person.write("forgotten", account["id"]), at="2031-01-01T00:00:00Z")
    (publication,) = post["publications"]
    mine = {"_id": PydanticObjectId(publication["id"])}
    home = (await person.ask("GET", "/me"))["workspace_id"]
    viewer = await signed_in_elsewhere(backing, session, door, Role.VIEWER, workspace=home, name="viewer")
    before = await person.ask("GET", "/alarms")

    await Publication.engine().update_one(mine, {"$set": {"next_at": None}})
    await watchdog.look(backing)
    listed = await person.ask("GET", "/alarms")
    seen = await viewer.ask("GET", "/alarms")
    told = await Row.find_one({"type": "alarm.raised"})
    await Publication.engine().update_one(mine, {"$set": {"next_at": backing.now() + timedelta(days=1)}})
    await watchdog.look(backing)

    (alarm,) = listed
    assert before == []
    assert (alarm["name"], alarm["publication_id"]) == ("nobody_looks", publication["id"])
    assert "left without anybody who will look at it again" in alarm["text"]
    assert seen == listed
    assert told is not None
    assert told.data == {name: alarm[name] for name in ("id", "name", "text", "since")}
    assert await person.ask("GET", "/alarms") == []


async def test_what_is_wrong_with_the_whole_installation_is_in_no_workspaces_list(
    person: Person, backing: Backing
) -> None:
    await watchdog.beat(backing)
    await Beat.get_pymongo_collection().update_many({}, {"$set": {"lag": 9.0}})

    await watchdog.look(backing)

    assert await Alarm.find({"invariant": "loop_blocked"}).count() == 1
    assert await person.ask("GET", "/alarms") == []
