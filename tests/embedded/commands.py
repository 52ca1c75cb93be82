"""`social` as a person runs it: a process with a data folder, whose words and children can be looked at."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0  # seconds; what is waited for takes 5 on an idle machine


class Command:
    """`social ARGUMENTS --data DATA`, running."""

    def __init__(self, *arguments: str, data: Path, env: Mapping[str, str] | None = None) -> None:
        self.data = data
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - `running` closes it
        self.process = subprocess.Popen(
            [sys.executable, "-m", "social", *arguments, "--data", str(data)],
            env=clean_environment() | dict(env or {}),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=self._said,
            start_new_session=True,  # a signal to the tests is none to it
        )

    @property
    def words(self) -> str:
        """Everything it has said so far."""
        return os.pread(self._said.fileno(), 2**20, 0).decode()  # pread: the place where it writes on is shared

    @property
    def pid(self) -> int:
        return self.process.pid

    def announced(self) -> dict[str, str]:
        """What DATA/run/servers.json says, once it is there."""
        path = self.data / "run/servers.json"
        eventually(lambda: path.exists() or self.over(), "the servers announce themselves")
        assert path.exists(), self.words
        return dict(json.loads(path.read_text()))

    def says(self, text: str) -> None:
        """Returns once it has said `text`."""
        eventually(lambda: text in self.words or self.over(), f"it says {text!r}")
        assert text in self.words, self.words

    def close(self) -> None:
        """Forgets what it has said."""
        self._said.close()

    def over(self) -> bool:
        return self.process.poll() is not None

    def interrupted(self) -> int:
        """The exit code after Ctrl-C."""
        return self.signalled(signal.SIGINT)

    def signalled(self, number: signal.Signals) -> int:
        """The exit code after a signal."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def children(self) -> list[psutil.Process]:
        """Every process below it, whatever its depth."""
        found: list[psutil.Process] = psutil.Process(self.pid).children(recursive=True)
        return found

    def child(self, word: str) -> psutil.Process:
        """The one process below it whose program, module or command is called `word`."""
        (found,) = [child for child in self.children() if word in names(child)]
        return found


@contextmanager
def running(*arguments: str, data: Path, env: Mapping[str, str] | None = None) -> Iterator[Command]:
    """The command, ended in any case when the context ends."""
    command = Command(*arguments, data=data, env=env)
    try:
        yield command
    finally:
        if not command.over():
            command.interrupted()
        command.close()


def refusal(*arguments: str, data: Path, env: Mapping[str, str] | None = None) -> str:
    """What the command says when it cannot be done: one sentence, and an exit code that says so too."""
    with running(*arguments, data=data, env=env) as command:
        assert command.process.wait(PATIENCE) == os.EX_UNAVAILABLE, command.words
        (sentence,) = [line for line in command.words.splitlines() if line.startswith("social: ")]
        assert "Traceback" not in command.words
        return sentence


def names(process: psutil.Process) -> set[str]:
    """The name of its program, and what it was told to run."""
    return {process.name(), *map(os.path.basename, process.cmdline()[:4])}


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Waits until `condition` holds; fails with `what` when it does not in time."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.02)


def gone(processes: list[psutil.Process]) -> bool:
    """Whether all of them have ended. One that nobody has waited for yet has too."""
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def clean_environment() -> dict[str, str]:
    """Ours, without settings of Social."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SOCIAL_")}
