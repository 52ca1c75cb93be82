"""What the simulated Bluesky refuses. Sheet: Rate limits and errors.

Under `/xrpc` the envelope is `{"error": CodeName, "message": text}`; at the OAuth endpoints it is OAuth's own.
"""

from http import HTTPStatus

import msgspec

from social.sandbox.platform import Answer, Refusal

Headers = tuple[tuple[str, str], ...]


class Refused(Refusal):
    """A reply with an error, in the words of XRPC."""

    words = "message"

    def __init__(self, status: int, error: str, message: str = "", *, headers: Headers = ()) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.message = message or HTTPStatus(status).phrase
        self.headers = headers

    def answer(self) -> Answer:
        body = {"error": self.error, self.words: self.message}
        return Answer(self.status, msgspec.json.encode(body), headers=self.headers)


class OAuthRefused(Refused):
    """The same at an OAuth endpoint, 400 unless said."""

    words = "error_description"

    def __init__(self, error: str, message: str, *, status: int = 400, headers: Headers = ()) -> None:
        super().__init__(status, error, message, headers=headers)


def invalid_request(message: str) -> Refused:
    return Refused(400, "InvalidRequest", message)


def expired() -> Refused:
    return Refused(400, "ExpiredToken", "Token has expired")


def revoked() -> Refused:
    return Refused(400, "ExpiredToken", "Token has been revoked")


def invalid_token(message: str = "Token could not be verified") -> Refused:
    return Refused(400, "InvalidToken", message)


def auth_missing() -> Refused:
    return Refused(401, "AuthMissing", "Authentication Required")


def wrong_password() -> Refused:
    return Refused(401, "AuthenticationRequired", "Invalid identifier or password")


def missing_scope(scope: str) -> Refused:
    return Refused(403, "ScopeMissingError", f'Missing required scope "{scope}"')


def forbidden(message: str) -> Refused:
    return Refused(403, "Forbidden", message)


def no_service(nsid: str) -> Refused:
    return invalid_request(f"No service configured for {nsid}")


def not_implemented() -> Refused:
    return Refused(501, "MethodNotImplemented", "Method Not Implemented")


def too_large() -> Refused:
    return Refused(413, "PayloadTooLarge", "request entity too large")


def broken(status: int) -> Refused:
    name = HTTPStatus(status).phrase
    return Refused(status, {502: "UpstreamFailure", 504: "UpstreamTimeout"}.get(status, name.replace(" ", "")), name)
