"""The simulated video service: what it wants, how far a job is, and what becomes of it."""

import time
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from atproto import Client, models
from atproto_client.models.dot_dict import DotDict

from tests.media import films
from tests.sandbox.bluesky import POST, OAuthClient, Xrpc, tid
from tests.sandbox.conftest import MP4
from tests.servers.sandbox import Sandbox

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=")  # the way of atproto with httpx

VIDEO = "app.bsky.video"
SERVICE = "did:web:video.bsky.app"
HANDS_ON = "com.atproto.repo.uploadBlob"


def host(caller: Xrpc) -> str:
    did: str = caller.get("com.atproto.server.describeServer").json()["did"]
    return did


def permission(caller: Xrpc, audience: str, method: str) -> str:
    token: str = caller.get("com.atproto.server.getServiceAuth", aud=audience, lxm=method).json()["token"]
    return token


def handed_in(
    caller: Xrpc, film: bytes, *, token: str | None = None, mime: str = "video/mp4", did: str | None = None
) -> requests.Response:
    token = permission(caller, host(caller), HANDS_ON) if token is None else token
    asked = {"did": did or caller.did, "name": "film.mp4"}
    headers = {"Content-Type": mime}
    return caller.post(f"{VIDEO}.uploadVideo", token=token, params=asked, data=film, headers=headers)


def status(caller: Xrpc, job: str) -> dict[str, Any]:
    found: dict[str, Any] = Xrpc(caller.sandbox).get(f"{VIDEO}.getJobStatus", jobId=job).json()["jobStatus"]
    return found


def ended(caller: Xrpc, job: str) -> dict[str, Any]:
    """The job, once nobody works on it."""
    deadline = time.monotonic() + 20
    while (found := status(caller, job))["state"] not in ("JOB_STATE_COMPLETED", "JOB_STATE_FAILED"):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def limits(caller: Xrpc) -> dict[str, Any]:
    token = permission(caller, SERVICE, f"{VIDEO}.getUploadLimits")
    found: dict[str, Any] = caller.get(f"{VIDEO}.getUploadLimits", token=token).json()
    return found


def test_a_video_is_worked_on_and_then_can_be_posted(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(bluesky={"video_working": 1.0})
    film = films.of_size(6_000)

    begun = handed_in(bluesky, film).json()
    done = ended(bluesky, begun["jobId"])

    assert (begun["did"], begun["state"], "blob" in begun) == (bluesky.did, "JOB_STATE_CREATED", False)
    assert (done["blob"]["mimeType"], done["blob"]["size"]) == ("video/mp4", 6_000)
    embed = {"$type": "app.bsky.embed.video", "video": done["blob"], "alt": "a film"}
    assert bluesky.put(tid(1), embed=embed).status_code == 200
    shown = bluesky.get("com.atproto.sync.getBlob", did=bluesky.did, cid=done["blob"]["ref"]["$link"])
    assert shown.content == film


def test_a_job_goes_through_its_states(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(bluesky={"video_working": 2.0})
    job = handed_in(bluesky, films.short()).json()["jobId"]
    seen = []
    while not seen or seen[-1] != "JOB_STATE_COMPLETED":
        seen.append(status(bluesky, job)["state"])
        time.sleep(0.05)
    states = ("CREATED", "ENCODING", "ENCODED", "SCANNING", "SCANNED", "UPLOADING", "UPLOADED", "COMPLETED")
    assert len(set(seen)) > 2
    assert seen == sorted(seen, key=[f"JOB_STATE_{each}" for each in states].index)


@pytest.mark.parametrize("answers", ["bare", "wrapped"])
def test_an_upload_is_answered_in_one_of_two_ways(answers: str, sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(bluesky={"video_answers": answers})
    said = handed_in(bluesky, films.short()).json()
    assert ("jobStatus" in said) == (answers == "wrapped")
    assert (said["jobStatus"] if answers == "wrapped" else said)["jobId"]


@pytest.mark.parametrize(("known", "code"), [("blob", 200), ("job", 409)])
def test_the_same_video_again_is_known(known: str, code: int, sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(bluesky={"known_video": known, "video_working": 0})
    done = ended(bluesky, handed_in(bluesky, films.short()).json()["jobId"])

    again = handed_in(bluesky, films.short())

    assert (again.status_code, again.json()["error"], again.json()["jobId"]) == (code, "already_exists", done["jobId"])
    assert again.json().get("blob") == (done["blob"] if known == "blob" else None)


def test_the_same_video_while_it_is_worked_on_is_the_same_job(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(bluesky={"video_working": 30})
    jobs = {handed_in(bluesky, films.short()).json()["jobId"] for _ in range(2)}
    assert len(jobs) == 1


def test_a_permission_is_for_one_method_at_one_server_by_one_account(
    sandbox: Sandbox, bluesky: Xrpc, as_bluesky: Any
) -> None:
    other = as_bluesky("other")
    forged = {"iss": bluesky.did, "aud": host(bluesky), "lxm": HANDS_ON, "exp": int(time.time()) + 60}
    for token in (
        "",
        "nonsense",
        bluesky.token,
        permission(bluesky, SERVICE, HANDS_ON),
        permission(bluesky, host(bluesky), f"{VIDEO}.uploadVideo"),
        permission(other, host(bluesky), HANDS_ON),
        jwt.encode(forged, "another secret, as long as it has to be", "HS256"),
    ):
        refused = handed_in(bluesky, films.short(), token=token)
        assert refused.status_code == 401, token
    unasked = bluesky.get(f"{VIDEO}.getUploadLimits", token=permission(bluesky, host(bluesky), HANDS_ON))
    assert unasked.status_code == 401
    assert limits(bluesky)["remainingDailyVideos"] == 25


def test_an_oauth_session_may_permit_it_only_with_its_scope(sandbox: Sandbox) -> None:
    asked = {"aud": SERVICE, "lxm": f"{VIDEO}.getUploadLimits"}
    for scope, code in (
        ("atproto transition:generic", 200),
        (f"atproto rpc:{VIDEO}.getUploadLimits?aud={SERVICE}", 200),
        ("atproto", 403),
    ):
        client = OAuthClient(sandbox, scope=scope).connected()
        assert client.call("GET", "com.atproto.server.getServiceAuth", params=asked).status_code == code


def test_only_an_mp4_of_a_known_length_is_taken(bluesky: Xrpc) -> None:
    assert handed_in(bluesky, films.short(), mime="video/webm").status_code == 400
    assert handed_in(bluesky, iter([films.short()])).status_code == 400  # type: ignore[arg-type]  # chunked
    assert limits(bluesky)["remainingDailyVideos"] == 25


def test_what_is_no_film_or_too_long_fails(sandbox: Sandbox, bluesky: Xrpc, tmp_path: Path) -> None:
    sandbox.trouble(bluesky={"video_working": 0, "video_seconds": 1})
    long = films.film(tmp_path / "long.mp4", size=(32, 18), seconds=1.5, audio=None).read_bytes()
    for film in (MP4, b"no film at all", long):
        done = ended(bluesky, handed_in(bluesky, film).json()["jobId"])
        assert (done["state"], done["failureCode"]) == ("JOB_STATE_FAILED", "validation_failure")
        assert "blob" not in done


def test_a_video_that_failed_is_worked_on_anew(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(bluesky={"video_working": 0, "video_fails": "encoding_failure"})
    failed = ended(bluesky, handed_in(bluesky, films.short()).json()["jobId"])
    sandbox.trouble(bluesky={"video_working": 0})
    again = ended(bluesky, handed_in(bluesky, films.short()).json()["jobId"])
    assert (failed["failureCode"], again["state"]) == ("encoding_failure", "JOB_STATE_COMPLETED")


def test_a_day_has_its_limits(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(bluesky={"videos_a_day": 2, "video_bytes_a_day": 20_000})
    first = limits(bluesky)
    for _ in range(2):
        assert handed_in(bluesky, films.of_size(5_000)).status_code == 200

    assert first == {"canUpload": True, "remainingDailyVideos": 2, "remainingDailyBytes": 20_000}
    spent = limits(bluesky)
    assert (spent["canUpload"], spent["remainingDailyVideos"], spent["remainingDailyBytes"]) == (False, 0, 10_000)
    assert handed_in(bluesky, films.short()).json()["error"] == "DailyLimitExceeded"


def test_an_address_that_is_not_confirmed_may_upload_nothing(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(bluesky={"email_confirmed": False})
    assert bluesky.get("com.atproto.server.getSession").json()["emailConfirmed"] is False
    assert (limits(bluesky)["canUpload"], limits(bluesky)["error"]) == (False, "unconfirmed_email")
    assert handed_in(bluesky, films.short()).json()["error"] == "unconfirmed_email"


def test_a_job_that_nobody_knows(bluesky: Xrpc) -> None:
    assert bluesky.get(f"{VIDEO}.getJobStatus", jobId="none").status_code == 404


def test_a_library_of_others_goes_the_whole_way(
    sandbox: Sandbox, bluesky: Xrpc, request: pytest.FixtureRequest
) -> None:
    sandbox.trouble(bluesky={"video_answers": "wrapped"})  # it reads nothing but what the schema says
    client, service = (Client(base_url=f"{sandbox.url}/bluesky") for _ in range(2))
    request.addfinalizer(client.request.close)
    request.addfinalizer(service.request.close)
    client.login("author.test", bluesky.person["app_password"])

    def permit(audience: str, method: str) -> dict[str, str]:
        params = models.ComAtprotoServerGetServiceAuth.Params(aud=audience, lxm=method)
        return {"Authorization": f"Bearer {client.com.atproto.server.get_service_auth(params).token}"}

    left = service.app.bsky.video.get_upload_limits(headers=permit(SERVICE, f"{VIDEO}.getUploadLimits"))
    assert (left.can_upload, left.remaining_daily_videos) == (True, 25)
    headers = permit(host(bluesky), HANDS_ON) | {"Content-Type": "video/mp4"}
    sent = DotDict({"did": bluesky.did, "name": "film.mp4"})  # of which the schema says nothing
    begun = service.app.bsky.video.upload_video(films.short(), headers=headers, params=sent).job_status
    deadline = time.monotonic() + 20
    while True:
        job = service.app.bsky.video.get_job_status({"job_id": begun.job_id}).job_status
        if job.blob:
            break
        assert time.monotonic() < deadline, job
    embed = models.AppBskyEmbedVideo.Main(video=job.blob, alt="a film")
    posted = client.send_post("with a film", embed=embed)

    assert posted.uri.startswith(f"at://{bluesky.did}/{POST}/")
    assert job.blob.size == len(films.short())
    assert [item["alt"] for item in sandbox.statuses()[0]["media"]] == ["a film"]


def test_a_job_outlives_a_kill(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "sandbox")
    sandbox.start()
    try:
        sandbox.trouble(bluesky={"video_working": 2.0})
        caller = Xrpc(sandbox, sandbox.person("author", platform="bluesky"))
        job = handed_in(caller, films.short()).json()["jobId"]
        sandbox.kill()
        sandbox.start()
        assert ended(caller, job)["blob"]["size"] == len(films.short())
        caller.close()
    finally:
        sandbox.stop()
