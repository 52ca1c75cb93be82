"""Videos on their way to Bluesky: through its video service, which makes them ready to be shown and hands them on.

Sheet: Video. The account's own server would take a video as it takes a picture, up to its own limit of 50 MiB and with
a hole in the post until the service has come around to it, and what it cannot use would be told to nobody. Here the
post waits until its video can be shown. The documented upload in one request is used; that the newer one in parts
is there in production is not confirmed. A repeat does no harm: the service knows a file that it has had before.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from social.errors import Disconnected, PreparationLost, QuotaSpent, Rejected, RetryLater, TokenExpired
from social.platforms.answers import cut
from social.platforms.bluesky.records import Blob, Did
from social.platforms.calls import Call
from social.platforms.contract import MediaItem
from social.platforms.uploads import Upload

T = TypeVar("T")

SERVICE, AUDIENCE = "https://video.bsky.app", "did:web:video.bsky.app"
SIGNED_FOR = timedelta(minutes=30)  # more than an hour is refused
AGAIN = timedelta(hours=1)  # nobody says when a day of the service ends
KNOWN = frozenset({409})  # "already_exists", with the job that worked on the same file
FORGOTTEN = ((400, None), (404, None))  # what is said of a job that is not known is written nowhere
HAND_ON = "com.atproto.repo.uploadBlob"  # what the service does for the account
UPLOAD, LIMITS = "app.bsky.video.uploadVideo", "app.bsky.video.getUploadLimits"
UNCONFIRMED = (
    "Bluesky takes videos only from accounts whose e-mail address is confirmed. Confirm it in Bluesky's settings, then "
    "plan the post again."
)


class Failure(StrEnum):
    """Why a job failed, as far as it makes a difference what to do about it."""

    VALIDATION = "validation_failure"
    TOO_BIG = "pds_upload_unsupported_blob_size"


class Job(msgspec.Struct, tag_field="$type", tag="job", frozen=True, kw_only=True):
    """A video that the service has and works on: what is kept in the place of its blob."""

    id: Annotated[str, Meta(min_length=1, max_length=200)]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How far a job is. Whatever else is said: with a blob it has come to its end."""

    jobId: str = ""
    state: str = ""
    blob: Blob | None = None
    error: str | None = None
    message: str | None = None
    failureCode: str | None = None


class Answered(Status, frozen=True, kw_only=True):
    """A job's status, bare as the documentation reads it or wrapped as the schema has it."""

    jobStatus: Status | None = None

    @property
    def status(self) -> Status:
        """Whichever it is."""
        return self.jobStatus or self


class Token(msgspec.Struct, frozen=True):
    """Lets another service act for an account, for one method and a while."""

    token: Annotated[str, Meta(min_length=1, max_length=8192, pattern=r"^[\x21-\x7e]+$")]


class Named(msgspec.Struct, frozen=True):
    """Whose session it is, or who the server is."""

    did: Did


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What the service takes from an account today."""

    canUpload: bool
    remainingDailyVideos: int | None = None
    remainingDailyBytes: int | None = None
    message: str | None = None
    error: str | None = None


async def handed_in(call: Call, item: MediaItem) -> Job | Blob:
    """Uploads a video. The blob, where the service has one for the same file already.

    QuotaSpent or Rejected, before a byte is sent, if it takes none from this account today or at all.
    """
    service = call.beside(SERVICE)
    _must_have_room(await _asked(service, LIMITS, Left, await permission(call, AUDIENCE, LIMITS)), item, call)
    owner = await call.get("/xrpc/com.atproto.server.getSession", Named)
    home = await call.get("/xrpc/com.atproto.server.describeServer", Named)
    token = await permission(call, home.did, HAND_ON)
    file = Upload(key=item.key, mime=item.mime, size=item.bytes)
    asked = {"did": owner.did, "name": f"{item.media_id}.mp4"}
    answered = await _asked(service, UPLOAD, Answered, token, method="POST", params=asked, file=file, also=KNOWN)
    return outcome(answered.status) or Job(id=answered.status.jobId)


async def finished(call: Call, job: Job) -> Blob | None:
    """What came of a job; None while it goes on. Rejected or PreparationLost if it failed or is forgotten."""
    path, asked = "/xrpc/app.bsky.video.getJobStatus", {"jobId": job.id}
    with _nothing_about_the_account():
        answered = await call.beside(SERVICE).get_or_none(path, Answered, params=asked, gone=FORGOTTEN)
    if answered is None:
        words = "Bluesky's video service no longer knows what was uploaded for this. It is uploaded again."
        raise PreparationLost(words, code="video-gone")
    return outcome(answered.status)


def outcome(status: Status) -> Blob | None:
    """The blob of a job that is done, None of one that goes on. Rejected or PreparationLost, in words. Pure."""
    if status.blob is not None:
        return status.blob
    said = cut(": ".join(dict.fromkeys(each for each in (status.error, status.message) if each)), ())
    if status.state != "JOB_STATE_FAILED" and status.jobId:
        return None
    quoted = f': "{said}"' if said else ""
    match status.failureCode:
        case _ if _is_about_mail(said):
            raise Rejected(UNCONFIRMED, code="mail-unconfirmed", said=said)
        case Failure.TOO_BIG:
            words = "The account's server takes no video of this size. Use a shorter or smaller one."
            raise Rejected(words, code="too-big", said=said)
        case Failure.VALIDATION:
            words = f"Bluesky cannot do anything with this video{quoted}. Replace it and plan the post again."
            raise Rejected(words, code="bad-file", said=said)
    # Of the others it is known that the same file often passes the next time.
    words = f"Bluesky's video service stumbled over the video{quoted}. It is uploaded again."
    raise PreparationLost(words, code="video-failed", said=said)


async def permission(call: Call, audience: str, method: str) -> str:
    """A token for the service: to ask it on the account's behalf, or for it to hand a video to the account's server."""
    ends = call.now() + SIGNED_FOR
    asked = {"aud": audience, "lxm": method, "exp": str(int(ends.timestamp()))}
    return (await call.get("/xrpc/com.atproto.server.getServiceAuth", Token, params=asked)).token


async def _asked(service: Call, nsid: str, kind: type[T], token: str, *, method: str = "GET", **how: Any) -> T:
    """An answer of the service to somebody with a permission."""
    headers = {"Authorization": f"Bearer {token}"}
    with _nothing_about_the_account():
        return (await service.ask(method, f"/xrpc/{nsid}", kind, headers=headers, to="media", **how)).value


@contextmanager
def _nothing_about_the_account() -> Iterator[None]:
    """The service knows the account only by our permission. That it does not take it does not end the connection."""
    try:
        yield
    except (Disconnected, TokenExpired) as refused:
        words = "Bluesky's video service did not take the permission for this account. It is tried again."
        raise RetryLater(words, **refused.facts | {"code": "video-permission"}) from refused


def _must_have_room(left: Left, item: MediaItem, call: Call) -> None:
    said = cut(": ".join(dict.fromkeys(each for each in (left.error, left.message) if each)), ())
    if _is_about_mail(said):
        raise Rejected(UNCONFIRMED, code="mail-unconfirmed", said=said)
    too_many = left.remainingDailyBytes is not None and left.remainingDailyBytes < item.bytes
    if too_many or left.remainingDailyVideos == 0:
        words = "Bluesky takes no more videos from this account today. It is tried again every hour."
        raise QuotaSpent(words, until=call.now() + AGAIN, code="videos-a-day", said=said)
    if not left.canUpload:
        quoted = f': "{said}"' if said else ""
        words = f"Bluesky takes no videos from this account{quoted}. Put that right there, then plan the post again."
        raise Rejected(words, code="no-videos", said=said)


def _is_about_mail(said: str) -> bool:
    return "unconfirmed_email" in said or ("email" in said.casefold() and "verif" in said.casefold())
