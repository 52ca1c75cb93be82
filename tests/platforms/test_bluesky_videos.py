"""Videos on their way to Bluesky: asked for first, handed in once, waited for, and posted when they can be shown."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from social.backing.outbound import Outbound
from social.errors import PlatformError, PreparationLost, QuotaSpent, Rejected, RetryLater
from social.moments import now
from social.platforms import PLATFORMS
from social.platforms.bluesky import BLUESKY
from social.platforms.bluesky.records import Blob
from social.platforms.bluesky.videos import SERVICE, Job, Status, outcome
from social.platforms.calls import Call
from social.platforms.contract import Content, Part, Prepared, Token
from tests.media import films
from tests.platforms.rigs.bluesky import BlueskyRig
from tests.platforms.scripted import answer, calling, scripted
from tests.servers.sandbox import Person, Sandbox

VIDEO = "/bluesky/xrpc/app.bsky.video"
BLOB = {"$type": "blob", "ref": {"$link": "bafkreia"}, "mimeType": "video/mp4", "size": 3}
JOB = msgspec.json.encode(Job(id="j1")).decode()


@pytest.fixture
def rig(sandbox: Sandbox, outbound: Outbound) -> BlueskyRig:
    return BlueskyRig(PLATFORMS["bluesky"], sandbox, outbound)


@pytest.fixture
def anna(rig: BlueskyRig) -> Person:
    return rig.person()


def uploads(rig: BlueskyRig) -> list[int]:
    """How the requests that handed in a video were answered."""
    return [each["status"] for each in rig.sandbox.requests("POST", f"{VIDEO}.uploadVideo")]


def waiting(prepared: Prepared) -> list[bool]:
    """Of each file, whether the service still had it in hand."""
    return [isinstance(msgspec.json.decode(each, type=Blob | Job), Job) for each in prepared.media]


async def test_a_video_is_posted_once_it_can_be_shown(rig: BlueskyRig, anna: Person) -> None:
    rig.sandbox.trouble(**rig.odd(video_working=0.6))
    film = rig.film("it runs", body=films.of_size(700_000))
    content = Content(text="look", media=(film,))

    prepared = await rig.prepared(anna, content)
    assert waiting(prepared) == [True]
    assert await rig.platform.ready(rig.call(anna), prepared) is None
    finished = await rig.until_ready(anna, prepared)
    assert waiting(finished) == [False]
    turned = await rig.turn(anna, content, finished)
    receipt = await rig.publish(anna, turned)

    [online] = rig.online()
    assert (online["id"], online["alts"]) == (receipt.id, ["it runs"])
    assert (await rig.publish(anna, turned)).id == receipt.id  # every attempt sends the same record
    assert await rig.look(anna, turned) is not None
    assert uploads(rig) == [200]
    assert rig.uploads() == 0  # nothing went to the account's own server by us


@pytest.mark.parametrize(
    "position", [{"video_answers": "wrapped"}, {"known_video": "job"}, {"known_video": "blob"}], ids=str
)
async def test_the_same_video_twice_is_two_posts(position: dict[str, Any], rig: BlueskyRig, anna: Person) -> None:
    rig.sandbox.trouble(**rig.odd(video_working=0, **position))
    film = rig.film("it runs")
    for text in ("one", "two"):
        await rig.published(anna, Content(text=text, media=(film,)))
    assert [post["alts"] for post in rig.online()] == [["it runs"]] * 2


async def test_an_interruption_resumes_where_it_was(rig: BlueskyRig, anna: Person) -> None:
    content = Content(text="one", media=(rig.film("a"),), thread=(Part(text="two", media=(rig.picture("b"),)),))
    saved: list[Prepared] = []

    class Killed(Exception):
        pass

    async def save(prepared: Prepared) -> None:
        saved.append(prepared)
        raise Killed

    with pytest.raises(Killed):
        await rig.platform.prepare(rig.call(anna), content, Prepared(), save)
    prepared = await rig.prepared(anna, content, saved[0])
    assert (waiting(saved[0]), waiting(prepared)) == ([True], [True, False])
    assert len(uploads(rig)) == 1
    finished = await rig.until_ready(anna, prepared)
    assert finished.media[1] == prepared.media[1]
    await rig.published(anna, content, finished)


async def test_an_upload_whose_answer_was_lost_is_known_the_next_time(rig: BlueskyRig, anna: Person) -> None:
    rig.sandbox.trouble(upload={"hang_up": "after", "count": 1})
    content = Content(text="look", media=(rig.film("it runs"),))
    with pytest.raises(RetryLater):
        await rig.prepared(anna, content)
    await rig.published(anna, content)
    assert [post["alts"] for post in rig.online()] == [["it runs"]]


async def test_an_account_without_a_confirmed_address_is_told_so_before_a_byte_is_sent(
    rig: BlueskyRig, anna: Person
) -> None:
    rig.sandbox.trouble(**rig.odd(email_confirmed=False))
    with pytest.raises(Rejected) as refused:
        await rig.prepared(anna, Content(text="look", media=(rig.film(),)))
    assert "e-mail address is confirmed" in refused.value.sentence
    assert uploads(rig) == []


@pytest.mark.parametrize("spent", [{"videos_a_day": 1}, {"video_bytes_a_day": 5_000}], ids=str)
async def test_what_a_day_holds_is_asked_before_a_byte_is_sent(
    spent: dict[str, Any], rig: BlueskyRig, anna: Person
) -> None:
    await rig.prepared(anna, Content(text="look", media=(rig.film(),)))
    rig.sandbox.trouble(**rig.odd(**spent))
    with pytest.raises(QuotaSpent) as refused:
        await rig.prepared(anna, Content(text="look", media=(rig.film(body=films.of_size(6_000)),)))
    assert refused.value.facts["code"] == "videos-a-day"
    assert timedelta(minutes=59) < refused.value.until - now() <= timedelta(hours=1)
    assert len(uploads(rig)) == 1


FAILURES = {
    "validation_failure": (Rejected, "bad-file", "Replace it"),
    "pds_upload_unsupported_blob_size": (Rejected, "too-big", "shorter or smaller"),
    "encoding_failure": (PreparationLost, "video-failed", "uploaded again"),
    "pds_upload_failure": (PreparationLost, "video-failed", "uploaded again"),
    "generic_failure": (PreparationLost, "video-failed", "uploaded again"),
}


@pytest.mark.parametrize("code", FAILURES)
async def test_a_job_that_fails_says_what_happens_next(code: str, rig: BlueskyRig, anna: Person) -> None:
    error, named, words = FAILURES[code]
    rig.sandbox.trouble(**rig.odd(video_fails=code))
    prepared = await rig.prepared(anna, Content(text="look", media=(rig.film(),)))
    with pytest.raises(error) as failed:
        await rig.until_ready(anna, prepared)
    assert (failed.value.facts["code"], words in failed.value.sentence) == (named, True)


async def test_a_job_that_is_forgotten_is_begun_anew(rig: BlueskyRig, anna: Person) -> None:
    with pytest.raises(PreparationLost):
        await rig.platform.ready(rig.call(anna), Prepared(media=(JOB,)))


async def test_a_video_that_is_worked_on_is_not_posted(rig: BlueskyRig, anna: Person) -> None:
    content = Content(text="look", media=(rig.film(),))
    with pytest.raises(PreparationLost):
        await rig.published(anna, content, Prepared(media=(JOB,)))
    assert rig.online() == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (Status(error="unconfirmed_email"), Rejected),
        (Status(error="ServiceOverloaded", message="later"), PreparationLost),
        (Status(jobId="j", state="JOB_STATE_FAILED"), PreparationLost),
    ],
)
def test_an_answer_without_a_job_or_with_a_failed_one_is_an_error(status: Status, error: type[PlatformError]) -> None:
    with pytest.raises(error):
        outcome(status)


def test_a_blob_counts_whatever_else_is_said() -> None:
    said = {"jobId": "j", "state": "JOB_STATE_FAILED", "error": "already_exists", "blob": BLOB}
    assert outcome(msgspec.convert(said, Status)) == msgspec.convert(BLOB, Blob)
    assert outcome(Status(jobId="j", state="JOB_STATE_ENCODING")) is None
    assert (
        outcome(Status(jobId="j", state="JOB_STATE_COMPLETED", error="already_exists")) is None
    )  # its blob is asked for


TOKEN = answer(200, {"token": "eyJ.the.token"})
ROOM = answer(200, {"canUpload": True})
WHO = answer(200, {"did": "did:plc:anna"})
HOME = answer(200, {"did": "did:web:pds.example"})


async def test_the_service_gets_a_permission_and_never_the_accounts_own_token(rig: BlueskyRig) -> None:
    handed = answer(200, {"did": "did:plc:anna", "jobId": "j1", "state": "JOB_STATE_CREATED"})
    content = Content(text="", media=(rig.film(),))
    async with scripted(TOKEN, ROOM, WHO, HOME, TOKEN, handed) as server, calling(BLUESKY, server) as call:
        prepared = await prepared_by(rig, call, content)
    ours = "Bearer the-access-token"
    permitted = "Bearer eyJ.the.token"
    assert [
        (each.path.partition("?")[0].rpartition(".")[2], each.headers["authorization"]) for each in server.requests
    ] == [
        ("getServiceAuth", ours),
        ("getUploadLimits", permitted),
        ("getSession", ours),
        ("describeServer", ours),
        ("getServiceAuth", ours),
        ("uploadVideo", permitted),
    ]
    first, _, _, _, second, last = (each.path for each in server.requests)
    assert "aud=did:web:video.bsky.app&lxm=app.bsky.video.getUploadLimits&exp=" in first
    assert "aud=did:web:pds.example&lxm=com.atproto.repo.uploadBlob&exp=" in second
    assert last.endswith(f"?did=did:plc:anna&name={content.media[0].media_id}.mp4")
    assert (server.requests[-1].headers["content-type"], server.requests[-1].body) == ("video/mp4", films.short())
    assert prepared.media == (JOB,)


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ((TOKEN, answer(401, {"error": "AuthMissing"})), RetryLater),
        ((TOKEN, answer(400, {"error": "InvalidToken"})), RetryLater),
        ((TOKEN, answer(403, {"error": "Forbidden"})), RetryLater),
        ((TOKEN, answer(200, {"canUpload": False, "message": "Not from you"})), Rejected),
        ((TOKEN, answer(200, {"canUpload": False, "message": "Please verify your email"})), Rejected),
        ((TOKEN, answer(200, {"canUpload": True, "remainingDailyVideos": 0})), QuotaSpent),
        ((TOKEN, answer(200, {"canUpload": True, "remainingDailyBytes": 0})), QuotaSpent),
        ((TOKEN, ROOM, WHO, HOME, TOKEN, answer(413, {"error": "PayloadTooLarge"})), Rejected),
        ((TOKEN, ROOM, WHO, HOME, TOKEN, answer(503, b"<html>")), RetryLater),
        (
            (TOKEN, ROOM, WHO, HOME, TOKEN, answer(200, {"jobStatus": {"error": "unconfirmed_email", "jobId": ""}})),
            Rejected,
        ),
        ((TOKEN, ROOM, WHO, HOME, TOKEN, "hang up"), RetryLater),
    ],
)
async def test_what_the_service_refuses_says_nothing_of_the_connection(
    answers: Any, error: type[PlatformError], rig: BlueskyRig
) -> None:
    async with scripted(*answers) as server, calling(BLUESKY, server) as call:
        with pytest.raises(error) as refused:
            await prepared_by(rig, call, Content(text="", media=(rig.film(),)))
    assert refused.value.sentence.endswith(".")


@pytest.mark.parametrize(
    "said", [answer(401, {"error": "AuthMissing"}), answer(403, {"error": "Forbidden"}), answer(502, b"<html>")]
)
async def test_a_question_about_a_job_that_is_refused_is_asked_again(said: bytes) -> None:
    async with scripted(said) as server, calling(BLUESKY, server) as call:
        with pytest.raises(RetryLater):
            await BLUESKY.ready(call, Prepared(media=(JOB,)))


async def prepared_by(rig: BlueskyRig, call: Call, content: Content) -> Prepared:
    async def save(_: Prepared) -> None:
        return None

    call.reading = rig._reading
    return await BLUESKY.prepare(call, content, Prepared(), save)


async def test_the_service_is_where_bluesky_has_it_and_in_the_sandbox_where_all_is(
    outbound: Outbound, rig: BlueskyRig, anna: Person
) -> None:
    live = Call.to(BLUESKY, "https://pds.example", "live", outbound=outbound, patience=1, token=Token(access="a"))
    assert (live.beside(SERVICE).origin, live.beside(SERVICE).token) == (SERVICE, None)
    assert (rig.call(anna).beside(SERVICE).origin, rig.call(anna).beside(SERVICE).token) == (rig.origin, None)
