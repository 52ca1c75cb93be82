"""The simulated X, asked plainly: what the sheet says, at, below and above each edge."""

import base64
import hashlib
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.pictures import gif, jpeg
from tests.servers.sandbox import Person, Sandbox

Json = dict[str, Any]
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
APP = ("social", "social-in-the-sandbox")
BACK = "http://127.0.0.1:9/back"


class Asking:
    """Requests as one person."""

    def __init__(self, sandbox: Sandbox, token: str) -> None:
        self.base = f"{sandbox.url}/x"
        self._headers = {"Authorization": f"Bearer {token}"}

    def __call__(self, method: str, path: str, expect: int = 200, **how: Any) -> Any:
        answer = requests.request(method, self.base + path, headers=self._headers, timeout=20, **how)
        assert answer.status_code == expect, answer.text
        return answer.json() if answer.content else None

    def post(self, text: str = "hello", expect: int = 201, **more: Any) -> Any:
        return self("POST", "/2/tweets", expect, json={"text": text, **more})

    def upload(self, body: bytes, category: str = "tweet_image", *, chunk: int = 2**20) -> str:
        begun = {"media_type": "image/gif", "total_bytes": len(body), "media_category": category}
        id = self("POST", "/2/media/upload/initialize", json=begun)["data"]["id"]
        for index, start in enumerate(range(0, len(body), chunk)):
            piece = body[start : start + chunk]
            form: Json = {"data": {"segment_index": str(index)}, "files": {"media": ("m", piece)}}
            self("POST", f"/2/media/upload/{id}/append", **form)
        self("POST", f"/2/media/upload/{id}/finalize", json={})
        return str(id)


@pytest.fixture
def person(sandbox: Sandbox) -> Person:
    return sandbox.person("anna", platform="x")


@pytest.fixture
def ask(sandbox: Sandbox, person: Person) -> Asking:
    return Asking(sandbox, person["access_token"])


# Connecting


def authorize(sandbox: Sandbox, **changes: str) -> str:
    asked = {
        "response_type": "code", "client_id": "social", "redirect_uri": BACK, "scope": "tweet.read offline.access",
        "state": "s", "code_challenge": CHALLENGE, "code_challenge_method": "S256",
    }  # fmt: skip
    return requests.Request("GET", f"{sandbox.url}/x/i/oauth2/authorize", params=asked | changes).prepare().url or ""


async def code(sandbox: Sandbox) -> str:
    back = await sandbox.consent(authorize(sandbox), "anna")
    return parse_qs(urlsplit(back).query)["code"][0]


def token(sandbox: Sandbox, expect: int = 200, auth: tuple[str, str] | None = APP, **form: str) -> Json:
    answer = requests.post(f"{sandbox.url}/x/2/oauth2/token", data=form, auth=auth, timeout=20)
    assert answer.status_code == expect, answer.text
    found: Json = answer.json()
    return found


def exchange(sandbox: Sandbox, given: str, expect: int = 200, **changes: str) -> Json:
    form = {"grant_type": "authorization_code", "code": given, "redirect_uri": BACK, "code_verifier": VERIFIER}
    return token(sandbox, expect, **(form | changes))


async def test_a_code_becomes_a_token_once(sandbox: Sandbox) -> None:
    given = await code(sandbox)
    first = exchange(sandbox, given)
    assert (first["token_type"], first["expires_in"]) == ("bearer", 7200)
    assert exchange(sandbox, given, 400)["error"] == "invalid_request"


@pytest.mark.parametrize("wrong", [{"code_verifier": "w" * 43}, {"redirect_uri": "http://127.0.0.1:9/other"}])
async def test_a_code_with_something_wrong_is_refused(wrong: dict[str, str], sandbox: Sandbox) -> None:
    assert exchange(sandbox, await code(sandbox), 400, **wrong)["error"] == "invalid_request"


async def test_a_code_is_good_for_a_moment_only(sandbox: Sandbox) -> None:
    given = await code(sandbox)
    sandbox.trouble(x={"code_lives": 0.0})
    time.sleep(0.01)
    exchange(sandbox, given, 400)


async def test_a_client_with_a_secret_needs_it(sandbox: Sandbox) -> None:
    given = await code(sandbox)
    form = {"grant_type": "authorization_code", "code": given, "redirect_uri": BACK, "code_verifier": VERIFIER}
    for auth in (None, ("social", "wrong"), ("nobody", "x")):
        assert token(sandbox, 401, auth, client_id="social", **form)["error"] == "unauthorized_client"


async def test_a_refusal_comes_back_as_one(sandbox: Sandbox) -> None:
    back = await sandbox.consent(authorize(sandbox), "anna", deny=True)
    assert parse_qs(urlsplit(back).query) == {"error": ["access_denied"], "state": ["s"]}


@pytest.mark.parametrize("wrong", [{"client_id": "nobody"}, {"scope": "everything"}, {"state": "s" * 501}])
def test_a_wrong_question_is_answered_by_a_page(wrong: dict[str, str], sandbox: Sandbox) -> None:
    assert requests.get(authorize(sandbox, **wrong), timeout=20).status_code == 400


async def test_a_refresh_token_is_good_once_and_its_replay_ends_everything(sandbox: Sandbox) -> None:
    first = exchange(sandbox, await code(sandbox))
    again = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = token(sandbox, **again)
    assert second["refresh_token"] != first["refresh_token"]
    token(sandbox, 400, **again)
    token(sandbox, 400, grant_type="refresh_token", refresh_token=second["refresh_token"])


async def test_a_refresh_token_may_also_stay(sandbox: Sandbox) -> None:
    sandbox.trouble(x={"refresh": "stays"})
    first = exchange(sandbox, await code(sandbox))
    again = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    assert token(sandbox, **again)["refresh_token"] == first["refresh_token"]
    token(sandbox, **again)


def test_a_token_that_was_given_back_opens_nothing(ask: Asking, person: Person, sandbox: Sandbox) -> None:
    form = {"token": person["access_token"]}
    answer = requests.post(f"{sandbox.url}/x/2/oauth2/revoke", data=form, auth=APP, timeout=20)
    assert answer.json() == {"revoked": True}
    assert ask("GET", "/2/users/me", 401)["title"] == "Unauthorized"


def test_a_missing_scope_is_forbidden(sandbox: Sandbox) -> None:
    reader = Asking(sandbox, sandbox.person("anna", platform="x", scopes=["tweet.read", "users.read"])["access_token"])
    reader("GET", "/2/users/me")
    reader.post(expect=403)


# Posts


@pytest.mark.parametrize(
    ("piece", "weight"),
    [
        ("x", 1), ("é", 1), ("e\u0301", 1), ("日", 2), ("한", 2),
        ("👨‍👩‍👧‍👦", 2), ("🇩🇪", 2), ("👍🏽", 2), ("1️⃣", 2), ("“", 1),
        ("https://example.org/a/very/long/address/that/goes/on/and/on ", 24),
        ("http://a.de ", 24), ("example.org ", 24),
    ],
)  # fmt: skip
def test_text_is_weighed(piece: str, weight: int, ask: Asking) -> None:
    most = 280 // weight
    fits = piece * most + "." * (280 - most * weight)
    ask.post(fits)
    ask.post(fits + ".", expect=403)


def test_premium_posts_are_long_and_cut_where_they_are_listed(ask: Asking, person: Person, sandbox: Sandbox) -> None:
    sandbox.trouble(x={"subscription": "Premium"})
    ask.post("y" * 25_001, expect=403)
    ask.post("y" * 25_000)
    listed = ask("GET", f"/2/users/{person['account_id']}/tweets")["data"][0]
    assert (len(listed["text"]), len(listed["note_tweet"]["text"])) == (280, 25_000)


@pytest.mark.parametrize(
    "body",
    [
        {"text": "a", "unknown": 1}, {"text": ""}, {"text": 7},
        {"text": "a", "poll": {"options": ["a"], "duration_minutes": 5}},
        {"text": "a", "poll": {"options": ["a", "b" * 26], "duration_minutes": 5}},
        {"text": "a", "poll": {"options": ["a", "b"], "duration_minutes": 4}},
        {"text": "a", "poll": {"options": ["a", "b"], "duration_minutes": 10_081}},
        {"text": "a", "poll": {"options": ["a", "b"], "duration_minutes": 5}, "quote_tweet_id": "1"},
        {"text": "a", "media": {"media_ids": []}}, {"text": "a", "media": {"media_ids": ["1"] * 5}},
        {"text": "a", "reply_settings": "nobody"}, {"text": "a\ufeff"},
    ],
)  # fmt: skip
def test_a_body_that_is_not_right_is_refused(body: Json, ask: Asking, sandbox: Sandbox) -> None:
    assert ask("POST", "/2/tweets", 400, json=body)["errors"][0]["message"]
    assert sandbox.statuses(platform="x") == []


def test_who_may_answer_whom(ask: Asking, sandbox: Sandbox) -> None:
    berta = Asking(sandbox, sandbox.person("berta", platform="x")["access_token"])
    plain = berta.post("hello")["data"]["id"]
    asking = berta.post("what do you say, @anna?")["data"]["id"]
    ask.post("no", expect=403, reply={"in_reply_to_tweet_id": plain})
    ask.post("this", reply={"in_reply_to_tweet_id": asking})
    assert "deleted" in ask.post("to nobody", expect=403, reply={"in_reply_to_tweet_id": "17"})["detail"]
    sandbox.trouble(x={"own_replies": False})
    own = ask.post("mine")["data"]["id"]
    ask.post("and mine", expect=403, reply={"in_reply_to_tweet_id": own})


POSTING = {
    "credits": 402, "payment": 402, "usage-capped": 429, "not-enrolled": 403, "official-only": 403, "locked": 403,
    "not-permitted": 403, "long-video": 403, "reply-rule": 403, "unsupported-authentication": 403, "code-88": 429,
}  # fmt: skip


@pytest.mark.parametrize(("kind", "status"), POSTING.items())
def test_every_refusal_of_the_sheet_can_be_had(kind: str, status: int, ask: Asking, sandbox: Sandbox) -> None:
    sandbox.trouble(x={"posting": kind})
    ask.post(expect=status)
    assert sandbox.statuses(platform="x") == []


def test_the_newer_spelling(ask: Asking, person: Person, sandbox: Sandbox) -> None:
    sandbox.trouble(x={"spelling": "post"})
    first = ask.post("one")["data"]
    assert first["edit_history_post_ids"] == [first["id"]]
    ask.post("two", reply={"in_reply_to_tweet_id": first["id"]})
    listed = ask("GET", f"/2/users/{person['account_id']}/tweets")["data"]
    assert listed[0]["referenced_posts"] == [{"type": "replied_to", "id": first["id"]}]


def test_lists_are_behind_if_they_are_told_to(ask: Asking, person: Person, sandbox: Sandbox) -> None:
    sandbox.trouble(x={"read_lag": 30})
    ask.post()
    assert ask("GET", f"/2/users/{person['account_id']}/tweets") == {"meta": {"result_count": 0}}


# Files


def test_a_picture_in_one_request_with_its_words(ask: Asking, sandbox: Sandbox) -> None:
    form: Json = {"data": {"media_category": "tweet_image"}, "files": {"media": ("p.jpg", jpeg(40, 30), "image/jpeg")}}
    media = ask("POST", "/2/media/upload", **form)["data"]
    assert media["image"] == {"w": 40, "h": 30, "image_type": "image/jpeg"}
    words = {"id": media["id"], "metadata": {"alt_text": {"text": "a river"}}}
    ask("POST", "/2/media/metadata", json=words)
    ask.post("look", media={"media_ids": [media["id"]]})
    assert [each["alt"] for each in sandbox.statuses(platform="x")[0]["media"]] == ["a river"]


def test_a_picture_in_base64(ask: Asking) -> None:
    body = {"media": base64.b64encode(jpeg(40, 30)).decode(), "media_category": "tweet_image"}
    ask.post("look", media={"media_ids": [ask("POST", "/2/media/upload", json=body)["data"]["id"]]})


def test_a_gif_in_chunks_is_processed_and_stands_alone(ask: Asking, sandbox: Sandbox) -> None:
    sandbox.trouble(x={"processing": 0.3})
    moving = gif(frames=4)
    id = ask.upload(moving, "tweet_gif", chunk=100)
    assert (
        ask("GET", f"/2/media/upload?command=STATUS&media_id={id}")["data"]["processing_info"]["state"] != "succeeded"
    )
    ask.post("too early", expect=400, media={"media_ids": [id]})
    time.sleep(0.35)
    assert (
        ask("GET", f"/2/media/upload?command=STATUS&media_id={id}")["data"]["processing_info"]["state"] == "succeeded"
    )
    still = ask(
        "POST",
        "/2/media/upload",
        json={"media": base64.b64encode(jpeg(40, 30)).decode(), "media_category": "tweet_image"},
    )
    ask.post("both", expect=400, media={"media_ids": [id, still["data"]["id"]]})
    ask.post("alone", media={"media_ids": [id]})


def test_a_file_may_fail(ask: Asking, sandbox: Sandbox) -> None:
    sandbox.trouble(x={"processing": 0, "processing_fails": True})
    id = ask.upload(gif(frames=2), "tweet_gif")
    info = ask("GET", f"/2/media/upload?command=STATUS&media_id={id}")["data"]["processing_info"]
    assert (info["state"], info["error"]["name"]) == ("failed", "InvalidMedia")


def test_chunks_must_be_small_and_add_up(ask: Asking, sandbox: Sandbox) -> None:
    sandbox.trouble(x={"chunk_most": 1000})
    begun = {"media_type": "image/gif", "total_bytes": 2000, "media_category": "tweet_gif"}
    id = ask("POST", "/2/media/upload/initialize", json=begun)["data"]["id"]
    piece: Json = {"data": {"segment_index": "0"}, "files": {"media": ("m", b"x" * 1001)}}
    assert ask("POST", f"/2/media/upload/{id}/append", 413, **piece) is None
    ask("POST", f"/2/media/upload/{id}/append", data={"segment_index": "0"}, files={"media": ("m", b"x" * 1000)})
    ask("POST", f"/2/media/upload/{id}/finalize", 400, data=b"")
    problem = ask("POST", f"/2/media/upload/{id}/finalize", 400, json={})
    assert "do not add up" in problem["errors"][0]["message"]


def test_an_upload_does_not_last(ask: Asking, sandbox: Sandbox) -> None:
    id = ask.upload(gif(frames=2), "tweet_gif")
    sandbox.trouble(x={"media_lives": 0.0})
    ask.post("late", expect=400, media={"media_ids": [id]})


@pytest.mark.parametrize("body", [b"no picture", b""])
def test_what_is_no_picture_is_refused(body: bytes, ask: Asking) -> None:
    form: Json = {"data": {"media_category": "tweet_image"}, "files": {"media": ("p.jpg", body, "image/jpeg")}}
    ask("POST", "/2/media/upload", 400, **form)


# Trouble


@pytest.mark.parametrize(
    ("group", "asked"),
    [
        ("publish", ("POST", "/2/tweets", {"json": {"text": "hello"}})),
        ("upload", ("POST", "/2/media/upload/initialize", {"json": {}})),
        ("read", ("GET", "/2/users/me", {})),
        ("edit", ("DELETE", "/2/tweets/17", {})),
    ],
)
def test_trouble_hits_its_group_and_its_platform(
    group: str, asked: tuple[str, str, Json], ask: Asking, sandbox: Sandbox
) -> None:
    method, path, how = asked
    sandbox.trouble(**{group: {"status": 503, "platform": "x"}})
    assert ask(method, path, 503, **how)["title"] == "Service Unavailable"
    sandbox.trouble(**{group: {"status": 503, "platform": "mastodon"}})
    assert requests.request(method, ask.base + path, timeout=20, headers=ask._headers, **how).status_code != 503


def test_a_lost_answer_was_done(ask: Asking, sandbox: Sandbox) -> None:
    sandbox.trouble(publish={"hang_up": "after", "count": 1})
    with pytest.raises(requests.ConnectionError):
        ask.post()
    assert [post["text"] for post in sandbox.statuses(platform="x")] == ["hello"]


def test_a_killed_one_comes_back_with_what_it_had(ask: Asking, sandbox: Sandbox) -> None:
    id = ask.post()["data"]["id"]
    sandbox.kill()
    sandbox.start()
    assert ask("GET", f"/2/tweets/{id}")["data"]["text"] == "hello"
    assert int(ask.post("later")["data"]["id"]) > int(id)
