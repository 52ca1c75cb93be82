"""The data folder: where everything lies, the secrets and ports that are made once, and who is using it."""

import base64
import fcntl
import os
import random
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from social.embedded.program import POLL
from social.embedded.unfit import Unfit

DATA = ("mongo", "valkey", "s3", "sandbox")
PARTS = (*DATA, "run", "logs")
# SeaweedFS takes each of its ports plus 10000 for gRPC: still below the ports of outgoing connections, 32768 and up.
PORTS = range(12_000, 22_000)
STOPPING = "stopping"
STOP_PATIENCE = 20.0  # seconds that a new start waits for an old one that is already on its way out
LOOK_PATIENCE = 0.5  # seconds: `owner` holds the lock for the blink of an eye to see whether anybody else does

Kept = TypeVar("Kept", bound=msgspec.Struct)


def _word() -> str:
    return secrets.token_urlsafe(32)


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """Made on the first start. One that a later version adds is made then; none is ever made anew."""

    mongo_key: str = msgspec.field(default_factory=lambda: base64.b64encode(secrets.token_bytes(96)).decode())
    mongo_password: str = msgspec.field(default_factory=_word)
    redis_password: str = msgspec.field(default_factory=_word)
    s3_access_key: str = msgspec.field(default_factory=lambda: secrets.token_hex(10))
    s3_secret_key: str = msgspec.field(default_factory=_word)
    s3_internal_key: str = msgspec.field(default_factory=_word)  # between the parts of SeaweedFS
    master_key: str = msgspec.field(default_factory=lambda: base64.b64encode(secrets.token_bytes(32)).decode())
    setup_token: str = msgspec.field(default_factory=_word)


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """Chosen on the first start and kept: a mongod that comes back on another port is no longer a member of its set."""

    mongo: int
    redis: int
    s3: int
    s3_master: int
    s3_volume: int
    s3_filer: int
    sandbox: int


class Folder:
    """DATA/{mongo,valkey,s3,sandbox,run,logs}, readable by its owner alone."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()

    @classmethod
    def opened(cls, root: Path) -> Self:
        """The folder at `root`, made if it is not there. Unfit when it cannot be written."""
        folder = cls(root)
        try:
            for path in (folder.root, *(folder.part(name) for name in PARTS)):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
            write(folder.run / "writable", b"")
        except OSError as wrong:
            raise Unfit(
                f"Cannot write to the data folder {folder.root} ({wrong.strerror}): choose another one with --data."
            ) from None
        return folder

    def part(self, name: str) -> Path:
        """DATA/`name`, one of PARTS."""
        return self.root / name

    @property
    def run(self) -> Path:
        """What holds for one run only."""
        return self.part("run")

    def log(self, name: str) -> Path:
        """The log file of the program called `name`."""
        return self.part("logs") / f"{name}.log"

    def secrets(self) -> Secrets:
        """The secrets, made if this is the first start. Unfit when they are lost, and with them the key to the data."""
        return self._kept("secrets.json", Secrets, Secrets)

    def ports(self) -> Ports:
        """The ports, chosen if this is the first start. Unfit when the file is lost or broken."""
        return self._kept("ports.json", Ports, choose_ports)

    def _kept(self, name: str, kind: type[Kept], make: Callable[[], Kept]) -> Kept:
        path = self.root / name
        before = b""
        try:
            before = path.read_bytes()
            kept = msgspec.json.decode(before, type=kind)
        except FileNotFoundError:
            if any(any(self.part(part).iterdir()) for part in DATA):
                raise Unfit(
                    f"{path} is missing, and without it the data in {self.root} cannot be opened: "
                    f"bring it back from a backup, or start afresh in another folder with --data."
                ) from None
            kept = make()
        except msgspec.DecodeError as wrong:
            raise Unfit(
                f"{path} is damaged ({wrong}): bring it back from a backup, or choose another --data."
            ) from None
        after = pretty(kept)
        if after != before:  # new, or with something that a later version added
            write(path, after)
        return kept

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for this process. Unfit, naming the process, when another one has it and is not stopping.

        Blocks while it waits for one that is: to be entered before the event loop runs.
        """
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._take(descriptor)
            self.withdraw()  # of a run that was killed
            self._sign(str(os.getpid()))
            yield
        finally:
            os.close(descriptor)

    def stopping(self) -> None:
        """Tells whoever starts now that this process is about to let go of the folder."""
        self._sign(f"{os.getpid()} {STOPPING}")

    def owner(self) -> int | None:
        """The process that holds the folder, or None."""
        try:
            with self._lock.open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._signed()[0]
        except OSError:  # no such folder, or one that is not ours to read
            return None
        return None

    def _take(self, descriptor: int) -> None:
        began = time.monotonic()
        while True:
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid, stopping = self._signed()
                if time.monotonic() - began > (STOP_PATIENCE if stopping else LOOK_PATIENCE):
                    raise Unfit(
                        f"Social is already running on {self.root} (process {pid or 'unknown'}): "
                        f"stop it first, or choose another folder with --data."
                    ) from None
            time.sleep(POLL)  # flock has no deadline of its own

    def _signed(self) -> tuple[int | None, bool]:
        """The pid in the lock file, and whether that process said that it is stopping."""
        words = self._lock.read_text().split()
        return (int(words[0]) if words else None), STOPPING in words

    def _sign(self, text: str) -> None:
        self._lock.write_text(text)

    @property
    def _lock(self) -> Path:
        return self.run / "lock"

    def announce(self, environment: Mapping[str, str]) -> None:
        """Tells the instances where everything is: SOCIAL_ settings, secrets included, in DATA/run/servers.json."""
        write(self._announcement, pretty(dict(environment)))

    def withdraw(self) -> None:
        """Nothing is where it was announced."""
        self._announcement.unlink(missing_ok=True)

    def announced(self) -> dict[str, str] | None:
        """What `announce` told, or None when nobody runs here: a killed process leaves its announcement behind."""
        if self.owner() is None:
            return None
        try:
            return msgspec.json.decode(self._announcement.read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            return None

    @property
    def _announcement(self) -> Path:
        return self.run / "servers.json"


def choose_ports() -> Ports:
    """Ports on 127.0.0.1 that are free now, and whose neighbours 10000 further up are too."""
    names = Ports.__struct_fields__
    shuffled = random.sample(PORTS, len(PORTS))  # so that two folders on one machine hardly ever choose the same
    chosen = islice((port for port in shuffled if free(port) and free(port + 10_000)), len(names))
    return Ports(**dict(zip(names, chosen, strict=True)))


def free(port: int) -> bool:
    """Whether 127.0.0.1:`port` can be listened on now."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return True
    return False


def pretty(value: object) -> bytes:
    """`value` as JSON that a person can read."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def write(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """`content` at `path`, whole or not at all, on the disk before this returns."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)
