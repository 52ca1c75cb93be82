"""What processes have used: seconds of a core, megabytes (10^6 bytes) of memory."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

RESET_THE_PEAK = "5"  # proc(5), clear_refs


@dataclass(frozen=True, kw_only=True)
class Used:
    """Seconds of a core (utime + stime) since each process began."""

    product: float
    mongo: float
    redis: float

    @classmethod
    def by(cls, *, product: Iterable[int], mongo: int, redis: int) -> Self:
        """By the processes with these ids, now."""
        return cls(product=sum(map(seconds, product)), mongo=seconds(mongo), redis=seconds(redis))

    def since(self, earlier: "Used") -> "Used":
        """What was used since `earlier`."""
        return Used(
            product=self.product - earlier.product, mongo=self.mongo - earlier.mongo, redis=self.redis - earlier.redis
        )


def seconds(pid: int) -> float:
    """What the process has used so far, in the system and outside."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def forget_the_peak(pid: int) -> None:
    """From here on `peak_mb` is of what follows."""
    Path(f"/proc/{pid}/clear_refs").write_text(RESET_THE_PEAK)


def peak_mb(pid: int) -> float:
    """The most memory the process had at once."""
    return _status_mb(pid, "VmHWM")


def rss_mb(pid: int) -> float:
    """The memory the process has."""
    return _status_mb(pid, "VmRSS")


def _status_mb(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{name}:"))
