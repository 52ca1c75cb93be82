"""Set-up, sign-in and who I am. The refresh token travels in a cookie that scripts cannot read."""

from datetime import timedelta
from typing import Annotated, Any

import msgspec
from beanie import PydanticObjectId
from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.datastructures import Cookie, State
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.status_codes import HTTP_201_CREATED, HTTP_204_NO_CONTENT
from msgspec import UNSET, Meta, UnsetType

from social.api.callers import Callers, Nowhere, bearer, signed_in
from social.api.headers import must_come_from_our_page
from social.backing import Backing
from social.errors import SignInNeeded
from social.moments import now, rfc3339
from social.outbox.bus import somebody_left
from social.people import profile
from social.people.documents import User, Workspace
from social.people.roles import Role, Somebody
from social.people.signin import RUN_OUT, Founder, Person, SignedIn, SignIn, Visitor, person

AnyRequest = Request[Any, Any, State]

SMALL = 16 * 1024  # bytes that somebody unknown may send
EMail = Annotated[str, Meta(max_length=254, pattern=r"^\s*[^@\s]+@[^@\s]+\s*$", description="an e-mail address")]
Name = Annotated[str, Meta(min_length=1, max_length=100)]
Password = Annotated[str, Meta(max_length=1024)]
Token = Annotated[str, Meta(max_length=256)]
Zone = Annotated[str, Meta(max_length=64)]


class SetUpIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Who begins. `token` is the set-up link's, `zone` an IANA zone such as Europe/Berlin."""

    token: Token
    name: Name
    email: EMail
    password: Password
    workspace: Name
    zone: Zone


class SignInIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Who comes back."""

    email: Annotated[str, Meta(max_length=254)]
    password: Password


class SetUpState(msgspec.Struct, kw_only=True):
    """Whether somebody must begin."""

    needed: bool


class UserOut(msgspec.Struct, kw_only=True):
    """A person, to themselves."""

    id: str
    name: str
    email: str
    zone: str


class ProfileIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is to be changed about oneself; what is left out stays. `zone` is IANA."""

    name: Name | UnsetType = UNSET
    zone: Zone | UnsetType = UNSET


class WorkspaceOut(msgspec.Struct, kw_only=True):
    """A workspace, to one of its members."""

    id: str
    name: str
    role: Role


class Me(msgspec.Struct, kw_only=True):
    """Who I am, where I belong, and in which workspace this request acted (null for who belongs nowhere)."""

    user: UserOut
    workspaces: list[WorkspaceOut]
    workspace_id: str | None


class SignedInOut(msgspec.Struct, kw_only=True):
    """An access token for the header `Authorization: Bearer ...`, and who it speaks for. RFC 3339."""

    access_token: str
    expires_at: str
    me: Me


class PeopleController(Controller):
    """How one gets in, and out."""

    tags = ("people",)
    request_max_body_size = SMALL

    @get("/setup", summary="Is a set-up needed?", opt={"public": True})
    async def set_up_state(self) -> SetUpState:
        """True until the first owner is there."""
        return SetUpState(needed=not await Workspace.founded())

    @post("/setup", summary="Begin", opt={"public": True}, status_code=HTTP_201_CREATED)
    async def set_up(
        self,
        data: JSONBody[SetUpIn],
        request: AnyRequest,
        signin: NamedDependency[SignIn],
        backing: NamedDependency[Backing],
    ) -> Response[SignedInOut]:
        """Makes the owner and the first workspace, once, for whoever has the link."""
        founder = Founder(
            name=data.name, email=data.email, password=data.password, workspace=data.workspace, zone=data.zone
        )
        return welcome(await signin.set_up(founder, data.token, visitor(request), now()), backing)

    @post("/session", summary="Sign in", opt={"public": True}, status_code=HTTP_201_CREATED)
    async def sign_in(
        self,
        data: JSONBody[SignInIn],
        request: AnyRequest,
        signin: NamedDependency[SignIn],
        backing: NamedDependency[Backing],
    ) -> Response[SignedInOut]:
        """Starts a session. 401 does not tell whether the e-mail or the password was wrong."""
        return welcome(await signin.sign_in(data.email, data.password, visitor(request), now()), backing)

    @post("/session/refresh", summary="The next access token", opt={"public": True}, status_code=HTTP_201_CREATED)
    async def refresh(
        self, request: AnyRequest, signin: NamedDependency[SignIn], backing: NamedDependency[Backing]
    ) -> Response[SignedInOut]:
        """For the cookie of the session, from our own page only (header `Social-Client`)."""
        must_come_from_our_page(request.headers, backing.settings.public_url)
        used = request.cookies.get(_cookie_name(backing))
        if not used:
            raise SignInNeeded(RUN_OUT)
        return welcome(await signin.refresh(used, visitor(request), now()), backing)

    @delete("/session", summary="Sign out", opt={"public": True}, status_code=HTTP_204_NO_CONTENT)
    async def sign_out(
        self,
        request: AnyRequest,
        signin: NamedDependency[SignIn],
        callers: NamedDependency[Callers],
        backing: NamedDependency[Backing],
    ) -> Response[None]:
        """Ends the session of the access token, or of the cookie (from our own page only). Twice changes nothing."""
        name = _cookie_name(backing)
        ended: PydanticObjectId | None = None
        if "authorization" in request.headers:
            ended = signin.tokens.read(bearer(request)).session_id
            await signin.sign_out(ended)
        elif used := request.cookies.get(name):
            must_come_from_our_page(request.headers, backing.settings.public_url)
            ended = await signin.sign_out_with(used)
        if ended is not None:
            callers.forget(ended)
            await somebody_left(backing)
        return Response(None, status_code=HTTP_204_NO_CONTENT, cookies=[_cookie(name, "", timedelta(0), backing)])

    @get("/me", summary="Who am I?", guards=[signed_in])
    async def me(
        self, request: AnyRequest, somebody: NamedDependency[Somebody], callers: NamedDependency[Callers]
    ) -> Me:
        """The signed-in person and their workspaces."""
        user = await User.get(somebody.user_id)
        if user is None:
            raise SignInNeeded(RUN_OUT)
        return await _me(user, request, callers)

    @patch("/me", summary="Change what I say of myself", guards=[signed_in])
    async def change(
        self,
        data: JSONBody[ProfileIn],
        request: AnyRequest,
        somebody: NamedDependency[Somebody],
        callers: NamedDependency[Callers],
        backing: NamedDependency[Backing],
    ) -> Me:
        """The name, the time zone, or both."""
        name = None if data.name is UNSET else data.name
        user = await profile.change(somebody, name, None if data.zone is UNSET else data.zone, backing)
        callers.forget_user(somebody.user_id)
        return await _me(user, request, callers)


def welcome(given: SignedIn, backing: Backing, workspace_id: PydanticObjectId | None = None) -> Response[SignedInOut]:
    """The answer to a sign-in, with its cookie. `workspace_id`: where they are to be, else where they joined first."""
    places = given.person.places
    content = SignedInOut(
        access_token=given.access.token,
        expires_at=rfc3339(given.access.expires_at),
        me=shown_me(given.person, workspace_id or (places[0].id if places else None)),
    )
    cookie = _cookie(_cookie_name(backing), given.refresh, given.ends_at - now(), backing)
    return Response(content, status_code=HTTP_201_CREATED, cookies=[cookie])


def shown_me(person: Person, workspace_id: PydanticObjectId | None) -> Me:
    """The person to themselves, acting in one of their workspaces."""
    user = person.user
    return Me(
        user=UserOut(id=str(user.id), name=user.name, email=user.email, zone=user.zone),
        workspaces=[WorkspaceOut(id=str(place.id), name=place.name, role=place.role) for place in person.places],
        workspace_id=None if workspace_id is None else str(workspace_id),
    )


async def _me(user: User, request: AnyRequest, callers: Callers) -> Me:
    try:
        workspace_id = (await callers.caller(request)).workspace_id
    except Nowhere:
        workspace_id = None
    return shown_me(await person(user), workspace_id)


def _cookie_name(backing: Backing) -> str:
    """With the prefix a browser takes the cookie over https only, for this very host and no other."""
    return "__Host-social" if _on_https(backing) else "social"


def _cookie(name: str, value: str, lasts: timedelta, backing: Backing) -> Cookie:
    return Cookie(
        key=name,
        value=value,
        max_age=max(0, int(lasts.total_seconds())),
        path="/",
        httponly=True,
        secure=_on_https(backing),
        samesite="strict",
    )


def _on_https(backing: Backing) -> bool:
    return backing.settings.public_url.startswith("https:")


def visitor(request: AnyRequest) -> Visitor:
    """The address is the connection's own: anybody can write X-Forwarded-For."""
    return Visitor(
        address=request.client.host if request.client else "unix", user_agent=request.headers.get("user-agent", "")
    )
