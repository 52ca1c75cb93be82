"""What the contract suite must know about a platform beyond its contract: how its sandbox is brought into trouble."""

import asyncio
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec

from social.backing.outbound import Outbound
from social.platforms.calls import Call
from social.platforms.contract import Content, Limits, MediaItem, Platform, Prepared, Receipt, Sought, Token, Turn
from tests.media import films
from tests.pictures import jpeg
from tests.servers.sandbox import Person, Sandbox

Json = dict[str, Any]


@dataclass
class Rig(ABC):
    """One platform, its sandbox, and a person there."""

    platform: Platform
    sandbox: Sandbox
    outbound: Outbound
    files: dict[str, bytes] = field(default_factory=dict)

    # Every fact the sheet is not sure of, in each position it can have, and every version it knows.
    positions: ClassVar[Sequence[Json]] = ()
    silent: ClassVar[frozenset[str]] = frozenset()  # functions for which its server is asked nothing
    refuses_long_alt: ClassVar[bool] = True
    takes_empty: ClassVar[bool] = False
    refuses_one_more: ClassVar[bool] = True  # one picture more than we let through
    looks_into_files: ClassVar[bool] = True
    renews: ClassVar[bool] = True  # its tokens end and are renewed
    scope_unsaid: ClassVar[frozenset[str]] = frozenset()  # where a missing scope looks like any other refusal
    lag: ClassVar[float] = 0.0  # seconds after which a post shows surely, in whatever position

    @property
    def origin(self) -> str:
        """Where the sandbox has this platform."""
        return self.sandbox.url + self.platform.sandbox_path

    def person(self, username: str = "anna", **wanted: Any) -> Person:
        """Somebody who has connected their account to us."""
        usual = {"app_name": "Social", "platform": self.platform.name} | self.asked_for()
        return self.sandbox.person(username, **(usual | wanted))

    def asked_for(self) -> Json:
        """What a person's token may do, as the sandbox's control API takes it."""
        return {"scopes": list(self.platform.scopes)}

    def token(self, person: Person) -> Token:
        """The token we have of them."""
        return Token(access=person["access_token"])

    def call(self, person: Person | None = None, *, token: Token | None = None, patience: float = 2.0) -> Call:
        """A Call as `person`, or with `token`, or as nobody."""
        return Call.to(
            self.platform,
            self.origin,
            "sandbox",
            outbound=self.outbound,
            patience=patience,
            token=token or (self.token(person) if person else None),
            reading=self._reading,
        )

    def picture(self, alt: str = "", *, body: bytes | None = None, mime: str = "image/jpeg") -> MediaItem:
        """A picture as it would lie in the bucket."""
        body = jpeg(320, 240) if body is None else body
        key = f"w/1/m/{uuid.uuid4().hex}"
        self.files[key] = body
        return MediaItem(media_id=key, key=key, mime=mime, bytes=len(body), width=320, height=240, alt=alt)

    def film(self, alt: str = "", *, body: bytes | None = None) -> MediaItem:
        """A video as it would lie in the bucket."""
        video = self.picture(alt, body=films.short() if body is None else body, mime="video/mp4")
        return msgspec.structs.replace(video, width=32, height=18)

    def slow_picture(self) -> MediaItem:
        """One that the platform has to be asked about."""
        return self.picture()

    async def turn(
        self, person: Person, content: Content, prepared: Prepared | None = None, *, key: str | None = None, **more: Any
    ) -> Turn:
        """The first part of `content`, prepared and ready, frozen now."""
        if prepared is None:
            prepared = await self.until_ready(person, await self.prepared(person, content))
        usual = {"first_sent_at": _now(), "remote_account": person["account_id"]}
        return Turn(content=content, prepared=prepared, key=key or new_key(), **(usual | more))

    async def publish(self, person: Person, turn: Turn, call: Call | None = None) -> Receipt:
        """One attempt."""
        return await self.platform.publish(call or self.call(person), turn)

    async def published(self, person: Person, content: Content, prepared: Prepared | None = None) -> Receipt:
        """The first part prepared and made public, as the engine does it."""
        return await self.publish(person, await self.turn(person, content, prepared))

    async def thread(self, person: Person, content: Content) -> list[Receipt]:
        """All parts, one after the other."""
        turn = await self.turn(person, content)
        receipts: list[Receipt] = []
        for part in range(len(content.parts)):
            receipts.append(await self.publish(person, following(turn, part, receipts)))
        return receipts

    async def prepared(self, person: Person, content: Content, before: Prepared | None = None) -> Prepared:
        """What `prepare` makes of the media."""

        async def save(_: Prepared) -> None:
            return None

        return await self.platform.prepare(self.call(person), content, before or Prepared(), save)

    async def until_ready(self, person: Person, prepared: Prepared) -> Prepared:
        """What was prepared, when the platform has finished with the media."""
        deadline = time.monotonic() + 10
        while (finished := await self.platform.ready(self.call(person), prepared)) is None:
            assert time.monotonic() < deadline, "the media was not ready within 10 s"
            await asyncio.sleep(0.05)
        return finished

    async def look(self, person: Person, turn: Turn, call: Call | None = None, **more: Any) -> Receipt | None:
        """What a look finds for `turn`, as if it was sent last just now."""
        sought = Sought(**({"last_sent_at": _now(), **msgspec.structs.asdict(turn)} | more))
        return await self.platform.find(call or self.call(person), sought)

    async def deleted(self, person: Person, id: str, call: Call | None = None) -> None:
        """The post taken away."""
        assert self.platform.delete is not None
        await self.platform.delete(call or self.call(person), id)

    def online(self) -> list[Json]:
        """What is public, oldest first."""
        return [self.shown(status) for status in self.sandbox.statuses(platform=self.platform.name)]

    async def eventually(self, look: Callable[[], Awaitable[Receipt | None]]) -> Receipt | None:
        """What `look` finds, as soon as it finds something, or once everything must show."""
        deadline = time.monotonic() + self.lag
        while (found := await look()) is None and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        return found

    def repeats_allowed(self) -> Json:
        """Trouble under which one may say the same thing twice."""
        return {}

    @abstractmethod
    def uploads(self) -> int:
        """How many files were begun to be uploaded so far."""

    def limits(self) -> Limits:
        """What the sandbox takes of an account that has nothing special."""
        return self.platform.limits

    def shown(self, status: Mapping[str, Any]) -> Json:
        """A post of the sandbox as {id, url, text, alts, parent}, the last being the id of what it answers."""
        return {
            "id": status["id"],
            "url": status["url"],
            "text": status["text"],
            "alts": [media["alt"] or "" for media in status["media"]],
            "parent": status["in_reply_to_id"],
        }

    @abstractmethod
    def odd(self, **switches: Any) -> Json:
        """Trouble that makes the sandbox differ from the newest version of the platform."""

    @asynccontextmanager
    async def _reading(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[AsyncIterator[bytes]]:
        async def pieces() -> AsyncIterator[bytes]:
            body = self.files[key][start:end]
            for place in range(0, len(body), 4096):
                yield body[place : place + 4096]

        yield pieces()


def following(turn: Turn, part: int, receipts: Sequence[Receipt]) -> Turn:
    """A later part of the thread that `turn` begins, when `receipts` are those before it."""
    if part == 0:
        return turn
    return msgspec.structs.replace(
        turn, part=part, key=f"{turn.key}-{part}", before=tuple(receipts[:part]), first_sent_at=_now()
    )


def new_key() -> str:
    """An idempotency key as a publication has one."""
    return str(uuid.uuid4())


def _now() -> datetime:
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
