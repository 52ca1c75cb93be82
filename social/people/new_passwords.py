"""Another password: by whoever knows the present one, or by the link for whoever forgot it.

In both cases all other sessions end with the old password. A sign-in that had looked at the old password just before
is found out by `User.password_rev`, or its session by the second look once the change is done.
"""

from datetime import datetime

import msgspec
import structlog
from beanie import PydanticObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from social.backing import Backing
from social.errors import Conflict, Invalid, NotFound, SignInNeeded, Wrong
from social.people import tries
from social.people.documents import Session, User
from social.people.invitations import new_token
from social.people.password_links import PasswordLink
from social.people.passwords import weaknesses
from social.people.roles import Somebody
from social.people.signin import CHANGE_FIRST, RUN_OUT, SignedIn, SignIn, Visitor

log = structlog.get_logger()
NOT_OPEN = "This link was used, was replaced by a newer one or has run out. Please ask for another one."


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A link that is open, and whose it is."""

    link: PasswordLink
    user: User


async def link(email: str, backing: Backing, now: datetime) -> str:
    """A link for whoever has this e-mail, in place of an earlier one. NotFound if nobody does.

    Whoever may call this may become anybody: it is for the command line of the server alone.
    """
    user = await User.by_email(email)
    if user is None:
        raise NotFound(f"There is nobody with the e-mail {email}. Look for another spelling.")
    assert user.id
    token = new_token()
    await PasswordLink.put(user.id, token, now)
    return f"{backing.settings.public_url}/password#token={token}"


async def read(token: str, visitor: Visitor, now: datetime) -> Opened:
    """Whose password the link is for. NotFound if it is not open, TooMany after many tries from one address."""
    await tries.spend(tries.PASSWORD_LINK_FROM_ADDRESS, tries.of_address(visitor.address))
    link = await PasswordLink.open(token, now)
    user = link and await User.get(link.id)
    if link is None or user is None:
        raise NotFound(NOT_OPEN)
    return Opened(link=link, user=user)


async def choose(token: str, password: str, visitor: Visitor, signin: SignIn, now: datetime) -> SignedIn:
    """Whoever forgot theirs has this password from now on and is signed in, here alone. Invalid if it is too weak,
    and then the link stays good; NotFound, TooMany as `read`."""
    opened = await read(token, visitor, now)
    user = opened.user
    if wrong := weaknesses(password, not_like=(user.email, user.name)):
        raise Invalid(CHANGE_FIRST, wrong)
    password_hash = await signin.passwords.hashed(password)

    async def write(session: AsyncClientSession) -> None:
        if not await opened.link.use_up(session):
            raise NotFound(NOT_OPEN)
        await user.new_password(password_hash, session)
        await Session.end_others(opened.link.id, None, session)

    await signin.backing.transaction(write)
    await Session.end_others(opened.link.id, None)
    await tries.forget(tries.SIGN_IN_TO_ACCOUNT, tries.of_account(user.email))
    log.info("password.changed", user=str(user.id), by="link")
    return await signin.begin(user, visitor, now)


async def change(somebody: Somebody, current: str, password: str, visitor: Visitor, signin: SignIn) -> None:
    """Somebody signed in gives themselves another password and stays signed in, here alone.

    Invalid names the present password if it is not right and all that is wrong with the new one, Conflict if another
    change came first. TooMany as for sign-ins, with which it shares what is allowed.
    """
    user = await User.get(somebody.user_id)
    if user is None:
        raise SignInNeeded(RUN_OUT)
    account = tries.of_account(user.email)
    await tries.spend(tries.SIGN_IN_FROM_ADDRESS, tries.of_address(visitor.address))
    await tries.spend(tries.SIGN_IN_TO_ACCOUNT, account)
    known = await signin.passwords.fits(current, user.password_hash)
    wrong = [] if known else [Wrong("/current", "This is not your present password.", "wrong")]
    wrong += weaknesses(password, not_like=(user.email, user.name))
    if known:
        await tries.forget(tries.SIGN_IN_TO_ACCOUNT, account)
    if wrong:
        raise Invalid(CHANGE_FIRST, wrong)
    await _changed(user, somebody.user_id, somebody.session_id, await signin.passwords.hashed(password), signin)


async def _changed(
    user: User, id: PydanticObjectId, kept: PydanticObjectId, password_hash: str, signin: SignIn
) -> None:
    async def write(session: AsyncClientSession) -> None:
        if not await user.new_password(password_hash, session, instead=True):
            raise Conflict("Your password was changed elsewhere in the meantime.")
        await PasswordLink.void(id, session)
        await Session.end_others(id, kept, session)

    await signin.backing.transaction(write)
    await Session.end_others(id, kept)
    log.info("password.changed", user=str(id), by="themselves")
