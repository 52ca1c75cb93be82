"""The running sandbox as one value: what its own pages and the control API work with."""

import secrets
import zlib

import msgspec

from social.sandbox.journal import Journal
from social.sandbox.mastodon.simulated import Mastodon
from social.sandbox.platform import Platform
from social.sandbox.store import Store
from social.sandbox.trouble import Switchboard


class Desk:
    def __init__(
        self, store: Store, switchboard: Switchboard, journal: Journal, platforms: tuple[Platform, ...]
    ) -> None:
        self.store = store
        self.switchboard = switchboard
        self.journal = journal
        self.platforms = {platform.name: platform for platform in platforms}
        self._started = secrets.token_hex(4)

    @property
    def mastodon(self) -> Mastodon:
        """The one whose pages are at the root."""
        found = self.platforms[Mastodon.name]
        assert isinstance(found, Mastodon)
        return found

    def state_tag(self) -> str:
        """Changes with everything that a page shows."""
        trouble = zlib.crc32(msgspec.json.encode(self.switchboard.trouble))
        return f'"{self._started}-{self.store.revision}-{trouble}"'

    def reset(self) -> None:
        """As on the first day."""
        self.store.empty()
        self.switchboard.clear()
        self.journal.forget()
        for platform in self.platforms.values():
            platform.forget()
