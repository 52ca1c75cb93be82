"""Files handed in, before a record has them. Sheet: Images, Ahead of time, Limits."""

import asyncio
import hashlib
import secrets
from pathlib import Path

import filetype
from litestar import Response
from litestar.response import File as SentFile

from social.sandbox.bluesky import cids
from social.sandbox.bluesky.auth import caller
from social.sandbox.bluesky.call import Call, reply
from social.sandbox.bluesky.errors import Refused, invalid_request, too_large
from social.sandbox.bluesky.quotas import UPLOADS
from social.sandbox.bluesky.records import Blob
from social.sandbox.bluesky.scopes import lacking_for_blob
from social.sandbox.clock import now_ms
from social.sandbox.pages import HEADERS

_SNIFFED_AS = {"video/x-m4v": "video/mp4", "image/apng": "image/png"}


async def upload_blob(call: Call) -> Response[bytes]:
    """The raw body. What it is decides over what it is said to be; the same bytes are the same blob."""
    who = caller(call)
    declared = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not declared:
        raise invalid_request("Request encoding (Content-Type) required but not provided")
    if who.scopes is not None:
        who.need(lacking_for_blob(who.scopes, declared))
    call.spend((UPLOADS,), who.account.did)
    pds = call.pds
    path = pds.incoming_folder / secrets.token_hex(12)
    try:
        digest, size = await _received(call, path)
        kind = await asyncio.to_thread(filetype.guess, str(path))
        mime = _SNIFFED_AS.get(kind.mime, kind.mime) if kind else declared.replace("*/*", "application/octet-stream")
        blob = Blob(did=who.account.did, cid=cids.of_digest(digest), mime=mime, size=size, free_ms=now_ms())
        path.rename(pds.blob_folder / blob.file)
    finally:
        path.unlink(missing_ok=True)
    pds.archive.save_blob(blob)
    return reply({"blob": blob.ref})


async def get_blob(call: Call) -> Response[bytes] | SentFile:
    """Anybody may look, also where no record has it yet (the timeline needs no more)."""
    pds = call.pds
    blob = pds.blob(call.needed("did"), call.needed("cid"))
    if blob is None or not (pds.blob_folder / blob.file).is_file():
        raise Refused(400, "BlobNotFound", "Blob not found")
    headers = {**HEADERS, "Content-Security-Policy": "default-src 'none'; sandbox"}
    path = pds.blob_folder / blob.file
    return SentFile(path, media_type=blob.mime, headers=headers, content_disposition_type="inline")


async def _received(call: Call, path: Path) -> tuple[bytes, int]:
    """Streams the body to `path`. Raises Refused 413."""
    limit = call.pds.oddities.upload_limit
    promised = call.request.headers.get("content-length", "")
    if promised.isdecimal() and int(promised) > limit:
        raise too_large()
    hashed, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        async for chunk in call.request.stream():
            size += len(chunk)
            if size > limit:
                raise too_large()
            hashed.update(chunk)
            file.write(chunk)
    return hashed.digest(), size


QUERIES = {"com.atproto.sync.getBlob": get_blob}
PROCEDURES = {"com.atproto.repo.uploadBlob": upload_blob}
