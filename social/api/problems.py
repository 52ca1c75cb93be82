"""Every error as application/problem+json (RFC 9457): what happened, why, and what to do. Nothing of our insides."""

import re
import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import ExceptionHandlersMap
from pymongo.errors import PyMongoError

from social.api.bodies import SUMMARY, wrong
from social.backing.mongo import no_room, passing
from social.backing.redis import GONE
from social.errors import (
    Invalid,
    OutcomeUnknown,
    PlatformError,
    QuotaSpent,
    Refused,
    RetryLater,
    SignInNeeded,
    Unavailable,
    Wrong,
)

log = structlog.get_logger()
AnyRequest = Request[Any, Any, State]
Problem = Response[dict[str, Any]]

UNSURE = ("TransientTransactionError", "RetryableWriteError")  # what the driver calls it if a repeat may work
MISSING = re.compile(r"Missing required \w+ parameter '([^']+)'")

# What Litestar refuses by itself: status -> kind, title, sentence.
OWN_REFUSALS: dict[int, tuple[str, str, str]] = {
    400: ("invalid", "Not readable", "This request cannot be read."),
    404: ("not-found", "Not found", "There is nothing at this address."),
    405: ("invalid", "Not possible here", "This address does not take this method."),
    413: ("too-large", "Too large", "This is more than is taken here."),
    415: ("unsupported-type", "Not supported", "This kind of content is not taken here."),
    422: ("invalid", Invalid.title, SUMMARY),
}


def refused(_: AnyRequest, error: Refused) -> Problem:
    """What a room refused, in its own words and with its facts."""
    headers = {}
    if isinstance(error, SignInNeeded):
        headers["WWW-Authenticate"] = "Bearer"
    if (retry_after := getattr(error, "retry_after", None)) is not None:
        headers["Retry-After"] = str(retry_after)
    wrongs = error.wrong if isinstance(error, Invalid) else ()
    return _problem(error.status, error.kind, error.title, error.sentence, wrongs, headers, error.facts)


def refused_by_platform(request: AnyRequest, error: PlatformError) -> Problem:
    """What a platform did not do while somebody waited for it."""
    if isinstance(error, RetryLater | QuotaSpent | OutcomeUnknown):
        return refused(request, Unavailable(error.sentence, retry_after=30))
    return refused(request, Invalid(error.sentence))


def refused_by_litestar(request: AnyRequest, error: HTTPException) -> Problem:
    """No such route, another method, too much, wrong parameters."""
    status = error.status_code
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return unexpected(request, error)
    if isinstance(error, ValidationException) and (wrongs := _wrongs(error)):
        return refused(request, Invalid(SUMMARY, wrongs))
    kind, title, sentence = OWN_REFUSALS.get(status, OWN_REFUSALS[400])
    return _problem(status, kind, title, sentence, (), dict(error.headers or {}), {})


def database(request: AnyRequest, error: PyMongoError) -> Problem:
    """Away, or between two primaries: a moment later it will do. Anything else is a fault of ours."""
    if not (
        passing(error)
        or error.has_error_label("TransientTransactionError")
        or error.has_error_label("RetryableWriteError")
    ):
        return unexpected(request, error)
    if no_room(error):
        log.error("database.no_room", advice="The disk of the database is full: make room on it.")
        return refused(request, Unavailable("The database's disk is full. Whoever runs this must make room on it."))
    log.warning("database.away", error=type(error).__name__)
    return refused(request, Unavailable("The database does not answer just now. Please try again in a moment."))


def queue(request: AnyRequest, error: Exception) -> Problem:
    """Redis is away where somebody could not do without it."""
    log.warning("redis.away", error=type(error).__name__)
    return refused(request, Unavailable("A part of the service does not answer just now. Please try again soon."))


def out_of_range(request: AnyRequest, error: OverflowError) -> Problem:
    """A number or an instant that fits the JSON but neither BSON nor the calendar: only who asks makes such ones."""
    log.warning("request.out_of_range", error=str(error))
    return refused(request, Invalid("A number or a time in what was sent is out of range."))


def unexpected(_: AnyRequest, error: Exception) -> Problem:
    """A fault of ours: told by a number that stands in the log beside what happened, and by nothing else."""
    occurrence = secrets.token_hex(8)
    log.error("request.failed", occurrence=occurrence, exc_info=error)
    sentence = f"Something went wrong on our side. The log has more under {occurrence}."
    return _problem(500, "internal", "Our fault", sentence, (), {}, {}, instance=f"/problems/occurrences/{occurrence}")


HANDLERS: ExceptionHandlersMap = {
    Refused: refused,
    PlatformError: refused_by_platform,
    HTTPException: refused_by_litestar,
    PyMongoError: database,
    GONE[0]: queue,
    OverflowError: out_of_range,
    Exception: unexpected,
}


def _problem(
    status: int,
    kind: str,
    title: str,
    detail: str,
    wrongs: Sequence[Wrong],
    headers: Mapping[str, str],
    facts: Mapping[str, Any],
    instance: str | None = None,
) -> Problem:
    content: dict[str, Any] = {
        **facts,
        "type": f"/problems/{kind}",
        "title": title,
        "status": status,
        "detail": detail,
    }
    if instance:
        content["instance"] = instance
    if wrongs:
        content["errors"] = [{"pointer": each.pointer, "detail": each.detail, "code": each.code} for each in wrongs]
    return Response(content, status_code=status, headers=dict(headers), media_type="application/problem+json")


def _wrongs(error: ValidationException) -> list[Wrong]:
    """Litestar's {key, message, source} for each parameter, which is named as if it were a field; or its sentence."""
    if missing := MISSING.match(error.detail):
        return [wrong("Missing required parameter", f"/{missing[1]}")]
    found = []
    for each in error.extra if isinstance(error.extra, list) else []:
        key = str(each.get("key", ""))
        pointer = "" if key in {"", "data"} else "/" + key.replace(".", "/")
        found.append(wrong(str(each.get("message", "")), pointer))
    return found
