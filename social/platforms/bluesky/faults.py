"""Bluesky's error table. Sheet: Rate limits and errors.

What is refused about a token is often a 400 here. 429 and 5xx have their defaults in `calls.py`: a 5xx on the request
that makes a post public leaves open whether it is.
"""

from social.errors import (
    Disconnected,
    OperatorNeeded,
    OutcomeUnknown,
    PreparationLost,
    Rejected,
    TokenExpired,
)
from social.platforms.bluesky.publishing import TAKEN
from social.platforms.contract import Fault

SECOND_FACTOR = (
    "This is the account's own password, and Bluesky asks for a code besides. Make an app password in Bluesky's "
    "settings and use that."
)

OTHER = "The permission is another account's. Connect this account again."
UNKNOWN_APP = (
    "Bluesky could not find out who this installation is: it must be able to read /connect/bluesky/client.json at its "
    "public address."
)

FAULTS = (
    Fault(
        status=400,
        saying="has been revoked",
        then=Disconnected,
        code="revoked",
        words="This connection was ended at Bluesky, or its app password deleted. Connect the account again.",
    ),
    Fault(status=400, saying="ExpiredToken", then=TokenExpired),
    Fault(status=400, saying="InvalidToken", then=TokenExpired),
    Fault(status=400, saying="AuthFactorTokenRequired", then=Disconnected, code="second-factor", words=SECOND_FACTOR),
    Fault(
        status=400,
        saying="invalid_grant",
        then=Disconnected,
        code="code-dead",
        words="Bluesky no longer takes this permission. Connect the account again.",
    ),
    Fault(
        status=400,
        saying="invalid_client",
        then=OperatorNeeded,
        code="app-unknown",
        words=UNKNOWN_APP,
    ),
    Fault(status=400, to="publish", saying="BlobNotFound", then=PreparationLost, code="media-gone"),
    Fault(
        status=400,
        to="publish",
        saying="InvalidSwap",
        then=OutcomeUnknown,
        code=TAKEN,
        words="Bluesky says that something lies where this post should be already.",
    ),
    Fault(status=400, saying="No service configured", then=Rejected, code="no-such-route"),
    Fault(status=400, then=Rejected),
    Fault(status=401, saying="AuthFactorTokenRequired", then=Disconnected, code="second-factor", words=SECOND_FACTOR),
    Fault(
        status=401, saying="AuthenticationRequired", to="publish", then=Disconnected, code="other-account", words=OTHER
    ),
    Fault(
        status=401,
        saying="AuthenticationRequired",
        then=Disconnected,
        code="wrong-password",
        words="Bluesky does not know this handle with this app password. Write the handle in full, as in "
        "anna.bsky.social, and take an app password that was not deleted.",
    ),
    Fault(
        status=401,
        saying="AccountDeactivated",
        then=Disconnected,
        code="deactivated",
        words="This account is deactivated. Activate it at Bluesky, then connect it again.",
    ),
    Fault(
        status=401,
        saying="AccountTakedown",
        then=Disconnected,
        code="taken-down",
        words="Bluesky has taken this account down. Only Bluesky's moderators can change that.",
    ),
    Fault(status=401, saying="AuthMissing", then=TokenExpired),
    Fault(status=401, saying="invalid_client", then=OperatorNeeded, code="app-unknown", words=UNKNOWN_APP),
    Fault(status=403, saying="AccountNotFound", then=Disconnected, code="other-account", words=OTHER),
    Fault(status=403, then=Disconnected, code="forbidden"),
    Fault(
        status=413,
        then=Rejected,
        code="too-big",
        words="The server finds this too big. Use a smaller picture or video.",
    ),
    Fault(
        status=501,
        then=Rejected,
        code="no-such-route",
        words="The account's server does not have this part of Bluesky's interface. It may be too old.",
    ),
)
