"""What a simulated platform is to the sandbox around it, and what it shows of itself to people and tests."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from litestar.types import ControllerRouterHandler

from social.sandbox.faults import Fault


class Answer(msgspec.Struct, frozen=True):
    """A whole HTTP reply that did not come from a handler."""

    status: int
    body: bytes
    content_type: str = "application/json; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


class Admission(msgspec.Struct, frozen=True):
    """What the platform's front door says: headers for the reply, and the reply itself where it refuses."""

    headers: tuple[tuple[str, str], ...] = ()
    refusal: Answer | None = None


class Refusal(Exception):
    """What a platform refuses on purpose, as against a fault of the sandbox's own."""


class Picture(msgspec.Struct, frozen=True):
    url: str | None  # None while it is processed
    preview_url: str | None
    alt: str | None
    kind: str  # image, gifv, video, audio
    width: int | None = None
    height: int | None = None


class Poll(msgspec.Struct, frozen=True):
    options: tuple[str, ...]
    multiple: bool
    ends_ms: int


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is online, as a reader would see it. `html` is escaped by the platform that made it."""

    id: str
    platform: str
    url: str
    author: str
    handle: str
    author_url: str
    avatar_url: str
    html: str
    warning: str = ""
    sensitive: bool = False
    visibility: str
    language: str | None = None
    application: str | None = None
    created_ms: int
    edited_ms: int | None = None
    reply_to_url: str | None = None
    pictures: tuple[Picture, ...] = ()
    poll: Poll | None = None


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with an account and a fresh access token."""

    platform: str
    username: str
    account_id: str
    url: str
    access_token: str
    client_id: str
    client_secret: str
    scopes: list[str]
    refresh_token: str = ""  # where the platform has one
    password: str = ""
    app_password: str = ""


class NewPerson(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to make; a username that exists gets another token. Scopes None: everything a client may ask for."""

    username: str
    platform: str = "mastodon"
    scopes: list[str] | None = None
    display_name: str | None = None
    app_name: str = "Sandbox control"


class Platform(Protocol):
    """One simulated platform. `schema` is SQL; the rest is called by the gate, the control API and the pages."""

    @property
    def name(self) -> str: ...

    @property
    def routes(self) -> Sequence[ControllerRouterHandler]: ...

    def groups(self, method: str, path: str) -> tuple[str, ...]:
        """The trouble groups a request belongs to, the narrowest first; () where it is not this platform's API."""

    def admit(self, scope: Any) -> Admission: ...

    def broken(self, fault: Fault, status: int) -> Answer:
        """`status` in this platform's own words."""

    def dead_token(self) -> Answer: ...

    def missing_scope(self) -> Answer: ...

    def person(self, wanted: NewPerson) -> Person:
        """Raises ValueError with a sentence for a name the platform refuses."""

    def online(self, *, author: str | None = None, tag: str | None = None, limit: int = 60) -> list[Post]: ...

    def evidence(self) -> list[dict[str, object]]:
        """Every post ever taken, deleted ones too, in order: for counting from outside."""

    def tick(self) -> None:
        """Once a second: what the platform does by itself."""

    def forget(self) -> None:
        """The rows are gone; removes the files and what is in memory."""
