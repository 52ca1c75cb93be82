"""What a platform is to us: declared data and a few functions. The engine asks no platform for its name.

A missing optional function *is* the missing capability. `prepare`, `ready` and `find` may be repeated freely;
`publish` holds the one request that makes a post public.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from social.errors import PlatformError

if TYPE_CHECKING:
    from social.platforms.calls import Call

Realm = Literal["live", "sandbox"]
Counting = Literal["graphemes", "characters", "utf16"]
Evidence = Literal["reply", "lookup", "person"]
# How an interrupted send is settled (protocol.md, section 4): a record key of ours, an idempotency key, a handle made
# beforehand, a search among the newest posts, or not at all.
Settling = Literal["rkey", "key", "handle", "search", "blind"]
# What a request is about, where one status means different things: making a post public, its media, or anything else.
About = Literal["publish", "media", "any"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a platform takes, as data. An account may have its own (`Account.limits`): its server's configuration."""

    text: int
    counted_as: Counting
    url_length: int | None = None  # what any http(s) URL counts; None: its own length
    mentions_without_domain: bool = False  # @user@domain counts as @user
    media: int
    alt: int  # characters
    image_bytes: int
    image_pixels: int | None = None
    image_types: tuple[str, ...]
    text_needed: bool = False  # whether media alone is not enough


class MediaItem(msgspec.Struct, frozen=True, kw_only=True):
    """One file as a publication will send it. `key` is its place in the bucket; sizes in bytes and pixels."""

    media_id: str
    key: str
    mime: str
    bytes: int
    width: int
    height: int
    alt: str = ""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What a publication will send, frozen. `options` is the platform's own options struct as plain data."""

    text: str
    media: tuple[MediaItem, ...] = ()
    options: dict[str, Any] = {}


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What `prepare` made at the platform so far: its ids of the media, in order, and other facts to keep."""

    media: tuple[str, ...] = ()
    facts: dict[str, Any] = {}


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Proof that a post is public: the platform's id and address of it, and how we know."""

    id: str
    url: str | None = None
    evidence: Evidence = "reply"
    notes: tuple[str, ...] = ()  # sentences for people, where what is public differs from what was asked for


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """What `find` looks for: everything that was frozen at the first intent. Instants are UTC."""

    content: Content
    prepared: Prepared
    key: str
    first_sent_at: datetime
    last_sent_at: datetime
    remote_account: str  # the platform's id of the account
    known: frozenset[str] = frozenset()  # ids of posts that are known to be other publications'


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Whose token this is, as the platform tells. `limits` where this account's differ from the platform's."""

    id: str
    handle: str
    name: str
    avatar_url: str | None = None
    profile_url: str | None = None
    limits: Limits | None = None


class App(msgspec.Struct, frozen=True, kw_only=True):
    """An OAuth client at one server of a platform. The secret is sealed wherever it rests."""

    client_id: str
    client_secret: str


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What an account is used with. `expires_at` and `refresh` are None where the platform has neither."""

    access: str
    refresh: str | None = None
    expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a platform's error table: which answer means which next step. The first match wins.

    `words` tell people what to do; without them the class of error has words of its own. `code` is for machines.
    """

    status: int
    then: type[PlatformError]
    saying: str | None = None  # a part of the answer's text, compared without case
    to: About = "any"
    code: str | None = None
    words: str | None = None


class OAuth(msgspec.Struct, frozen=True, kw_only=True):
    """Where a platform's authorisation-code flow lives, as paths on the account's origin."""

    authorize: str
    token: str
    revoke: str | None = None
    extra: dict[str, str] = {}  # more parameters for the authorize address
    for_another: dict[str, str] = {}  # and more where an account of this server is connected already


Save: TypeAlias = Callable[[Prepared], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Platform:
    """One platform. Functions raise PlatformError and nothing else; only `calls.py` makes them."""

    name: str
    title: str
    limits: Limits
    scopes: tuple[str, ...]
    oauth: OAuth
    settles: Settling
    faults: tuple[Fault, ...] = ()
    host: str | None = None  # None: every account lives on a server its user names
    replay_for: timedelta = timedelta()  # how long after the first send the same key is safe to repeat
    prepare_ahead: timedelta = timedelta(minutes=30)  # how long before the due time preparing may begin
    keeps_prepared: timedelta = timedelta(hours=12)  # how long what was prepared stays usable
    options: type[msgspec.Struct]

    identify: "Callable[[Call], Awaitable[Identity]]"
    prepare: "Callable[[Call, Content, Prepared, Save], Awaitable[Prepared]]"
    ready: "Callable[[Call, Prepared], Awaitable[bool]]"
    publish: "Callable[[Call, Content, Prepared, str], Awaitable[Receipt]]"
    find: "Callable[[Call, Sought], Awaitable[Receipt | None]]"
    # What the text limit counts, in pieces that are counted each for itself.
    counted_text: Callable[[Content], tuple[str, ...]] = lambda content: (content.text,)
    register: "Callable[[Call, str, str], Awaitable[App]] | None" = None  # (call, redirect address, our address)
    delete: "Callable[[Call, str], Awaitable[None]] | None" = None
