"""Every error raised on purpose, named by what happens next: one sentence for people, facts for machines.

`Refused` is answered to the caller by `api/problems.py`; `PlatformError` is decided upon by `publishing/states.py`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

import msgspec


class Wrong(msgspec.Struct, frozen=True):
    """One thing that is wrong with an input: where (a JSON pointer), what in words, and a code for machines."""

    pointer: str
    detail: str
    code: str


class SocialError(Exception):
    """`sentence` says what happened, why, and what to do; `facts` are JSON-able and hold no secrets."""

    def __init__(self, sentence: str, **facts: Any) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.facts = facts


class Refused(SocialError):
    """The caller must ask differently."""

    status: ClassVar[int]
    kind: ClassVar[str]
    title: ClassVar[str]


class Invalid(Refused):
    """What was sent cannot be accepted; `wrong` lists everything that is wrong with it at once."""

    status, kind, title = 422, "invalid", "Something needs to be changed"

    def __init__(self, sentence: str, wrong: Sequence[Wrong] = (), **facts: Any) -> None:
        super().__init__(sentence, **facts)
        self.wrong = tuple(wrong)


class SignInNeeded(Refused):
    """Nobody known is asking."""

    status, kind, title = 401, "sign-in-needed", "Please sign in"


class Forbidden(Refused):
    """The caller is known and may not."""

    status, kind, title = 403, "forbidden", "You may not do this"


class NotFound(Refused):
    """Not there, or not in the caller's workspace, which is the same to the caller."""

    status, kind, title = 404, "not-found", "Not found"


class Conflict(Refused):
    """It is no longer, or not now, in a state that allows this."""

    status, kind, title = 409, "conflict", "It has changed"


class Newer(Conflict):
    """A newer version of this program has written it, so that this one cannot read it; it changes nothing of it."""

    kind, title = "newer", "Written by a newer version"


class TooLarge(Refused):
    """More than is taken."""

    status, kind, title = 413, "too-large", "Too large"


class UnsupportedType(Refused):
    """A kind of file or body that is not taken."""

    status, kind, title = 415, "unsupported-type", "This kind of file is not supported"


class TooMany(Refused):
    """Asked too often; again after `retry_after` seconds."""

    status, kind, title = 429, "too-many", "Too many tries"

    def __init__(self, sentence: str, *, retry_after: int, **facts: Any) -> None:
        super().__init__(sentence, **facts)
        self.retry_after = retry_after


class Unavailable(Refused):
    """A server of ours is away; again after `retry_after` seconds. Nothing was changed."""

    status, kind, title = 503, "unavailable", "Not available right now"

    def __init__(self, sentence: str, *, retry_after: int = 5, **facts: Any) -> None:
        super().__init__(sentence, **facts)
        self.retry_after = retry_after


class PlatformError(SocialError):
    """A platform did not do what we asked. `facts` may hold `status`, `code` and `said` (the platform's words, cut)."""


class RetryLater(PlatformError):
    """Nothing went out: the same again, a little later, or at `until` where the platform named a time.

    `answered` tells a platform's answer, which uses up a try, from a request never written, which costs nothing.
    """

    def __init__(self, sentence: str, *, until: datetime | None = None, answered: bool = True, **facts: Any) -> None:
        super().__init__(sentence, **facts)
        self.until = until
        self.answered = answered


class QuotaSpent(PlatformError):
    """Nothing went out: the same again at `until` (UTC). Costs no try."""

    def __init__(self, sentence: str, *, until: datetime, **facts: Any) -> None:
        super().__init__(sentence, **facts)
        self.until = until


class TokenExpired(PlatformError):
    """Nothing went out: refresh the token, then the same again."""


class Disconnected(PlatformError):
    """Nothing went out: only the user can reconnect the account."""


class OperatorNeeded(PlatformError):
    """Nothing went out: the instance's owner must act (credits, approval of the app)."""


class PreparationLost(PlatformError):
    """Nothing went out: prepare anew, then the same again."""


class Rejected(PlatformError):
    """Nothing went out and never will: the author must change the post."""


class OutcomeUnknown(PlatformError):
    """It may be online: settle before anything else."""
