"""What a platform is to us: declared data and a few functions. The engine asks no platform for its name.

A missing optional function *is* the missing capability. `prepare`, `ready` and `find` may be repeated freely;
`publish` holds the one request that makes a post public.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from social.errors import PlatformError, Wrong
from social.files import AS_IT_IS, Choice, Pictures, PostKind, Probe

if TYPE_CHECKING:
    from social.platforms.calls import Call

Realm = Literal["live", "sandbox"]
TokenKind = Literal["bearer", "dpop"]
Counting = Literal["graphemes", "characters", "utf16", "weighted"]
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
    text_bytes: int | None = None  # UTF-8 bytes that the text may have besides
    url_length: int | None = None  # what any http(s) URL counts; None: its own length
    mentions_without_domain: bool = False  # @user@domain counts as @user
    media: int
    alt: int  # characters
    image_bytes: int
    image_pixels: int | None = None
    image_types: tuple[str, ...]
    animated_bytes: int | None = None  # of an animated picture; None: as for any other
    video_bytes: int | None = None  # where an account's server says so; else `Platform.kinds` does
    video_pixels: int | None = None
    video_fps: int | None = None
    text_needed: bool = False  # whether media alone is not enough
    thread: int = 1  # parts one post may have here; 1: there are no threads


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """What a platform takes in any stretch of `seconds`: `most`, of which one post costs `cost`.

    Counted for each account; for all accounts of this installation together (`app`), where the platform counts the
    app's; or for all on one server (`server`), where it counts what comes from one address.
    """

    name: str  # of the stretch, to follow "in": "an hour"
    most: int
    seconds: int
    per: Literal["account", "app", "server"] = "account"
    cost: int = 1
    headers: str | None = None  # what comes before "-remaining", "-reset" and "-limit", where answers tell of it
    exact: bool = False  # "-limit" there is this one's, whatever no "-policy" beside it says

    @property
    def posts(self) -> int:
        """How many posts that is."""
        return max(1, self.most // self.cost)


class Told(msgspec.Struct, frozen=True):
    """What an answer said of the platform's quota of that name: `posts` are left for the next `wait` seconds, of `most`
    that it allows in all, where the answer says that surely of this one."""

    quota: str
    posts: int
    wait: float
    most: int | None = None


class MediaItem(msgspec.Struct, frozen=True, kw_only=True):
    """One file as a publication will send it. `key` is its place in the bucket; sizes in bytes and pixels.

    While it is composed it is the file as it was uploaded, with what is known of it and wanted for it. Once frozen it
    is what goes out: that file, or the `rendition` (its id) that is made of it; how many bytes that has shows then.
    """

    media_id: str
    key: str
    mime: str
    bytes: int
    width: int
    height: int
    alt: str = ""
    animated: bool = False
    probe: Probe | None = None
    choice: Choice = AS_IT_IS
    rendition: str | None = None

    @property
    def video(self) -> bool:
        """Whether it is a video."""
        return self.mime.startswith("video/")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a thread."""

    text: str
    media: tuple[MediaItem, ...] = ()


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What a publication will send, frozen. `options` is the platform's own options struct as plain data.

    `text` and `media` are the first part; `thread` holds the parts that follow it, each a reply to the one before.
    """

    text: str
    media: tuple[MediaItem, ...] = ()
    thread: tuple[Part, ...] = ()
    options: dict[str, Any] = {}

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts, in the order they go out. There is always a first."""
        return (Part(text=self.text, media=self.media), *self.thread)

    @property
    def files(self) -> tuple[MediaItem, ...]:
        """The files of all parts, in order: what `Prepared.media` has an id for, at the same place."""
        return tuple(item for part in self.parts for item in part.media)

    @property
    def renditions(self) -> frozenset[str]:
        """The ids of what is made of its files."""
        return frozenset(item.rendition for item in self.files if item.rendition)


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What `prepare` made at the platform so far: its ids of `Content.files`, in order, and other facts to keep."""

    media: tuple[str, ...] = ()
    facts: dict[str, Any] = {}


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Proof that a part is public: the platform's id and address of it, and how we know."""

    id: str
    url: str | None = None
    evidence: Evidence = "reply"
    notes: tuple[str, ...] = ()  # sentences for people, where what is public differs from what was asked for
    facts: dict[str, str] = {}  # what the next part needs of this one beyond its id


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a publication whose turn it is, with everything that was frozen about it at its first intent.

    `key` is stored with the publication: the same on every attempt at this part, another for every part and revision.
    `first_sent_at` (UTC) is the instant of the part's first intent: the same on every attempt too.
    """

    content: Content
    prepared: Prepared
    key: str
    first_sent_at: datetime
    remote_account: str  # the platform's id of the account
    handle: str = ""  # what the account is called there, for addresses of posts
    part: int = 0
    before: tuple[Receipt, ...] = ()  # of the parts that are online, one for each before this one

    @property
    def text(self) -> str:
        """The part's text."""
        return self.content.parts[self.part].text

    @property
    def media(self) -> tuple[MediaItem, ...]:
        """The part's files."""
        return self.content.parts[self.part].media

    @property
    def media_ids(self) -> tuple[str, ...]:
        """The platform's ids of the part's files."""
        first = sum(len(part.media) for part in self.content.parts[: self.part])
        return self.prepared.media[first : first + len(self.media)]


class Sought(Turn, frozen=True, kw_only=True):
    """What `find` looks for: a part that may be online. Instants are UTC."""

    last_sent_at: datetime
    known: frozenset[str] = frozenset()  # ids of posts that are known to be others


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Whose token this is, as the platform tells. `limits` where this account's differ from the platform's."""

    id: str
    handle: str
    name: str
    avatar_url: str | None = None
    profile_url: str | None = None
    limits: Limits | None = None
    origin: str | None = None  # of the account's own server, where that is not the one that was asked


class App(msgspec.Struct, frozen=True, kw_only=True):
    """An OAuth client at one server of a platform. The secret is sealed wherever it rests; a public client has none."""

    client_id: str
    client_secret: str = ""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What an account is used with. `expires_at` and `refresh` are None where the platform has neither.

    A `dpop` token is used with a proof made with `key`, the private key it is bound to (RFC 9449), as a JWK in JSON.
    """

    access: str
    refresh: str | None = None
    expires_at: datetime | None = None  # of `access`
    lapses_at: datetime | None = None  # `refresh` is worthless from then on, unless it was used before
    ends_at: datetime | None = None  # no refreshing leads beyond this: the person must connect again
    scopes: tuple[str, ...] = ()
    kind: TokenKind = "bearer"
    key: str | None = None
    subject: str | None = None  # whose it is, where the token endpoint says so


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
    """Where a platform's authorisation-code flow (with PKCE, S256) lives, as paths on the account's origin.

    `page` is the origin of the page where people give their permission, where that is not the account's; in the
    sandbox it always is. `authenticates`: how the token endpoint wants to know a client that has a secret.
    """

    authorize: str = ""
    token: str = ""
    revoke: str | None = None
    page: str | None = None
    authenticates: Literal["form", "basic"] = "form"
    extra: dict[str, str] = {}  # more parameters for the authorize address
    for_another: dict[str, str] = {}  # and more where an account of this server is connected already
    unused: timedelta | None = None  # how long a refresh token lasts that is not used; None: nobody says
    lasts: timedelta | None = None  # how long a connection of a client without a secret lasts, however often refreshed
    without: dict[str, str] = {}  # what does not work without a scope, as a sentence


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """A platform's authorisation server as one was found: whole addresses. Kept with the account.

    `par` takes pushed authorisation requests (RFC 9126); with `dpop`, tokens are bound to a key (RFC 9449).
    """

    authorize: str
    token: str
    revoke: str | None = None
    issuer: str | None = None  # what must come back as `iss`, where the server says who it is
    par: str | None = None
    dpop: bool = False


class Password(msgspec.Struct, frozen=True, kw_only=True):
    """Connecting by a name and a password made for this purpose, instead of a page: what the form says."""

    name: str  # what the first field is called, as "Handle"
    secret: str  # what the second is called, as "App password"
    where: str  # where one makes such a password, a sentence
    address: str | None = None  # of that page


def _pictures(limits: Limits) -> PostKind:
    taken = Pictures(types=limits.image_types, bytes=limits.image_bytes, pixels=limits.image_pixels)
    return PostKind(name="pictures", words="a post with pictures", most=limits.media, pictures=taken)


Save: TypeAlias = Callable[[Prepared], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Platform:
    """One platform. Functions raise PlatformError and nothing else; only `calls.py` makes them."""

    name: str
    title: str
    limits: Limits
    scopes: tuple[str, ...] = ()
    settles: Settling
    windows: tuple[Quota, ...] = ()  # what a post that goes out is counted in
    faults: tuple[Fault, ...] = ()
    host: str | None = None  # of the API; None: every account lives on a server its user names
    usual_server: str | None = None  # what a user who names none most likely means
    sandbox_path: str = ""  # where the sandbox has it, as "/x"
    replay_for: timedelta = timedelta()  # how long after the first send the same key is safe to repeat
    prepare_ahead: timedelta = timedelta(minutes=30)  # how long before the due time preparing may begin
    keeps_prepared: timedelta = timedelta(hours=12)  # how long what was prepared stays usable
    options: type[msgspec.Struct]

    # Making posts public.
    identify: "Callable[[Call], Awaitable[Identity]]"
    prepare: "Callable[[Call, Content, Prepared, Save], Awaitable[Prepared]]"
    # What was prepared, once the platform has finished with it, with what it then says; None while it works on it.
    ready: "Callable[[Call, Prepared], Awaitable[Prepared | None]]"
    publish: "Callable[[Call, Turn], Awaitable[Receipt]]"
    find: "Callable[[Call, Sought], Awaitable[Receipt | None]]"
    delete: "Callable[[Call, str], Awaitable[None]] | None" = None
    # What the text limit counts of one part, in pieces that are counted each for itself.
    counted_text: Callable[[Content, int], tuple[str, ...]] = lambda content, part: (content.parts[part].text,)
    # The kinds of posts with files, the likeliest first, and what each takes of them.
    kinds: Callable[[Limits], tuple[PostKind, ...]] = lambda limits: (_pictures(limits),)
    # Whether there is anything to prepare.
    prepares: Callable[[Content], bool] = lambda content: bool(content.files)
    # Sentences for the person while composing, about what will happen and is no fault.
    remarks: Callable[[Content], tuple[str, ...]] = lambda content: ()
    # What the platform would refuse beyond its limits: pointer into the post, sentence, code.
    objections: Callable[[Content, Limits], tuple[Wrong, ...]] = lambda content, limits: ()

    # Connecting accounts: over a page (`oauth`), by a password (`password` and `login`), or both.
    oauth: OAuth | None = None
    password: Password | None = None
    login: "Callable[[Call, str, str], Awaitable[Token]] | None" = None  # (call, name, secret)
    # Who we are at the authorisation server: registered there on the spot (call, redirect address, our address); or
    # derived from our address (our address, redirect address; OperatorNeeded, in a sentence, if this address cannot
    # have one); or, with neither, an app of the installation's owner.
    register: "Callable[[Call, str, str], Awaitable[App]] | None" = None
    client: Callable[[str, str], App] | None = None
    client_document: Callable[[str, str], dict[str, Any]] | None = None  # (our address, redirect address), served by us
    discover: "Callable[[Call], Awaitable[Endpoints]] | None" = None  # None: `oauth` says it all
    # The next token for an old one, and giving one back, where the standard's way is not the platform's: for tokens of
    # `login`, and on a platform without `login` for every token. The call is made as nobody. A refresh that was refused
    # for good is Disconnected or TokenExpired; whatever else it raises, the old token is tried again.
    refresh: "Callable[[Call, App, Token], Awaitable[Token]] | None" = None
    revoke: "Callable[[Call, App, Token], Awaitable[None]] | None" = None

    @property
    def needs_app(self) -> bool:
        """Whether the installation's owner must have an app there, so that people can connect over a page."""
        return self.oauth is not None and self.register is None and self.client is None
