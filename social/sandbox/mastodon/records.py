"""What the simulated Mastodon keeps, as it keeps it. Ids are numbers here and strings on the wire; times are ms."""

import msgspec


class App(msgspec.Struct, kw_only=True):
    id: int
    client_id: str
    client_secret: str
    name: str
    website: str | None
    redirect_uris: list[str]
    scopes: list[str]


class Account(msgspec.Struct, kw_only=True):
    id: int
    username: str
    display_name: str
    created_ms: int
    privacy: str = "public"
    sensitive: bool = False
    language: str | None = None
    posts: int = 0  # beside the body in its own column, counted with each post
    last_post_ms: int | None = None


class Grant(msgspec.Struct, kw_only=True):
    """An authorization code. `used` stays: a second use is `invalid_grant`, not an unknown code."""

    code: str
    client_id: str
    account_id: int
    redirect_uri: str
    scopes: list[str]
    challenge: str | None
    created_ms: int
    used: bool = False


class Token(msgspec.Struct, kw_only=True):
    token: str
    client_id: str
    account_id: int | None  # None: the app's own
    scopes: list[str]
    created_ms: int
    revoked: bool = False


class Media(msgspec.Struct, kw_only=True):
    id: int
    account_id: int
    kind: str  # image, gifv, video, audio
    mime: str
    file: str  # name in the media folder
    preview: str | None
    description: str | None
    focus: tuple[float, float] = (0.0, 0.0)
    size: tuple[int, int] | None = None
    preview_size: tuple[int, int] | None = None
    blurhash: str | None = None
    free_ms: int  # since when no post has it: the sweep counts from here
    ready_ms: int
    busy_looks: int = 0  # how many more looks find it busy
    failed: bool = False
    status_id: int | None = None


class Poll(msgspec.Struct, kw_only=True):
    id: int
    options: list[str]
    expires_ms: int
    multiple: bool
    hide_totals: bool


class Status(msgspec.Struct, kw_only=True):
    id: int
    account_id: int
    client_id: str | None
    text: str
    spoiler_text: str
    sensitive: bool
    visibility: str
    language: str | None
    in_reply_to_id: int | None
    in_reply_to_account_id: int | None
    quoted_id: int | None
    quote_policy: str
    media_ids: list[int]
    poll: Poll | None
    created_ms: int
    edited_ms: int | None = None
    deleted_ms: int | None = None
    key: str | None = None
    arrived_ms: int  # when the request that made it reached the server; counted from outside


class Edit(msgspec.Struct, kw_only=True):
    """One version of a post, the first included."""

    text: str
    spoiler_text: str
    sensitive: bool
    media: list[tuple[int, str | None]]  # id, alt text as it was
    options: list[str] | None
    created_ms: int


class Scheduled(msgspec.Struct, kw_only=True):
    id: int
    account_id: int
    client_id: str | None
    due_ms: int
    params: dict[str, object]
    media_ids: list[int]
    key: str | None
