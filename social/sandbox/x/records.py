"""What the simulated X keeps. Instants are whole milliseconds since 1970."""

from typing import Any, Literal

import msgspec

Json = dict[str, Any]
Kind = Literal["photo", "animated_gif", "video"]


class User(msgspec.Struct, kw_only=True):
    id: int
    username: str
    name: str
    subscription: str = "None"


class Client(msgspec.Struct, kw_only=True):
    """An app. A public one has no secret; no redirect addresses: any will do."""

    id: str
    secret: str | None
    name: str
    redirect_uris: list[str] = msgspec.field(default_factory=list)


class Grant(msgspec.Struct, kw_only=True):
    """A permission, from the code on. Its tokens die with it."""

    id: str
    client_id: str
    user_id: int
    scopes: list[str]
    code: str
    redirect_uri: str
    challenge: str
    method: Literal["S256", "plain"]
    created_ms: int
    exchanged: bool = False
    revoked: bool = False


class Token(msgspec.Struct, kw_only=True):
    """One access or refresh token of a grant."""

    token: str
    grant_id: str
    kind: Literal["access", "refresh"]
    created_ms: int
    expires_ms: int | None = None
    spent: bool = False


class Media(msgspec.Struct, kw_only=True):
    """An uploaded file, or one on its way. `file` is its name in the folder."""

    id: int
    user_id: int
    mime: str
    category: str
    total: int
    file: str
    prefix: int  # the number before the underscore in its key
    created_ms: int
    segments: dict[int, int] = msgspec.field(default_factory=dict)  # index -> bytes
    finalized_ms: int | None = None
    ready_ms: int | None = None
    failed: bool = False
    alt: str = ""
    width: int | None = None
    height: int | None = None
    kind: Kind = "photo"

    @property
    def key(self) -> str:
        return f"{self.prefix}_{self.id}"


class Post(msgspec.Struct, kw_only=True):
    id: int
    user_id: int
    client_id: str
    text: str  # as it was sent
    created_ms: int
    reply_to: int | None = None
    quoted: int | None = None
    conversation: int
    media_ids: list[int] = msgspec.field(default_factory=list)
    poll: Json | None = None
    options: Json = msgspec.field(default_factory=dict)
    links: dict[str, str] = msgspec.field(default_factory=dict)  # t.co -> what it stands for
    media_link: str | None = None
    deleted_ms: int | None = None
    arrived_ms: int
