"""Who may do what: bearer tokens, roles, workspaces; and that no route was forgotten."""

import re
import time
from typing import Any

import pytest
from beanie import PydanticObjectId
from litestar import Litestar, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from social.api.callers import FRESH, declares_who_may, needed, needs
from social.api.routes import application
from social.backing import Backing
from social.moments import now
from social.people.documents import Membership, Session, Workspace
from social.people.roles import Caller, Role
from tests.api.serving import Api, served

PUBLIC = {
    "GET /api/v1/setup",
    "POST /api/v1/setup",
    "POST /api/v1/session",
    "POST /api/v1/session/refresh",
    "DELETE /api/v1/session",
    "POST /api/v1/invitations/readings",
    "POST /api/v1/invitations/acceptances",
    "POST /api/v1/password-links/readings",
    "POST /api/v1/password-links/uses",
    "GET /connect/{platform:str}/client.json",
    "GET /connect/{platform:str}",
    "HEAD /connect/{platform:str}",
    "GET /health/live",
    "GET /health/ready",
    "GET /",
    "GET /{path:path}",
    "HEAD /",
    "HEAD /{path:path}",
    "GET /m/{token:str}",
    "HEAD /m/{token:str}",
}


def handlers(app: Litestar) -> dict[str, HTTPRouteHandler]:
    """All of the app's, by method and path; without those for OPTIONS, which Litestar adds and nobody may use."""
    return {
        f"{method} {route.path}": handler
        for route in app.routes
        for handler in getattr(route, "route_handlers", [])
        if isinstance(handler, HTTPRouteHandler)
        for method in handler.http_methods
        if method != "OPTIONS"
    }


async def test_every_route_says_who_may_use_it_and_few_are_public(backing: Backing) -> None:
    found = handlers(application(backing))

    assert [name for name, handler in found.items() if not declares_who_may(handler)] == []
    assert {name for name, handler in found.items() if handler.opt.get("public")} <= PUBLIC


async def test_every_route_that_is_not_public_asks_to_sign_in(api: Api) -> None:
    for name, handler in handlers(api.app).items():
        if handler.opt.get("public"):
            continue
        method, _, path = name.partition(" ")
        answer = await api.ask(method, "/" + path.replace("{", "").replace("}", ""), headers={"Via": "1.1 proxy"})

        if method == "HEAD":
            assert answer.status == 401
        else:
            assert (answer.status, answer.problem) == (401, "sign-in-needed"), name
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_route_that_declares_nothing_is_open_to_nobody(backing: Backing) -> None:
    @get("/forgotten")
    async def forgotten() -> str:
        return "secret"

    async with served(backing, others=[forgotten]) as api:
        await api.set_up()
        answer = await api.ask("GET", "//forgotten")

    assert (answer.status, answer.problem) == (403, "forbidden")
    assert b"secret" not in answer.body


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "POST", "PUT"])
async def test_other_methods_are_refused(api: Api, method: str) -> None:
    await api.set_up()

    assert (await api.ask(method, "/me")).status in {403, 405}


LOOKING = {"POST /api/v1/live/tickets"}  # the only thing a viewer makes
OF_A_VIEWER = {"DELETE /api/v1/members/{user_id:str}"}  # the viewer: by leaving


async def test_what_a_viewer_may_do_changes_nothing_but_their_own(backing: Backing) -> None:
    for name, handler in handlers(application(backing)).items():
        if needed(handler) is Role.VIEWER and not name.startswith(("GET", "HEAD")):
            assert name in LOOKING | OF_A_VIEWER


async def test_every_route_is_open_to_its_role_and_the_stronger_ones_and_to_no_other(api: Api) -> None:
    """The matrix: each route as each role. Who is let in may be refused for other reasons; ids lead nowhere."""
    await api.set_up()
    order, tried = list(Role), 0
    for role in order:
        await Membership.find_all().set({"role": role})
        me = (await api.ask("GET", "/me")).json["user"]["id"]
        api.app.state.callers.forget_user(PydanticObjectId(me))
        for name, handler in handlers(api.app).items():
            least = needed(handler)
            if least is None or "HEAD" in name:
                continue
            method, _, path = name.partition(" ")
            answer = await api.ask(method, "/" + re.sub(r"{\w+:\w+}", "0" * 24, path))

            refused = answer.status == 403 and b"your role in the workspace must be" in answer.body
            assert refused is (order.index(role) > order.index(least)), (role, name, answer.status, answer.body)
            tried += 1
    assert tried > 100


async def test_what_needs_no_workspace_is_open_to_who_belongs_nowhere(api: Api) -> None:
    await api.set_up()
    await Membership.find_all().delete()

    me = await api.ask("GET", "/me")

    assert (me.status, me.json["workspaces"], me.json["workspace_id"]) == (200, [], None)
    assert (await api.ask("GET", "/sessions")).status == 200
    assert (await api.ask("GET", "/members")).problem == "forbidden"


@get("/whoami/{role:str}", guards=[needs("viewer")])
async def whoami(caller: NamedDependency[Caller]) -> dict[str, str]:
    """The caller, as a handler gets it."""
    return {"role": caller.role, "workspace": str(caller.workspace_id), "name": caller.name}


def needing(role: Role) -> Any:
    """A route for those who are at least this."""

    @get(f"/only/{role}", guards=[needs(role)])
    async def only() -> None: ...

    return only


@pytest.mark.parametrize("role", list(Role))
async def test_a_role_opens_its_own_and_the_weaker_routes(backing: Backing, role: Role) -> None:
    order = list(Role)
    async with served(backing, others=[needing(each) for each in Role]) as api:
        await api.set_up()
        await Membership.find_all().set({"role": role})

        for needed in Role:
            answer = await api.ask("GET", f"//only/{needed}")
            assert answer.status == (200 if order.index(role) <= order.index(needed) else 403)


async def test_the_workspace_is_the_first_one_unless_another_of_ones_own_is_named(backing: Backing) -> None:
    async with served(backing, others=[whoami]) as api:
        me = (await api.set_up()).json["me"]
        user, first = PydanticObjectId(me["user"]["id"]), me["workspace_id"]
        second = await Workspace(name="Second", created_at=now()).insert()
        strange = await Workspace(name="Others'", created_at=now()).insert()
        assert second.id
        await Membership(workspace_id=second.id, user_id=user, role=Role.VIEWER, created_at=now()).insert()

        assert (await api.ask("GET", "//whoami/x")).json == {"role": "owner", "workspace": first, "name": "Ada"}
        chosen = await api.ask("GET", "//whoami/x", headers={"Social-Workspace": str(second.id)})
        assert chosen.json == {"role": "viewer", "workspace": str(second.id), "name": "Ada"}
        for other in (str(strange.id), "0" * 24, "x", "", '{"$ne":null}'):
            answer = await api.ask("GET", "//whoami/x", headers={"Social-Workspace": other})
            assert (answer.status, answer.problem) == (404, "not-found")
            assert answer.json["detail"] == "There is no workspace with this id."


async def test_a_changed_role_counts_within_two_seconds(backing: Backing) -> None:
    async with served(backing, others=[needing(Role.OWNER)]) as api:
        await api.set_up()
        assert (await api.ask("GET", "//only/owner")).status == 200
        await Membership.find_all().set({"role": Role.VIEWER})
        began = time.monotonic()

        while (await api.ask("GET", "//only/owner")).status == 200:
            assert time.monotonic() - began < FRESH + 1


async def test_a_higher_version_of_the_session_ends_the_access_tokens_that_are_out(api: Api) -> None:
    await api.set_up()
    await Session.find_all().inc({"version": 1})

    assert (await api.ask("GET", "/me")).problem == "sign-in-needed"


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer x", "bearer x y", "Bearer é", "Bearer " + "a" * 5000]
)
async def test_anything_but_a_good_bearer_token_asks_to_sign_in(api: Api, header: str) -> None:
    answer = await api.ask("GET", "/me", headers={"Authorization": header})

    assert (answer.status, answer.problem) == (401, "sign-in-needed")
