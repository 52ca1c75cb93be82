"""Mastodon and servers with its API, on the account's own server.

Facts: docs.joinmastodon.org (July 2026), recorded replies of 4.6.4 and Mastodon's source, as the platform's sheet has
them. A repeated Idempotency-Key answers the earlier post for an hour, on most servers; a lost answer is settled by
looking first, then by sending again with the same key.
"""

import html
import mimetypes
import re
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Meta, UnsetType

from social.errors import (
    Disconnected,
    OutcomeUnknown,
    PlatformError,
    PreparationLost,
    Rejected,
    RetryLater,
)
from social.platforms.answers import web_address
from social.platforms.calls import Call, Upload
from social.platforms.contract import (
    App,
    Content,
    Fault,
    Identity,
    Limits,
    OAuth,
    Platform,
    Prepared,
    Quota,
    Receipt,
    Save,
    Sought,
    Turn,
)
from social.platforms.mastodon.files import VIDEO_BYTES, VIDEO_FPS, VIDEO_PIXELS, kinds
from social.platforms.mastodon.rules import LIMITS, MastodonOptions, MastodonPoll, Visibility, counted_text, objections

APP = "Social"  # the name people see under their posts, and by which we know our own again
ENGLISH = {"lang": "en"}  # answers are in the account's language otherwise; their words are a hint to us
BEFORE = timedelta(seconds=60)  # a server's clock may be behind ours by this much
AFTER = timedelta(hours=1)  # a request that was lost to us may land late, and clocks differ
PAGE = 40
PAGES = 25
SHORTLY = 0.25  # of the usual patience, for a question that is only a courtesy

Id = Annotated[str, Meta(min_length=1, max_length=200)]
Aware = Annotated[datetime, Meta(tz=True)]


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """An uploaded file."""

    id: Id


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """The program a post was made with."""

    name: str | None = None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A post. What a ScheduledStatus lacks is required, so that one is never taken for the other."""

    id: Id
    created_at: Aware
    visibility: str
    media_attachments: tuple[Media, ...]
    url: str | None = None
    content: str = ""
    spoiler_text: str = ""
    in_reply_to_id: str | None = None
    application: Application | None = None


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A post's text as it was written."""

    text: str
    spoiler_text: str = ""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """The account a token belongs to."""

    id: Id
    username: Annotated[str, Meta(min_length=1, max_length=200)]
    display_name: str = ""
    avatar: str | None = None
    url: str | None = None


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """An app, as its server answers its registration."""

    client_id: Annotated[str, Meta(min_length=1, max_length=4096)]
    client_secret: Annotated[str, Meta(min_length=1, max_length=4096)]


class NewStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A post to be made. The visibility is always said: left out, it is whatever the account's owner set."""

    status: str
    visibility: Visibility
    in_reply_to_id: str | UnsetType = UNSET
    media_ids: tuple[str, ...] | UnsetType = UNSET
    sensitive: bool | UnsetType = UNSET
    spoiler_text: str | UnsetType = UNSET
    language: str | UnsetType = UNSET
    poll: MastodonPoll | UnsetType = UNSET


async def register(call: Call, redirect_uri: str, website: str) -> App:
    """An app of ours at the server. Sheet: Connecting, 1."""
    app = await call.post(
        "/api/v1/apps",
        Registered,
        form={
            "client_name": APP,
            "redirect_uris": redirect_uri,
            "scopes": " ".join(MASTODON.scopes),
            "website": website,
        },
    )
    return App(client_id=app.client_id, client_secret=app.client_secret)


async def identify(call: Call) -> Identity:
    """Whose token this is, and what their server takes. Sheet: Identity; Limits."""
    account = await call.get("/api/v1/accounts/verify_credentials", Person, params=ENGLISH)
    instance = await call.get_or_none("/api/v2/instance", dict[str, Any])
    if instance is None:  # before 4.0, and other software
        instance = await call.get_or_none("/api/v1/instance", dict[str, Any]) or {}
    domain = instance.get("domain")
    return Identity(
        id=account.id,
        handle=f"{account.username}@{domain if isinstance(domain, str) and domain else call.host}",
        name=(account.display_name or account.username)[:200],
        avatar_url=web_address(account.avatar),
        profile_url=web_address(account.url),
        limits=_limits(instance.get("configuration")),
    )


async def prepare(call: Call, content: Content, prepared: Prepared, save: Save) -> Prepared:
    """Uploads the pictures that are not there yet, in order, saving after each. Unused ones vanish within a day."""
    for item in content.files[len(prepared.media) :]:
        media = await call.post(
            "/api/v2/media",
            Media,
            form={"description": item.alt} if item.alt else {},
            file=Upload(field="file", key=item.key, mime=item.mime, size=item.bytes, name=_file_name(item.mime)),
            params=ENGLISH,
            to="media",
        )
        prepared = msgspec.structs.replace(prepared, media=(*prepared.media, media.id))
        await save(prepared)
    return prepared


async def ready(call: Call, prepared: Prepared) -> Prepared | None:
    """`prepared`, once the server has finished with every file. PreparationLost if it has thrown one away."""
    for id in prepared.media:
        answer = await call.ask("GET", f"/api/v1/media/{_part(id)}", Media, params=ENGLISH, to="media")
        if answer.status == 206:
            return None
    return prepared


async def publish(call: Call, turn: Turn) -> Receipt:
    """Makes a part public."""
    try:
        status = await call.post(
            "/api/v1/statuses",
            Status,
            commits=True,
            json=_new(turn),
            headers={"Idempotency-Key": turn.key},
            params=ENGLISH,
        )
    except Rejected as refusal:
        if refusal.facts.get("status") == 422:
            await _blame_the_media(call, Prepared(media=turn.media_ids))
        raise
    await _kept(call, status)
    return Receipt(id=status.id, url=web_address(status.url), notes=_differences(status, turn))


async def find(call: Call, sought: Sought) -> Receipt | None:
    """Our post among the account's newest, or None if it is not there. Sheet: After a crash."""
    ours = [
        status
        async for status in _newest(call, sought.remote_account, since=sought.first_sent_at - BEFORE)
        if _like(status, sought) and await _says(call, status, sought)
    ]
    if not ours:
        return None
    surest = next((status for status in ours if _ids(status) == sought.media_ids), ours[-1])
    return Receipt(id=surest.id, url=web_address(surest.url), evidence="lookup", notes=_differences(surest, sought))


async def delete(call: Call, id: str) -> None:
    """Takes a post away, with its pictures where the server can (4.4+). One that is gone already is no error."""
    await call.delete(f"/api/v1/statuses/{_part(id)}", params={"delete_media": "true"})


def _new(turn: Turn) -> NewStatus:
    options = _options(turn.content)
    return NewStatus(
        status=turn.text,
        visibility=options.visibility,
        in_reply_to_id=turn.before[-1].id if turn.before else UNSET,
        media_ids=turn.media_ids or UNSET,
        sensitive=options.sensitive or UNSET,
        spoiler_text=options.spoiler or UNSET,
        language=options.language or UNSET,
        poll=options.poll or UNSET if turn.part == 0 else UNSET,
    )


def _options(content: Content) -> MastodonOptions:
    return msgspec.convert(content.options, MastodonOptions)


async def _blame_the_media(call: Call, prepared: Prepared) -> None:
    """A refusal in a language we do not read may be about a picture: then it is not the author who must act."""
    if prepared.media and await ready(call, prepared) is None:
        raise RetryLater(f"{call.host} still works on the pictures.", code="media-busy", status=422)


async def _kept(call: Call, status: Status) -> None:
    """Some spam filters answer 200 for a post that they do not keep, so we ask for it once.

    Only "there is no such post" counts. Whatever else comes of the question, the server said that it took the post.
    """
    try:
        answer = await call.get_or_none(
            f"/api/v1/statuses/{_part(status.id)}", msgspec.Raw, patience=call.patience * SHORTLY
        )
    except PlatformError:
        return
    if answer is None:
        sentence = f"{call.host} took the post and does not have it. A filter may have dropped it."
        raise OutcomeUnknown(sentence, code="not-kept", status=404)


def _differences(status: Status, turn: Turn) -> tuple[str, ...]:
    """What is public is not always what was sent; the sheet names where servers say nothing about it."""
    asked = _options(turn.content).visibility
    notes = []
    if status.visibility != asked:
        notes.append(f"The server made this {status.visibility} although {asked} was asked for.")
    if len(status.media_attachments) < len(turn.media):
        notes.append(f"Only {len(status.media_attachments)} of {len(turn.media)} pictures are in the post.")
    return tuple(notes)


async def _newest(call: Call, account: str, *, since: datetime) -> AsyncIterator[Status]:
    """The account's posts, newest first, back to `since`. RetryLater if that is further than we can look."""
    params = {"limit": str(PAGE), "exclude_reblogs": "true"}
    for _ in range(PAGES):
        page = await call.get(f"/api/v1/accounts/{_part(account)}/statuses", tuple[Status, ...], params=params)
        for status in page:
            if status.created_at >= since:
                yield status
        if not page or page[-1].created_at < since:
            return
        params["max_id"] = page[-1].id
    raise RetryLater(f"There are too many newer posts on {call.host} to look through.", code="too-many-posts")


def _like(status: Status, sought: Sought) -> bool:
    """All that can be told without asking for the text."""
    return (
        status.id not in sought.known
        and status.created_at <= sought.last_sent_at + AFTER
        and (status.application is None or status.application.name in {None, APP})
        and status.in_reply_to_id == (sought.before[-1].id if sought.before else None)
        and len(status.media_attachments) <= len(sought.media)  # servers before 4.3 drop what they do not know
    )


async def _says(call: Call, status: Status, sought: Sought) -> bool:
    """Whether a post says what is sought. Servers before 3.5 have no source: there the page is compared."""
    text, spoiler = _as_stored(sought)
    source = await call.get_or_none(f"/api/v1/statuses/{_part(status.id)}/source", Source)
    if source is not None:
        return (_trimmed(source.text), _trimmed(source.spoiler_text)) == (text, spoiler)
    return _read(status.content) == "".join(text.split()) and _trimmed(status.spoiler_text) == spoiler


def _as_stored(turn: Turn) -> tuple[str, str]:
    """Text and warning as the server keeps them: without a text, the warning becomes it."""
    text, spoiler = _trimmed(turn.text), _trimmed(_options(turn.content).spoiler)
    return (text, spoiler) if text else (spoiler, "")


def _trimmed(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def _read(page: str) -> str:
    """What a reader sees of a post's HTML, without white space."""
    return "".join(html.unescape(re.sub(r"<[^>]*>", "", page)).split())


def _ids(status: Status) -> tuple[str, ...]:
    return tuple(media.id for media in status.media_attachments)


def _limits(configuration: Any) -> Limits:
    usual = MASTODON.limits

    def number(room: str, name: str, otherwise: int) -> int:
        found = configuration
        for step in (room, name):
            found = found.get(step) if isinstance(found, Mapping) else None
        return found if isinstance(found, int) and found > 0 else otherwise

    return msgspec.structs.replace(
        usual,
        text=number("statuses", "max_characters", usual.text),
        url_length=number("statuses", "characters_reserved_per_url", usual.url_length or 0),
        media=number("statuses", "max_media_attachments", usual.media),
        alt=number("media_attachments", "description_limit", usual.alt),
        image_bytes=number("media_attachments", "image_size_limit", usual.image_bytes),
        image_pixels=number("media_attachments", "image_matrix_limit", usual.image_pixels or 0),
        video_bytes=number("media_attachments", "video_size_limit", VIDEO_BYTES),
        video_pixels=number("media_attachments", "video_matrix_limit", VIDEO_PIXELS),
        video_fps=number("media_attachments", "video_frame_rate_limit", VIDEO_FPS),
    )


def _part(id: str) -> str:
    return quote(id, safe="")


def _file_name(mime: str) -> str:
    return f"picture{mimetypes.guess_extension(mime) or ''}"


MASTODON = Platform(
    name="mastodon",
    title="Mastodon",
    limits=LIMITS,
    scopes=("read:accounts", "read:statuses", "write:media", "write:statuses"),
    oauth=OAuth(
        authorize="/oauth/authorize",
        token="/oauth/token",  # noqa: S106
        revoke="/oauth/revoke",
        for_another={"force_login": "true"},
    ),
    settles="key",
    windows=(  # sheet: Rate limits and errors
        Quota(name="5 minutes", most=300, seconds=300, headers="x-ratelimit"),
        Quota(name="3 hours", most=300, seconds=3 * 3600),
    ),
    replay_for=timedelta(minutes=50),
    options=MastodonOptions,
    faults=(  # the sheet's table; 401, 429 and 5xx have their defaults in calls.py
        Fault(
            status=400,
            saying="invalid_grant",
            then=Disconnected,
            code="code-dead",
            words="The permission was given too long ago or was used before. Connect the account again.",
        ),
        Fault(status=400, then=Rejected),
        Fault(
            status=401,
            saying="invalid_client",
            then=Disconnected,
            code="app-unknown",
            words="The server no longer knows this installation. Connect the account again.",
        ),
        Fault(status=403, saying="not allowed", then=Rejected, code="not-allowed"),
        Fault(status=403, then=Disconnected, code="forbidden"),
        Fault(
            status=404,
            to="publish",
            then=Rejected,
            code="gone",
            words="The server says that this is gone: the post was deleted there, or the one it answers was.",
        ),
        Fault(status=404, to="media", then=PreparationLost, code="media-gone"),
        Fault(
            status=404,
            then=Rejected,
            code="no-such-route",
            words="The server does not have this part of Mastodon's interface. It may be too old, or other software.",
        ),
        Fault(
            status=413,
            then=Rejected,
            code="too-big",
            words="The server finds this too big. Use a smaller picture.",
        ),
        Fault(
            status=422,
            saying="not finished processing",
            then=RetryLater,
            code="media-busy",
            words="The server still works on the pictures.",
        ),
        Fault(
            status=422,
            to="publish",
            saying="not found or already attached",
            then=PreparationLost,
            code="media-gone",
        ),
        Fault(status=422, saying="requires an authenticated user", then=Disconnected, code="app-token"),
        Fault(
            status=422,
            to="media",
            then=Rejected,
            code="bad-file",
            words="The server cannot do anything with one of the pictures. Replace it and plan the post again.",
        ),
        Fault(status=422, then=Rejected),
    ),
    register=register,
    identify=identify,
    prepare=prepare,
    ready=ready,
    publish=publish,
    find=find,
    delete=delete,
    counted_text=counted_text,
    kinds=kinds,
    objections=objections,
)
