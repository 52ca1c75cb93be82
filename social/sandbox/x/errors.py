"""What X says when it refuses. Sheet: Rate limits and errors; Connecting an account."""

from typing import Any

import msgspec

from social.sandbox.platform import Answer, Refusal

Json = dict[str, Any]
Headers = tuple[tuple[str, str], ...]


class Refused(Refusal):
    """A whole refusal: the status, and the body as the sheet quotes it."""

    def __init__(self, status: int, body: Json | None, headers: Headers = ()) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body
        self.headers = headers

    def answer(self) -> Answer:
        body = b"" if self.body is None else msgspec.json.encode(self.body)
        return Answer(self.status, body, "application/json; charset=utf-8", self.headers)


def problem(status: int, title: str, detail: str, type: str = "about:blank", **more: Any) -> Refused:
    """The problem envelope. `type` is the last part of the address, or about:blank."""
    return Refused(status, {"title": title, "detail": detail, "type": type, "status": status, **more})


def typed(host: str, name: str) -> str:
    """A problem's type as an address."""
    return f"https://{host}/2/problems/{name}"


def unauthorized() -> Refused:
    return problem(401, "Unauthorized", "Unauthorized")


def forbidden(detail: str) -> Refused:
    return problem(403, "Forbidden", detail)


def bad_request(host: str, message: str, parameters: Json | None = None) -> Refused:
    errors = [{"message": message, "parameters": parameters or {}}]
    detail = "One or more parameters to your request was invalid."
    return problem(400, "Invalid Request", detail, typed(host, "invalid-request"), errors=errors)


def not_found(host: str, what: str, id: str) -> Refused:
    detail = f"Could not find {what} with id: [{id}]."
    return problem(404, "Not Found Error", detail, typed(host, "resource-not-found"), resource_id=id)


def too_many(headers: Headers = ()) -> Refused:
    refused = problem(429, "Too Many Requests", "Too Many Requests")
    refused.headers = headers
    return refused


def token_error(description: str, error: str = "invalid_request", status: int = 400) -> Refused:
    """The token endpoint's own envelope."""
    return Refused(status, {"error": error, "error_description": description})


NOT_PERMITTED = "You are not permitted to perform this action."
DUPLICATE = "You are not allowed to create a Tweet with duplicate content."
LONG_VIDEO = "This user is not allowed to post a video longer than 2 minutes"
REPLY_RULE = (
    "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the author "
    "of the post you are replying to."
)
PARENT_GONE = "You attempted to reply to a Tweet that is deleted or not visible to you."
LOCKED = "Your account is not permitted to access this feature."


def of_posting(kind: str, host: str) -> Refused:
    """The refusal that the oddity `posting` names."""
    match kind:
        case "credits":
            body = {
                "title": "CreditsDepleted",
                "detail": "Your enrolled account [1] does not have any credits to fulfill this request.",
                "type": "https://api.twitter.com/2/problems/credits",
            }
            return Refused(402, body)
        case "payment":
            return problem(402, "Payment Required", "credits depleted", typed("api.x.com", "credits-depleted"))
        case "usage-capped":
            detail = "Usage cap exceeded: Monthly product cap"
            return problem(429, "UsageCapExceeded", detail, typed(host, "usage-capped"))
        case "not-enrolled" | "official-only":
            reason = "client-not-enrolled" if kind == "not-enrolled" else "official-client-forbidden"
            detail = "When authenticating requests to the API, you must use an app that is attached to a Project."
            return problem(403, "Client Forbidden", detail, typed(host, "client-forbidden"), reason=reason)
        case "unsupported-authentication":
            detail = "Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint."
            return problem(403, "Unsupported Authentication", detail, typed(host, "unsupported-authentication"))
        case "code-88":
            return Refused(429, {"errors": [{"code": 88, "message": "Rate limit exceeded"}]})
        case _:
            said = {"locked": LOCKED, "long-video": LONG_VIDEO, "reply-rule": REPLY_RULE}.get(kind, NOT_PERMITTED)
            return forbidden(said)
