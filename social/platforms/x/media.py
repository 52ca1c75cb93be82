"""Files on their way to X: one request for a picture, chunks for a GIF or a video, alt text before the post.

Sheet: Media; Ahead of time. An upload that no post uses vanishes within a day, so everything here may be repeated.
"""

import mimetypes
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from social.errors import PlatformError, PreparationLost, Rejected
from social.moments import now
from social.platforms.calls import Call
from social.platforms.contract import Content, MediaItem, Prepared, Save
from social.platforms.uploads import Upload
from social.platforms.x.rules import is_gif

CHUNK = 1_000_000  # bytes; chunks of 5 MB are documented and were refused with 413
SMALLEST_CHUNK = 125_000
NOTHING: dict[str, str] = {}  # finalize wants a JSON object, an empty body gets 400

MediaId = Annotated[str, Meta(pattern="^[0-9]{1,30}$")]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why X could not process a file. Older replies have it, the newest description does not."""

    name: str = ""
    message: str = ""


class Processing(msgspec.Struct, frozen=True, kw_only=True):
    """How far X is with a file. Seconds until it wants to be asked again."""

    state: Literal["pending", "in_progress", "succeeded", "failed"]
    check_after_secs: float = 0.0
    error: Failure | None = None


class Uploaded(msgspec.Struct, frozen=True, kw_only=True):
    """A file at X. Without `processing_info` it is ready."""

    id: MediaId
    media_key: str = ""
    processing_info: Processing | None = None


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """What X answers about a file."""

    data: Uploaded


class Appended(msgspec.Struct, frozen=True, kw_only=True):
    """What X answers to a chunk."""

    data: dict[str, msgspec.Raw]


class Chunked(msgspec.Struct, frozen=True, kw_only=True):
    """An upload in chunks that has begun: its next segment, the bytes that X has, and how many go next."""

    id: str
    key: str = ""
    segment: int = 0
    sent: int = 0
    chunk: int = CHUNK


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What `Prepared.facts` holds: each file's media key, how many files are described, an upload that is under way.

    `ask_at`: for each file that X still works on, by its id, when X wants to be asked, in seconds since 1970.
    """

    keys: tuple[str, ...] = ()
    described: int = 0
    upload: Chunked | None = None
    ask_at: dict[str, float] = {}


def progress_of(prepared: Prepared) -> Progress:
    """What was kept of the files beside their ids."""
    return msgspec.convert(prepared.facts, Progress)


async def prepare(call: Call, content: Content, prepared: Prepared, save: Save) -> Prepared:
    """Uploads the files that are not there yet and describes them, in order, saving after each step."""
    for number, item in enumerate(content.files):
        if number >= len(prepared.media):
            prepared = await _uploaded(call, item, prepared, save)
        if number >= progress_of(prepared).described:
            if item.alt:
                await _describe(call, prepared.media[number], item.alt)
            prepared = _with(prepared, described=number + 1)
            if item.alt:
                await save(prepared)
    return prepared


async def ready(call: Call, prepared: Prepared) -> Prepared | None:
    """`prepared`, once X has finished with every file.

    Rejected if it cannot use one, PreparationLost if it is better repeated.
    Nobody is asked before the time X named when it got the file. What it names later cannot be kept here: then the
    engine's own pauses are all there is.
    """
    at = now().timestamp()
    for id, ask_at in progress_of(prepared).ask_at.items():
        if at < ask_at:
            return None
        asked = {"command": "STATUS", "media_id": id}
        media = await call.get("/2/media/upload", Media, params=asked, to="media")
        if not _finished(media.data.processing_info):
            return None
    return prepared


def _finished(processing: Processing | None) -> bool:
    if processing is None or processing.state == "succeeded":
        return True
    if processing.state != "failed":
        return False
    failure = processing.error or Failure()
    said = ": ".join(word for word in (failure.name, failure.message) if word)[:300]
    if "internal" in said.casefold():
        raise PreparationLost("X stumbled over a picture. It is uploaded again.", code="media-internal", said=said)
    quoted = f': "{said}"' if said else ""
    sentence = f"X cannot do anything with one of the pictures{quoted}. Replace it and plan the post again."
    raise Rejected(sentence, code="bad-file", said=said)


async def _uploaded(call: Call, item: MediaItem, prepared: Prepared, save: Save) -> Prepared:
    """`prepared` with one more file in it, saved."""
    media = await (_in_chunks(call, item, prepared, save) if _is_long(item) else _at_once(call, item))
    progress = progress_of(prepared)
    waits = _waits(media, now())
    prepared = msgspec.structs.replace(prepared, media=(*prepared.media, media.id))
    prepared = _with(
        prepared,
        keys=(*progress.keys, media.media_key),
        upload=None,
        ask_at=progress.ask_at | ({media.id: waits.timestamp()} if waits else {}),
    )
    await save(prepared)
    return prepared


def _waits(media: Uploaded, at: datetime) -> datetime | None:
    """When X wants to be asked about a file; None if it is ready."""
    if _finished(media.processing_info) or media.processing_info is None:
        return None
    wait = min(max(media.processing_info.check_after_secs, 0.0), 600.0)
    return at.astimezone(UTC) + timedelta(seconds=wait)


def _is_long(item: MediaItem) -> bool:
    """Whether X wants it in chunks."""
    return item.video or is_gif(item)


async def _at_once(call: Call, item: MediaItem) -> Uploaded:
    file = Upload(field="media", key=item.key, mime=item.mime, size=item.bytes, name=_file_name(item.mime))
    media = await call.post("/2/media/upload", Media, form={"media_category": "tweet_image"}, file=file, to="media")
    return media.data


async def _in_chunks(call: Call, item: MediaItem, prepared: Prepared, save: Save) -> Uploaded:
    """Sends a file in chunks. One whose last chunk went out and was not finalized for sure begins anew: what X makes
    of a second finalize is written nowhere."""
    upload = progress_of(prepared).upload
    if upload is None or upload.sent >= item.bytes:
        upload = await _begun(call, item)
        await save(_with(prepared, upload=upload))
    while upload.sent < item.bytes:
        upload = await _appended(call, item, upload)
        await save(_with(prepared, upload=upload))
    media = await call.post(f"/2/media/upload/{upload.id}/finalize", Media, json=NOTHING, to="media")
    return msgspec.structs.replace(media.data, id=upload.id, media_key=media.data.media_key or upload.key)


async def _begun(call: Call, item: MediaItem) -> Chunked:
    category = "tweet_video" if item.video else "tweet_gif"
    asked = {"media_type": item.mime, "total_bytes": item.bytes, "media_category": category}
    media = await call.post("/2/media/upload/initialize", Media, json=asked, to="media")
    return Chunked(id=media.data.id, key=media.data.media_key)


async def _appended(call: Call, item: MediaItem, upload: Chunked) -> Chunked:
    """One chunk further, or the same with smaller chunks from here on. Rejected if even those are too big."""
    size = min(upload.chunk, item.bytes - upload.sent)
    file = Upload(field="media", key=item.key, mime=item.mime, size=size, name="chunk", offset=upload.sent)
    form = {"segment_index": str(upload.segment)}
    try:
        await call.post(f"/2/media/upload/{upload.id}/append", Appended, form=form, file=file, to="media")
    except PlatformError as error:
        if error.facts.get("status") != 413 or upload.chunk // 2 < SMALLEST_CHUNK:
            raise
        return msgspec.structs.replace(upload, chunk=upload.chunk // 2)
    return msgspec.structs.replace(upload, segment=upload.segment + 1, sent=upload.sent + size)


async def _describe(call: Call, id: str, alt: str) -> None:
    await call.post("/2/media/metadata", Media, json={"id": id, "metadata": {"alt_text": {"text": alt}}}, to="media")


def _with(prepared: Prepared, **changes: object) -> Prepared:
    progress = msgspec.structs.replace(progress_of(prepared), **changes)
    return msgspec.structs.replace(prepared, facts=msgspec.to_builtins(progress))


def _file_name(mime: str) -> str:
    return f"picture{mimetypes.guess_extension(mime) or ''}"
