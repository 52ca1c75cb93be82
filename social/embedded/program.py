"""A program that is kept running: what is started, when it counts as ready, and what replaces it."""

import asyncio
import os
import platform
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from signal import SIGKILL, Signals

from social.embedded.unfit import Unfit

POLL = 0.05  # seconds between two looks at a condition


def plain_environment() -> dict[str, str]:
    """What a server needs of ours. No SOCIAL_ secrets, and no locale: mongod aborts on one that is not installed."""
    return {"PATH": os.defpath, "LC_ALL": "C"}


@dataclass(frozen=True, kw_only=True)
class Program:
    """One child process. All times are in seconds."""

    name: str  # as people know it
    command: Sequence[str]
    ready: Callable[[int], Awaitable[None]]  # is given the pid and returns once it serves; may raise Unfit
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=plain_environment)
    log: Path | None = None  # None: it writes to our own stderr
    instead: str = ""  # how to do without it, as the end of a sentence
    ports: Sequence[int] = ()  # on 127.0.0.1, must be free before the first start
    litter: Sequence[Path] = ()  # what it leaves behind outside the data folder
    patience: float = 120.0  # to become ready; a database that was killed replays its journal first
    grace: float = 10.0  # from SIGTERM to SIGKILL
    death: Signals = SIGKILL  # what it gets when we die without a chance to stop it
    restarts: bool = True  # False: its end is the end of everything


def own(setting: str) -> str:
    """How to do without an embedded server: the end of a sentence."""
    return f"set {setting} to use one of your own"


def binary(package: str, name: str, *, title: str, instead: str) -> str:
    """Where `package` has installed the executable `name`. Unfit ends in `instead` when it is not there."""
    machine = f"{platform.system()} on {platform.machine()}"
    try:
        files = distribution(package).files or ()
    except PackageNotFoundError:
        raise Unfit(
            f"The embedded {title} is not installed: pip install 'social[embedded]' brings it where there is one for "
            f"{machine}; or {instead}."
        ) from None
    for file in files:
        path = Path(str(file.locate()))
        if path.name == name and os.access(path, os.X_OK):
            return str(path.resolve())
    raise Unfit(f"The embedded {title} has no program for {machine}: reinstall the package {package}, or {instead}.")


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Returns once `condition` holds. Whoever waits sets the deadline."""
    while not await condition():  # noqa: ASYNC110 - of another process, which sets no event of ours
        await asyncio.sleep(POLL)


async def listens(port: int) -> bool:
    """Whether somebody accepts connections on 127.0.0.1:`port`."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
