"""`social up`: everything at once, stopped and killed in every way."""

import http.client
import os
import re
import signal
import time
from pathlib import Path

from social.embedded.up import SERVERS_GRACE
from tests.embedded.commands import Command, gone, refusal, running

READY_WITHIN = 10.0  # seconds from the second start to the first answer, on a machine that has nothing else to do
BUSY_WITHIN = 60.0  # on one that runs other tests beside it
IDLE = 0.5  # processes that want each core, at most, on a machine that has nothing else to do


def test_everything_starts_says_where_it_is_and_stops(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running("up", "--port", "0", data=data) as first:
        first.says("Ctrl-C stops everything")
        address, token = link(first)
        assert address == first.announced()["SOCIAL_PUBLIC_URL"]
        assert token == first.announced()["SOCIAL_SETUP_TOKEN"]
        assert ready(first)
        assert f"already running on {data}" in refusal("up", "--port", "0", data=data)

        first.child("serve").kill()
        first.says("Social is back")
        assert ready(first)

        children = first.children()
        first.signalled(signal.SIGKILL)

    with running("up", "--port", "0", data=data) as second:  # at once, while the others are still stopping
        second.says("Ctrl-C stops everything")
        assert gone(children)
        assert ready(second)

        children = second.children()
        assert second.interrupted() == os.EX_OK
        assert gone(children)

    began = time.monotonic()
    with running("up", "--port", "0", data=data) as third:
        third.says("Ctrl-C stops everything")
        took = time.monotonic() - began
        print(f"start of `social up` on its data: {took:.1f} s, {busy():.1f} processes for each core")
        assert took < (READY_WITHIN if busy() < IDLE else BUSY_WITHIN)
        assert link(third) == (third.announced()["SOCIAL_PUBLIC_URL"], token)

        children = third.children()
        third.child("servers").kill()
        assert third.process.wait(60) == os.EX_UNAVAILABLE
        assert "social: The servers have ended (killed by SIGKILL), so everything was stopped" in third.words
        assert gone(children)


def test_the_second_ctrl_c_waits_for_nobody(tmp_path: Path, own: dict[str, str]) -> None:
    with running("up", "--port", "0", "--no-sandbox", data=tmp_path / "data", env=own) as command:
        command.says("Ctrl-C stops everything")
        children = command.children()
        for child in children:
            child.suspend()  # would keep it waiting for as long as it may
        command.process.send_signal(signal.SIGINT)
        command.says("Stopping")

        began = time.monotonic()
        command.interrupted()

        assert time.monotonic() - began < SERVERS_GRACE
        assert gone(children)


def busy() -> float:
    """How many processes have wanted each core in the last minute."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def link(command: Command) -> tuple[str, str]:
    """The set-up link that it has printed: its address and its token."""
    found = re.search(r"(http://\S+)/setup#token=(\S+)", command.words)
    assert found, command.words
    return found[1], found[2]


def ready(command: Command) -> bool:
    """Whether /health/ready says so."""
    connection = http.client.HTTPConnection("127.0.0.1", int(command.announced()["SOCIAL_PORT"]), timeout=10)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.client.OK
    finally:
        connection.close()
