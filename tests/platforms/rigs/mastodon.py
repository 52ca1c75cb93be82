"""Mastodon's sandbox."""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from social.platforms.contract import Limits
from tests.platforms.rigs.rig import Json, Rig


class MastodonRig(Rig):
    """At the root of the sandbox."""

    renews: ClassVar[bool] = False
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

    def limits(self) -> Limits:
        return msgspec.structs.replace(self.platform.limits, alt=10_000)

    def uploads(self) -> int:
        return len(self.sandbox.requests("POST", "/api/v2/media"))

    def odd(self, **switches: Any) -> Json:
        return {"mastodon": switches}
