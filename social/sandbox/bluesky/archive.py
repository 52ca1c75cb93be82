"""The simulated Bluesky's tables and every query on them. Synchronous: each is well under a millisecond."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from social.sandbox.bluesky.records import Account, AppPassword, Asking, Blob, Code, Grant, Record, Session, VideoJob
from social.sandbox.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS bluesky_secrets (name TEXT PRIMARY KEY, secret TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bluesky_accounts (did TEXT PRIMARY KEY, handle TEXT NOT NULL UNIQUE COLLATE NOCASE,
    email TEXT NOT NULL UNIQUE COLLATE NOCASE, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bluesky_app_passwords (did TEXT, name TEXT, body BLOB NOT NULL,
    PRIMARY KEY (did, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bluesky_sessions (id TEXT PRIMARY KEY, did TEXT NOT NULL, app_password TEXT,
    body BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS bluesky_sessions_by_password ON bluesky_sessions (did, app_password);
CREATE TABLE IF NOT EXISTS bluesky_records (id INTEGER PRIMARY KEY, did TEXT NOT NULL, collection TEXT NOT NULL,
    rkey TEXT NOT NULL, deleted INTEGER NOT NULL DEFAULT 0, subject TEXT, quoted TEXT, body BLOB NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS bluesky_records_live ON bluesky_records (did, collection, rkey) WHERE deleted = 0;
CREATE INDEX IF NOT EXISTS bluesky_records_latest ON bluesky_records (collection, deleted, id);
CREATE INDEX IF NOT EXISTS bluesky_records_subject ON bluesky_records (subject, collection) WHERE subject IS NOT NULL;
CREATE INDEX IF NOT EXISTS bluesky_records_quoted ON bluesky_records (quoted) WHERE quoted IS NOT NULL;
CREATE TABLE IF NOT EXISTS bluesky_blobs (did TEXT, cid TEXT, body BLOB NOT NULL, PRIMARY KEY (did, cid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bluesky_uses (did TEXT, cid TEXT, record INTEGER,
    PRIMARY KEY (did, cid, record)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS bluesky_uses_by_record ON bluesky_uses (record);
CREATE TABLE IF NOT EXISTS bluesky_videos (id TEXT PRIMARY KEY, did TEXT NOT NULL, cid TEXT NOT NULL,
    began INTEGER NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS bluesky_videos_of ON bluesky_videos (did, began);
CREATE TABLE IF NOT EXISTS bluesky_asking (uri TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bluesky_codes (code TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bluesky_grants (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bluesky_refresh_tokens (token TEXT PRIMARY KEY, grant_id TEXT NOT NULL) WITHOUT ROWID;
"""

POSTS = "app.bsky.feed.post"

Kind = TypeVar("Kind", bound=msgspec.Struct)
_encoded = msgspec.json.Encoder().encode


class Archive:
    def __init__(self, store: Store) -> None:
        self._store = store

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._store.transaction():
            yield

    def secret(self) -> str:
        """What this server signs with; made at first need, so also after everything was emptied."""
        row = self._store.row("SELECT secret FROM bluesky_secrets WHERE name = 'jwt'")
        if row is None:
            row = (secrets.token_hex(32),)
            self._store.write("INSERT INTO bluesky_secrets VALUES ('jwt', ?)", row[0])
        return str(row[0])

    # People, their passwords and sessions

    def save_account(self, account: Account) -> None:
        sql = "REPLACE INTO bluesky_accounts VALUES (?, ?, ?, ?)"
        self._store.write(sql, account.did, account.handle, account.email, _encoded(account))

    def account(self, did: str) -> Account | None:
        return self._one(Account, "SELECT body FROM bluesky_accounts WHERE did = ?", did)

    def account_named(self, name: str) -> Account | None:
        """By handle, DID or e-mail address."""
        sql = "SELECT body FROM bluesky_accounts WHERE handle = ?1 OR did = ?1 OR email = ?1"
        return self._one(Account, sql, name)

    def accounts(self) -> list[Account]:
        return self._all(Account, "SELECT body FROM bluesky_accounts ORDER BY handle")

    def save_app_password(self, password: AppPassword) -> None:
        sql = "INSERT INTO bluesky_app_passwords VALUES (?, ?, ?)"
        self._store.write(sql, password.did, password.name, _encoded(password))

    def app_passwords(self, did: str) -> list[AppPassword]:
        return self._all(AppPassword, "SELECT body FROM bluesky_app_passwords WHERE did = ? ORDER BY name", did)

    def drop_app_password(self, did: str, name: str) -> None:
        """With every session that began with it."""
        with self.transaction():
            self._store.write("DELETE FROM bluesky_app_passwords WHERE did = ? AND name = ?", did, name)
            self._store.write("DELETE FROM bluesky_sessions WHERE did = ? AND app_password = ?", did, name)

    def save_session(self, session: Session) -> None:
        sql = "REPLACE INTO bluesky_sessions VALUES (?, ?, ?, ?)"
        self._store.write(sql, session.id, session.did, session.app_password, _encoded(session))

    def session(self, session_id: str) -> Session | None:
        return self._one(Session, "SELECT body FROM bluesky_sessions WHERE id = ?", session_id)

    # Records

    def next_id(self) -> int:
        return int((self._store.row("SELECT coalesce(max(id), 0) + 1 FROM bluesky_records") or (1,))[0])

    def save_record(self, record: Record, *, subject: str | None, quoted: str | None, blobs: Sequence[str]) -> None:
        """`subject`: what a like or repost is of, what a reply answers. `blobs`: the CIDs it holds on to."""
        sql = "REPLACE INTO bluesky_records VALUES (?, ?, ?, ?, 0, ?, ?, ?)"
        place = (record.id, record.did, record.collection, record.rkey)
        self._store.write(sql, *place, subject, quoted, _encoded(record))
        self._store.write("DELETE FROM bluesky_uses WHERE record = ?", record.id)
        for cid in blobs:
            self._store.write("REPLACE INTO bluesky_uses VALUES (?, ?, ?)", record.did, cid, record.id)

    def delete_record(self, record: Record) -> None:
        """It stays as evidence; its blobs are free again from this moment on."""
        assert record.deleted_ms is not None
        sql = "UPDATE bluesky_records SET deleted = 1, body = ? WHERE id = ?"
        held = self._store.rows("SELECT cid FROM bluesky_uses WHERE record = ?", record.id)
        self._store.write(sql, _encoded(record), record.id)
        self._store.write("DELETE FROM bluesky_uses WHERE record = ?", record.id)
        for blob in (self.blob(record.did, cid) for (cid,) in held):
            if blob is not None:
                blob.free_ms = record.deleted_ms
                self.save_blob(blob)

    def record(self, did: str, collection: str, rkey: str) -> Record | None:
        sql = "SELECT body FROM bluesky_records WHERE did = ? AND collection = ? AND rkey = ? AND deleted = 0"
        return self._one(Record, sql, did, collection, rkey)

    def latest_version(self, did: str, collection: str, rkey: str) -> Record | None:
        """The same, or what was deleted there last."""
        sql = "SELECT body FROM bluesky_records WHERE did = ? AND collection = ? AND rkey = ? ORDER BY id DESC LIMIT 1"
        return self._one(Record, sql, did, collection, rkey)

    def records(self, did: str, collection: str, *, cursor: str | None, limit: int, rising: bool) -> list[Record]:
        """By key, the highest first unless `rising`; beyond `cursor`."""
        beyond, order = (">", "ASC") if rising else ("<", "DESC")
        sql = f"SELECT body FROM bluesky_records WHERE did = ? AND collection = ? AND deleted = 0 AND rkey {beyond} ?"  # noqa: S608 our own
        usual = "" if rising else "\x7f"
        return self._all(Record, f"{sql} ORDER BY rkey {order} LIMIT ?", did, collection, cursor or usual, limit)

    def collections(self, did: str) -> list[str]:
        sql = "SELECT DISTINCT collection FROM bluesky_records WHERE did = ? AND deleted = 0 ORDER BY collection"
        return [name for (name,) in self._store.rows(sql, did)]

    def latest_posts(self, did: str | None = None, limit: int = 60) -> list[Record]:
        sql = "SELECT body FROM bluesky_records WHERE collection = ? AND deleted = 0"
        if did is None:
            return self._all(Record, f"{sql} ORDER BY id DESC LIMIT ?", POSTS, limit)
        return self._all(Record, f"{sql} AND did = ? ORDER BY id DESC LIMIT ?", POSTS, did, limit)

    def posts_of(self, did: str) -> list[Record]:
        """Deleted ones too: the AppView shows them a moment longer."""
        sql = "SELECT body FROM bluesky_records WHERE collection = ? AND did = ? ORDER BY id DESC LIMIT 2000"
        return self._all(Record, sql, POSTS, did)

    def all_posts(self) -> list[Record]:
        return self._all(Record, "SELECT body FROM bluesky_records WHERE collection = ? ORDER BY id", POSTS)

    def about(self, uri: str, collection: str) -> list[Record]:
        """Likes, reposts or replies of one post, deleted ones too, oldest first."""
        sql = "SELECT body FROM bluesky_records WHERE subject = ? AND collection = ? ORDER BY id"
        return self._all(Record, sql, uri, collection)

    def quoting(self, uri: str) -> list[Record]:
        return self._all(Record, "SELECT body FROM bluesky_records WHERE quoted = ?", uri)

    def count_posts(self, did: str) -> int:
        sql = "SELECT count(*) FROM bluesky_records WHERE collection = ? AND deleted = 0 AND did = ?"
        return int((self._store.row(sql, POSTS, did) or (0,))[0])

    # Blobs

    def save_blob(self, blob: Blob) -> None:
        self._store.write("REPLACE INTO bluesky_blobs VALUES (?, ?, ?)", blob.did, blob.cid, _encoded(blob))

    def blob(self, did: str, cid: str) -> Blob | None:
        return self._one(Blob, "SELECT body FROM bluesky_blobs WHERE did = ? AND cid = ?", did, cid)

    def is_used(self, blob: Blob) -> bool:
        sql = "SELECT 1 FROM bluesky_uses WHERE did = ? AND cid = ? LIMIT 1"
        return self._store.row(sql, blob.did, blob.cid) is not None

    # Videos

    def save_video(self, job: VideoJob) -> None:
        sql = "REPLACE INTO bluesky_videos VALUES (?, ?, ?, ?, ?)"
        self._store.write(sql, job.id, job.did, job.cid, job.began_ms, _encoded(job))

    def video(self, job_id: str) -> VideoJob | None:
        return self._one(VideoJob, "SELECT body FROM bluesky_videos WHERE id = ?", job_id)

    def video_of(self, did: str, cid: str) -> VideoJob | None:
        """The latest job of this account on these bytes."""
        sql = "SELECT body FROM bluesky_videos WHERE did = ? AND cid = ? ORDER BY began DESC LIMIT 1"
        return self._one(VideoJob, sql, did, cid)

    def videos_since(self, did: str, ms: int) -> list[VideoJob]:
        return self._all(VideoJob, "SELECT body FROM bluesky_videos WHERE did = ? AND began > ?", did, ms)

    # OAuth

    def save_asking(self, asking: Asking) -> None:
        self._store.write("REPLACE INTO bluesky_asking VALUES (?, ?)", asking.uri, _encoded(asking))

    def asking(self, uri: str) -> Asking | None:
        return self._one(Asking, "SELECT body FROM bluesky_asking WHERE uri = ?", uri)

    def save_code(self, code: Code) -> None:
        self._store.write("REPLACE INTO bluesky_codes VALUES (?, ?)", code.code, _encoded(code))

    def code(self, code: str) -> Code | None:
        return self._one(Code, "SELECT body FROM bluesky_codes WHERE code = ?", code)

    def save_grant(self, grant: Grant) -> None:
        """Its refresh token is known from now on, and every earlier one stays known as spent."""
        self._store.write("REPLACE INTO bluesky_grants VALUES (?, ?)", grant.id, _encoded(grant))
        self._store.write("REPLACE INTO bluesky_refresh_tokens VALUES (?, ?)", grant.refresh, grant.id)

    def grant(self, grant_id: str) -> Grant | None:
        return self._one(Grant, "SELECT body FROM bluesky_grants WHERE id = ?", grant_id)

    def granted_with(self, refresh_token: str) -> Grant | None:
        """The session that this refresh token belongs or belonged to."""
        sql = "SELECT grant_id FROM bluesky_refresh_tokens WHERE token = ?"
        row = self._store.row(sql, refresh_token)
        return self.grant(row[0]) if row else None

    def drop_grant(self, grant_id: str) -> None:
        self._store.write("DELETE FROM bluesky_grants WHERE id = ?", grant_id)

    def _one(self, kind: type[Kind], sql: str, *values: object) -> Kind | None:
        row = self._store.row(sql, *values)
        return msgspec.json.decode(row[0], type=kind) if row else None

    def _all(self, kind: type[Kind], sql: str, *values: object) -> list[Kind]:
        return [msgspec.json.decode(body, type=kind) for (body,) in self._store.rows(sql, *values)]
