"""X's error table, row by row. Sheet: Rate limits and errors; Connecting.

401 of a dead token, 429 and 5xx have their defaults in calls.py. A row matches X's own words or the last part of its
`type`: the host in there differs.
"""

from social.errors import Disconnected, OperatorNeeded, PreparationLost, Rejected
from social.platforms.contract import Fault

NO_CREDITS = (
    "The X app of this installation has no credits left. Whoever runs the installation buys new ones at X; "
    "this is kept until then."
)
CAPPED = (
    "The X app of this installation has reached its spending cap. Whoever runs the installation raises it at X; "
    "this is kept until then."
)
NOT_ENROLLED = (
    "The X app of this installation is not enrolled for this part of X's API. Whoever runs the installation changes "
    "that in X's developer console."
)
WRONG_KIND = "X wants another kind of permission for this. Whoever runs the installation looks at its X app."
APP_UNKNOWN = (
    "X does not know the app of this installation. Whoever runs it checks SOCIAL_X_CLIENT_ID and "
    "SOCIAL_X_CLIENT_SECRET."
)
REFRESH_DEAD = "X no longer takes the permission it gave us. Connect the account again."
CODE_DEAD = "The permission was given too long ago or was used before. Connect the account again."
TOO_FEW = "X's permission for this account does not reach this far. Connect the account again and allow everything."
ACCOUNT_STATE = "X has restricted this account. Log in at X to see what it wants, then connect the account again."
TOO_BIG = "X finds one of the pictures too big. Use a smaller one."

FAULTS = (
    Fault(status=402, then=OperatorNeeded, code="credits", words=NO_CREDITS),
    *(
        Fault(status=status, saying=saying, then=OperatorNeeded, code="usage-cap", words=CAPPED)
        for status in (429, 403)
        for saying in ("UsageCapExceeded", "usage-capped")
    ),
    *(
        Fault(status=401, saying=saying, then=OperatorNeeded, code="app-unknown", words=APP_UNKNOWN)
        for saying in ("unauthorized_client", "invalid_client")
    ),
    Fault(status=400, saying="authorization code was invalid", then=Disconnected, code="code-dead", words=CODE_DEAD),
    Fault(status=400, saying="the token was invalid", then=Disconnected, code="token-dead", words=REFRESH_DEAD),
    Fault(status=400, saying="invalid_grant", then=Disconnected, code="token-dead", words=REFRESH_DEAD),
    Fault(status=400, to="publish", saying="media IDs are invalid", then=PreparationLost, code="media-gone"),
    # A chunk was counted twice or not at all, as when an answer to one was lost: nothing its author could change.
    Fault(status=400, to="media", saying="Segments do not add up", then=PreparationLost, code="media-torn"),
    Fault(status=400, then=Rejected),
    *(
        Fault(status=403, saying=saying, then=OperatorNeeded, code="not-enrolled", words=NOT_ENROLLED)
        for saying in ("client-forbidden", "client-not-enrolled")
    ),
    *(
        Fault(status=403, saying=saying, then=OperatorNeeded, code="wrong-token", words=WRONG_KIND)
        for saying in ("Unsupported Authentication", "unsupported-authentication")
    ),
    Fault(status=403, saying="duplicate content", then=Rejected, code="duplicate"),
    Fault(status=403, saying="longer than 2 minutes", then=Rejected, code="video-too-long"),
    Fault(status=403, saying="Reply to this conversation is not allowed", then=Rejected, code="reply-not-allowed"),
    Fault(status=403, saying="deleted or not visible", then=Rejected, code="parent-gone"),
    *(
        Fault(status=403, saying=saying, then=Disconnected, code="account-state", words=ACCOUNT_STATE)
        for saying in ("not permitted to access this feature", "suspended", "locked")
    ),
    # One sentence for two things: of a post it is about what it holds, of anything else about too few scopes.
    Fault(status=403, to="publish", then=Rejected, code="not-permitted"),
    Fault(status=403, then=Disconnected, code="scope", words=TOO_FEW),
    Fault(
        status=404,
        to="publish",
        then=Rejected,
        code="gone",
        words="X says that this is gone: the post was deleted there, or the one it answers was.",
    ),
    Fault(status=404, to="media", then=PreparationLost, code="media-gone"),
    Fault(status=404, then=Rejected, code="gone", words="X says that this does not exist, or no longer."),
    Fault(status=413, then=Rejected, code="too-big", words=TOO_BIG),
)
