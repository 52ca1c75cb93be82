"""One thing that can go wrong with a call, as data."""

from typing import Annotated, Literal

import msgspec

Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]

GROUPS = ("publish", "edit", "upload", "poll", "media", "read", "oauth", "all")
"""publish: make a post. edit: change or delete one. upload: hand in a file. poll: ask whether it is ready.
media: these two and everything else about files. read: every other GET of the API. oauth: apps, consent, tokens."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What happens to the next `count` calls, or to all of them until it is taken away.

    The delays go with anything; of the rest at most one. Before the effect: the platform did nothing. After it:
    what was asked for is done and kept, only the caller does not hear of it. A caller that leaves during
    `delay_before` does not stop the effect: the call lands late, as behind a proxy that buffers.
    """

    count: Annotated[int, msgspec.Meta(ge=1)] | None = None
    delay_before: Seconds = 0.0
    delay_after: Seconds = 0.0
    status: Literal[429, 500, 502, 503, 504] | None = None  # before the effect
    reset_in: Seconds = 60.0  # how far away the reset is that a 429 names
    status_after: Literal[500, 502, 503, 504] | None = None
    hang_up: Literal["before", "after"] | None = None
    reset: bool = False  # hang up with RST instead of an end of file
    truncated: bool = False  # after the effect: half a body, then the end
    garbage: bool = False  # after the effect: 200 and a body that is no JSON
    dead_token: bool = False
    missing_scope: bool = False
    platform: str | None = None  # whose calls; None: everybody's

    def __post_init__(self) -> None:
        chosen = [name for name in _EXCLUSIVE if getattr(self, name)]
        if len(chosen) > 1:
            raise ValueError(f"choose one of {' and '.join(chosen)}: a call can go wrong in one way only")
        if not chosen and not self.delay_before and not self.delay_after:
            raise ValueError(f"nothing would go wrong: give a delay or one of {', '.join(_EXCLUSIVE)}")
        if self.reset and not self.hang_up:
            raise ValueError("reset needs hang_up")


_EXCLUSIVE = ("status", "status_after", "hang_up", "truncated", "garbage", "dead_token", "missing_scope")
