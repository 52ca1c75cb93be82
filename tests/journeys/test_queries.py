"""Everything the product does, and then: had each query its index, and each of a person's their workspace?"""

import asyncio
from typing import Any

import aiohttp
import pytest
from beanie import PydanticObjectId
from pymongo.errors import OperationFailure

from social.accounts.documents import Account
from social.backing import Backing
from social.files import Footage, Probe
from social.jobs.running import Running
from social.jobs.tasks import swept
from social.media.clipping import make_clips
from social.media.documents import Media
from social.media.keys import new_key
from social.media.sweep import files_of_nothing
from social.moments import now
from social.people import new_passwords
from social.publishing import leftovers, originals
from social.publishing.documents import Publication
from social.publishing.due import look
from tests.pictures import jpeg
from tests.publishing.conftest import takes_more_than_its_server
from tests.servers.commands import Commands, collection, conditions, scans
from tests.servers.product import PASSWORD, Person
from tests.servers.sandbox import Sandbox

OF_WORKSPACES = {"posts", "publications", "accounts", "media", "attempts", "uploads", "renditions", "clips"}
# The engine works for all workspaces at once. These are all the shapes it may ask in, by the names in the filter.
ENGINES = {
    "publications": [
        {"_id"},
        {"_id", "state"},
        {"_id", "state", "reason.code"},
        {"_id", "token"},
        {"_id", "token", "state"},
        {"_id", "token", "state", "$expr"},
        {"_id", "rev", "part", "state"},
        {"_id", "rev", "part", "token", "state"},
        {"_id", "rev", "part", "work.token"},
        {"_id", "work.token"},
        {"_id", "account_id", "state", "next_at"},
        {"_id", "account_id", "state", "next_at", "$or"},
        {"_id", "state", "prepare_at", "$or"},
        {"account_id", "state"},
        {"account_id", "state", "_id"},
        {"account_id", "state", "_id", "$or"},
        {"account_id", "state", "reason.code"},
        {"account_id", "state", "reason.code", "_id"},
        {"account_id", "state", "reason.code", "_id", "rev", "part"},
        {"account_id", "state", "reason.code", "next_at"},
        {"account_id", "state", "sent_at"},
        {"account_id", "answered_at"},
        {"account_id", "answered_at", "receipts.evidence"},
        {"account_id", "next_at", "state", "token"},
        {"account_id", "state", "next_at", "prepare_at"},
        {"state", "next_at"},
        {"next_at", "state", "work.lease_until"},
        {"account_id", "state", "next_at"},
        {"state", "prepare_at", "$or"},
        {"state", "next_at", "prepare_at"},
        {"next_at", "state", "updated_at"},
        {"state", "deadline", "ambiguous", "receipts.0"},
        {"_id", "state", "deadline", "ambiguous", "receipts.0"},
        {"content.media.rendition", "$or"},
        {"content.thread.media.rendition", "$or"},
    ],
    "accounts": [
        {"_id"},
        {"_id", "state"},
        {"_id", "token"},
        {"_id", "state", "token"},
        {"_id", "state", "token", "$or"},
        {"_id", "refreshing.by"},
        {"remote_id", "platform", "realm", "origin"},
        {"state", "limits_read_at"},
        {"state", "limits_read_at", "connected_at"},
    ],
    "attempts": [{"publication_id", "rev", "part", "receipt"}],
    "media": [{"key"}, {"thumbnail_key"}],
    "uploads": [{"expires_at"}, {"source", "problem", "$or"}, {"key"}, {"clean_key"}, {"thumbnail_key"}],
    "renditions": [{"next_at"}, {"wanted_at"}, {"key"}],
    "clips": [{"next_at"}, {"key"}],
}


@pytest.fixture
async def everything_done(
    backing: Backing,
    person: Person,
    session: aiohttp.ClientSession,
    sandbox: Sandbox,
    engine: Running,
    commands: Commands,
) -> Commands:
    """A person's whole day, and the engine's."""
    account = await person.connect(sandbox)
    media = await person.upload(jpeg())
    await person.ask("PATCH", f"/media/{media['id']}", json={"alt": "a gradient"})
    attached = ({"id": media["id"], "alt": "grey"},)

    sandbox.trouble(publish={"hang_up": "after", "count": 1})
    first = await person.plan(await person.write("with a picture", account["id"], media=attached), now=True)
    await person.until(first, "online")
    await takes_more_than_its_server(await Account.get(account["id"]))
    second = await person.plan(await person.write("x" * 600, account["id"]), now=True)
    failed = (await person.until(second, "failed"))["publications"][0]
    await person.ask("POST", f"/publications/{failed['id']}/attempts")
    await person.until(second, "failed")

    later = await person.plan(
        await person.write("later", account["id"]), wall="2030-03-31T02:30:00", zone="Europe/Berlin"
    )
    edit = {"revision": later["revision"], "text": "later, edited", "accounts": [account["id"]]}
    later = await person.ask("PUT", f"/posts/{later['id']}", json=edit)
    publication = later["publications"][0]["id"]
    await person.ask("PUT", f"/publications/{publication}/plan", json={"at": "2030-01-01T00:00:00Z"})
    await person.ask("DELETE", f"/publications/{publication}/plan")
    await person.ask("PUT", f"/publications/{publication}/plan", json={"at": "2030-01-01T00:00:00Z"})
    await person.ask("DELETE", f"/publications/{publication}/plan")
    later = await person.ask("GET", f"/posts/{later['id']}")
    later = await person.plan(later, at="2031-01-01T00:00:00Z")
    later = await person.ask("DELETE", f"/posts/{later['id']}/plan", params={"revision": later["revision"]})
    await person.ask("PUT", f"/accounts/{account['id']}/quotas", json={"quotas": [{"name": "3 hours", "posts": 200}]})
    held = await person.ask("POST", "/holds", json={})
    await person.ask("DELETE", f"/holds/{held['id']}")
    for decide in ("attempts", "cancellations"):
        await person.ask("POST", f"/publications/{decide}", json={"ids": [publication]})
    square = {"id": media["id"], "fit": {"aspect": 1.0, "shape": "crop"}}
    shaped = await person.ask("POST", "/posts", json={"text": "a", "accounts": [account["id"]], "media": [square]})
    shaped = await person.plan(shaped, at="2031-01-01T00:00:00Z")
    shaped = await person.ask("DELETE", f"/posts/{shaped['id']}/plan", params={"revision": shaped["revision"]})
    await person.ask("DELETE", f"/posts/{shaped['id']}", params={"revision": shaped["revision"]})
    await person.ask("POST", "/posts/checks", json={"text": "fits?", "accounts": [account["id"]]})
    await person.ask("DELETE", f"/posts/{later['id']}", params={"revision": later["revision"]})

    for path in (
        "/me",
        "/alarms",
        "/platforms",
        "/accounts",
        "/media",
        "/posts",
        "/posts?drafts=true",
        "/publications",
        "/publications?state=online&state=failed",
        "/publications?since=2026-01-01T00:00:00Z&newest_first=true",
        f"/publications/{failed['id']}",
        f"/accounts/{account['id']}",
        f"/accounts/{account['id']}/quotas",
        f"/media/{media['id']}",
        f"/media/{media['id']}/posts",
        "/media?text=gra&kind=picture&tag=x&since=2026-01-01T00:00:00Z&until=2036-01-01T00:00:00Z",
        "/media?kind=video",
        "/media?tag=x",
        "/media?copied=true",
        "/library",
        "/uploads",
    ):
        await person.ask("GET", path)
    for listed in ("/posts", "/publications", "/accounts", "/media"):
        page = await person.ask("GET", f"{listed}?limit=1")
        if page["next"]:
            await person.ask("GET", f"{listed}?limit=1&cursor={page['next']}")
    upload = await person.ask("POST", "/uploads", json={"name": "a.jpg", "bytes": len(jpeg())})
    await person.ask("PUT", f"/uploads/{upload['id']}/parts/1", data=jpeg())
    await person.ask("POST", f"/uploads/{upload['id']}/media")
    upload = await person.ask("POST", "/uploads", json={"name": "a.jpg", "bytes": 1000})
    await person.ask("DELETE", f"/uploads/{upload['id']}")
    fetched = await person.ask("POST", "/imports", json={"url": "http://127.0.0.1/a.jpg"})
    async with asyncio.timeout(20):
        while not (await person.ask("GET", f"/uploads/{fetched['id']}"))["problem"]:
            await asyncio.sleep(0.05)
    await person.ask("PUT", "/workspace/settings", json={"originals": "drop"})
    await person.ask("POST", "/reachability")
    await swept(backing)
    workspace_id = PydanticObjectId(str((await person.ask("GET", "/me"))["workspace_id"]))
    await a_video_is_shown(workspace_id, person, backing)
    await originals.drop_in(workspace_id, now(), backing)
    await Publication.needed(workspace_id, ["0" * 24])
    await files_of_nothing(backing)
    await leftovers.drop_unneeded(now(), backing)
    await Publication.renditions_shown([media["id"]], since=now())  # no file of this day is converted
    unused = await person.upload(jpeg(32, 32))
    await person.ask("DELETE", f"/media/{unused['id']}")
    ticket = await person.ask("POST", "/live/tickets")
    address = backing.settings.public_url.replace("http", "ws")
    async with session.ws_connect(f"{address}/live?ticket={ticket['ticket']}&after=0") as socket:
        await socket.receive_json()
        await socket.receive_json()
    await person.ask("POST", "/session/refresh", headers={"Origin": backing.settings.public_url})
    await person.ask("PATCH", "/me", json={"name": "Ada L.", "zone": "Europe/Paris"})
    link = (await new_passwords.link("ada@example.org", backing, now())).partition("#token=")[2]
    await person.ask("POST", "/password-links/readings", json={"token": link})
    used = await person.ask("POST", "/password-links/uses", json={"token": link, "password": PASSWORD})
    person.token = used["access_token"]
    await person.ask("PUT", "/me/password", json={"current": PASSWORD, "password": PASSWORD})
    await person.ask("POST", "/session", json={"email": "ada@example.org", "password": PASSWORD})
    await person.ask("DELETE", f"/accounts/{account['id']}")
    await look(backing)
    await asyncio.sleep(2 * backing.settings.times.tick)
    await person.ask("DELETE", "/session")
    return commands


async def a_video_is_shown(workspace_id: PydanticObjectId, person: Person, backing: Backing) -> None:
    """One that wants a clip, of which nothing is there."""
    facts = Probe(mime="video/mp4", bytes=1, width=64, height=36, seconds=1.0, footage=Footage(codec="hevc", fps=30))
    video = Media(
        workspace_id=workspace_id, name="film", mime=facts.mime, bytes=1, width=64, height=36, animated=False,
        kind="video", key=new_key(workspace_id), fingerprint="of a film", probe=facts, uploaded_by=PydanticObjectId(),
    )  # fmt: skip
    await video.add(backing)
    await person.ask("GET", "/media")
    await make_clips(backing)
    await video.remove(backing)


@pytest.mark.slow
async def test_every_query_has_its_index_and_every_persons_their_workspace(
    everything_done: Commands, backing: Backing
) -> None:
    commands = everything_done
    commands.listening = False
    assert len(commands.seen) > 60, "the day was shorter than it looks"

    unindexed = [
        f"{found} {command}" for command in commands.seen.values() if (found := await _scanned(command, backing))
    ]
    unbound = [
        (collection(command), sorted(conditions(command)))
        for command in commands.seen.values()
        if collection(command) in OF_WORKSPACES
        and "workspace_id" not in conditions(command)
        and set(conditions(command)) not in ENGINES.get(collection(command), [])
    ]

    assert unindexed == []
    assert unbound == []


async def _scanned(command: dict[str, Any], backing: Backing) -> list[str]:
    """The stages without an index in the plan of `command`."""
    if not conditions(command) and collection(command) in {"workspaces", "holds", "tellings"}:
        return []
    try:
        explained = await backing.db.command("explain", command, verbosity="queryPlanner")
    except OperationFailure as failure:
        raise AssertionError(f"cannot explain {command}") from failure
    return scans(explained)
