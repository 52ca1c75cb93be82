"""The product as a process again and again, forked from one that has imported it: that is what a start costs most."""

import multiprocessing
import os
import signal
import subprocess
import sys
from multiprocessing.context import ForkServerProcess
from typing import Self

from social.embedded.child import dies_with
from tests.servers.product import Product

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["__main__", "social.app"])


class Forked(Product):
    """`social serve`, as `Product` starts it, but without the imports."""

    def start(self, *, ready: bool = True, **env: str) -> Self:
        """Starts it, with more of the environment for this start alone; waits until it is `ready`, if it has a door."""
        child = FORKS.Process(target=_serve, args=({**os.environ, **self.env, **env}, str(self.log)))
        child.start()
        self._process = _Popen(child)  # type: ignore[assignment]
        if ready:
            self._wait_until_ready()
        return self


class _Popen:
    """What a `Product` asks of its `subprocess.Popen`."""

    def __init__(self, child: ForkServerProcess) -> None:
        self._child = child

    @property
    def pid(self) -> int:
        return int(self._child.pid or 0)

    @property
    def returncode(self) -> int | None:
        return self._child.exitcode

    def poll(self) -> int | None:
        return self._child.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._child.join(timeout)
        if self._child.exitcode is None:
            raise subprocess.TimeoutExpired("social serve", timeout or 0)
        return self._child.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._child.kill()


def _serve(env: dict[str, str], log: str) -> None:
    dies_with(os.getppid(), signal.SIGKILL)()  # a test run that is killed leaves nothing running
    os.setsid()
    with open(log, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(env)
    from social.__main__ import main  # noqa: PLC0415 - reads the environment that was just made

    sys.argv = ["social", "serve"]
    main()
