"""From nobody to somebody: set-up, sign-in, the next token, sign-out."""

import hmac
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Self
from zoneinfo import available_timezones

import msgspec
import structlog
from beanie import PydanticObjectId
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from social.backing import Backing
from social.errors import Conflict, Forbidden, Invalid, SignInNeeded, Wrong
from social.people import tries
from social.people.documents import IDLE, Membership, Session, User, Workspace, folded
from social.people.passwords import Passwords, weaknesses
from social.people.roles import Role
from social.people.tokens import Access, AccessTokens, digest, new_refresh, session_of

log = structlog.get_logger()
GRACE = timedelta(seconds=10)  # in which a refresh whose answer was lost may be repeated
NOT_RIGHT = "The e-mail or the password is not right."
RUN_OUT = "Your sign-in has run out. Please sign in again."
CHANGE_FIRST = "Something needs to be changed first."
DONE = "The set-up has been done already. Please sign in."


class Visitor(msgspec.Struct, frozen=True):
    """Where a request comes from: the address of the connection itself, and what the program calls itself."""

    address: str
    user_agent: str = ""


class Founder(msgspec.Struct, frozen=True, kw_only=True):
    """Who sets up the installation, and the name of its first workspace. `zone` is IANA."""

    name: str
    email: str
    password: str
    workspace: str
    zone: str


class Newcomer(msgspec.Struct, frozen=True, kw_only=True):
    """Who comes in by an invitation and was nobody here before. `zone` is IANA."""

    name: str
    email: str
    password: str
    zone: str


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace as one of its members has it."""

    id: PydanticObjectId
    name: str
    role: Role


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A user and where they belong, the workspace they joined first at the front."""

    user: User
    places: list[Place]


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """What a sign-in or a refresh gives: both tokens, until when the second one counts if unused, and who it is."""

    access: Access
    refresh: str
    ends_at: datetime
    person: Person


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """The front desk; one per process."""

    backing: Backing
    passwords: Passwords
    tokens: AccessTokens

    @classmethod
    @contextmanager
    def opened(cls, backing: Backing) -> Iterator[Self]:
        """Its threads end with the block."""
        passwords = Passwords()
        try:
            yield cls(
                backing=backing,
                passwords=passwords,
                tokens=AccessTokens(backing.vault, issuer=backing.settings.public_url),
            )
        finally:
            passwords.close()

    async def set_up(self, founder: Founder, token: str, visitor: Visitor, now: datetime) -> SignedIn:
        """Makes the owner and the first workspace, once. Conflict later on, Forbidden with another token.

        Invalid names everything that is wrong with the founder at once. Of several at a time one wins.
        """
        await tries.spend(tries.SET_UP_FROM_ADDRESS, tries.of_address(visitor.address))
        if await Workspace.founded():
            raise Conflict(DONE)
        expected = self.backing.settings.setup_token
        if not expected or not hmac.compare_digest(expected.encode(), token.encode()):
            raise Forbidden("This set-up link is not right. Use the one that the service printed at its first start.")
        wrong = [] if founder.workspace.strip() else [Wrong("/workspace", "Please fill this in.", "missing")]
        owner = await self.user(founder, now, wrong)
        workspace = Workspace(id=PydanticObjectId(), name=founder.workspace.strip(), founding=True, created_at=now)
        membership = Membership(workspace_id=workspace.id, user_id=owner.id, role=Role.OWNER, created_at=now)
        await self._found(owner, workspace, membership)
        return await self.begin(owner, visitor, now)

    async def user(self, newcomer: Founder | Newcomer, now: datetime, wrong: Sequence[Wrong] = ()) -> User:
        """The user they are to become, not yet stored. Invalid names all that is wrong with them, after `wrong`."""
        wrong = [*wrong, *_wrongs(newcomer)]
        if wrong:
            raise Invalid(CHANGE_FIRST, wrong)
        return User(
            id=PydanticObjectId(),
            email=newcomer.email.strip(),
            email_folded=folded(newcomer.email),
            password_hash=await self.passwords.hashed(newcomer.password),
            name=newcomer.name.strip(),
            zone=newcomer.zone,
            created_at=now,
        )

    async def sign_in(self, email: str, password: str, visitor: Visitor, now: datetime) -> SignedIn:
        """Starts a session. SignInNeeded after the same time and in the same words for an unknown e-mail, too.

        TooMany after ten tries on one account, or fifty from one address.
        """
        account = tries.of_account(email)
        await tries.spend(tries.SIGN_IN_FROM_ADDRESS, tries.of_address(visitor.address))
        await tries.spend(tries.SIGN_IN_TO_ACCOUNT, account)
        user = await User.by_email(email)
        fits = await self.passwords.fits(password, user.password_hash if user else None)
        if user is None or not fits:
            raise SignInNeeded(NOT_RIGHT)
        if self.passwords.outdated(user.password_hash):
            await user.rehash(await self.passwords.hashed(password))
        await tries.forget(tries.SIGN_IN_TO_ACCOUNT, account)
        given = await self.begin(user, visitor, now)
        if not await user.has_this_password():  # it was changed while we looked, which ends all sessions but this
            await self.sign_out_with(given.refresh)
            raise SignInNeeded(NOT_RIGHT)
        return given

    async def begin(self, user: User, visitor: Visitor, now: datetime) -> SignedIn:
        """A new session of this user. Whoever calls this knows that it is they."""
        session_id = PydanticObjectId()
        refresh = new_refresh(session_id, self.backing.vault)
        session = Session(
            id=session_id,
            user_id=user.id,
            current=digest(refresh),
            created_at=now,
            used_at=now,
            ends_at=now + IDLE,
            user_agent=visitor.user_agent[:200],
        )
        await session.insert()
        return await self._signed_in(user, session, refresh, now)

    async def refresh(self, used: str, visitor: Visitor, now: datetime) -> SignedIn:
        """The next pair of tokens. The token just replaced gives the same successor for ten seconds, because its answer
        may have been lost; an older one was stolen or restored from somewhere, which ends the session. SignInNeeded."""
        await tries.spend(tries.REFRESH_FROM_ADDRESS, tries.of_address(visitor.address))
        session_id = session_of(used, self.backing.vault)
        if session_id is None:
            raise SignInNeeded(RUN_OUT)
        await tries.spend(tries.REFRESH_SESSION, str(session_id))
        new = new_refresh(session_id, self.backing.vault)
        sealed = self.backing.vault.seal(new, place=_successor(session_id))
        if await Session.rotate(session_id, digest(used), digest(new), sealed, now) is None:
            new = await self._again(session_id, used, now)
        session = await Session.alive(session_id, now)
        user = session and await User.get(session.user_id)
        if session is None or user is None:
            raise SignInNeeded(RUN_OUT)
        return await self._signed_in(user, session, new, now)

    async def sign_out(self, session_id: PydanticObjectId) -> None:
        """Ends the session. Doing it twice changes nothing."""
        await Session.end(session_id)

    async def sign_out_with(self, refresh: str) -> PydanticObjectId | None:
        """Ends the session that a refresh token was given to, whether the token still counts or not, and names it."""
        session_id = session_of(refresh, self.backing.vault)
        if session_id is not None:
            await self.sign_out(session_id)
        return session_id

    async def _found(self, owner: User, workspace: Workspace, membership: Membership) -> None:
        async def write(session: AsyncClientSession) -> None:
            for document in (workspace, owner, membership):  # only one workspace may be the founding one
                await document.insert(session=session)

        try:
            await self.backing.transaction(write)
        except DuplicateKeyError:
            raise Conflict(DONE) from None

    async def _signed_in(self, user: User, session: Session, refresh: str, now: datetime) -> SignedIn:
        access = self.tokens.made(user.id, session.id, session.version, now)
        return SignedIn(access=access, refresh=refresh, ends_at=session.ends_at, person=await person(user))

    async def _again(self, session_id: PydanticObjectId, used: str, now: datetime) -> str:
        """The successor of a token that is no longer the current one, or the end of the session."""
        session = await Session.alive(session_id, now)
        if session is None:
            raise SignInNeeded(RUN_OUT)
        just_now = session.rotated_at is not None and now - session.rotated_at <= GRACE
        if just_now and session.successor and session.previous == digest(used):
            return self.backing.vault.open(session.successor, place=_successor(session_id))
        await Session.end(session_id)
        log.warning("session.reused", session=str(session_id), user=str(session.user_id))
        raise SignInNeeded(RUN_OUT)


async def person(user: User) -> Person:
    """The user with their workspaces."""
    assert user.id
    roles = {membership.workspace_id: membership.role for membership in await Membership.of_user(user.id)}
    places = [
        Place(id=workspace.id, name=workspace.name, role=roles[workspace.id])
        for workspace in await Workspace.all_with(list(roles))
        if workspace.id
    ]
    return Person(user=user, places=places)


def wrong_name(name: str) -> list[Wrong]:
    """What is wrong with somebody's name."""
    return [] if name.strip() else [Wrong("/name", "Please fill this in.", "missing")]


def wrong_zone(zone: str) -> list[Wrong]:
    """What is wrong with a time zone."""
    return [] if zone in _zones() else [Wrong("/zone", "Use an IANA name such as Europe/Berlin.", "zone")]


def _wrongs(newcomer: Founder | Newcomer) -> list[Wrong]:
    weak = weaknesses(newcomer.password, not_like=(newcomer.email, newcomer.name))
    return [*wrong_name(newcomer.name), *weak, *wrong_zone(newcomer.zone)]


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _successor(session_id: PydanticObjectId) -> str:
    return f"session/{session_id}/successor"
