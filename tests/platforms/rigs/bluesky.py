"""Bluesky's sandbox."""

from collections.abc import Sequence
from typing import Any, ClassVar

from social.platforms.contract import Token
from tests.platforms.rigs.rig import Json, Rig
from tests.servers.sandbox import Person


class BlueskyRig(Rig):
    """Below /bluesky of the sandbox, with the session of an app password."""

    silent: ClassVar[frozenset[str]] = frozenset({"ready"})
    refuses_long_alt: ClassVar[bool] = False  # the schema has no limit; the app has
    takes_empty: ClassVar[bool] = True
    refuses_one_more: ClassVar[bool] = False  # the schema takes 20, apps show 10
    looks_into_files: ClassVar[bool] = False
    positions: ClassVar[Sequence[Json]] = (
        {"version": "0.4.217"},
        {"repeat_answers": "400"},
        {"app_view": False},
        {"app_view_lag": 3.0},
        {"did_document": False},
        {"rate_limits": False},
        {"upload_limit": 5_242_880},
        {"working": 0.3},
    )

    def asked_for(self) -> Json:
        return {}  # an app password may do everything

    def token(self, person: Person) -> Token:
        return Token(access=person["access_token"], refresh=person.get("refresh_token"))

    def uploads(self) -> int:
        return len(self.sandbox.requests("POST", "/bluesky/xrpc/com.atproto.repo.uploadBlob"))

    def odd(self, **switches: Any) -> Json:
        return {"bluesky": switches}
