"""Who is asking, and may they? A bearer token becomes a `Caller`; a route that says nothing about it answers nobody."""

import time
from collections.abc import Iterable
from typing import Any

import msgspec
import pymongo
import structlog
from beanie import PydanticObjectId
from bson import ObjectId
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler
from litestar.types import Scope

from social.errors import Forbidden, NotFound, SignInNeeded
from social.moments import now
from social.people.documents import Membership, Session, User
from social.people.roles import Caller, Role, Somebody, allowed
from social.people.tokens import AccessTokens

FRESH = 2.0  # seconds for which a session and its user's roles are believed without asking Mongo again
MOST = 10_000  # sessions remembered at once
MONGO_ANSWERS_IN = 2.0  # seconds; after that the caller is told to come back
ASK = "Please sign in."
WORKSPACE = "social-workspace"  # the header that names the workspace a request acts in

Connection = ASGIConnection[Any, Any, Any, State]


class Nowhere(Forbidden):
    """Signed in, and a member of no workspace."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A session that is alive, as it was at most `FRESH` seconds ago."""

    user_id: PydanticObjectId
    version: int
    name: str
    roles: dict[PydanticObjectId, Role]  # by workspace, the one joined first at the front
    until: float  # monotonic


class Callers:
    """Resolves callers, and remembers them for a moment. One per process."""

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens
        self._known: dict[PydanticObjectId, Known] = {}
        self._forgotten = 0  # how often somebody was, so that what was being read meanwhile is not remembered

    async def caller(self, connection: Connection) -> Caller:
        """Who is asking, in the workspace of the header `Social-Workspace` or their first. SignInNeeded, NotFound."""
        somebody, known = await self._signed_in(connection)
        workspace_id = _chosen(connection.headers.get(WORKSPACE), known.roles)
        return Caller(
            user_id=somebody.user_id,
            workspace_id=workspace_id,
            role=known.roles[workspace_id],
            session_id=somebody.session_id,
            name=somebody.name,
        )

    async def somebody(self, connection: Connection) -> Somebody:
        """Who is asking, whether or not they belong anywhere. SignInNeeded."""
        return (await self._signed_in(connection))[0]

    def forget(self, session_id: PydanticObjectId) -> None:
        """A sign-out counts at once in this process; in others after `FRESH` seconds."""
        self._forgotten += 1
        self._known.pop(session_id, None)

    def forget_user(self, user_id: PydanticObjectId) -> None:
        """What changed about a user or their sessions counts at once in this process; in others after `FRESH`."""
        self._forgotten += 1
        self._known = {session_id: known for session_id, known in self._known.items() if known.user_id != user_id}

    async def _signed_in(self, connection: Connection) -> tuple[Somebody, Known]:
        claims = self._tokens.read(bearer(connection))
        known = await self._alive(claims.session_id)
        if known is None or known.version != claims.version or known.user_id != claims.user_id:
            raise SignInNeeded("Your sign-in has ended. Please sign in again.")
        return Somebody(user_id=known.user_id, session_id=claims.session_id, name=known.name), known

    async def _alive(self, session_id: PydanticObjectId) -> Known | None:
        known = self._known.get(session_id)
        if known is None or known.until < time.monotonic():
            self._known.pop(session_id, None)
            forgotten = self._forgotten
            known = await _looked_up(session_id)
            if known is not None and forgotten == self._forgotten:
                if len(self._known) >= MOST:
                    self._known.clear()
                self._known[session_id] = known
        return known


class Needs:
    """A guard: the caller must at least have this role in the workspace they act in."""

    def __init__(self, role: Role) -> None:
        self.role = role

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Leaves the caller for the handler. SignInNeeded, Forbidden."""
        caller = await connection.app.state.callers.caller(connection)
        if not allowed(caller, self.role):
            raise Forbidden(f"For this, your role in the workspace must be {self.role} or more; it is {caller.role}.")
        connection.scope["state"]["caller"] = caller
        structlog.contextvars.bind_contextvars(user=str(caller.user_id), workspace=str(caller.workspace_id))


class SignedIn:
    """A guard: the caller must be signed in, and need not belong anywhere."""

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Leaves the somebody for the handler. SignInNeeded."""
        somebody = await connection.app.state.callers.somebody(connection)
        connection.scope["state"]["somebody"] = somebody
        structlog.contextvars.bind_contextvars(user=str(somebody.user_id))


signed_in = SignedIn()  # guards=[signed_in]


def needs(role: str) -> Needs:
    """The guard of a route: `guards=[needs("author")]`. ValueError for a role that does not exist."""
    return Needs(Role(role))


def declares_who_may(handler: BaseRouteHandler) -> bool:
    """Whether the route says who may use it: with `needs`, `signed_in` or `opt={"public": True}`."""
    return bool(handler.opt.get("public")) or guarded(handler)


def guarded(handler: BaseRouteHandler) -> bool:
    """Whether only somebody known may use the route."""
    return any(isinstance(guard, Needs | SignedIn) for guard in handler.resolve_guards())


def needed(handler: BaseRouteHandler) -> Role | None:
    """The weakest role that may use the route, None where no role is asked for."""
    return next((guard.role for guard in handler.resolve_guards() if isinstance(guard, Needs)), None)


async def deny_by_default(connection: Connection, handler: BaseRouteHandler) -> None:
    """The app's own guard: what declares nothing is open to nobody."""
    if not declares_who_may(handler):
        raise Forbidden("This is open to nobody.")


def the_caller(scope: Scope) -> Caller:
    """The dependency `caller` of routes with `needs`."""
    caller: Caller = scope["state"]["caller"]
    return caller


def the_somebody(scope: Scope) -> Somebody:
    """The dependency `somebody` of routes with `signed_in`."""
    somebody: Somebody = scope["state"]["somebody"]
    return somebody


def bearer(connection: Connection) -> str:
    """The access token that came along. SignInNeeded if none did."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise SignInNeeded(ASK)
    return token.strip()


async def _looked_up(session_id: PydanticObjectId) -> Known | None:
    with pymongo.timeout(MONGO_ANSWERS_IN):
        session = await Session.alive(session_id, now())
        user = await User.get(session.user_id) if session else None
        if session is None or user is None or user.id is None:
            return None
        memberships = await Membership.of_user(user.id)
    return Known(
        user_id=user.id,
        version=session.version,
        name=user.name,
        roles={membership.workspace_id: membership.role for membership in memberships},
        until=time.monotonic() + FRESH,
    )


def _chosen(asked: str | None, mine: Iterable[PydanticObjectId]) -> PydanticObjectId:
    if asked is None:
        for first in mine:
            return first
        raise Nowhere("You are not a member of any workspace.")
    chosen = PydanticObjectId(asked) if ObjectId.is_valid(asked) else None
    if chosen is None or chosen not in mine:
        raise NotFound("There is no workspace with this id.")
    return chosen
