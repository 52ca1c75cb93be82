"""What the contract suite must know about a platform beyond its contract: how its sandbox is brought into trouble."""

import asyncio
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from social.backing.outbound import Outbound
from social.platforms import oauth
from social.platforms.calls import Call
from social.platforms.contract import App, Content, MediaItem, Platform, Prepared, Receipt, Sought, Token
from tests.pictures import jpeg
from tests.servers.sandbox import Person, Sandbox

REDIRECT = "http://127.0.0.1:9/connect"
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

    def person(self, username: str = "anna") -> Person:
        """Somebody who has connected their account to us."""
        return self.sandbox.person(username, app_name="Social", scopes=list(self.platform.scopes))

    def call(self, person: Person | None = None, *, token: str | None = None, patience: float = 2.0) -> Call:
        """A Call as `person`, or with `token`, or as nobody."""
        access = token or (person["access_token"] if person else None)
        return Call.to(
            self.platform,
            self.sandbox.url,
            "sandbox",
            outbound=self.outbound,
            patience=patience,
            token=Token(access=access) if access else None,
            reading=self._reading,
        )

    def picture(self, alt: str = "", *, body: bytes | None = None, mime: str = "image/jpeg") -> MediaItem:
        """A picture as it would lie in the bucket."""
        body = jpeg(320, 240) if body is None else body
        key = f"w/1/m/{uuid.uuid4().hex}"
        self.files[key] = body
        return MediaItem(media_id=key, key=key, mime=mime, bytes=len(body), width=320, height=240, alt=alt)

    async def published(
        self, person: Person, content: Content, key: str | None = None, prepared: Prepared | None = None
    ) -> Receipt:
        """Prepared and made public, as the engine does it."""
        call = self.call(person)
        prepared = prepared or await self.prepared(person, content)
        return await self.platform.publish(call, content, prepared, key or new_key())

    async def prepared(self, person: Person, content: Content, before: Prepared | None = None) -> Prepared:
        """What `prepare` makes of the media."""

        async def save(_: Prepared) -> None:
            return None

        return await self.platform.prepare(self.call(person), content, before or Prepared(), save)

    async def found(
        self, person: Person, content: Content, prepared: Prepared | None = None, call: Call | None = None, **more: Any
    ) -> Receipt | None:
        """What a look finds for something that is sent now."""
        sent = {"first_sent_at": datetime.now(UTC), "last_sent_at": datetime.now(UTC)}
        sought = Sought(
            content=content,
            prepared=prepared or Prepared(),
            key="k",
            remote_account=person["account_id"],
            **(sent | more),
        )
        return await self.platform.find(call or self.call(person), sought)

    async def connected(self, username: str = "anna") -> tuple[App, Token]:
        """Through the consent page, as a person does it."""
        app = await self.registered()
        code, verifier = await self.permission(app, username)
        token = await oauth.exchange(
            self.call(), self.platform.oauth, app, code=code, verifier=verifier, redirect_uri=REDIRECT
        )
        return app, token

    async def registered(self, call: Call | None = None) -> App:
        """Our app at the server."""
        assert self.platform.register is not None
        return await self.platform.register(call or self.call(), REDIRECT, "https://social.example")

    async def deleted(self, person: Person, id: str, call: Call | None = None) -> None:
        """The post taken away."""
        assert self.platform.delete is not None
        await self.platform.delete(call or self.call(person), id)

    async def permission(self, app: App, username: str = "anna") -> tuple[str, str]:
        """A code, and the verifier that goes with it."""
        state, verifier = oauth.new_secret(), oauth.new_secret()
        url = oauth.authorize_url(
            self.platform, self.sandbox.url, app, redirect_uri=REDIRECT, state=state, verifier=verifier, another=False
        )
        back = parse_qs(urlsplit(await self.sandbox.consent(url, username)).query)
        assert back["state"] == [state]
        return back["code"][0], verifier

    @abstractmethod
    def shown(self, status: Mapping[str, Any]) -> Json:
        """A post of the sandbox as {id, url, text, alts, key}."""

    @abstractmethod
    def odd(self, **switches: Any) -> Json:
        """Trouble that makes the sandbox differ from the newest version of the platform."""

    def online(self) -> list[Json]:
        """What is public, oldest first."""
        return [self.shown(status) for status in self.sandbox.statuses()]

    @asynccontextmanager
    async def _reading(self, key: str) -> AsyncIterator[AsyncIterator[bytes]]:
        async def pieces() -> AsyncIterator[bytes]:
            body = self.files[key]
            for start in range(0, len(body), 4096):
                yield body[start : start + 4096]

        yield pieces()


class MastodonRig(Rig):
    """Mastodon's sandbox."""

    positions: ClassVar[Sequence[Json]] = (
        *({"version": version} for version in ("4.2", "4.5", "4.6.1", "4.6.4")),
        {"localised": "de"},
        {"localised": "ja"},
        {"key_ignored": True},
        {"repeat_fails": True},
        {"repeat_fails": False},
        {"key_locked": True},
        {"key_locked": False},
        {"unknown_media_dropped": True},
        {"unknown_media_dropped": False},
        {"silenced": True},
        {"spoiler_urls_in_full": True},
        {"spoiler_urls_in_full": False},
        {"alt_too_long": "refused"},
        {"alt_too_long": "cut"},
        {"image_processing": 0.3},
        {"characters": 15_000},
    )

    def shown(self, status: Mapping[str, Any]) -> Json:
        return {
            "id": status["id"],
            "url": status["url"],
            "text": status["text"],
            "alts": [media["alt"] or "" for media in status["media"]],
            "key": status["idempotency_key"],
        }

    def odd(self, **switches: Any) -> Json:
        return {"mastodon": switches}


RIGS: dict[str, type[Rig]] = {"mastodon": MastodonRig}


def new_key() -> str:
    """An idempotency key as a publication has one."""
    return str(uuid.uuid4())


async def until_ready(rig: Rig, person: Person, prepared: Prepared) -> None:
    """Returns when the platform has finished with the media."""
    deadline = time.monotonic() + 10
    while not await rig.platform.ready(rig.call(person), prepared):
        assert time.monotonic() < deadline, "the media was not ready within 10 s"
        await asyncio.sleep(0.05)
