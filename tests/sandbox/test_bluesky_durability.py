"""A killed sandbox comes back with everything that Bluesky had answered for."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.sandbox.bluesky import OAuthClient, Xrpc, tid
from tests.sandbox.conftest import png
from tests.servers.sandbox import Sandbox


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox of this test alone, to be killed."""
    sandbox = Sandbox(tmp_path / "sandbox")
    sandbox.start()
    yield sandbox
    sandbox.stop()


def test_posts_blobs_and_sessions_outlive_a_kill(own: Sandbox) -> None:
    caller = Xrpc(own, own.person("author", platform="bluesky"))
    refreshed = caller.post("com.atproto.server.refreshSession", token=caller.person["refresh_token"]).json()
    waiting = caller.blob(png())
    body: dict[str, Any] = {"text": "survives", "createdAt": "2026-11-22T10:00:00Z"}
    posted = caller.put(tid(1), **body).json()

    own.kill()
    own.start()

    again = caller.put(tid(1), **body).json()
    assert again["cid"] == posted["cid"]
    assert "commit" not in again
    embed = {"$type": "app.bsky.embed.images", "images": [{"image": waiting, "alt": ""}]}
    stale = caller.put(tid(2), embed=embed, top={"swapCommit": posted["commit"]["cid"]})
    assert stale.status_code == 200
    assert [status["text"] for status in own.statuses()] == ["survives", "hello"]
    successor = caller.post("com.atproto.server.refreshSession", token=caller.person["refresh_token"]).json()
    assert successor["refreshJwt"] == refreshed["refreshJwt"]
    caller.close()


def test_an_oauth_session_its_nonces_and_its_spent_tokens_outlive_a_kill(own: Sandbox) -> None:
    client = OAuthClient(own).connected()
    old = client.tokens["refresh_token"]
    client.tokens = client.refresh().json()
    client.write(rkey=tid())
    pushed = client.push().json()

    own.kill()
    own.start()

    assert client.call("GET", "com.atproto.server.getSession", retry=False).status_code == 200
    assert client.decided(pushed["request_uri"])["code"]
    assert client.refresh(old).json()["error_description"] == "Refresh token replayed"
    assert client.call("GET", "com.atproto.server.getSession").status_code == 401


def test_killed_while_many_write_it_keeps_every_post_it_answered(own: Sandbox) -> None:
    own.trouble(bluesky={"rate_scale": 0})
    person = own.person("author", platform="bluesky")
    answered: list[str] = []

    def write(writer: int) -> None:
        caller = Xrpc(own, person)
        try:
            for number in range(10_000):
                reply = caller.put(tid(writer * 10_000 + number), text=f"{writer}-{number}")
                if reply.status_code == 200:
                    answered.append(reply.json()["uri"])
        except requests.exceptions.RequestException:
            caller.close()

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    while len(answered) < 40:
        assert any(writer.is_alive() for writer in writers)
    own.kill()
    for writer in writers:
        writer.join()
    own.start()

    kept = [status["id"] for status in own.statuses()]
    assert set(answered) <= set(kept)
    assert len(kept) == len(set(kept))


def test_emptied_it_signs_with_something_new_and_forgets_everybody(own: Sandbox) -> None:
    caller = Xrpc(own, own.person("author", platform="bluesky"))
    caller.blob(png())
    own.reset()

    assert caller.get("com.atproto.server.getSession").json()["error"] == "InvalidToken"
    assert list((own.folder / "bluesky" / "blobs").iterdir()) == []
    fresh = Xrpc(own, own.person("author", platform="bluesky"))
    own.kill()
    own.start()
    assert fresh.get("com.atproto.server.getSession").status_code == 200
    fresh.close()
    caller.close()
