"""Bodies that are files: taken piece by piece, and told of in the OpenAPI document."""

import base64
import binascii
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar

from litestar import Request
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType

from social.errors import Invalid, Wrong
from social.media.arriving import Stopped

SHA256 = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]{1,100}):")


@dataclass
class Raw(Operation):
    """Tells the OpenAPI document that the body is the file itself, which no parameter of the handler says."""

    said: ClassVar[str]

    def __post_init__(self) -> None:
        binary = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
        self.request_body = RequestBody(
            description=self.said,
            content={"application/octet-stream": OpenAPIMediaType(schema=binary)},
            required=True,
        )


@dataclass
class RawPicture(Raw):
    """A whole picture."""

    said: ClassVar[str] = "The file itself: JPEG, PNG, WebP, GIF, HEIC or AVIF, at most 20 MB."


@dataclass
class RawPart(Raw):
    """A part of a file."""

    said: ClassVar[str] = (
        "The bytes of this part, as many as the upload says. With the header `Content-Digest: sha-256=:BASE64:` "
        "(RFC 9530) they are compared with it."
    )


async def arriving(request: Request[Any, Any, State]) -> AsyncIterator[bytes]:
    """The body, piece by piece. Stopped when the client hangs up, which Litestar calls a fault of the server."""
    try:
        async for piece in request.stream():
            if piece:
                yield piece
    except HTTPException as error:
        if error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        raise Stopped("The upload stopped before the whole file was here. Please try again.") from error


def announced(request: Request[Any, Any, State]) -> int | None:
    """How long the sender says it is, if they do."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else None


def digest(request: Request[Any, Any, State]) -> bytes | None:
    """The SHA-256 that the sender says it has, if they do. Invalid where it is none."""
    told = request.headers.get("content-digest", "")
    found = SHA256.search(told)
    if found is None:
        return None
    try:
        value = base64.b64decode(found[1], validate=True)
    except binascii.Error:
        value = b""
    if len(value) != 32:
        sentence = "The header Content-Digest must be like sha-256=:BASE64:, of 32 bytes."
        raise Invalid(sentence, [Wrong("/content-digest", sentence, "form")])
    return value
