"""No request of one workspace sees or touches another's: every route with an id, with another's id."""

from typing import Any

import aiohttp
import pytest
from argon2 import PasswordHasher
from beanie import PydanticObjectId

from social.backing import Backing
from social.moments import now
from social.people.documents import Membership, User, Workspace
from social.people.roles import Role
from social.publishing.watchdog import Alarm
from tests.pictures import jpeg
from tests.servers.product import PASSWORD, Person
from tests.servers.sandbox import Sandbox

Json = dict[str, Any]


@pytest.fixture
async def theirs(person: Person, sandbox: Sandbox, backing: Backing) -> Json:
    """What the other workspace has: the ids of one of everything."""
    account = await person.connect(sandbox)
    found = await person.find(sandbox, "found")
    media = await person.upload(jpeg())
    draft = await person.write("a draft of theirs", account["id"], media=({"id": media["id"]},))
    planned = await person.plan(await person.write("planned by them", account["id"]), at="2030-01-01T00:00:00Z")
    me = await person.ask("GET", "/me")
    wrong = await Alarm(
        id="overdue:theirs",
        invariant="overdue",
        subject="theirs",
        workspace_id=PydanticObjectId(me["workspace_id"]),
        text="A post of theirs is overdue.",
        since=backing.now(),
    ).insert()
    return {
        "alarm": wrong.id,
        "account_id": account["id"],
        "found_id": found["id"],
        "media_id": media["id"],
        "post_id": draft["id"],
        "publication_id": planned["publications"][0]["id"],
        "planned_id": planned["id"],
        "user_id": me["user"]["id"],
        "session_id": (await person.ask("GET", "/sessions"))[0]["id"],
        "invitation_id": (await person.ask("POST", "/invitations", json={"role": "viewer"}))["id"],
        "upload_id": (await person.ask("POST", "/uploads", json={"name": "film.mp4", "bytes": 9_000_000}))["id"],
        "number": "1",
        "hold_id": (await person.ask("POST", "/holds", json={"scope": "platform", "platform": "x"}))["id"],
    }


@pytest.fixture
async def stranger(backing: Backing, session: aiohttp.ClientSession, door: str, theirs: Json) -> Person:
    """The owner of another workspace on the same instance, signed in."""
    return await signed_in_elsewhere(backing, session, door, Role.OWNER)


async def signed_in_elsewhere(
    backing: Backing,
    session: aiohttp.ClientSession,
    door: str,
    role: Role,
    *,
    workspace: str | None = None,
    name: str = "stranger",
) -> Person:
    """Another person, in a workspace of their own or in the one named, signed in with a client of their own."""
    user, home = PydanticObjectId(), PydanticObjectId(workspace)
    email = f"{name}@example.org"
    hashed = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1).hash(PASSWORD)
    if workspace is None:
        await Workspace(id=home, name=f"{name}'s", created_at=now()).insert()
    await User(
        id=user, email=email, email_folded=email, password_hash=hashed, name=name, zone="UTC", created_at=now()
    ).insert()
    await Membership(workspace_id=home, user_id=user, role=role, created_at=now()).insert()
    other = Person(session, door)
    other.token = (await other.ask("POST", "/session", json={"email": email, "password": PASSWORD}))["access_token"]
    return other


async def everything(backing: Backing) -> dict[str, list[Any]]:
    """All documents that belong to workspaces, byte for byte."""
    names = (
        "posts",
        "publications",
        "accounts",
        "media",
        "uploads",
        "lanes",
        "attempts",
        "outbox",
        "memberships",
        "found_accounts",
        "invitations",
        "sessions",
        "holds",
        "alarms",
    )
    return {name: await backing.db[name].find({}, {"seq": 0, "unnumbered": 0}).sort("_id").to_list() for name in names}


REQUESTS: list[tuple[str, str, Json | None]] = [
    ("GET", "/accounts/{account_id}", None),
    ("DELETE", "/accounts/{account_id}", None),
    ("POST", "/accounts/{account_id}/readings", None),
    ("GET", "/accounts/{account_id}/quotas", None),
    ("PUT", "/accounts/{account_id}/quotas", {"quotas": []}),
    ("POST", "/connections/{found_id}/account", None),
    ("DELETE", "/connections/{found_id}", None),
    ("GET", "/media/{media_id}", None),
    ("GET", "/media/{media_id}/posts", None),
    ("PATCH", "/media/{media_id}", {"alt": "mine now"}),
    ("DELETE", "/media/{media_id}", None),
    ("GET", "/uploads/{upload_id}", None),
    ("PUT", "/uploads/{upload_id}/parts/{number}", None),
    ("POST", "/uploads/{upload_id}/addresses", {"numbers": [1]}),
    ("POST", "/uploads/{upload_id}/media", None),
    ("DELETE", "/uploads/{upload_id}", None),
    ("GET", "/posts/{post_id}", None),
    ("PUT", "/posts/{post_id}", {"revision": 1, "text": "mine now", "media": [], "accounts": []}),
    ("DELETE", "/posts/{post_id}?revision=1", None),
    ("PUT", "/posts/{post_id}/plan", {"revision": 1, "now": True}),
    ("DELETE", "/posts/{planned_id}/plan?revision=2", None),
    ("GET", "/publications/{publication_id}", None),
    ("PUT", "/publications/{publication_id}/plan", {"now": True}),
    ("DELETE", "/publications/{publication_id}/plan", None),
    ("POST", "/publications/{publication_id}/attempts", None),
    ("POST", "/publications/{publication_id}/verdict", {"went_out": False}),
    ("PUT", "/members/{user_id}/role", {"role": "viewer"}),
    ("DELETE", "/holds/{hold_id}", None),
    ("DELETE", "/members/{user_id}", None),
    ("DELETE", "/invitations/{invitation_id}", None),
    ("DELETE", "/sessions/{session_id}", None),
]


async def test_anothers_ids_are_not_found_and_nothing_changes(theirs: Json, stranger: Person, backing: Backing) -> None:
    for method, path, body in REQUESTS:
        before = await everything(backing)

        problem = await stranger.ask(method, path.format(**theirs), expect=404, json=body)

        assert problem["type"] == "/problems/not-found"
        assert await everything(backing) == before, f"{method} {path} changed something"


async def test_every_route_with_an_id_is_among_them(door: str, person: Person) -> None:
    document = await person.ask("GET", "/openapi.json")
    tested = {(method, path.split("?")[0].replace("planned_id", "post_id")) for method, path, _ in REQUESTS}

    with_an_id = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, methods in document["paths"].items()
        for method in methods
        if "_id}" in path
    }

    assert with_an_id == tested


async def test_anothers_things_cannot_be_used_in_ones_own_post(theirs: Json, stranger: Person) -> None:
    for body in ({"accounts": [theirs["account_id"]]}, {"media": [{"id": theirs["media_id"]}]}):
        problem = await stranger.ask("POST", "/posts", expect=422, json={"text": "borrowed", **body})

        assert problem["errors"][0]["code"] == "unknown"


async def test_one_word_for_many_is_none_for_anothers(theirs: Json, stranger: Person, backing: Backing) -> None:
    for path in ("/publications/attempts", "/publications/cancellations"):
        before = await everything(backing)

        (decided,) = await stranger.ask("POST", path, json={"ids": [theirs["publication_id"]]})

        assert (decided["outcome"], decided["kind"], decided["publication"]) == ("refused", "not-found", None)
        assert await everything(backing) == before


async def test_lists_show_ones_own_alone(theirs: Json, stranger: Person, person: Person) -> None:
    for path in ("/accounts", "/media", "/posts", "/publications"):
        assert (await stranger.ask("GET", path))["items"] == []
    assert await stranger.ask("GET", "/invitations") == []
    assert await stranger.ask("GET", "/uploads") == []
    assert await stranger.ask("GET", "/alarms") == []
    assert [each["id"] for each in await person.ask("GET", "/alarms")] == [theirs["alarm"]]
    assert [each["name"] for each in await stranger.ask("GET", "/members")] == ["stranger"]
    assert len(await stranger.ask("GET", "/sessions")) == 1


async def test_anothers_workspace_cannot_be_chosen(person: Person, stranger: Person) -> None:
    me = await person.ask("GET", "/me")

    await stranger.ask("GET", "/posts", expect=404, headers={"Social-Workspace": me["workspace_id"]})


async def test_a_viewer_looks_on_and_an_author_keeps_to_their_own(
    backing: Backing, session: aiohttp.ClientSession, door: str, theirs: Json, person: Person
) -> None:
    me = await person.ask("GET", "/me")
    viewer = await signed_in_elsewhere(backing, session, door, Role.VIEWER, workspace=me["workspace_id"], name="viewer")
    author = await signed_in_elsewhere(backing, session, door, Role.AUTHOR, workspace=me["workspace_id"], name="author")

    await viewer.ask("GET", f"/posts/{theirs['post_id']}", expect=200)
    await viewer.ask("POST", "/posts", expect=403, json={"text": "no"})
    edit = {"revision": 1, "text": "not mine"}
    await author.ask("PUT", f"/posts/{theirs['post_id']}", expect=403, json=edit)
    own = await author.ask("POST", "/posts", expect=201, json={"text": "mine"})
    await author.ask("PUT", f"/posts/{own['id']}", expect=200, json={**edit, "text": "still mine"})
    await author.ask("DELETE", f"/accounts/{theirs['account_id']}", expect=403)
    quotas = f"/accounts/{theirs['account_id']}/quotas"
    assert [each["allowed"] for each in await viewer.ask("GET", quotas)] == [300, 300]
    await author.ask("PUT", quotas, expect=403, json={"quotas": [{"name": "3 hours", "posts": 5}]})
