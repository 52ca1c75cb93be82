"""Processes are told apart by more than their number, and logs do not grow for ever."""

import subprocess
import sys
from pathlib import Path

import msgspec

from social.embedded import logfile
from social.embedded.child import Mark, Register, born

SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)",
]


async def test_what_a_killed_run_left_behind_is_ended(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEPS) as left, subprocess.Popen(STUBBORN, stdout=subprocess.PIPE) as stubborn:
        assert stubborn.stdout
        stubborn.stdout.readline()
        register = Register(tmp_path / "children.json")
        register.add("one that listens", left.pid)
        register.add("one that does not", stubborn.pid)

        told: list[str] = []
        await Register(tmp_path / "children.json").end_leftovers(told.append)

        assert (left.wait(), stubborn.wait()) == (-15, -9)
        assert len(told) == 2


async def test_a_stranger_with_the_same_number_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEPS) as stranger:
        birth = born(stranger.pid)
        assert birth
        marks = [Mark("another boot", stranger.pid, f"x{birth}"), Mark("another start", stranger.pid, f"{birth}0")]
        (tmp_path / "children.json").write_bytes(msgspec.json.encode(marks))

        await Register(tmp_path / "children.json").end_leftovers(print)

        assert stranger.poll() is None
        stranger.kill()


def test_a_log_that_has_grown_begins_again(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_bytes(b"x" * (logfile.LIMIT + 1))

    logfile.bound(path)

    assert path.stat().st_size == 0
    assert path.with_name("server.log.1").stat().st_size == logfile.LIMIT + 1


def test_the_reason_of_a_death_is_found_in_the_log() -> None:
    said = [
        '{"s":"I","msg":"Hi"}',
        '{"s":"E","msg":"Cannot start","attr":{"error":"Wrong version"}}',
        '{"s":"I","msg":"Bye"}',
    ]

    assert logfile.complaint("\n".join(said)) == "Cannot start: Wrong version"
    assert logfile.complaint("starting\nno such option\n\n") == "no such option"
    assert logfile.complaint("") == ""
