"""The video service. Sheet: Video; Limits. At the same origin as all else here, although its real name is its own.

A permission by the account's host comes with whatever is handed in or asked for; a job may be looked at by anybody. A
video comes out as it went in, and is handed to the host when the work on it ends: the first look after that does it.
"""

import asyncio
import hashlib
import secrets
from pathlib import Path
from typing import Any

import jwt
from litestar import Response

from social.sandbox.bluesky import cids
from social.sandbox.bluesky.auth import STATES
from social.sandbox.bluesky.call import Call, reply
from social.sandbox.bluesky.errors import Refused, auth_missing, invalid_request, too_large
from social.sandbox.bluesky.pds import Pds
from social.sandbox.bluesky.records import Account, Blob, Json, VideoJob
from social.sandbox.clock import now_ms
from social.sandbox.files import Seen

SERVICE = "did:web:video.bsky.app"
HANDS_ON = "com.atproto.repo.uploadBlob"  # what the service does in the account's name
WORKING = ("CREATED", "ENCODING", "ENCODED", "SCANNING", "SCANNED", "UPLOADING", "UPLOADED")
DAY = 86_400_000


async def upload_video(call: Call) -> Response[bytes]:
    """The whole file in one body. The same one again is told at once what became of it."""
    pds, did = call.pds, call.needed("did")
    call.needed("name")
    account = _permitted(call, pds.did, HANDS_ON)
    if account.did != did:
        raise Refused(401, "InvalidToken", "Token is of another account")
    declared = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "video/mp4":
        raise invalid_request(f"Wrong request encoding (Content-Type): {declared or 'none'}")
    if not call.request.headers.get("content-length", "").isdecimal():
        raise invalid_request("Request encoding (Content-Length) required but not provided")
    left = _left(pds, account)
    if not left["canUpload"]:
        raise Refused(400, left["error"], left["message"])
    path = pds.incoming_folder / secrets.token_hex(12)
    try:
        digest, size = await _received(call, path)
        failure, began = await _failure(pds, path), now_ms()
        job = VideoJob(
            id=secrets.token_hex(10),
            did=did,
            cid=cids.of_digest(digest),
            size=size,
            began_ms=began,
            ends_ms=began + int(pds.oddities.video_working * 1000),
            failure=failure,
        )
        before = pds.archive.video_of(did, job.cid)
        if before is not None and before.failure is None:
            return _known(pds, before)
        path.rename(pds.blob_folder / _blob(job).file)
    finally:
        path.unlink(missing_ok=True)
    pds.archive.save_video(job)
    status = _status(pds, job)
    return reply({"jobStatus": status} if pds.oddities.video_answers == "wrapped" else status)


async def get_job_status(call: Call) -> Response[bytes]:
    """How far a job is, with its blob once that is with the host."""
    job = call.pds.archive.video(call.needed("jobId"))
    if job is None:
        raise Refused(404, "JobNotFound", "Job not found")
    return reply({"jobStatus": _status(call.pds, job)})


async def get_upload_limits(call: Call) -> Response[bytes]:
    """What an account may hand in today."""
    return reply(_left(call.pds, _permitted(call, SERVICE, call.nsid)))


def _permitted(call: Call, audience: str, method: str) -> Account:
    """The account whose host permits this. Raises Refused 401."""
    scheme, token = call.authorization
    if scheme != "bearer":
        raise auth_missing()
    try:
        claims: dict[str, Any] = jwt.decode(token, call.pds.archive.secret(), ["HS256"], audience=audience)
    except jwt.PyJWTError as error:
        raise Refused(401, "InvalidToken", f"Token could not be verified: {error}") from None
    account = call.pds.archive.account(str(claims.get("iss")))
    if account is None or claims.get("lxm") != method:
        raise Refused(401, "InvalidToken", f"Token is not for {method}")
    if call.pds.oddities.account_state != "active":
        raise Refused(401, *STATES[call.pds.oddities.account_state])
    return account


def _left(pds: Pds, account: Account) -> Json:
    if not pds.oddities.email_confirmed:
        return {"canUpload": False, "error": "unconfirmed_email", "message": "Confirm your email to upload videos"}
    today = pds.archive.videos_since(account.did, now_ms() - DAY)
    videos = max(0, pds.oddities.videos_a_day - len(today))
    left = max(0, pds.oddities.video_bytes_a_day - sum(job.size for job in today))
    words = {} if videos and left else {"error": "DailyLimitExceeded", "message": "Daily upload limit exceeded"}
    return {"canUpload": not words, "remainingDailyVideos": videos, "remainingDailyBytes": left, **words}


async def _received(call: Call, path: Path) -> tuple[bytes, int]:
    """Streams the body to `path`. Raises Refused 413."""
    hashed, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        async for chunk in call.request.stream():
            size += len(chunk)
            if size > call.pds.oddities.video_limit:
                raise too_large()
            hashed.update(chunk)
            file.write(chunk)
    return hashed.digest(), size


async def _failure(pds: Pds, path: Path) -> str | None:
    if pds.oddities.video_fails is not None:
        return pds.oddities.video_fails
    try:
        seen = await asyncio.to_thread(Seen, path)
    except ValueError:
        return "validation_failure"
    fits = seen.is_video and seen.seconds <= pds.oddities.video_seconds + 0.1
    return None if fits else "validation_failure"


def _known(pds: Pds, job: VideoJob) -> Response[bytes]:
    status = _status(pds, job)
    if "blob" not in status:
        return reply(status)
    words = {"error": "already_exists", "message": "Video already processed"}
    if pds.oddities.known_video == "blob":
        return reply(status | words)
    return reply({name: status[name] for name in ("did", "jobId", "state")} | words, 409)


def _status(pds: Pds, job: VideoJob) -> Json:
    status: Json = {"jobId": job.id, "did": job.did}
    left = job.ends_ms - now_ms()
    if left > 0:
        done = 1 - left / max(1, job.ends_ms - job.began_ms)
        return {**status, "state": f"JOB_STATE_{WORKING[int(done * len(WORKING))]}"}
    if job.failure is not None:
        words = {"error": f"video processing error for job: {job.id}", "message": "Failed to process video"}
        return {**status, "state": "JOB_STATE_FAILED", "failureCode": job.failure, **words}
    blob = _blob(job)
    if pds.blob(job.did, job.cid) is None:
        pds.archive.save_blob(blob)
    return {**status, "state": "JOB_STATE_COMPLETED", "blob": blob.ref}


def _blob(job: VideoJob) -> Blob:
    return Blob(did=job.did, cid=job.cid, mime="video/mp4", size=job.size, free_ms=now_ms())


QUERIES = {"app.bsky.video.getJobStatus": get_job_status, "app.bsky.video.getUploadLimits": get_upload_limits}
PROCEDURES = {"app.bsky.video.uploadVideo": upload_video}
