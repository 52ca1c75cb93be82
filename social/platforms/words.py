"""What a refusal is called, where a platform's table has no words of its own for it: for people, and for machines."""

from social.errors import (
    Disconnected,
    OperatorNeeded,
    OutcomeUnknown,
    PlatformError,
    PreparationLost,
    Rejected,
    TokenExpired,
)

CODES: dict[type[PlatformError], str] = {
    Rejected: "rejected",
    Disconnected: "disconnected",
    TokenExpired: "token-expired",
    OperatorNeeded: "operator",
    PreparationLost: "preparation-lost",
    OutcomeUnknown: "unclear",
}
CHANGE_IT = "Change the post and plan it again."  # what to do about a refusal while nothing is online


def sentence(then: type[PlatformError], title: str, host: str, said: str) -> str:
    """One sentence or two for a person. `title` is the platform's, `host` the server's name, `said` its own words."""
    quoted = f': "{said}"{"" if said[-1] in ".!?" else "."}' if said else "."
    if then is Rejected:
        return f"{title} did not take this{quoted} {CHANGE_IT}"
    if then in {Disconnected, TokenExpired}:
        return f"{title} no longer lets us use this account{quoted} Connect it again."
    if then is OperatorNeeded:
        return f"{title} wants something from whoever runs this installation{quoted}"
    if then is PreparationLost:
        return f"{title} no longer has what was uploaded for this. It is uploaded again."
    return f"{host} cannot do this right now{quoted}"


def code(then: type[PlatformError]) -> str:
    """The code of an error that a platform's table gives none."""
    return CODES.get(then, "trouble")
