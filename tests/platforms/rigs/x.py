"""X's sandbox."""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from social.platforms.contract import MediaItem, Token
from tests.pictures import gif
from tests.platforms.rigs.rig import Json, Rig
from tests.servers.sandbox import Person


class XRig(Rig):
    """Below /x of the sandbox."""

    lag: ClassVar[float] = 2.0
    scope_unsaid: ClassVar[frozenset[str]] = frozenset({"publish"})  # the same words as for a text that is too long
    positions: ClassVar[Sequence[Json]] = (
        {"spelling": "post"},
        {"problem_host": "api.x.com"},
        {"read_lag": 0.6},
        {"partial_errors": True},
        {"keys_stay": False},
        {"image_processing": True},
        {"media_makes_a_difference": False},
        {"duplicate_window": 0.0},
        {"deleted_again": "not-found"},
        {"subscription": "Premium"},
        {"chunk_most": 1_048_576},
    )

    def token(self, person: Person) -> Token:
        return Token(access=person["access_token"], refresh=person.get("refresh_token"))

    def slow_picture(self) -> MediaItem:
        moving = self.picture(body=gif(frames=3), mime="image/gif")
        return msgspec.structs.replace(moving, animated=True)

    def repeats_allowed(self) -> Json:
        return {"x": {"duplicate_window": 0.0}}

    def uploads(self) -> int:
        asked = [each["path"] for each in self.sandbox.requests("POST")]
        return sum(path in {"/x/2/media/upload", "/x/2/media/upload/initialize"} for path in asked)

    def odd(self, **switches: Any) -> Json:
        return {"x": switches}
