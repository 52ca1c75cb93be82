"""One simulated X: what its handlers work with, and who is calling."""

import re
import secrets
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from litestar import Request, Response

from social.sandbox.clock import now_ms
from social.sandbox.trouble import Switchboard
from social.sandbox.x.archive import Archive
from social.sandbox.x.errors import NOT_PERMITTED, Refused, bad_request, forbidden, unauthorized
from social.sandbox.x.oddities import XOddities
from social.sandbox.x.quotas import Bucket, Quotas
from social.sandbox.x.records import Grant, User

Call = Request[Any, Any, Any]
Json = dict[str, Any]

SCOPES = (
    "tweet.read", "tweet.write", "tweet.moderate.write", "users.read", "users.email", "follows.read", "follows.write",
    "offline.access", "space.read", "mute.read", "mute.write", "like.read", "like.write", "list.read", "list.write",
    "block.read", "block.write", "bookmark.read", "bookmark.write", "dm.read", "dm.write", "media.write",
)  # fmt: skip
_USERNAME = re.compile(r"\w{1,15}", re.ASCII)


class Who(NamedTuple):
    """The caller of an API method."""

    user: User
    grant: Grant


class Service:
    """`origin` is how people and programs reach it, `/x` included, without a slash at the end."""

    def __init__(self, origin: str, archive: Archive, folder: Path, switchboard: Switchboard) -> None:
        self.origin = origin
        self.archive = archive
        self.folder = folder / "x"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.quotas = Quotas(lambda: self.oddities.rate_scale, lambda: self.oddities.daily_spent)
        self._switchboard = switchboard

    @property
    def oddities(self) -> XOddities:
        return self._switchboard.trouble.x

    @property
    def host(self) -> str:
        """That problem types name."""
        return self.oddities.problem_host

    def settled(self, username: str, name: str | None = None) -> User:
        """The user of this name, made if there is none. Raises ValueError in words for a name that cannot be."""
        username = username.strip().removeprefix("@")
        if not username:
            raise ValueError("Choose somebody, or type a new username.")
        if not _USERNAME.fullmatch(username):
            raise ValueError("A username has up to 15 letters, digits and underscores.")
        found = self.archive.user_named(username)
        if found is None:
            found = User(id=self.archive.next_id(), username=username, name=name or username)
            self.archive.save_user(found)
        elif name and name != found.name:
            found.name = name
            self.archive.save_user(found)
        return found

    def who(self, request: Call, *scopes: str) -> Who:
        """Whose token this is. Raises Refused: 401 for none or a dead one, 403 without one of `scopes`."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        token = self.archive.token(given.strip()) if scheme.lower() == "bearer" else None
        grant = self.archive.grant(token.grant_id) if token else None
        user = self.archive.user(grant.user_id) if grant else None
        if token is None or grant is None or user is None or token.kind != "access" or grant.revoked:
            raise unauthorized()
        if token.expires_ms is not None and token.expires_ms <= now_ms():
            raise unauthorized()
        if not set(scopes) <= set(grant.scopes):
            raise forbidden(NOT_PERMITTED)
        return Who(user, grant)

    def spend(self, bucket: Bucket, who: Who) -> tuple[tuple[str, str], ...]:
        """Counts the call; the headers of its answer. Raises Refused 429."""
        return self.quotas.spend(bucket, who.user.id)

    def page_of(self, user: User) -> str:
        return f"{self.origin}/{user.username}"


def new_secret() -> str:
    return secrets.token_urlsafe(48)


def reply(body: Json, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response[bytes]:
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        media_type="application/json; charset=utf-8",
        headers=dict(headers),
    )


async def json_body(request: Call, host: str) -> Json:
    """The body as an object. Raises Refused 400 in X's words for anything else."""
    try:
        body = msgspec.json.decode(await request.body())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise bad_request(host, "Request body must be a JSON object.")
    return body


def only(body: Json, allowed: frozenset[str], host: str, at: str = "") -> None:
    """Raises Refused 400 for a property that is not known."""
    for name in body:
        if name not in allowed:
            message = f"$.{at}{name}: is not defined in the schema and the schema does not allow additional properties"
            raise bad_request(host, message, {f"{at}{name}": [str(body[name])[:100]]})


__all__ = ["SCOPES", "Call", "Json", "Refused", "Service", "Who", "json_body", "new_secret", "only", "reply"]
