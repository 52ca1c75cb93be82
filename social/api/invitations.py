"""Invitations by link: made, listed and withdrawn by admins; read and accepted by whoever was given the link."""

from datetime import datetime
from typing import Annotated

import msgspec
from beanie import PydanticObjectId
from litestar import Controller, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED
from msgspec import Meta

from social.api.callers import Callers, needs
from social.api.people import (
    SMALL,
    AnyRequest,
    EMail,
    Name,
    Password,
    SignedInOut,
    Token,
    Zone,
    shown_me,
    visitor,
    welcome,
)
from social.backing import Backing
from social.errors import Invalid, SignInNeeded, Wrong
from social.moments import now, rfc3339
from social.people import joining
from social.people.documents import Session, User
from social.people.invitations import Invitation
from social.people.roles import Caller, Role, Somebody
from social.people.signin import RUN_OUT, Newcomer, SignIn, person


class InvitationIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What they are to be, and a word to tell this invitation from others."""

    role: Role
    note: Annotated[str, Meta(max_length=200)] = ""


class InvitationOut(msgspec.Struct, kw_only=True):
    """One that is open. `invited_by` is a name."""

    id: str
    role: Role
    note: str
    invited_by: str
    created_at: datetime
    expires_at: datetime


class InvitationMade(InvitationOut, kw_only=True):
    """One that was just made. `link` cannot be shown again."""

    link: str


class ReadingIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What follows the # in the link."""

    token: Token


class ReadingOut(msgspec.Struct, kw_only=True):
    """What the link leads to."""

    workspace: str
    role: Role
    invited_by: str
    expires_at: datetime


class AcceptanceIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Who accepts. Somebody signed in sends the token alone; somebody new all of the others too (`zone` is IANA)."""

    token: Token
    name: Name | None = None
    email: EMail | None = None
    password: Password | None = None
    zone: Zone | None = None


class InvitationController(Controller):
    """How others get in."""

    path = "/invitations"
    tags = ("people",)
    request_max_body_size = SMALL

    @get("/", summary="Open invitations", guards=[needs("admin")])
    async def list(self, caller: NamedDependency[Caller]) -> list[InvitationOut]:
        """The newest first, without their links."""
        return [_shown(each) for each in await joining.open_ones(caller, now())]

    @post("/", summary="Invite somebody", guards=[needs("admin")], opt={"secret_answer": True})
    async def invite(
        self, data: JSONBody[InvitationIn], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> InvitationMade:
        """A link that is good once, for seven days. The role may be the caller's own at most."""
        invitation, token = await joining.invite(caller, data.role, data.note, backing, now())
        return InvitationMade(
            **msgspec.structs.asdict(_shown(invitation)), link=f"{backing.settings.public_url}/join#{token}"
        )

    @delete("/{invitation_id:str}", summary="Withdraw an invitation", guards=[needs("admin")])
    async def withdraw(self, invitation_id: FromPath[str], caller: NamedDependency[Caller]) -> None:
        """Its link opens nothing any more."""
        await joining.withdraw(caller, invitation_id)

    @post("/readings", summary="What does a link lead to?", opt={"public": True}, status_code=HTTP_200_OK)
    async def read(self, data: JSONBody[ReadingIn], request: AnyRequest) -> ReadingOut:
        """404 once it was used, withdrawn or ran out."""
        invited = await joining.read(data.token, visitor(request), now())
        return ReadingOut(
            workspace=invited.workspace,
            role=invited.invitation.role,
            invited_by=invited.invitation.inviter,
            expires_at=invited.invitation.expires_at,
        )

    @post("/acceptances", summary="Accept an invitation", opt={"public": True}, status_code=HTTP_201_CREATED)
    async def accept(
        self,
        data: JSONBody[AcceptanceIn],
        request: AnyRequest,
        signin: NamedDependency[SignIn],
        callers: NamedDependency[Callers],
        backing: NamedDependency[Backing],
    ) -> Response[SignedInOut]:
        """With an access token, who is signed in joins too and keeps their workspaces and their session; without one,
        somebody new begins, as with a sign-in. 409 for who is a member already (`already` is true), and for an e-mail
        that is known."""
        if "authorization" in request.headers:
            somebody = await callers.somebody(request)
            joined = await joining.join(somebody.user_id, data.token, visitor(request), backing, now())
            callers.forget_user(somebody.user_id)
            return Response(await _as_before(somebody, joined.workspace_id, signin), status_code=HTTP_201_CREATED)
        given, joined = await joining.join_as_newcomer(_newcomer(data), data.token, visitor(request), signin, now())
        return welcome(given, backing, joined.workspace_id)


def _newcomer(data: AcceptanceIn) -> Newcomer:
    given = {field: getattr(data, field) for field in ("name", "email", "password", "zone")}
    missing = [Wrong(f"/{field}", "This is missing.", "missing") for field, value in given.items() if value is None]
    if missing:
        raise Invalid("Sign in first, or say who you are.", missing)
    return Newcomer(**given)


async def _as_before(somebody: Somebody, workspace_id: PydanticObjectId, signin: SignIn) -> SignedInOut:
    """The same session's next access token, and the person with the workspace they joined."""
    session, user = await Session.alive(somebody.session_id, now()), await User.get(somebody.user_id)
    if session is None or user is None:
        raise SignInNeeded(RUN_OUT)
    access = signin.tokens.made(user.id, session.id, session.version, now())
    return SignedInOut(
        access_token=access.token,
        expires_at=rfc3339(access.expires_at),
        me=shown_me(await person(user), workspace_id),
    )


def _shown(invitation: Invitation) -> InvitationOut:
    return InvitationOut(
        id=str(invitation.id),
        role=invitation.role,
        note=invitation.note,
        invited_by=invitation.inviter,
        created_at=invitation.created_at,
        expires_at=invitation.expires_at,
    )
