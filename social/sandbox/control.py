"""The sandbox's own API under /sandbox, for tests and benchmarks: trouble, people, what is online, what was asked."""

import re
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from litestar import Request, Response, delete, get, post, put
from litestar.di import NamedDependency

from social.sandbox.desk import Desk
from social.sandbox.platform import NewPerson
from social.sandbox.trouble import Trouble

Wanted = TypeVar("Wanted")


class Unusable(Exception):
    """What was sent cannot be used; `field` is where, `$` for the whole."""

    def __init__(self, problem: str, field: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.field = field


class Foreign(Exception):
    """A page of another origin tried to change something here."""


@get("/sandbox/trouble")
async def trouble(desk: NamedDependency[Desk]) -> Response[bytes]:
    """What is switched on, with the counts that are left; `{}` on a good day."""
    return _json(desk.switchboard.given())


@put("/sandbox/trouble")
async def switch(request: Request[Any, Any, Any], desk: NamedDependency[Desk]) -> Response[bytes]:
    """Replaces everything with a `Trouble`."""
    desk.switchboard.put(decoded(await request.body(), Trouble))
    return _json(desk.switchboard.given())


@delete("/sandbox/trouble", status_code=200)
async def calm(desk: NamedDependency[Desk]) -> Response[bytes]:
    desk.switchboard.clear()
    return _json(desk.switchboard.given())


@post("/sandbox/people")
async def add_person(request: Request[Any, Any, Any], desk: NamedDependency[Desk]) -> Response[bytes]:
    """Somebody with a fresh token, without walking through the consent page."""
    wanted = decoded(await request.body(), NewPerson)
    if wanted.platform not in desk.platforms:
        raise Unusable(f"There is no {wanted.platform} here. There are: {', '.join(desk.platforms)}.", "platform")
    try:
        return _json(desk.platforms[wanted.platform].person(wanted), 201)
    except ValueError as error:
        raise Unusable(str(error), "scopes" if "scope" in str(error) else "username") from None


@get("/sandbox/statuses")
async def statuses(desk: NamedDependency[Desk]) -> Response[bytes]:
    """Every post ever taken, deleted ones too (`deleted`), in order, with the instant its request arrived."""
    return _json([post for platform in desk.platforms.values() for post in platform.evidence()])


@get("/sandbox/requests")
async def requests(desk: NamedDependency[Desk]) -> Response[bytes]:
    """The latest calls to the platforms, oldest first."""
    return _json(desk.journal.entries())


@post("/sandbox/reset", status_code=200)
async def reset(request: Request[Any, Any, Any], desk: NamedDependency[Desk]) -> Response[bytes]:
    desk.reset()
    if b"then=page" in await request.body():  # the button on the page, not a program
        return Response(b"", status_code=303, headers={"Location": "/sandbox/"})
    return _json({})


def decoded(body: bytes, kind: type[Wanted]) -> Wanted:
    """Raises Unusable, naming the field."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.ValidationError, msgspec.DecodeError, RecursionError) as error:
        raise Unusable(str(error), _field(str(error))) from None


def unusable(_: Request[Any, Any, Any], error: Unusable) -> Response[bytes]:
    return _json({"error": error.problem, "field": error.field}, 400)


async def refuse_foreign(request: Request[Any, Any, Any]) -> None:
    """Before each change: a browser names the page's origin, and another site's page has no business here."""
    origin = request.headers.get("origin")
    changes = request.method not in ("GET", "HEAD")
    if changes and origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Foreign


def foreign(_: Request[Any, Any, Any], __: Foreign) -> Response[bytes]:
    return _json({"error": "Only the sandbox's own pages may do this from a browser.", "field": "Origin"}, 403)


def _field(problem: str) -> str:
    place = re.search(r"at `\$\.?([^`]*)`", problem)
    unknown = re.search(r"(?:unknown|required) field `([^`]*)`", problem)
    return ".".join(part for part in (place and place[1], unknown and unknown[1]) if part) or "$"


def _json(value: object, status: int = 200) -> Response[bytes]:
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json; charset=utf-8")


ROUTES = (trouble, switch, calm, add_person, statuses, requests, reset)
