"""Everything the simulated X keeps, in the sandbox's store."""

import secrets
from typing import TypeVar

import msgspec

from social.sandbox.clock import now_ms
from social.sandbox.store import Store
from social.sandbox.x.records import Client, Grant, Media, Post, Token, User

Kind = TypeVar("Kind")

SCHEMA = """
CREATE TABLE IF NOT EXISTS x_users (id INTEGER PRIMARY KEY, username TEXT UNIQUE COLLATE NOCASE, body BLOB);
CREATE TABLE IF NOT EXISTS x_clients (id TEXT PRIMARY KEY, body BLOB);
CREATE TABLE IF NOT EXISTS x_grants (id TEXT PRIMARY KEY, code TEXT UNIQUE, body BLOB);
CREATE TABLE IF NOT EXISTS x_tokens (token TEXT PRIMARY KEY, grant_id TEXT, body BLOB);
CREATE TABLE IF NOT EXISTS x_media (id INTEGER PRIMARY KEY, body BLOB);
CREATE TABLE IF NOT EXISTS x_posts (id INTEGER PRIMARY KEY, user_id INTEGER, body BLOB);
CREATE INDEX IF NOT EXISTS x_posts_of ON x_posts (user_id, id);
"""
EPOCH_MS = 1_288_834_974_657  # of the ids, sheet: After a crash
BUILT_IN = Client(id="social", secret="social-in-the-sandbox", name="Social")  # noqa: S106 - nobody's secret


class Archive:
    """Reads and writes records. Ids rise with time, as X's do."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._latest = 0

    def next_id(self) -> int:
        """Milliseconds since the epoch of the ids in the top bits; never one twice."""
        found = max(((now_ms() - EPOCH_MS) << 22) | secrets.randbelow(1 << 12), self._latest + 1)
        if not self._latest:  # after a restart on the same millisecond
            sql = "SELECT max(m) FROM (SELECT max(id) m FROM x_posts UNION SELECT max(id) FROM x_media)"
            highest = self._store.row(sql)
            found = max(found, (highest[0] if highest and highest[0] else 0) + 1)
        self._latest = found
        return found

    def user(self, user_id: int) -> User | None:
        return self._one(User, "SELECT body FROM x_users WHERE id = ?", user_id)

    def user_named(self, username: str) -> User | None:
        return self._one(User, "SELECT body FROM x_users WHERE username = ?", username)

    def users(self) -> list[User]:
        return self._all(User, "SELECT body FROM x_users ORDER BY id DESC LIMIT 100")

    def save_user(self, user: User) -> None:
        self._store.write("REPLACE INTO x_users VALUES (?, ?, ?)", user.id, user.username, _encoded(user))

    def client(self, client_id: str) -> Client | None:
        found = self._one(Client, "SELECT body FROM x_clients WHERE id = ?", client_id)
        return found or (BUILT_IN if client_id == BUILT_IN.id else None)

    def save_client(self, client: Client) -> None:
        self._store.write("REPLACE INTO x_clients VALUES (?, ?)", client.id, _encoded(client))

    def grant(self, grant_id: str) -> Grant | None:
        return self._one(Grant, "SELECT body FROM x_grants WHERE id = ?", grant_id)

    def grant_with(self, code: str) -> Grant | None:
        return self._one(Grant, "SELECT body FROM x_grants WHERE code = ?", code)

    def save_grant(self, grant: Grant) -> None:
        self._store.write("REPLACE INTO x_grants VALUES (?, ?, ?)", grant.id, grant.code, _encoded(grant))

    def token(self, token: str) -> Token | None:
        return self._one(Token, "SELECT body FROM x_tokens WHERE token = ?", token)

    def save_token(self, token: Token) -> None:
        self._store.write("REPLACE INTO x_tokens VALUES (?, ?, ?)", token.token, token.grant_id, _encoded(token))

    def media(self, media_id: int) -> Media | None:
        return self._one(Media, "SELECT body FROM x_media WHERE id = ?", media_id)

    def save_media(self, media: Media) -> None:
        self._store.write("REPLACE INTO x_media VALUES (?, ?)", media.id, _encoded(media))

    def post(self, post_id: int) -> Post | None:
        """Deleted ones too: `deleted_ms` says so."""
        return self._one(Post, "SELECT body FROM x_posts WHERE id = ?", post_id)

    def save_post(self, post: Post) -> None:
        self._store.write("REPLACE INTO x_posts VALUES (?, ?, ?)", post.id, post.user_id, _encoded(post))

    def posts_of(self, user_id: int) -> list[Post]:
        """Newest first, deleted ones too."""
        return self._all(Post, "SELECT body FROM x_posts WHERE user_id = ? ORDER BY id DESC LIMIT 3200", user_id)

    def posts(self) -> list[Post]:
        """Everybody's, oldest first, deleted ones too."""
        return self._all(Post, "SELECT body FROM x_posts ORDER BY id")

    def _one(self, kind: type[Kind], sql: str, *values: object) -> Kind | None:
        found = self._store.row(sql, *values)
        return msgspec.json.decode(found[0], type=kind) if found else None

    def _all(self, kind: type[Kind], sql: str, *values: object) -> list[Kind]:
        return [msgspec.json.decode(body, type=kind) for (body,) in self._store.rows(sql, *values)]


def _encoded(record: object) -> bytes:
    return msgspec.json.encode(record)
