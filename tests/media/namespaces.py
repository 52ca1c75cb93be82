"""Networks of their own on this machine: one in which our door stands, one that reaches it, one that reaches nothing.

The addresses are public ones, as platforms ask for; no packet leaves the two ends of a cable between namespaces.
"""

import ctypes
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

DOOR, PLATFORM = "45.67.89.1", "45.67.89.2"  # of nobody in particular
NEW_NETWORK = 0x40000000  # CLONE_NEWNET
NAMES = Path("/run/netns")
LACKING = "networks are laid as root, and with ip: apt-get install iproute2"
Opener = Callable[[Any], socket.socket]


def can_be_laid() -> bool:
    """Whether there can be such networks here."""
    return os.geteuid() == 0 and shutil.which("ip") is not None


@dataclass(frozen=True)
class Namespace:
    """One network, known to the system by its name."""

    name: str

    def run(self, module: str, *words: str) -> bytes:
        """What `python -m MODULE WORDS` prints, run there."""
        command = ["ip", "netns", "exec", self.name, sys.executable, "-m", module, *words]
        done = subprocess.run(command, check=False, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Sockets that this thread opens in the block are there, wherever they are used afterwards."""
        with Path("/proc/thread-self/ns/net").open() as here, (NAMES / self.name).open() as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(here.fileno())

    def opening(self, opener: Opener) -> Opener:
        """The same as `opener`, but there."""

        def opened(info: Any) -> socket.socket:
            with self.inside():
                return opener(info)

        return opened


@dataclass(frozen=True)
class Networks:
    """`ours` has the door's address, `theirs` is at the other end of its cable, `nowhere` has no cable."""

    ours: Namespace
    theirs: Namespace
    nowhere: Namespace


@contextmanager
def laid() -> Iterator[Networks]:
    """The three, and nothing left of them afterwards."""
    spaces = [Namespace(f"social-{os.getpid()}-{name}") for name in ("ours", "theirs", "nowhere")]
    ours, theirs, nowhere = spaces
    try:
        for each in spaces:
            _ip("netns", "add", each.name)
            _ip("-n", each.name, "link", "set", "lo", "up")
        _ip("-n", ours.name, "link", "add", "door", "type", "veth", "peer", "name", "way", "netns", theirs.name)
        for space, end, address in ((ours, "door", DOOR), (theirs, "way", PLATFORM)):
            _ip("-n", space.name, "addr", "add", f"{address}/30", "dev", end)
            _ip("-n", space.name, "link", "set", end, "up")
        yield Networks(ours, theirs, nowhere)
    finally:
        for each in spaces:
            if (NAMES / each.name).exists():
                _ip("netns", "del", each.name)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "setns")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a stranger got: header names in small letters, of the content the SHA-256."""

    status: int
    headers: dict[str, str]
    bytes: int
    sha256: str
