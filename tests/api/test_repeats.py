"""A request with a key happens once, whatever becomes of its answer."""

import asyncio
import dataclasses
import hashlib
from typing import Any

import msgspec
import pytest
from beanie import PydanticObjectId
from bson import encode
from litestar import Response, post
from litestar.handlers import HTTPRouteHandler
from pymongo.asynchronous.client_session import AsyncClientSession

from social.api.callers import needs
from social.api.repeats import KEEPABLE, keeps
from social.backing import Backing
from social.backing.owner import Owner
from social.errors import TooMany
from social.moments import now
from social.outbox.documents import Row, announce
from social.people.documents import Membership, Workspace
from social.people.repeats import KEPT, Asked, Repeat
from social.people.roles import Role
from tests.api.crowd import home, member, owner
from tests.api.serving import Answer, Api, served
from tests.api.test_callers import handlers
from tests.pictures import jpeg
from tests.servers.commands import Commands, collection, conditions, scans

KEY = {"Idempotency-Key": "a key"}
DEAD = Owner(host="", boot="", pid=1, started=1)


def dead(backing: Backing) -> Owner:
    """A process of this machine that is no more."""
    return msgspec.structs.replace(backing.owner, pid=2**22 + 1)


async def posts(api: Api) -> list[str]:
    """The texts of all posts."""
    return [each["text"] for each in (await api.ask("GET", "/posts")).json["items"]]


def replayed(answer: Answer) -> bool:
    """Whether it is an answer given before."""
    return answer.headers.get("idempotency-replayed") == "true"


async def test_the_same_request_again_has_the_same_answer_and_happens_once(api: Api) -> None:
    await api.set_up()

    first = await api.ask("POST", "/posts", json={"text": "once"}, headers=KEY)
    again = [await api.ask("POST", "/posts", json={"text": "once"}, headers=KEY) for _ in range(3)]

    assert not replayed(first)
    assert all(replayed(each) for each in again)
    for each in again:
        assert (each.status, each.body) == (first.status, first.body) == (201, each.body)
        assert each.headers["content-type"] == first.headers["content-type"]
        assert each.headers["x-content-type-options"] == "nosniff"
    assert await posts(api) == ["once"]


async def test_of_twenty_at_once_one_happens_and_all_answers_are_that_one(api: Api) -> None:
    await api.set_up()

    answers = await asyncio.gather(*(api.ask("POST", "/posts", json={"text": "once"}, headers=KEY) for _ in range(20)))
    later = await api.ask("POST", "/posts", json={"text": "once"}, headers=KEY)

    made = [each for each in answers if each.status == 201]
    waiting = [each for each in answers if each.status == 409]
    assert len(made) + len(waiting) == 20
    assert sum(not replayed(each) for each in made) == 1
    assert {each.body for each in [*made, later]} == {made[0].body}
    assert all(each.headers["retry-after"] == "1" for each in waiting)
    assert await posts(api) == ["once"]


async def test_without_a_key_the_same_request_happens_again(api: Api) -> None:
    await api.set_up()
    for _ in range(2):
        assert not replayed(await api.ask("POST", "/posts", json={"text": "twice"}))

    assert await posts(api) == ["twice", "twice"]
    assert await Repeat.count() == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [("/posts", {"text": "another"}), ("/posts/checks", {"text": "once"}), ("/posts?x=1", {"text": "once"})],
)
async def test_a_key_belongs_to_its_request(api: Api, path: str, body: dict[str, str]) -> None:
    await api.set_up()
    await api.ask("POST", "/posts", json={"text": "once"}, headers=KEY)

    answer = await api.ask("POST", path, json=body, headers=KEY)

    assert (answer.status, answer.problem) == (422, "invalid")
    assert answer.json["errors"][0] == {
        "pointer": "/idempotency-key",
        "detail": "Use a new key for a new request; this one was used for another within the last 24 hours.",
        "code": "key-used",
    }
    assert await posts(api) == ["once"]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "schlüssel"])
async def test_a_key_that_is_none_is_refused(api: Api, key: str) -> None:
    await api.set_up()

    answer = await api.ask("POST", "/posts", json={"text": "no"}, headers={"Idempotency-Key": key})

    assert (answer.status, answer.json["errors"][0]["code"]) == (422, "form")
    assert await posts(api) == []


async def test_a_key_of_another_workspace_or_another_person_is_another_key(api: Api) -> None:
    ada = await owner(api)
    first, second = await home(ada), await Workspace(id=PydanticObjectId(), name="B", created_at=now()).insert()
    bea = await member(api, first, Role.AUTHOR, "bea")
    await member(api, str(second.id), Role.OWNER, "cyd")
    await bea_joins(bea.id, second.id)

    answers = [
        await ada.ask("POST", "/posts", json={"text": "ada's"}, headers=KEY),
        await bea.ask("POST", "/posts", json={"text": "bea's"}, headers=KEY),
        await bea.ask("POST", "/posts", json={"text": "bea's"}, headers=KEY | {"Social-Workspace": str(second.id)}),
    ]

    assert [each.status for each in answers] == [201] * 3
    assert not any(replayed(each) for each in answers)
    assert len({each.json["id"] for each in answers}) == 3


async def bea_joins(user_id: str, workspace_id: Any) -> None:
    """Makes a member of somebody."""
    user = PydanticObjectId(user_id)
    await Membership(workspace_id=workspace_id, user_id=user, role=Role.AUTHOR, created_at=now()).insert()


async def test_who_may_not_any_more_is_not_told_again(api: Api) -> None:
    ada = await owner(api)
    bea = await member(api, await home(ada), Role.AUTHOR, "bea")
    await bea.ask("POST", "/posts", json={"text": "mine"}, headers=KEY)
    await ada.ask("PUT", f"/members/{bea.id}/role", json={"role": "viewer"})

    answer = await bea.ask("POST", "/posts", json={"text": "mine"}, headers=KEY)
    assert (answer.status, replayed(answer)) == (403, False)

    await ada.ask("PUT", f"/members/{bea.id}/role", json={"role": "author"})
    answer = await bea.ask("POST", "/posts", json={"text": "mine"}, headers=KEY)
    assert (answer.status, replayed(answer)) == (201, True)


async def test_a_refusal_is_kept_too_and_one_that_asks_to_come_back_is_not(api: Api) -> None:
    await api.set_up()

    refusals = [await api.ask("POST", "/posts", json={"text": 5}, headers=KEY) for _ in range(2)]

    assert [(each.status, replayed(each)) for each in refusals] == [(422, False), (422, True)]
    assert refusals[0].json == refusals[1].json


class Counted:
    """A route that does as it is told, and how often it was asked."""

    def __init__(self, backing: Backing) -> None:
        self.asked = 0
        self.then: list[Any] = []
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.go_on.set()

        @post("/counted", guards=[needs("viewer")])
        async def counted() -> Response[Any]:
            self.asked += 1
            self.begun.set()
            await self.go_on.wait()
            todo = self.then.pop(0) if self.then else {"asked": self.asked}
            if isinstance(todo, Exception):
                raise todo
            if isinstance(todo, tuple):
                await backing.transaction(todo[0])
                raise todo[1]
            return Response(todo, status_code=201, headers={"Location": "/there", "X-Own": "not kept"})

        self.handler: HTTPRouteHandler = counted


async def test_a_fault_of_ours_lets_go_of_the_key(backing: Backing) -> None:
    route = Counted(backing)
    route.then = [RuntimeError("oh"), TooMany("Too many.", retry_after=3)]
    async with served(backing, others=[route.handler]) as api:
        await api.set_up()
        answers = [await api.ask("POST", "//counted", json={}, headers=KEY) for _ in range(4)]

    assert [each.status for each in answers] == [500, 429, 201, 201]
    assert [replayed(each) for each in answers] == [False, False, False, True]
    assert answers[3].headers["location"] == "/there"
    assert route.asked == 3


async def test_a_fault_after_something_was_done_does_not_do_it_again(backing: Backing) -> None:
    async def write(session: AsyncClientSession) -> None:
        row = Row.about(workspace_id=PydanticObjectId(), type="post.created", post_id="its id")
        await announce([row], session)

    route = Counted(backing)
    route.then = [(write, RuntimeError("after the fact"))]
    async with served(backing, others=[route.handler]) as api:
        await api.set_up()
        answers = [await api.ask("POST", "//counted", json={}, headers=KEY) for _ in range(3)]

    assert [each.status for each in answers] == [500, 409, 409]
    assert answers[2].json["made"] == [{"type": "post.created", "id": "its id"}]
    assert "retry-after" not in answers[2].headers
    assert route.asked == 1


async def test_while_one_runs_its_repeats_are_told_to_come_back_however_long_it_takes(backing: Backing) -> None:
    short = dataclasses.replace(
        backing, settings=msgspec.structs.replace(backing.settings, times=shortened(backing, lease=0.3))
    )
    route = Counted(backing)
    route.go_on.clear()
    async with served(short, others=[route.handler]) as api:
        await api.set_up()
        running = asyncio.create_task(api.ask("POST", "//counted", json={"n": 1}, headers=KEY))
        await route.begun.wait()
        told = []
        for _ in range(8):  # three times its lease, which is renewed meanwhile
            await asyncio.sleep(0.12)
            told.append(await api.ask("POST", "//counted", json={"n": 1}, headers=KEY))
        other = await api.ask("POST", "//counted", json={"n": 2}, headers=KEY)
        route.go_on.set()
        first, again = await running, await api.ask("POST", "//counted", json={"n": 1}, headers=KEY)

    assert {(each.status, each.headers["retry-after"]) for each in told} == {(409, "1")}
    assert other.status == 422
    assert (first.status, first.json) == (again.status, again.json) == (201, {"asked": 1})
    assert (route.asked, replayed(again)) == (1, True)


def shortened(backing: Backing, **times: float) -> Any:
    """The protocol's times, some of them other."""
    return msgspec.structs.replace(backing.settings.times, **times)


async def claimed_by(owner: Owner, api: Api, lease: float, made: list[Any] | None = None) -> None:
    """The key of the request `once`, as an instance leaves it that is killed while it handles that request."""
    await api.ask("POST", "/posts", json={"text": "once"}, headers=KEY)
    keys = Repeat.get_pymongo_collection()
    await keys.update_one({}, {"$set": {"answer": None, "owner": msgspec.to_builtins(owner), "made": made or []}})
    await keys.update_one({}, [{"$set": {"lease_until": {"$add": ["$$NOW", round(lease * 1000)]}}}])
    await api.app.state.backing.db["posts"].delete_many({})


async def test_what_a_request_does_is_noted_in_the_transaction_that_does_it(api: Api) -> None:
    await api.set_up()
    made = (await api.ask("POST", "/posts", json={"text": "once"}, headers=KEY)).json["id"]

    noted = await Repeat.get_pymongo_collection().find_one({})

    assert noted is not None
    assert noted["made"] == [{"type": "post.created", "id": made}]


async def test_a_day_later_the_key_is_new(api: Api) -> None:
    await api.set_up()
    await api.ask("POST", "/posts", json={"text": "once"}, headers=KEY)
    [stored] = await Repeat.find_all().to_list()
    assert abs(stored.expires_at - now() - KEPT).total_seconds() < 60
    await Repeat.get_pymongo_collection().update_one({}, [{"$set": {"expires_at": "$$NOW"}}])

    answer = await api.ask("POST", "/posts", json={"text": "another"}, headers=KEY)

    assert (answer.status, replayed(answer)) == (201, False)


async def test_an_answer_that_is_too_large_is_not_kept_and_nothing_happens_twice(backing: Backing) -> None:
    route = Counted(backing)
    route.then = [{"large": "x" * KEEPABLE}]
    async with served(backing, others=[route.handler]) as api:
        await api.set_up()
        answers = [await api.ask("POST", "//counted", json={}, headers=KEY) for _ in range(2)]

    assert [each.status for each in answers] == [201, 409]
    assert len(answers[0].body) > KEEPABLE
    assert route.asked == 1


async def test_a_body_that_is_too_large_is_refused_as_ever(api: Api) -> None:
    await api.set_up()
    for _ in range(2):
        answer = await api.ask("POST", "/posts", json={"text": "x" * 1_000_001}, headers=KEY, expect100=True)
        assert (answer.status, answer.problem) == (413, "too-large")
    assert await Repeat.count() == 0


async def test_a_file_is_taken_in_once_and_known_again_by_its_digest(api: Api) -> None:
    await api.set_up()
    path, one, other = "/media?name=a.jpg", jpeg(), jpeg(32, 32)

    first = await api.ask("POST", path, data=one, headers=KEY)
    again = await api.ask("POST", path, data=one, headers=KEY)
    another = await api.ask("POST", path, data=other, headers=KEY)

    assert (first.status, replayed(first)) == (201, False)
    assert (again.status, replayed(again), again.json) == (201, True, first.json)
    assert (another.status, another.json["errors"][0]["code"]) == (422, "key-used")
    assert len((await api.ask("GET", "/media")).json["items"]) == 1


async def test_secrets_are_neither_kept_nor_repeated(api: Api, backing: Backing) -> None:
    await api.set_up()
    asked: list[tuple[str, dict[str, Any]]] = [
        ("/live/tickets", {}),
        ("/invitations", {"role": "viewer"}),
        ("/session", {"email": "ada@example.org", "password": "four words in a row"}),
    ]
    for path, body in asked:
        answers = [await api.ask("POST", path, json=body, headers=KEY) for _ in range(2)]

        assert [(each.status, replayed(each)) for each in answers] == [(201, False)] * 2
        assert answers[0].body != answers[1].body
    assert await Repeat.count() == 0


def test_every_route_that_answers_a_secret_is_known(api: Api) -> None:
    """Those that are added are looked at: is the answer a secret? Then it says so, and stands here."""
    not_kept = {
        name.removeprefix("POST /api/v1")
        for name, handler in handlers(api.app).items()
        if name.startswith("POST /api/v1") and not keeps(handler)
    }

    assert not_kept == {
        "/setup",
        "/session",
        "/session/refresh",
        "/connections",
        "/live/tickets",
        "/uploads/{upload_id:str}/addresses",
        "/invitations",
        "/invitations/readings",
        "/invitations/acceptances",
        "/password-links/readings",
        "/password-links/uses",
    }


async def test_what_was_sent_cannot_be_guessed_from_what_is_kept(api: Api, backing: Backing) -> None:
    await api.set_up()
    body = b'{"text":5,"password":"hunter2 hunter2"}'
    await api.ask("POST", "/posts", data=body, headers=KEY | {"Content-Type": "application/json"})

    kept = b"".join([encode(each) async for each in backing.db["repeats"].find()])

    assert kept
    assert b"hunter2" not in kept
    assert hashlib.sha256(body).hexdigest().encode() not in kept
    assert b"a key" not in kept


async def test_the_document_shows_the_header_on_every_post_and_the_workspace_everywhere(api: Api) -> None:
    await api.set_up()
    document = (await api.ask("GET", "/openapi.json")).json

    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            headers = {each["name"]: each for each in operation.get("parameters", []) if each["in"] == "header"}
            assert ("Idempotency-Key" in headers) is (method == "post"), path
            assert not headers.get("Idempotency-Key", {}).get("required")
    create = document["paths"]["/api/v1/posts"]
    assert {"Social-Workspace"} <= {each["name"] for each in create["get"]["parameters"]}
    said = {each["name"]: each["description"] for each in create["post"]["parameters"]}
    assert "happens once" in said["Idempotency-Key"]
    [ticket] = [
        each for each in document["paths"]["/api/v1/live/tickets"]["post"]["parameters"] if "Key" in each["name"]
    ]
    assert "without effect" in ticket["description"]


async def test_every_query_has_its_index(api: Api, backing: Backing, commands: Commands) -> None:
    await api.set_up()
    await claimed_by(dead(backing), api, lease=60)
    for _ in range(2):
        await api.ask("POST", "/posts", json={"text": "once"}, headers=KEY)
    token, _ = await Repeat.claim(Asked(id="x", request="r", body=None), backing.owner, KEPT)
    await Repeat.renew("x", token, KEPT)
    await Repeat.release("x", token)
    commands.listening = False

    asked = [each for each in commands.seen.values() if collection(each) == "repeats" and conditions(each)]
    assert len(asked) >= 5
    for command in asked:
        assert scans(await backing.db.command("explain", command, verbosity="queryPlanner")) == []
