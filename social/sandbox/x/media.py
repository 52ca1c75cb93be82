"""Files, in one request or in chunks. Sheet: Media. Alt text before the post; an upload is good for a day."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import filetype
from litestar import Response, delete, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath
from PIL import Image, UnidentifiedImageError

from social.sandbox.clock import now_ms
from social.sandbox.x.errors import NOT_PERMITTED, Refused, bad_request, forbidden, not_found
from social.sandbox.x.quotas import CHUNKED, METADATA, ONE_SHOT, STATUS, SUBTITLES
from social.sandbox.x.records import Kind, Media
from social.sandbox.x.service import Call, Json, Service, Who, json_body, only, reply

IMAGE_MOST, GIF_MOST, TOTAL_MOST = 5 * 2**20, 15 * 2**20, 17_179_869_184
ALT_MOST = 1_000
SEGMENT_MOST = 999
CATEGORIES = {
    *("tweet_video", "tweet_gif", "tweet_image", "amplify_video"),
    *("dm_video", "dm_gif", "dm_image", "subtitles"),
}
TYPES = {
    *("video/mp4", "video/webm", "video/mp2t", "video/quicktime", "text/srt", "text/vtt"),
    *("image/jpeg", "image/pjpeg", "image/png", "image/gif", "image/bmp", "image/webp", "image/tiff"),
    *("model/gltf-binary", "model/vnd.usdz+zip"),
}
SHOWN = {"image/jpeg", "image/pjpeg", "image/png", "image/gif", "image/webp", "image/bmp", "image/tiff"}
PREFIX = {"tweet_image": 3, "dm_image": 3, "tweet_gif": 16, "dm_gif": 16, "tweet_video": 13, "amplify_video": 13}


@post("/2/media/upload", status_code=200)
async def one_shot(request: Call, x: NamedDependency[Service]) -> Response[bytes]:
    """A whole file in a form, or in base64 in JSON; or the old style, where `command` says which step this is."""
    who = x.who(request, "media.write")
    fields = await _fields(request, x)
    if "command" in fields:
        return await _by_command(fields, who, x)
    headers = x.spend(ONE_SHOT, who)
    body, category = _bytes(fields.get("media"), x), fields.get("media_category")
    only(fields, frozenset({"media", "media_category", "additional_owners", "media_type", "shared"}), x.host)
    if category not in CATEGORIES:
        raise bad_request(x.host, "media_category is required.", {"media_category": [str(category)]})
    if category.endswith("video"):
        raise bad_request(x.host, "Videos are uploaded in chunks.", {"media_category": [category]})
    kind = filetype.guess_mime(body) or "application/octet-stream"
    media = _begun(who, str(kind), str(category), len(body), x)
    (x.folder / media.file).write_bytes(body)
    _finalized(media, x)
    return reply({"data": _shown(media, x)}, headers=headers)


@post("/2/media/upload/initialize", status_code=200)
async def initialize(request: Call, x: NamedDependency[Service]) -> Response[bytes]:
    """What is to come."""
    who = x.who(request, "media.write")
    headers = x.spend(CHUNKED, who)
    return reply({"data": _initialized(await json_body(request, x.host), who, x)}, headers=headers)


@post("/2/media/upload/{media_id:str}/append", status_code=200)
async def append(request: Call, media_id: FromPath[str], x: NamedDependency[Service]) -> Response[bytes]:
    """One chunk: a form, or base64 in JSON."""
    who = x.who(request, "media.write")
    headers = x.spend(CHUNKED, who)
    expires = _appended(_open(media_id, who, x), await _fields(request, x), x)
    return reply({"data": {"expires_at": expires}}, headers=headers)


@post("/2/media/upload/{media_id:str}/finalize", status_code=200)
async def finalize(request: Call, media_id: FromPath[str], x: NamedDependency[Service]) -> Response[bytes]:
    """The end of the chunks. The body must be an object, an empty one will do."""
    who = x.who(request, "media.write")
    headers = x.spend(CHUNKED, who)
    await json_body(request, x.host)
    media = _open(media_id, who, x)
    _finalized(media, x)
    return reply({"data": _shown(media, x)}, headers=headers)


@get("/2/media/upload")
async def status(request: Call, x: NamedDependency[Service]) -> Response[bytes]:
    """`command=STATUS`: how far the processing is."""
    who = x.who(request, "media.write")
    headers = x.spend(STATUS, who)
    if request.query_params.get("command") != "STATUS":
        raise bad_request(x.host, "command must be STATUS.", {"command": [str(request.query_params.get("command"))]})
    return reply({"data": _shown(_own(request.query_params.get("media_id", ""), who, x), x)}, headers=headers)


@post("/2/media/metadata", status_code=200)
async def metadata(request: Call, x: NamedDependency[Service]) -> Response[bytes]:
    """Words for those who cannot see it."""
    who = x.who(request, "media.write")
    headers = x.spend(METADATA, who)
    body = await json_body(request, x.host)
    only(body, frozenset({"id", "metadata"}), x.host)
    media = _own(str(body.get("id", "")), who, x)
    alt = ((body.get("metadata") or {}).get("alt_text") or {}).get("text")
    if not isinstance(alt, str) or len(alt) > ALT_MOST:
        raise bad_request(x.host, f"alt_text has {ALT_MOST} characters at most.", {"metadata.alt_text.text": ["…"]})
    media.alt = alt
    x.archive.save_media(media)
    data = {"id": str(media.id), "associated_metadata": {"alt_text": {"text": alt}}}
    return reply({"data": data}, headers=headers)


@post("/2/media/subtitles", status_code=200)
async def subtitles(request: Call, x: NamedDependency[Service]) -> Response[bytes]:
    """Subtitles of a video; taken and not shown."""
    who = x.who(request, "media.write")
    headers = x.spend(SUBTITLES, who)
    body = await json_body(request, x.host)
    media = _own(str(body.get("id", "")), who, x)
    return reply({"data": {"id": str(media.id), "media_category": body.get("media_category")}}, headers=headers)


@delete("/2/media/subtitles", status_code=200)
async def no_subtitles(request: Call, x: NamedDependency[Service]) -> Response[bytes]:
    """Takes them away."""
    who = x.who(request, "media.write")
    return reply({"data": {"deleted": True}}, headers=x.spend(SUBTITLES, who))


def attachable(ids: list[str], who: Who, x: Service) -> list[Media]:
    """The files of a new post. Raises Refused 400 in X's words for any that is not there, not ready, or not theirs."""
    found = [x.archive.media(int(id)) if id.isdigit() and len(id) < 20 else None for id in ids]
    usable = [each for each in found if each and each.user_id == who.user.id and _usable(each, x)]
    if len(usable) < len(ids):
        raise bad_request(x.host, "Your media IDs are invalid.", {"media.media_ids": ids})
    moving = [each for each in usable if each.kind != "photo"]
    if moving and len(usable) > 1 and x.oddities.mixed_media == "refused":
        message = "A post has up to 4 photos, or 1 GIF, or 1 video."
        raise bad_request(x.host, message, {"media.media_ids": ids})
    return usable


def _usable(media: Media, x: Service) -> bool:
    if media.finalized_ms is None or media.failed or (media.ready_ms or 0) > now_ms():
        return False
    return now_ms() < media.finalized_ms + x.oddities.media_lives * 1000


async def _by_command(fields: Json, who: Who, x: Service) -> Response[bytes]:
    headers = x.spend(CHUNKED, who)
    match fields["command"]:
        case "INIT":
            body: Json = {name: fields[name] for name in ("media_type", "media_category") if name in fields}
            body["total_bytes"] = int(fields["total_bytes"]) if str(fields.get("total_bytes")).isdigit() else None
            return reply({"data": _initialized(body, who, x)}, headers=headers)
        case "APPEND":
            expires = _appended(_open(str(fields.get("media_id", "")), who, x), fields, x)
            return reply({"data": {"expires_at": expires}}, headers=headers)
        case "FINALIZE":
            media = _open(str(fields.get("media_id", "")), who, x)
            _finalized(media, x)
            return reply({"data": _shown(media, x)}, headers=headers)
    raise bad_request(x.host, "command is INIT, APPEND or FINALIZE.", {"command": [str(fields["command"])]})


def _initialized(body: Json, who: Who, x: Service) -> Json:
    only(body, frozenset({"media_type", "total_bytes", "media_category", "additional_owners", "shared"}), x.host)
    total = body.get("total_bytes")
    if not isinstance(total, int) or isinstance(total, bool) or not 0 < total <= TOTAL_MOST:
        raise bad_request(x.host, "total_bytes is not right.", {"total_bytes": [str(total)]})
    if body.get("media_type") not in TYPES:
        raise bad_request(x.host, "media_type is not known.", {"media_type": [str(body.get("media_type"))]})
    if body.get("media_category") not in CATEGORIES:
        raise bad_request(x.host, "media_category is not known.", {"media_category": [str(body.get("media_category"))]})
    media = _begun(who, str(body["media_type"]), str(body["media_category"]), total, x)
    (x.folder / media.file).write_bytes(b"")
    x.archive.save_media(media)
    return {"id": str(media.id), "media_key": media.key, "expires_after_secs": round(x.oddities.media_lives)}


def _appended(media: Media, fields: Mapping[str, Any], x: Service) -> int:
    index = str(fields.get("segment_index", ""))
    if not index.isdigit() or int(index) > SEGMENT_MOST:
        raise bad_request(x.host, f"segment_index is 0 to {SEGMENT_MOST}.", {"segment_index": [index]})
    piece = _bytes(fields.get("media"), x)
    if len(piece) > x.oddities.chunk_most:
        raise Refused(413, None)
    (x.folder / f"{media.file}.{int(index):03}").write_bytes(piece)
    media.segments[int(index)] = len(piece)
    x.archive.save_media(media)
    return (media.created_ms + round(x.oddities.media_lives * 1000)) // 1000


def _finalized(media: Media, x: Service) -> None:
    """Puts the pieces together and looks at what came. Raises Refused 400."""
    path = x.folder / media.file
    if media.segments:
        pieces = [x.folder / f"{media.file}.{index:03}" for index in sorted(media.segments)]
        if sum(media.segments.values()) != media.total:
            raise bad_request(x.host, "Segments do not add up to provided total file size.", {"id": [str(media.id)]})
        with path.open("wb") as whole:
            for piece in pieces:
                whole.write(piece.read_bytes())
        for piece in pieces:
            piece.unlink()
    elif path.stat().st_size != media.total:
        raise bad_request(x.host, "Segments do not add up to provided total file size.", {"id": [str(media.id)]})
    _looked_at(media, x)
    media.finalized_ms = now_ms()
    slow = media.kind != "photo" or x.oddities.image_processing
    media.ready_ms = media.finalized_ms + round(x.oddities.processing * 1000) if slow else media.finalized_ms
    media.failed = slow and x.oddities.processing_fails
    x.archive.save_media(media)


def _looked_at(media: Media, x: Service) -> None:
    path = x.folder / media.file
    if media.category.endswith(("video", "subtitles")):
        media.kind = "video"
        if media.category != "subtitles" and (filetype.guess_mime(str(path)) or "")[:6] != "video/":
            raise bad_request(x.host, "media type unrecognized.", {"media": [media.mime]})
        return
    try:
        with Image.open(path) as picture:
            picture.load()
            media.width, media.height = picture.size
            frames = getattr(picture, "n_frames", 1)
            mime = Image.MIME.get(picture.format or "", "")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise bad_request(x.host, "media type unrecognized.", {"media": [media.mime]}) from None
    moving = media.category.endswith("gif")
    media.mime, media.kind = mime, "animated_gif" if moving else "photo"
    most = GIF_MOST if moving else IMAGE_MOST
    if media.mime not in SHOWN or path.stat().st_size > most:
        raise bad_request(x.host, f"Image file size must be <= {most} bytes", {"media": [media.mime]})
    if moving and (frames > 350 or media.width > 1280 or media.height > 1080):
        raise bad_request(x.host, "GIF is too large.", {"media": [media.mime]})


def _shown(media: Media, x: Service) -> Json:
    left = round(x.oddities.media_lives)
    answer: Json = {"id": str(media.id), "media_key": media.key, "size": media.total, "expires_after_secs": left}
    if media.width is not None:
        answer["image"] = {"w": media.width, "h": media.height, "image_type": media.mime}
    if media.finalized_ms is None or (media.kind == "photo" and not x.oddities.image_processing):
        return answer
    return answer | {"processing_info": _processing(media, x)}


def _processing(media: Media, x: Service) -> Json:
    begun, ready, now = media.finalized_ms or 0, media.ready_ms or 0, now_ms()
    if now < ready:
        share = round(100 * (now - begun) / (ready - begun))
        if share < 20:
            return {"state": "pending", "check_after_secs": 1}
        return {"state": "in_progress", "check_after_secs": 1, "progress_percent": share}
    if media.failed:
        error = {"code": 1, "name": "InvalidMedia", "message": "Unsupported video format"}
        return {"state": "failed"} | ({"error": error} if x.oddities.error_named else {})
    return {"state": "succeeded", "progress_percent": 100}


def _begun(who: Who, mime: str, category: str, total: int, x: Service) -> Media:
    id = x.archive.next_id()
    kind: Kind = "video" if "video" in category else "animated_gif" if "gif" in category else "photo"
    return Media(
        id=id,
        user_id=who.user.id,
        mime=mime,
        category=category,
        total=total,
        file=str(id),
        prefix=PREFIX.get(category, 7),
        created_ms=now_ms(),
        kind=kind,
    )


def _own(id: str, who: Who, x: Service) -> Media:
    media = x.archive.media(int(id)) if id.isdigit() and len(id) < 20 else None
    if media is None or now_ms() > media.created_ms + x.oddities.media_lives * 1000:
        raise not_found(x.host, "media", id)
    if media.user_id != who.user.id:
        raise forbidden(NOT_PERMITTED)
    return media


def _open(id: str, who: Who, x: Service) -> Media:
    media = _own(id, who, x)
    if media.finalized_ms is not None:
        raise bad_request(x.host, "The upload is finalized already.", {"id": [id]})
    return media


def _bytes(given: object, x: Service) -> bytes:
    if isinstance(given, bytes):
        return given
    if isinstance(given, str):
        try:
            return base64.b64decode(given, validate=True)
        except binascii.Error:
            pass
    raise bad_request(x.host, "media is required.", {"media": []})


async def _fields(request: Call, x: Service) -> Json:
    """What a form or a JSON body says; a file's bytes under its field's name."""
    if request.headers.get("content-type", "").startswith("application/json"):
        return await json_body(request, x.host)
    form = await request.form()
    found: Json = {}
    for name, value in form.multi_items():
        found[name] = await value.read() if isinstance(value, UploadFile) else value
        if name == "media" and isinstance(value, str):
            found[name] = value.encode("latin-1", "replace")
    return found


ROUTES = (one_shot, initialize, append, finalize, status, metadata, subtitles, no_subtitles)
