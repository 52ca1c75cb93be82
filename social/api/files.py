"""/m/...: the files of pictures, for <img> and for platforms that fetch by themselves. The link is the permission."""

import re
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from litestar import Request, Response, route
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.enums import HttpMethod
from litestar.params import FromPath
from litestar.response import Stream

from social.backing import Backing
from social.errors import NotFound
from social.media.links import Opened, opened
from social.moments import now

RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"


@route("/m/{token:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD], opt={"public": True}, include_in_schema=False)
async def file(
    request: Request[Any, Any, State], token: FromPath[str], backing: NamedDependency[Backing]
) -> Response[Any]:
    """The file that a signed link leads to, whole or in part. NotFound for a link that is not ours or has expired."""
    linked = opened(token, backing, now())
    stored = await backing.bucket.stat(linked.key)
    if stored is None:
        raise NotFound("This picture has been removed.")
    headers = _headers(linked, stored.etag)
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    start, end, status = _part(request, headers["ETag"], stored.bytes)
    if status is HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return Response(b"", status_code=status, headers=headers | {"Content-Range": f"bytes */{stored.bytes}"})
    headers["Content-Length"] = str(end - start)
    if status is HTTPStatus.PARTIAL_CONTENT:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{stored.bytes}"
    if request.method == HttpMethod.HEAD:
        return Response(b"", status_code=status, headers=headers, media_type=linked.mime)
    return Stream(_pieces(linked.key, start, end, backing), status_code=status, headers=headers, media_type=linked.mime)


def _headers(linked: Opened, etag: str) -> dict[str, str]:
    """A key in the bucket never gets another content, so what was fetched once is good until the link expires."""
    return {
        "Accept-Ranges": "bytes",
        "Cache-Control": f"private, max-age={linked.left(now())}, immutable",
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(linked.name, safe='')}",
        "Content-Security-Policy": POLICY,
        "ETag": f'"{etag}"',
        "X-Content-Type-Options": "nosniff",
    }


def _part(request: Request[Any, Any, State], etag: str, size: int) -> tuple[int, int, HTTPStatus]:
    """From where up to where, and the status. Several ranges at once, or what is none, are not asked for (RFC 9110)."""
    asked = RANGE.fullmatch(request.headers.get("range", ""))
    whole = 0, size, HTTPStatus.OK
    if asked is None or not (asked[1] or asked[2]) or request.headers.get("if-range", etag) != etag:
        return whole
    if not asked[1]:  # the last so many
        start, end = max(0, size - int(asked[2])), size
    else:
        start, end = int(asked[1]), min(int(asked[2]) + 1, size) if asked[2] else size
        if asked[2] and int(asked[2]) < start:
            return whole
    if start >= end:
        return 0, 0, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    return start, end, HTTPStatus.PARTIAL_CONTENT


async def _pieces(key: str, start: int, end: int, backing: Backing) -> AsyncIterator[bytes]:
    async with backing.bucket.reading(key, start, end) as pieces:
        async for piece in pieces:
            yield piece
