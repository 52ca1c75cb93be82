"""One simulated Mastodon server: what its handlers work with, and who is calling it."""

import secrets
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
from litestar import Response

from social.sandbox.mastodon import text
from social.sandbox.mastodon.archive import Archive
from social.sandbox.mastodon.errors import INVALID_TOKEN, NEEDS_USER, OUTSIDE_SCOPES, REVOKED_TOKEN, Refused
from social.sandbox.mastodon.oddities import Oddities
from social.sandbox.mastodon.params import Call
from social.sandbox.mastodon.quotas import Bucket, Quotas
from social.sandbox.mastodon.records import Account, Token
from social.sandbox.trouble import Switchboard


class Instance:
    """`origin` is how people and programs reach it, without a slash at the end."""

    def __init__(self, origin: str, archive: Archive, folder: Path, switchboard: Switchboard) -> None:
        self.origin = origin
        self.domain = urlsplit(origin).netloc
        self.archive = archive
        self.quotas = Quotas(self._limit_of)
        self.sending: set[tuple[int, str]] = set()  # (account, key) between look-up and write
        self.media_folder = folder / "media"
        self.incoming_folder = folder / "incoming"
        self._switchboard = switchboard
        for made in (self.media_folder, self.incoming_folder):
            made.mkdir(parents=True, exist_ok=True)
        for left_over in self.incoming_folder.iterdir():
            left_over.unlink()

    @property
    def oddities(self) -> Oddities:
        return self._switchboard.trouble.mastodon

    def _limit_of(self, bucket: Bucket) -> int | None:
        oddities = self.oddities
        scaled = max(1, int(bucket.limit * oddities.rate_scale)) if oddities.rate_scale else None
        return oddities.quotas.get(bucket.name, scaled)

    def page_of(self, username: str, domain: str | None = None) -> str | None:
        """The page of somebody who is mentioned, if they are here."""
        if domain not in (None, self.domain):
            return None
        account = self.archive.account_named(username)
        return f"{self.origin}/@{account.username}" if account else None

    def html(self, words: str) -> str:
        return text.html(words, self.origin, self.page_of)


class Caller(NamedTuple):
    token: Token
    account: Account


def token_in(headers: Any) -> str | None:
    kind, _, token = str(headers.get("authorization", "")).partition(" ")
    return token.strip() if kind.lower() == "bearer" and token.strip() else None


def caller(call: Call, instance: Instance, *scopes: str) -> Caller:
    """Who calls, if the token carries one of `scopes` or the wider one they belong to. Raises Refused 401, 403, 422."""
    token = authorized(call, instance, *scopes)
    account = instance.archive.account(token.account_id) if token.account_id is not None else None
    if account is None:
        raise Refused(422, NEEDS_USER)
    return Caller(token, account)


def authorized(call: Call, instance: Instance, *scopes: str) -> Token:
    """A living token, an app's own included."""
    token = instance.archive.token(token_in(call.headers) or "")
    if token is None or token.revoked:
        error = REVOKED_TOKEN if token else INVALID_TOKEN
        challenge = f'Bearer realm="Doorkeeper", error="invalid_token", error_description="{error}"'
        raise Refused(401, error, headers=(("WWW-Authenticate", challenge),))
    if scopes and not any(carries(token.scopes, scope) for scope in scopes):
        raise Refused(403, OUTSIDE_SCOPES)
    return token


def visitor(call: Call, instance: Instance, *scopes: str) -> Account | None:
    """Who looks at something that anybody may look at: None without a token; a bad token is refused all the same."""
    if token_in(call.headers) is None:
        return None
    token = authorized(call, instance, *scopes)
    return instance.archive.account(token.account_id) if token.account_id is not None else None


def carries(held: list[str], scope: str) -> bool:
    """`write` includes `write:media`."""
    return scope in held or scope.partition(":")[0] in held


def fresh_secret() -> str:
    return secrets.token_urlsafe(32)


def reply(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response[bytes]:
    return Response(
        msgspec.json.encode(value), status_code=status, headers=headers, media_type="application/json; charset=utf-8"
    )
