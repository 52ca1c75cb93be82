"""X's error table, row by row: what each answer comes to and what people read."""

from typing import Any

import pytest

from social.errors import (
    Disconnected,
    OperatorNeeded,
    OutcomeUnknown,
    PlatformError,
    PreparationLost,
    QuotaSpent,
    Rejected,
    RetryLater,
    TokenExpired,
)
from social.platforms.calls import Empty
from social.platforms.contract import Token
from social.platforms.x import X
from tests.platforms.scripted import answer, calling, scripted

Json = dict[str, Any]
OLD, NEW = "https://api.twitter.com/2/problems", "https://api.x.com/2/problems"


def problem(status: int, detail: str, title: str = "Forbidden", type: str = "about:blank", **more: Any) -> Json:
    """A refusal in X's newer style."""
    return {"title": title, "detail": detail, "type": type, "status": status, **more}


MANY = problem(429, "Too Many Requests", "Too Many Requests")
CODE_88 = {"errors": [{"code": 88, "message": "Rate limit exceeded"}]}
LIMITED = problem(429, "Too Many Requests", "Too Many Requests", f"{OLD}/rate-limit-exceeded")
CAP = problem(429, "Usage cap exceeded: Monthly product cap", "UsageCapExceeded", f"{OLD}/usage-capped")
CAP_TYPE = problem(403, "No more this month", "Forbidden", f"{NEW}/usage-capped", period="Monthly", scope="Product")
NO_CREDITS = {
    "title": "CreditsDepleted",
    "detail": "Your enrolled account does not have any credits to fulfill this request.",
    "type": f"{OLD}/credits",
}
NO_CREDITS_NEW = problem(402, "credits depleted", "Payment Required", f"{NEW}/credits-depleted")
UNAUTHORIZED = problem(401, "Unauthorized", "Unauthorized")
TOKEN_DEAD = {"error": "invalid_request", "error_description": "Value passed for the token was invalid."}
CODE_DEAD = {"error": "invalid_request", "error_description": "Value passed for the authorization code was invalid."}
GRANT = {"error": "invalid_grant", "error_description": "no"}
NO_CLIENT = {"error": "unauthorized_client", "error_description": "Missing valid authorization header"}
DUPLICATE = problem(403, "You are not allowed to create a Tweet with duplicate content.")
NOT_PERMITTED = problem(403, "You are not permitted to perform this action.")
VIDEO = problem(403, "This user is not allowed to post a video longer than 2 minutes")
REPLY = problem(
    403,
    "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the author "
    "of the post you are replying to.",
)
PARENT = problem(403, "You attempted to reply to a Tweet that is deleted or not visible to you.")
PARENT_OLD = {"errors": [{"code": 385, "message": "You attempted to reply to a Tweet that is deleted or not visible to you."}]}  # fmt: skip # noqa: E501
ENROLL = problem(403, "When authenticating …", "Client Forbidden", f"{OLD}/client-forbidden", reason="client-not-enrolled")  # fmt: skip # noqa: E501
OFFICIAL = problem(403, "no", "Client Forbidden", f"{NEW}/client-forbidden", reason="official-client-forbidden")
FEATURE = problem(403, "Your account is not permitted to access this feature")
SUSPENDED = problem(403, "Your account is suspended and is not permitted to do this.")
LOCKED = problem(403, "To protect our users from spam, this account is temporarily locked.")
KIND = problem(403, "Authenticating with OAuth 2.0 Application-Only is forbidden", "Unsupported Authentication", f"{OLD}/unsupported-authentication")  # fmt: skip # noqa: E501
FORBIDDEN = problem(403, "Forbidden")
MEDIA_IDS = {
    "errors": [{"parameters": {"media.media_ids": ["1"]}, "message": "Your media IDs are invalid."}],
    "title": "Invalid Request",
    "detail": "One or more parameters to your request was invalid.",
    "type": f"{OLD}/invalid-request",
}
BAD_URL = problem(400, "The Tweet contains an invalid URL.", "Invalid Request", f"{NEW}/invalid-request")
BODY = problem(400, "Request body must be a JSON object.", "Invalid Request", f"{NEW}/invalid-request")
SEGMENTS = problem(400, "Segments do not add up to provided total file size.", "Invalid Request")
MISSING = problem(404, "Could not find tweet", "Not Found Error", f"{NEW}/resource-not-found")

# status, body, what the request is about, what happens next, code, what the person reads
TABLE = [
    (429, MANY, "publish", QuotaSpent, "quota", "no more for now"),
    (429, CODE_88, "publish", QuotaSpent, "quota", "no more for now"),
    (429, LIMITED, "media", QuotaSpent, "quota", "no more for now"),
    (429, b"<html>slow down</html>", "publish", QuotaSpent, "quota", "no more for now"),
    (429, CAP, "publish", OperatorNeeded, "usage-cap", "spending cap"),
    (403, CAP_TYPE, "publish", OperatorNeeded, "usage-cap", "spending cap"),
    (402, NO_CREDITS, "publish", OperatorNeeded, "credits", "no credits left"),
    (402, NO_CREDITS_NEW, "media", OperatorNeeded, "credits", "no credits left"),
    (402, NO_CREDITS_NEW, "any", OperatorNeeded, "credits", "no credits left"),
    (401, UNAUTHORIZED, "publish", TokenExpired, "token-expired", "Connect it again"),
    (401, UNAUTHORIZED, "media", TokenExpired, "token-expired", "Connect it again"),
    (400, TOKEN_DEAD, "any", Disconnected, "token-dead", "Connect the account again"),
    (400, GRANT, "any", Disconnected, "token-dead", "Connect the account again"),
    (400, CODE_DEAD, "any", Disconnected, "code-dead", "too long ago"),
    (401, NO_CLIENT, "any", OperatorNeeded, "app-unknown", "SOCIAL_X_CLIENT_ID"),
    (403, DUPLICATE, "publish", Rejected, "duplicate", "duplicate content"),
    (403, NOT_PERMITTED, "publish", Rejected, "not-permitted", "not permitted to perform this action"),
    (403, NOT_PERMITTED, "any", Disconnected, "scope", "Connect the account again"),
    (403, NOT_PERMITTED, "media", Disconnected, "scope", "Connect the account again"),
    (403, FORBIDDEN, "media", Disconnected, "scope", "Connect the account again"),
    (403, FORBIDDEN, "publish", Rejected, "not-permitted", "Forbidden"),
    (403, VIDEO, "publish", Rejected, "video-too-long", "longer than 2 minutes"),
    (403, REPLY, "publish", Rejected, "reply-not-allowed", "have not been mentioned"),
    (403, PARENT, "publish", Rejected, "parent-gone", "deleted or not visible"),
    (403, PARENT_OLD, "publish", Rejected, "parent-gone", "deleted or not visible"),
    (403, ENROLL, "publish", OperatorNeeded, "not-enrolled", "not enrolled"),
    (403, OFFICIAL, "any", OperatorNeeded, "not-enrolled", "not enrolled"),
    (403, FEATURE, "publish", Disconnected, "account-state", "Log in at X"),
    (403, SUSPENDED, "publish", Disconnected, "account-state", "Log in at X"),
    (403, LOCKED, "media", Disconnected, "account-state", "Log in at X"),
    (403, KIND, "publish", OperatorNeeded, "wrong-token", "another kind of permission"),
    (400, MEDIA_IDS, "publish", PreparationLost, "media-gone", "uploaded again"),
    (400, SEGMENTS, "media", PreparationLost, "media-torn", "uploaded again"),
    (400, BAD_URL, "publish", Rejected, "rejected", "contains an invalid URL"),
    (400, BODY, "media", Rejected, "rejected", "must be a JSON object"),
    (413, b"", "media", Rejected, "too-big", "smaller one"),
    (404, MISSING, "publish", Rejected, "gone", "deleted"),
    (404, MISSING, "media", PreparationLost, "media-gone", "uploaded again"),
    (404, MISSING, "any", Rejected, "gone", "does not exist"),
    *((status, FORBIDDEN, "publish", OutcomeUnknown, "unclear", "does not tell") for status in (500, 502, 503, 504)),
    *((status, b"<html>", "publish", OutcomeUnknown, "unclear", "does not tell") for status in (400, 401, 403, 404)),
    *((status, FORBIDDEN, "media", RetryLater, "trouble", "has trouble") for status in (500, 502, 503, 504)),
    *((status, FORBIDDEN, "any", RetryLater, "trouble", "has trouble") for status in (500, 503)),
]


@pytest.mark.parametrize("kind", ["application/json", "application/problem+json"])
@pytest.mark.parametrize(("status", "said", "about", "error", "code", "words"), TABLE)
async def test_every_row_of_the_table(
    status: int, said: Any, about: Any, error: type[PlatformError], code: Any, words: str, kind: str
) -> None:
    async with scripted(answer(status, said, headers={"Content-Type": kind})) as server, calling(X, server) as call:
        call.token = Token(access="the-access-token", refresh="the-refresh-token")
        with pytest.raises(PlatformError) as raised:
            await call.post("/x", Empty, json={}, commits=about == "publish", to=about)
    assert type(raised.value) is error
    assert raised.value.facts["status"] == status
    assert raised.value.facts["code"] == code
    assert words in raised.value.sentence


async def test_without_a_refresh_token_a_dead_one_wants_the_person() -> None:
    async with scripted(answer(401, UNAUTHORIZED)) as server, calling(X, server) as call:
        with pytest.raises(Disconnected):
            await call.get("/2/users/me", Empty)


def test_no_row_is_hidden_by_an_earlier_one() -> None:
    for at, row in enumerate(X.faults):
        for earlier in X.faults[:at]:
            hides = (
                earlier.status == row.status
                and earlier.to in ("any", row.to)
                and (earlier.saying is None or (row.saying and earlier.saying.casefold() in row.saying.casefold()))
            )
            assert not hides, (earlier, row)
