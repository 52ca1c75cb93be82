"""What a newer version has written, and this one cannot read, is left out of lists and is nobody else's trouble.
Whoever asks for it is told so, and nothing changes it."""

from datetime import timedelta
from typing import Any

import pytest
from beanie import PydanticObjectId

from social.backing import Backing
from social.media.uploads import Upload
from social.moments import now
from social.publishing.originals import drop_in
from tests.api.test_media import workspace_of
from tests.pictures import jpeg
from tests.servers.product import PASSWORD, Person
from tests.servers.sandbox import Sandbox

Json = dict[str, Any]
AHEAD = "2031-01-01T00:00:00Z"
OF_A_PUBLICATION: list[Json] = [
    {"$set": {"state": "dreaming"}},
    {"$set": {"platform": "myspace"}},
    {"$set": {"content.text": ["many", "pieces"]}},
    {"$unset": {"due_at": 1}},
]
OF_AN_ACCOUNT: list[Json] = [
    {"$set": {"platform": "myspace"}},
    {"$set": {"state": "asleep"}},
    {"$unset": {"remote_id": 1}},
]
OF_A_POST: list[Json] = [{"$set": {"written.media": [{"id": "0" * 24, "crop": "round"}]}}, {"$unset": {"author_id": 1}}]
OF_A_PICTURE: list[Json] = [{"$set": {"kind": "hologram"}}, {"$unset": {"fingerprint": 1}}]
OF_A_HOLD: list[Json] = [{"$set": {"scope": "galaxy"}}, {"$unset": {"at": 1}}]


@pytest.fixture
async def accounts(person: Person, sandbox: Sandbox) -> list[str]:
    """Three connected accounts, in this order."""
    return [(await person.connect(sandbox, name))["id"] for name in ("ada", "bert", "carla")]


async def newer(backing: Backing, collection: str, id: str, update: Json) -> Json:
    """Has a newer version write it; it as it is stored then."""
    its = {"_id": PydanticObjectId(id)}
    written = await backing.db[collection].find_one_and_update(its, update, return_document=True)
    assert written is not None
    return dict(written)


async def paged(person: Person, path: str) -> list[str]:
    """The ids of a whole list, read one by one."""
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        part = await person.ask("GET", path, params={"limit": "1", **cursor})
        seen += [each["id"] for each in part["items"]]
        assert len(part["items"]) == 1 or part["next"] is None
        if part["next"] is None:
            return seen
        cursor = {"cursor": part["next"]}


async def refused(person: Person, requests: list[tuple[str, str, Json | None]]) -> None:
    """Each of these says what happened and what to do."""
    for method, path, body in requests:
        problem = await person.ask(method, path, expect=409, json=body)
        assert problem["type"] == "/problems/newer", f"{method} {path}"
        assert "newer version of this program" in problem["detail"]
        assert "Update" in problem["detail"]


async def still(backing: Backing, collection: str, stored: Json) -> bool:
    """Whether it is there, as it was written."""
    return bool(await backing.db[collection].find_one({"_id": stored["_id"]}) == stored)


@pytest.mark.parametrize("update", OF_A_PUBLICATION, ids=str)
async def test_other_publications_are_listed(
    update: Json, person: Person, accounts: list[str], backing: Backing
) -> None:
    posts = [await person.plan(await person.write(text, accounts[0]), at=AHEAD) for text in ("one", "two", "three")]
    ids = [each["publications"][0]["id"] for each in posts]
    stored = await newer(backing, "publications", ids[1], update)
    its = f"/publications/{ids[1]}"

    listed = await person.ask("GET", "/publications", params={"state": ["planned"]})
    shown = await person.ask("GET", "/posts")

    assert [each["id"] for each in listed["items"]] == [ids[0], ids[2]]
    assert await paged(person, "/publications") == [ids[0], ids[2]]
    assert [each["id"] for each in shown["items"]] == [each["id"] for each in reversed(posts)]
    assert [len(each["publications"]) for each in shown["items"]] == [1, 0, 1]
    assert [each["state"] for each in shown["items"]] == ["planned", "held", "planned"]
    await refused(
        person,
        [
            ("GET", its, None),
            ("PUT", f"{its}/plan", {"now": True}),
            ("DELETE", f"{its}/plan", None),
            ("POST", f"{its}/attempts", None),
            ("POST", f"{its}/verdict", {"went_out": True}),
            ("PUT", f"/posts/{posts[1]['id']}", {"revision": posts[1]["revision"], "text": "other words"}),
            ("PUT", f"/posts/{posts[1]['id']}/plan", {"revision": posts[1]["revision"], "now": True}),
            ("DELETE", f"/posts/{posts[1]['id']}/plan?revision={posts[1]['revision']}", None),
            ("DELETE", f"/posts/{posts[1]['id']}?revision={posts[1]['revision']}", None),
        ],
    )
    assert await still(backing, "publications", stored)


@pytest.mark.parametrize("path", ["/publications/attempts", "/publications/cancellations"])
async def test_one_word_for_several_says_which_it_was_not_for(
    path: str, person: Person, accounts: list[str], backing: Backing
) -> None:
    posts = [await person.plan(await person.write(text, accounts[0]), at=AHEAD) for text in ("one", "two")]
    ids = [each["publications"][0]["id"] for each in posts]
    stored = await newer(backing, "publications", ids[0], OF_A_PUBLICATION[0])

    decided = await person.ask("POST", path, json={"ids": [*ids, "0" * 24]})

    assert [each["kind"] for each in decided] == ["newer", decided[1]["kind"], "not-found"]
    assert decided[1]["publication"]["id"] == ids[1]
    assert await still(backing, "publications", stored)


@pytest.mark.parametrize("update", OF_AN_ACCOUNT, ids=str)
async def test_other_accounts_are_listed(
    update: Json, person: Person, accounts: list[str], sandbox: Sandbox, backing: Backing
) -> None:
    draft = await person.write("on all of them", *accounts)
    stored = await newer(backing, "accounts", accounts[1], update)
    its = f"/accounts/{accounts[1]}"

    listed = await person.ask("GET", "/accounts")
    other = await person.plan(await person.write("on another", accounts[0]), at=AHEAD)
    edit = {"revision": draft["revision"], "text": "other words", "accounts": accounts}
    problem = await person.ask("PUT", f"/posts/{draft['id']}", expect=422, json=edit)

    assert [each["id"] for each in listed["items"]] == [accounts[0], accounts[2]]
    assert await paged(person, "/accounts") == [accounts[0], accounts[2]]
    assert other["state"] == "planned"
    assert [(each["pointer"], each["code"]) for each in problem["errors"]] == [("/accounts/1", "newer")]
    assert "newer version of this program" in problem["errors"][0]["detail"]
    await refused(
        person,
        [
            ("GET", its, None),
            ("DELETE", its, None),
            ("POST", f"{its}/readings", None),
            ("GET", f"{its}/quotas", None),
            ("PUT", f"{its}/quotas", {"quotas": []}),
            ("POST", "/posts/splits", {"account_id": accounts[1], "text": "long"}),
            ("POST", "/holds", {"scope": "account", "account_id": accounts[1]}),
        ],
    )
    assert await still(backing, "accounts", stored)


@pytest.mark.parametrize("update", OF_A_POST, ids=str)
async def test_other_posts_are_listed(update: Json, person: Person, accounts: list[str], backing: Backing) -> None:
    posts = [await person.write(text, accounts[0]) for text in ("one", "two", "three")]
    planned = await person.plan(posts[1], at=AHEAD)
    publication = planned["publications"][0]["id"]
    stored = await newer(backing, "posts", posts[1]["id"], update)
    its = f"/posts/{posts[1]['id']}"

    listed = await person.ask("GET", "/posts")

    assert [each["id"] for each in listed["items"]] == [posts[2]["id"], posts[0]["id"]]
    assert await paged(person, "/posts") == [posts[2]["id"], posts[0]["id"]]
    (decided,) = await person.ask("POST", "/publications/cancellations", json={"ids": [publication]})
    assert (decided["outcome"], decided["kind"]) == ("refused", "newer")
    await refused(
        person,
        [
            ("GET", its, None),
            ("PUT", its, {"revision": 2, "text": "other words"}),
            ("PUT", f"{its}/plan", {"revision": 2, "now": True}),
            ("DELETE", f"{its}/plan?revision=2", None),
            ("DELETE", f"{its}?revision=2", None),
            ("DELETE", f"/publications/{publication}/plan", None),
        ],
    )
    assert await still(backing, "posts", stored)


@pytest.mark.parametrize("update", OF_A_PICTURE, ids=str)
async def test_other_pictures_are_listed(update: Json, person: Person, backing: Backing) -> None:
    pictures = [(await person.upload(jpeg(32 + n, 32)))["id"] for n in range(3)]
    draft = await person.write("with pictures", media=tuple({"id": each} for each in pictures))
    stored = await newer(backing, "media", pictures[1], update)
    its = f"/media/{pictures[1]}"

    listed = await person.ask("GET", "/media")
    shown = await person.ask("GET", f"/posts/{draft['id']}")
    edit = {"revision": 1, "text": "other words", "media": [{"id": each} for each in pictures]}
    problem = await person.ask("PUT", f"/posts/{draft['id']}", expect=422, json=edit)

    assert [each["id"] for each in listed["items"]] == [pictures[2], pictures[0]]
    assert await paged(person, "/media") == [pictures[2], pictures[0]]
    assert (await person.ask("GET", "/library"))["files"] == 3
    assert [each["id"] for each in shown["media"]] == [pictures[0], pictures[2]]
    assert [(each["pointer"], each["code"]) for each in problem["errors"]] == [("/media/1/id", "newer")]
    await refused(
        person,
        [("GET", its, None), ("PATCH", its, {"alt": "words"}), ("DELETE", its, None), ("GET", f"{its}/posts", None)],
    )
    assert await still(backing, "media", stored)


@pytest.mark.parametrize(
    ("collection", "update", "shown"),
    [("posts", OF_A_POST[1], []), ("publications", OF_A_PUBLICATION[0], ["held"])],
    ids=["post", "publication"],
)
async def test_the_picture_that_it_shows_is_kept(
    collection: str, update: Json, shown: list[str], person: Person, accounts: list[str], backing: Backing
) -> None:
    picture = (await person.upload(jpeg(32, 32)))["id"]
    post = await person.plan(await person.write("with it", accounts[0], media=({"id": picture},)), at=AHEAD)
    its = {"posts": post["id"], "publications": post["publications"][0]["id"]}[collection]
    await newer(backing, collection, its, update)

    problem = await person.ask("DELETE", f"/media/{picture}", expect=409)

    assert problem["posts"] == [post["id"]]
    assert (await person.ask("GET", f"/media/{picture}"))["uses"] == 1
    assert [each["state"] for each in await person.ask("GET", f"/media/{picture}/posts")] == shown


async def test_what_other_posts_are_done_with_is_dropped_and_what_it_shows_is_not(
    person: Person, accounts: list[str], backing: Backing
) -> None:
    pictures = [(await person.upload(jpeg(32 + n, 32)))["id"] for n in range(2)]
    posts = [
        await person.plan(await person.write("out", accounts[0], media=({"id": each},)), at=AHEAD) for each in pictures
    ]
    await backing.db["publications"].update_many({}, {"$set": {"state": "online"}})
    await newer(backing, "publications", posts[0]["publications"][0]["id"], OF_A_PUBLICATION[0])

    await drop_in(PydanticObjectId(await workspace_of(person)), now() + timedelta(seconds=1), backing)

    files = {each["id"]: each["dropped"] for each in (await person.ask("GET", "/media"))["items"]}
    assert files == dict(zip(pictures, (False, True), strict=True))


async def test_who_has_a_role_that_is_not_known_is_elsewhere_all_the_same(person: Person, backing: Backing) -> None:
    me = await person.ask("GET", "/me")
    strange = {"user_id": PydanticObjectId(me["user"]["id"]), "workspace_id": PydanticObjectId(), "role": "ghost"}
    await backing.db["memberships"].insert_one(strange | {"created_at": now()})
    other = {"user_id": PydanticObjectId(), "workspace_id": PydanticObjectId(me["workspace_id"]), "role": "ghost"}
    await backing.db["memberships"].insert_one(other | {"created_at": now()})

    again = await person.ask("POST", "/session", json={"email": "ada@example.org", "password": PASSWORD})
    person.token = again["access_token"]

    assert (await person.ask("GET", "/me"))["workspace_id"] == me["workspace_id"]
    assert [each["name"] for each in await person.ask("GET", "/members")] == ["Ada"]


@pytest.mark.parametrize("update", OF_A_HOLD, ids=str)
async def test_other_holds_are_listed_and_it_goes_on_holding(
    update: Json, person: Person, accounts: list[str], backing: Backing
) -> None:
    holds = [
        (await person.ask("POST", "/holds", json={"scope": "account", "account_id": each}))["id"] for each in accounts
    ]
    stored = await newer(backing, "holds", holds[1], update)

    listed = await person.ask("GET", "/holds")
    kept = await person.plan(await person.write("held", accounts[1]), at=AHEAD)

    assert [each["id"] for each in listed] == [holds[0], holds[2]]
    assert kept["state"] in ("planned", "held")
    await refused(person, [("DELETE", f"/holds/{holds[1]}", None)])
    assert await still(backing, "holds", stored)


async def test_however_many_there_are_the_pages_are_whole(
    person: Person, accounts: list[str], backing: Backing
) -> None:
    posts = [(await person.write(f"post {n}", accounts[0]))["id"] for n in range(8)]
    for each in posts[2:7]:
        await newer(backing, "posts", each, OF_A_POST[1])

    first = await person.ask("GET", "/posts", params={"limit": "2"})
    last = await person.ask("GET", "/posts", params={"limit": "2", "cursor": first["next"]})

    assert [each["id"] for each in first["items"]] == [posts[7], posts[1]]
    assert [each["id"] for each in last["items"]] == [posts[0]]
    assert last["next"] is None


async def test_other_uploads_are_listed_and_end_at_their_time(person: Person, backing: Backing) -> None:
    begun = {"name": "film.mp4", "bytes": 9_000_000}
    ids = [(await person.ask("POST", "/uploads", json=begun))["id"] for _ in range(3)]
    await backing.db["uploads"].update_many({}, {"$set": {"expires_at": now()}})
    stored = await newer(backing, "uploads", ids[1], {"$set": {"bytes": "many"}})

    listed = await person.ask("GET", "/uploads")
    expired = await Upload.expired(now() + timedelta(seconds=1), most=2)

    assert [each["id"] for each in listed] == [ids[2], ids[0]]
    assert {str(each.id) for each in expired} == {ids[0], ids[2]}
    await refused(person, [("GET", f"/uploads/{ids[1]}", None), ("DELETE", f"/uploads/{ids[1]}", None)])
    assert await still(backing, "uploads", stored)
