"""Real MongoDB, Valkey and S3 for the tests: started once per run, however many processes it has.

They belong to a process of their own, the keeper, and not to the test process that came first: that one may end, crash
or be killed while others still need them. Who needs them holds a lock; the keeper leaves when nobody does.
"""

import contextlib
import fcntl
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0  # seconds; a start takes 3 to 4 on an idle machine


@dataclass(frozen=True, kw_only=True)
class Servers:
    """How they are reached. One bucket for all test processes: each uses keys of its own."""

    mongo_url: str
    redis_url: str
    s3_endpoint: str
    s3_access_key: str
    s3_secret_key: str
    s3_bucket: str


@contextmanager
def running_servers(shared: Path) -> Iterator[Servers]:
    """The servers of the test run whose processes share the folder `shared`, with a Redis database for this process."""
    with contextlib.ExitStack() as stack:
        with locked(shared / "servers.door", fcntl.LOCK_EX):  # the keeper does not leave while anybody stands here
            if not announcement(shared).exists():
                start_keeper(shared)
            stack.enter_context(locked(shared / "servers.guests", fcntl.LOCK_SH))
        servers = Servers(**json.loads(announcement(shared).read_text()))
        yield replace(servers, redis_url=re.sub(r"/\d+$", f"/{database()}", servers.redis_url))


def database() -> int:
    """The number of this process's Redis database: 0 for the only one, else one more than its number."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    return int(worker.removeprefix("gw")) + 1 if worker else 0


def announcement(shared: Path) -> Path:
    """Where the keeper writes how the servers are reached."""
    return shared / "servers.json"


def start_keeper(shared: Path) -> None:
    """Starts the keeper, detached from this process, and waits until it has announced the servers."""
    with (shared / "servers.log").open("ab") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.keeper", str(shared)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + PATIENCE
    while not announcement(shared).exists():
        if keeper.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"The test servers did not start:\n{(shared / 'servers.log').read_text()}")
        time.sleep(0.02)
    keeper.returncode = 0  # it outlives us, which is as it should be: no ResourceWarning


@contextmanager
def locked(path: Path, how: int) -> Iterator[None]:
    """Holds the lock file at `path`; the system lets go of it when this process dies."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
