"""The simulated Mastodon's tables and every query on them. Synchronous: each is well under a millisecond."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import TypeVar

import msgspec

from social.sandbox.clock import now_ms
from social.sandbox.mastodon.records import Account, App, Edit, Grant, Media, Scheduled, Status, Token
from social.sandbox.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS mastodon_apps (client_id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mastodon_accounts (id INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE COLLATE NOCASE,
    posts INTEGER NOT NULL DEFAULT 0, last_post_ms INTEGER, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS mastodon_grants (code TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mastodon_tokens (token TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mastodon_media (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS mastodon_statuses (id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, reply_to INTEGER,
    deleted INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS mastodon_statuses_by_account ON mastodon_statuses (account_id, deleted, id);
CREATE INDEX IF NOT EXISTS mastodon_statuses_live ON mastodon_statuses (deleted, id);
CREATE INDEX IF NOT EXISTS mastodon_replies ON mastodon_statuses (reply_to) WHERE reply_to IS NOT NULL;
CREATE TABLE IF NOT EXISTS mastodon_keys (account_id INTEGER, key TEXT, made INTEGER NOT NULL, kind TEXT NOT NULL,
    until_ms INTEGER NOT NULL, PRIMARY KEY (account_id, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mastodon_edits (status_id INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS mastodon_edits_by_status ON mastodon_edits (status_id);
CREATE TABLE IF NOT EXISTS mastodon_scheduled (id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL,
    due_ms INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS mastodon_scheduled_due ON mastodon_scheduled (due_ms);
"""

KEY_KEPT_MS = 3_600_000  # one hour per account

Record = TypeVar("Record", bound=msgspec.Struct)
_encoded = msgspec.json.Encoder().encode


class Archive:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._last_id: int = max(
            (store.row(f"SELECT coalesce(max(id), 0) FROM {table}") or (0,))[0]  # noqa: S608 our own names
            for table in ("mastodon_accounts", "mastodon_media", "mastodon_statuses", "mastodon_scheduled")
        )

    def next_id(self) -> int:
        """`id >> 16` is the millisecond it was made in; always above every earlier one, also after a restart."""
        self._last_id = max(now_ms() << 16, self._last_id + 1)
        return self._last_id

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._store.transaction():
            yield

    # Apps, people, grants, tokens

    def save_app(self, app: App) -> None:
        self._store.write("REPLACE INTO mastodon_apps VALUES (?, ?)", app.client_id, _encoded(app))

    def app(self, client_id: str | None) -> App | None:
        return self._one(App, "SELECT body FROM mastodon_apps WHERE client_id = ?", client_id)

    def add_account(self, account: Account) -> None:
        sql = "INSERT INTO mastodon_accounts (id, username, body) VALUES (?, ?, ?)"
        self._store.write(sql, account.id, account.username, _encoded(account))

    def account(self, account_id: int) -> Account | None:
        return self._account("id = ?", account_id)

    def account_named(self, username: str) -> Account | None:
        return self._account("username = ?", username)

    def accounts(self) -> list[Account]:
        rows = self._store.rows("SELECT body, posts, last_post_ms FROM mastodon_accounts ORDER BY username")
        return [_counted(row) for row in rows]

    def save_grant(self, grant: Grant) -> None:
        self._store.write("REPLACE INTO mastodon_grants VALUES (?, ?)", grant.code, _encoded(grant))

    def grant(self, code: str) -> Grant | None:
        return self._one(Grant, "SELECT body FROM mastodon_grants WHERE code = ?", code)

    def save_token(self, token: Token) -> None:
        self._store.write("REPLACE INTO mastodon_tokens VALUES (?, ?)", token.token, _encoded(token))

    def token(self, token: str) -> Token | None:
        return self._one(Token, "SELECT body FROM mastodon_tokens WHERE token = ?", token)

    # Media

    def save_media(self, media: Media) -> None:
        self._store.write("REPLACE INTO mastodon_media VALUES (?, ?)", media.id, _encoded(media))

    def media(self, media_id: int | None) -> Media | None:
        return self._one(Media, "SELECT body FROM mastodon_media WHERE id = ?", media_id)

    def media_in_order(self, media_ids: Sequence[int]) -> list[Media]:
        return [media for media in map(self.media, media_ids) if media]

    def drop_media(self, media: Media) -> None:
        self._store.write("DELETE FROM mastodon_media WHERE id = ?", media.id)

    # Posts

    def add_status(self, status: Status) -> None:
        """With its media and its key, in one go. Only a post that is stored has its key stored."""
        with self.transaction():
            sql = "INSERT INTO mastodon_statuses (id, account_id, reply_to, body) VALUES (?, ?, ?, ?)"
            self._store.write(sql, status.id, status.account_id, status.in_reply_to_id, _encoded(status))
            sql = "UPDATE mastodon_accounts SET posts = posts + 1, last_post_ms = ? WHERE id = ?"
            self._store.write(sql, status.created_ms, status.account_id)
            self.attach(status)
            if status.key:
                self._add_key(status.account_id, status.key, status.id, "status")

    def save_status(self, status: Status) -> None:
        sql = "UPDATE mastodon_statuses SET deleted = ?, body = ? WHERE id = ?"
        self._store.write(sql, status.deleted_ms is not None, _encoded(status), status.id)

    def attach(self, status: Status) -> None:
        for media in self.media_in_order(status.media_ids):
            self.save_media(msgspec.structs.replace(media, status_id=status.id))

    def forget_post_count(self, account_id: int) -> None:
        self._store.write("UPDATE mastodon_accounts SET posts = posts - 1 WHERE id = ?", account_id)

    def status(self, status_id: int | None) -> Status | None:
        """Deleted ones too: their `deleted_ms` says so."""
        return self._one(Status, "SELECT body FROM mastodon_statuses WHERE id = ?", status_id)

    def statuses_of(
        self, account_id: int, *, below: int | None, above: int | None, from_oldest: bool
    ) -> Iterator[Status]:
        """Live ones with `above < id < below`, newest first unless `from_oldest`; as many as the caller takes."""
        order = "ASC" if from_oldest else "DESC"
        sql = "SELECT body FROM mastodon_statuses WHERE account_id = ? AND deleted = 0 AND id < ? AND id > ?"
        sql += f" ORDER BY id {order} LIMIT ? OFFSET ?"
        for start in count(0, 100):
            rows = self._store.rows(sql, account_id, below or MAX_ID, above or 0, 100, start)
            yield from (msgspec.json.decode(body, type=Status) for (body,) in rows)
            if len(rows) < 100:
                return

    def latest_statuses(self, account_id: int | None = None, limit: int = 60) -> list[Status]:
        sql = "SELECT body FROM mastodon_statuses WHERE deleted = 0"
        if account_id is None:
            return self._all(Status, f"{sql} ORDER BY id DESC LIMIT ?", limit)
        return self._all(Status, f"{sql} AND account_id = ? ORDER BY id DESC LIMIT ?", account_id, limit)

    def all_statuses(self) -> list[Status]:
        return self._all(Status, "SELECT body FROM mastodon_statuses ORDER BY id")

    def count_live(self) -> int:
        return int((self._store.row("SELECT count(*) FROM mastodon_statuses WHERE deleted = 0") or (0,))[0])

    def replies(self, status_id: int) -> list[Status]:
        sql = "SELECT body FROM mastodon_statuses WHERE reply_to = ? AND deleted = 0 ORDER BY id"
        return self._all(Status, sql, status_id)

    def count_replies(self, status_id: int) -> int:
        sql = "SELECT count(*) FROM mastodon_statuses WHERE reply_to = ? AND deleted = 0"
        return int((self._store.row(sql, status_id) or (0,))[0])

    def add_edit(self, status_id: int, edit: Edit) -> None:
        self._store.write("INSERT INTO mastodon_edits VALUES (?, ?)", status_id, _encoded(edit))

    def edits(self, status_id: int) -> list[Edit]:
        """Oldest first."""
        return self._all(Edit, "SELECT body FROM mastodon_edits WHERE status_id = ? ORDER BY rowid", status_id)

    def made_with(self, account_id: int, key: str) -> tuple[str, int] | None:
        """What this key made within its hour: ("status" or "scheduled", id)."""
        sql = "SELECT kind, made FROM mastodon_keys WHERE account_id = ? AND key = ? AND until_ms > ?"
        found = self._store.row(sql, account_id, key, now_ms())
        return (found[0], found[1]) if found else None

    # Ahead of time

    def add_scheduled(self, scheduled: Scheduled) -> None:
        with self.transaction():
            self.save_scheduled(scheduled)
            for media in self.media_in_order(scheduled.media_ids):
                self.save_media(msgspec.structs.replace(media, status_id=scheduled.id))
            if scheduled.key:
                self._add_key(scheduled.account_id, scheduled.key, scheduled.id, "scheduled")

    def save_scheduled(self, scheduled: Scheduled) -> None:
        sql = "REPLACE INTO mastodon_scheduled VALUES (?, ?, ?, ?)"
        self._store.write(sql, scheduled.id, scheduled.account_id, scheduled.due_ms, _encoded(scheduled))

    def scheduled(self, scheduled_id: int | None) -> Scheduled | None:
        return self._one(Scheduled, "SELECT body FROM mastodon_scheduled WHERE id = ?", scheduled_id)

    def scheduled_of(self, account_id: int) -> list[Scheduled]:
        sql = "SELECT body FROM mastodon_scheduled WHERE account_id = ? ORDER BY id DESC"
        return self._all(Scheduled, sql, account_id)

    def scheduled_before(self, ms: int) -> list[Scheduled]:
        return self._all(Scheduled, "SELECT body FROM mastodon_scheduled WHERE due_ms <= ? ORDER BY due_ms, id", ms)

    def drop_scheduled(self, scheduled_id: int) -> None:
        self._store.write("DELETE FROM mastodon_scheduled WHERE id = ?", scheduled_id)

    def _add_key(self, account_id: int, key: str, made: int, kind: str) -> None:
        sql = "REPLACE INTO mastodon_keys VALUES (?, ?, ?, ?, ?)"
        self._store.write(sql, account_id, key, made, kind, now_ms() + KEY_KEPT_MS)

    def _account(self, condition: str, value: object) -> Account | None:
        sql = f"SELECT body, posts, last_post_ms FROM mastodon_accounts WHERE {condition}"  # noqa: S608 see the callers
        row = self._store.row(sql, value)
        return _counted(row) if row else None

    def _one(self, kind: type[Record], sql: str, *values: object) -> Record | None:
        row = self._store.row(sql, *values)
        return msgspec.json.decode(row[0], type=kind) if row else None

    def _all(self, kind: type[Record], sql: str, *values: object) -> list[Record]:
        return [msgspec.json.decode(body, type=kind) for (body,) in self._store.rows(sql, *values)]


MAX_ID = 2**63 - 1


def read_id(text: object) -> int | None:
    """The number behind an id as callers send it; None where there can be no such thing."""
    if isinstance(text, int) and not isinstance(text, bool):
        text = str(text)
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    number = int(text)
    return number if number <= MAX_ID else None


def _counted(row: tuple[bytes, int, int | None]) -> Account:
    account = msgspec.json.decode(row[0], type=Account)
    account.posts, account.last_post_ms = row[1], row[2]
    return account
