"""The web client's files. Small, so they are read once and kept; names with a hash in them never change."""

import gzip
import hashlib
import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request, Response, route
from litestar.datastructures import State
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from social.api.headers import LOOPBACK, page_policy
from social.errors import NotFound

AnyRequest = Request[Any, Any, State]
Answer = Response[bytes]

FOR_EVER = "public, max-age=31536000, immutable"
ASK_EACH_TIME = "no-cache"
ROOTS_OF_OTHERS = ("api", "m", "live", "health")  # what is not there is not a page of the client either
TYPES = {".js": "text/javascript", ".webmanifest": "application/manifest+json", ".woff2": "font/woff2"}
NOT_BUILT = "The web client was not built with this installation. The API is at /api/v1."


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the client. `packed` is None where gzip would not make it smaller."""

    content: bytes
    packed: bytes | None
    mime: str
    etag: str
    lasts: str


def handlers(folder: Path, public_url: str, bucket: str | None = None) -> Sequence[HTTPRouteHandler]:
    """Routes for everything in `folder`; paths that are no file are pages of the client, which routes by itself.

    `bucket`: where browsers send files to, if not to us.
    """
    files = {path.relative_to(folder).as_posix(): _read(path, folder) for path in _all(folder)}
    policy = page_policy(public_url, bucket)

    # Named here, for below it is an address that is no page: the router does not look back from there.
    pages = ["/", "/connect/{platform:str}"]

    @route(pages, http_method=[HttpMethod.GET, HttpMethod.HEAD], opt={"public": True}, include_in_schema=False)
    async def front(request: AnyRequest) -> Answer:
        """The client."""
        return _answer(request, files, "index.html", policy, public_url)

    @route("/{path:path}", http_method=[HttpMethod.GET, HttpMethod.HEAD], opt={"public": True}, include_in_schema=False)
    async def anything(request: AnyRequest, path: FromPath[str]) -> Answer:
        """A file, or the client's page for this address. NotFound."""
        name = path.strip("/")
        if name not in files:
            if name.partition("/")[0] in ROOTS_OF_OTHERS or "." in name.rpartition("/")[2]:
                raise NotFound("There is nothing at this address.")
            name = "index.html"
        return _answer(request, files, name, policy, public_url)

    return [front, anything]


def _answer(request: AnyRequest, files: dict[str, File], name: str, policy: str, public_url: str) -> Answer:
    file = files.get(name)
    if file is None:
        raise NotFound(NOT_BUILT)
    if name == "index.html" and (home := _home(request, public_url)):
        return Response(b"", status_code=307, headers={"Location": home})
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": file.lasts,
        "ETag": file.etag,
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("if-none-match") == file.etag:
        return Response(b"", status_code=304, headers=headers)
    content = file.content
    if file.packed and "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"], content = "gzip", file.packed
    return Response(content, status_code=200, headers=headers, media_type=file.mime)


def _home(request: AnyRequest, public_url: str) -> str | None:
    """Where to send who came by another name of this machine: the cookie belongs to one name, and so do redirects."""
    public, here = urlsplit(public_url), urlsplit(f"//{request.headers.get('host', '')}")
    same_place = public.hostname in LOOPBACK and here.hostname in LOOPBACK and public.port == here.port
    if not same_place or public.hostname == here.hostname:
        return None
    query = request.scope["query_string"].decode("latin-1")
    return f"{public_url}{request.scope['raw_path'].decode('latin-1')}" + (f"?{query}" if query else "")


def _all(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


def _read(path: Path, folder: Path) -> File:
    content = path.read_bytes()
    packed = gzip.compress(content, mtime=0)
    mime = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    hashed = path.relative_to(folder).parts[0] == "assets"
    return File(
        content=content,
        packed=packed if len(packed) < len(content) * 0.9 else None,
        mime=mime,
        etag=f'"{hashlib.sha256(content).hexdigest()[:24]}"',
        lasts=FOR_EVER if hashed else ASK_EACH_TIME,
    )
