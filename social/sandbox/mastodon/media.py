"""Files handed in, before a post has them. Sheet: Media."""

import asyncio
import math

from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import File as SentFile
from msgspec import structs

from social.sandbox.clock import now_ms
from social.sandbox.mastodon import text
from social.sandbox.mastodon.archive import read_id
from social.sandbox.mastodon.entities import is_ready, media_entity
from social.sandbox.mastodon.errors import (
    ALT_TOO_LONG,
    BAD_FILE,
    MEDIA_IN_USE,
    NO_ROUTE,
    NOT_FOUND,
    NOT_PROCESSABLE,
    Refused,
)
from social.sandbox.mastodon.images import taken_in
from social.sandbox.mastodon.instance import Instance, caller, reply
from social.sandbox.mastodon.params import Call, Params, read_params
from social.sandbox.mastodon.records import Account, Media
from social.sandbox.pages import HEADERS


@post(["/api/v2/media", "/api/v1/media"])
async def hand_in(request: Call, instance: NamedDependency[Instance]) -> Response[bytes]:
    """200 where it is ready at once, else 202; v1 of the original waits, here it answers like v2."""
    owner = caller(request, instance, "write:media").account
    params = await read_params(request, instance.incoming_folder)
    try:
        media = await _handed_in(params, owner, instance)
    finally:
        params.drop_uploads()
    instance.archive.save_media(media)
    return reply(media_entity(media, instance), 200 if is_ready(media) else 202)


@get("/api/v1/media/{media_id:str}")
async def look(request: Call, media_id: FromPath[str], instance: NamedDependency[Instance]) -> Response[bytes]:
    media = _unattached(media_id, caller(request, instance, "write:media").account, instance)
    if media.busy_looks:
        media.busy_looks -= 1
        instance.archive.save_media(media)
        return reply(media_entity(structs.replace(media, ready_ms=now_ms() + 1), instance), 206)
    if media.ready_ms > now_ms():
        return reply(media_entity(media, instance), 206)
    if media.failed:
        raise Refused(422, NOT_PROCESSABLE)
    return reply(media_entity(media, instance))


@put("/api/v1/media/{media_id:str}")
async def describe(request: Call, media_id: FromPath[str], instance: NamedDependency[Instance]) -> Response[bytes]:
    media = _unattached(media_id, caller(request, instance, "write:media").account, instance)
    params = await read_params(request, instance.incoming_folder)
    params.drop_uploads()
    if "description" in params:
        media.description = checked_alt(params.text("description"), instance)
    if "focus" in params:
        media.focus = read_focus(params)
    instance.archive.save_media(media)
    return reply(media_entity(media, instance), 200 if is_ready(media) else 206)


@delete("/api/v1/media/{media_id:str}", status_code=200)
async def throw_away(request: Call, media_id: FromPath[str], instance: NamedDependency[Instance]) -> Response[bytes]:
    owner = caller(request, instance, "write:media").account
    if not instance.oddities.since(4, 4):
        raise Refused(404, NO_ROUTE)
    media = instance.archive.media(read_id(media_id))
    if media is not None and media.account_id == owner.id and media.status_id is not None:
        raise Refused(422, MEDIA_IN_USE)
    drop(_unattached(media_id, owner, instance), instance)
    return reply({})


@get("/system/media_attachments/files/{media_id:str}/{style:str}/{name:str}")
async def stored_file(
    media_id: FromPath[str], style: FromPath[str], name: FromPath[str], instance: NamedDependency[Instance]
) -> SentFile:
    """Only under the names that a record knows, so that no path leads out of the folder."""
    media = instance.archive.media(read_id(media_id))
    known = {"original": media.file, "small": media.preview}.get(style) if media else None
    if media is None or known != name or not (instance.media_folder / name).is_file():
        raise Refused(404, NOT_FOUND)
    mime = media.mime if style == "original" else ("image/png" if name.endswith("png") else "image/jpeg")
    headers = {**HEADERS, "Content-Security-Policy": "default-src 'none'; sandbox"}
    return SentFile(instance.media_folder / name, media_type=mime, headers=headers, content_disposition_type="inline")


def checked_alt(alt: str | None, instance: Instance) -> str | None:
    limit = instance.oddities.alt_limit
    if alt and text.clusters(alt) > limit:
        if instance.oddities.alt_too_long == "refused":
            raise Refused(422, ALT_TOO_LONG, max=limit)
        return alt[:limit]
    return alt or None


def read_focus(params: Params) -> tuple[float, float]:
    """Two numbers from -1 to 1; (0, 0), the middle, where it is anything else."""
    try:
        x, y = (float(part) for part in (params.text("focus") or "").split(","))
    except ValueError:
        return (0.0, 0.0)
    return (x, y) if math.isfinite(x) and math.isfinite(y) and max(abs(x), abs(y)) <= 1 else (0.0, 0.0)


def is_swept(media: Media, instance: Instance) -> bool:
    return media.status_id is None and media.free_ms + instance.oddities.media_kept * 1000 <= now_ms()


def drop(media: Media, instance: Instance) -> None:
    instance.archive.drop_media(media)
    for name in (media.file, media.preview):
        if name is not None:
            (instance.media_folder / name).unlink(missing_ok=True)


async def _handed_in(params: Params, owner: Account, instance: Instance) -> Media:
    upload = params.uploads.get("file")
    if upload is None:
        raise Refused(422, BAD_FILE)
    alt = checked_alt(params.text("description"), instance)
    media_id = instance.archive.next_id()
    file = await asyncio.to_thread(taken_in, upload.path, upload.declared, instance.media_folder, str(media_id))
    oddities = instance.oddities
    seconds = oddities.image_processing if file.kind == "image" else oddities.processing
    now = now_ms()
    return Media(
        id=media_id,
        account_id=owner.id,
        kind=file.kind,
        mime=file.mime,
        file=file.name,
        preview=file.preview,
        description=alt,
        focus=read_focus(params),
        size=file.size,
        preview_size=file.preview_size,
        blurhash=file.blurhash,
        free_ms=now,
        ready_ms=now + int(seconds * 1000),
        busy_looks=oddities.processing_polls,
        failed=oddities.processing_fails,
    )


def _unattached(media_id: str, owner: Account, instance: Instance) -> Media:
    """404 for what is unknown, somebody else's, swept or already in a post."""
    media = instance.archive.media(read_id(media_id))
    if media is None or media.account_id != owner.id or media.status_id is not None or is_swept(media, instance):
        raise Refused(404, NOT_FOUND)
    return media


ROUTES = (hand_in, look, describe, throw_away, stored_file)
