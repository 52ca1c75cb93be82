"""Another password: one's own by the present one, a forgotten one by the link that the server's command printed."""

from datetime import datetime

import msgspec
from litestar import Controller, Response, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_204_NO_CONTENT

from social.api.callers import Callers, signed_in
from social.api.people import SMALL, AnyRequest, Password, SignedInOut, Token, visitor, welcome
from social.backing import Backing
from social.moments import now
from social.outbox.bus import somebody_left
from social.people import new_passwords
from social.people.roles import Somebody
from social.people.signin import SignIn


class PasswordIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The present password, and the one to be."""

    current: Password
    password: Password


class LinkIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What follows #token= in the link."""

    token: Token


class LinkOut(msgspec.Struct, kw_only=True):
    """Whose password the link is for."""

    name: str
    email: str
    expires_at: datetime


class ForgottenIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The link's token, and the password to be."""

    token: Token
    password: Password


class PasswordController(Controller):
    """How a password is changed. In both ways all other sessions of the person end."""

    tags = ("people",)
    request_max_body_size = SMALL

    @put("/me/password", summary="Change my password", guards=[signed_in], status_code=HTTP_204_NO_CONTENT)
    async def change(
        self,
        data: JSONBody[PasswordIn],
        request: AnyRequest,
        somebody: NamedDependency[Somebody],
        signin: NamedDependency[SignIn],
        callers: NamedDependency[Callers],
        backing: NamedDependency[Backing],
    ) -> None:
        """This session stays. 422 at /current for a wrong one, which counts as a try to sign in."""
        await new_passwords.change(somebody, data.current, data.password, visitor(request), signin)
        callers.forget_user(somebody.user_id)
        await somebody_left(backing)

    @post("/password-links/readings", summary="Whose link is it?", opt={"public": True}, status_code=HTTP_200_OK)
    async def read(self, data: JSONBody[LinkIn], request: AnyRequest) -> LinkOut:
        """404 once it was used, replaced or ran out."""
        opened = await new_passwords.read(data.token, visitor(request), now())
        return LinkOut(name=opened.user.name, email=opened.user.email, expires_at=opened.link.expires_at)

    @post("/password-links/uses", summary="Choose another", opt={"public": True}, status_code=HTTP_201_CREATED)
    async def choose(
        self,
        data: JSONBody[ForgottenIn],
        request: AnyRequest,
        signin: NamedDependency[SignIn],
        callers: NamedDependency[Callers],
        backing: NamedDependency[Backing],
    ) -> Response[SignedInOut]:
        """Answers as a sign-in does. 404 once the link was used, replaced or ran out."""
        given = await new_passwords.choose(data.token, data.password, visitor(request), signin, now())
        assert given.person.user.id
        callers.forget_user(given.person.user.id)
        await somebody_left(backing)
        return welcome(given, backing)
