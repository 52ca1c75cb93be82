"""What the simulated Bluesky keeps, as it keeps it. Times are milliseconds, UTC."""

from typing import Any

import msgspec

Json = dict[str, Any]


class Account(msgspec.Struct, kw_only=True):
    did: str
    handle: str
    email: str
    password: str  # in the clear: the control API and the sandbox's own pages tell it again
    display_name: str
    created_ms: int
    head: str  # the CID of the repository's latest commit
    rev: str

    @property
    def username(self) -> str:
        """What somebody typed here as their name: the handle without this host's domain."""
        return self.handle.removesuffix(".test")


class AppPassword(msgspec.Struct, kw_only=True):
    did: str
    name: str
    password: str
    privileged: bool
    created_ms: int


class Session(msgspec.Struct, kw_only=True):
    """One refresh JWT; access JWTs live by themselves. The next one is kept for who lost the answer."""

    id: str  # the JWT's jti
    did: str
    app_password: str | None
    privileged: bool
    issued_s: int
    expires_s: int
    successor: str | None = None
    grace_until_ms: int = 0
    revoked: bool = False


class Blob(msgspec.Struct, kw_only=True):
    did: str
    cid: str
    mime: str
    size: int
    free_ms: int  # since when no record has it: the sweep counts from here

    @property
    def file(self) -> str:
        return f"{self.did.rpartition(':')[2]}-{self.cid}"

    @property
    def ref(self) -> Json:
        return {"$type": "blob", "ref": {"$link": self.cid}, "mimeType": self.mime, "size": self.size}


class VideoJob(msgspec.Struct, kw_only=True):
    """A video that the service works on, or has worked on. `failure` is the code it ends with, if it does."""

    id: str
    did: str
    cid: str
    size: int
    began_ms: int
    ends_ms: int
    failure: str | None


class Version(msgspec.Struct, kw_only=True):
    """A record as it was before its latest edit: the AppView shows it for a while longer."""

    cid: str
    value: Json


class Record(msgspec.Struct, kw_only=True):
    id: int
    did: str
    collection: str
    rkey: str
    cid: str
    value: Json
    application: str | None  # who wrote it: an app password's name or an OAuth client
    arrived_ms: int  # when the request that made it reached the server; counted from outside
    created_ms: int
    edited_ms: int | None = None
    deleted_ms: int | None = None
    earlier: Version | None = None

    @property
    def uri(self) -> str:
        return f"at://{self.did}/{self.collection}/{self.rkey}"


class Client(msgspec.Struct, kw_only=True):
    """An OAuth client, as its metadata say."""

    id: str
    name: str
    redirect_uris: list[str]
    scopes: list[str]
    loopback: bool = False  # the port of its redirect address is free


class Asking(msgspec.Struct, kw_only=True):
    """A pushed authorization request."""

    uri: str
    client: Client
    redirect_uri: str
    scopes: list[str]
    state: str | None
    challenge: str
    login_hint: str | None
    jkt: str
    expires_ms: int
    answered: bool = False


class Code(msgspec.Struct, kw_only=True):
    code: str
    asking: Asking
    did: str
    expires_ms: int
    grant: str | None = None  # what it was exchanged for


class Grant(msgspec.Struct, kw_only=True):
    """An OAuth session: one living access token, one living refresh token."""

    id: str
    did: str
    client_id: str
    client_name: str
    scopes: list[str]
    jkt: str
    created_ms: int
    access: str  # the access token's jti
    refresh: str
    refresh_expires_ms: int
