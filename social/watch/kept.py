"""What is remembered between two watches, if the person names a file for it: the sign-in, and how far they saw."""

import os
from pathlib import Path
from typing import Self

import msgspec

from social.watch.wanted import CannotWatch


class Kept(msgspec.Struct, kw_only=True):
    """Of one service and workspace. `cookie` is the refresh token's name and value: whoever has it is signed in."""

    url: str
    workspace: str = ""
    cookie: tuple[str, str] | None = None
    seq: int | None = None


class Memory:
    """A file that nobody else may read; without a path, nothing is kept."""

    def __init__(self, path: Path | None, kept: Kept) -> None:
        self.path = path
        self.kept = kept

    @classmethod
    def opened(cls, path: Path | None, url: str) -> Self:
        """What the file says, if it is there. CannotWatch if others may read it, or it is of another service."""
        if path is None or not path.exists():
            return cls(path, Kept(url=url))
        if path.stat().st_mode & 0o077:
            raise CannotWatch(f"Others can read {path}, which holds a sign-in. Run: chmod 600 {path}", os.EX_NOPERM)
        try:
            kept = msgspec.json.decode(path.read_bytes(), type=Kept)
        except (OSError, msgspec.MsgspecError):
            raise CannotWatch(f"{path} is no file that `social watch` has written.", os.EX_DATAERR) from None
        if kept.url != url:
            raise CannotWatch(f"{path} is for {kept.url}. Name another file with --remember.", os.EX_USAGE)
        return cls(path, kept)

    def save(self) -> None:
        """Writes what is kept, all of it or nothing."""
        if self.path is None:
            return
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(msgspec.json.encode(self.kept))
            beside.replace(self.path)
        except OSError as error:
            raise CannotWatch(f"{self.path} cannot be written: {error.strerror}.", os.EX_CANTCREAT) from None
