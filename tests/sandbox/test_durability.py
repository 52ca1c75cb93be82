"""A killed sandbox comes back with everything it had answered for."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.sandbox.conftest import Caller, png
from tests.servers.sandbox import Sandbox


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox of this test alone, to be killed."""
    sandbox = Sandbox(tmp_path / "sandbox")
    sandbox.start()
    yield sandbox
    sandbox.stop()


def test_post_token_key_and_picture_outlive_a_kill(own: Sandbox) -> None:
    caller = Caller(own, own.person("author"))
    media = caller.upload(png(), description="teal").json()
    waiting = caller.upload(png()).json()
    posted = caller.status("survives", key="k", media_ids=[media["id"]]).json()

    own.kill()
    own.start()

    assert caller.status("survives", key="k").json()["id"] == posted["id"]
    assert [status["text"] for status in own.statuses()] == ["survives"]
    assert requests.get(media["url"], timeout=10).content == png()
    later = caller.status("later", media_ids=[waiting["id"]]).json()
    assert int(later["id"]) > int(posted["id"])
    assert caller.statuses()[1]["media_attachments"][0]["description"] == "teal"
    caller.close()


def test_killed_while_many_write_it_keeps_every_post_it_answered(own: Sandbox) -> None:
    own.trouble(mastodon={"rate_scale": 0})
    person = own.person("author")
    answered: list[str] = []

    def write(name: int) -> None:
        caller = Caller(own, person)
        try:
            for number in range(10_000):
                reply = caller.status(f"{name}-{number}", key=f"{name}-{number}")
                if reply.status_code == 200:
                    answered.append(reply.json()["id"])
        except requests.exceptions.RequestException:
            caller.close()

    writers = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for writer in writers:
        writer.start()
    while len(answered) < 40:
        assert any(writer.is_alive() for writer in writers)
    own.kill()
    for writer in writers:
        writer.join()
    own.start()

    kept = {status["id"] for status in own.statuses()}
    assert set(answered) <= kept
    assert len({status["text"] for status in own.statuses()}) == len(kept), "no post twice"


def test_trouble_ends_with_the_process_and_half_uploads_are_swept_up(own: Sandbox) -> None:
    own.trouble(all={"status": 503})
    (own.folder / "incoming" / "half").write_bytes(b"half a file")

    own.kill()
    own.start()

    assert own.present_trouble() == {}
    assert not any((own.folder / "incoming").iterdir())


def test_asked_to_end_it_ends_at_once_and_well(own: Sandbox) -> None:
    own.trouble(publish={"delay_before": 60})
    caller = Caller(own, own.person("author"))
    ends: list[str] = []

    def post() -> None:
        try:
            ends.append(str(caller.status().status_code))
        except requests.exceptions.ConnectionError:
            ends.append("hung up")

    waiting = threading.Thread(target=post)
    waiting.start()
    while not own.requests("POST", "/api/v1/statuses"):
        assert waiting.is_alive()
    began = time.monotonic()
    assert own.stop() == 0
    waiting.join()
    assert time.monotonic() - began < 5
    assert ends == ["hung up"]
    caller.close()


def test_two_on_one_folder_are_told_apart(own: Sandbox) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "social.sandbox", "--data", str(own.folder)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 1
    assert second.stderr == f"Another sandbox works on {own.folder}.\n"
    assert second.stdout == ""


def test_a_taken_port_is_one_sentence(own: Sandbox, tmp_path: Path) -> None:
    port = own.url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "social.sandbox", "--data", str(tmp_path / "other"), "--port", port]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert second.stderr == f"The sandbox cannot listen on 127.0.0.1:{port}: Address already in use.\n"
