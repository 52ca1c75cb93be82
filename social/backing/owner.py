"""Who holds a claim: this process, told apart from every other that ever ran on any host."""

import os
import socket
import time
from pathlib import Path
from typing import Self

import msgspec

BOOT = Path("/proc/sys/kernel/random/boot_id")
MACHINE = Path("/etc/machine-id")
PROCESSES = Path("/proc/self/ns/pid")


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """`started` is the process's start in the kernel's ticks since boot: a pid used again has another."""

    host: str
    boot: str
    pid: int
    started: int

    @classmethod
    def of_this_process(cls) -> Self:
        """The caller. On a system without /proc the boot is empty, and nobody is ever proven dead."""
        pid = os.getpid()
        return cls(host=_host(), boot=_boot(), pid=pid, started=_started(pid) or time.monotonic_ns())

    def proven_dead(self, seen_from: "Owner") -> bool:
        """Whether the process is certainly gone: same host, and either rebooted since or no such process any more."""
        if self.host != seen_from.host or not self.boot:
            return False
        return self.boot != seen_from.boot or _started(self.pid) != self.started


def _host() -> str:
    """Tells hosts of one name apart, and containers that count their processes by themselves."""
    machine = MACHINE.read_text().strip() if MACHINE.exists() else ""
    processes = os.readlink(PROCESSES) if PROCESSES.exists() else ""
    return f"{socket.gethostname()} {machine} {processes}"


def _boot() -> str:
    return BOOT.read_text().strip() if BOOT.exists() else ""


def _started(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat; a zombie counts as gone, for it will never run again."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])
