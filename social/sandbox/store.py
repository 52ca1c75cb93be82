"""What the sandbox remembers: one SQLite file beside a folder of files.

A killed sandbox comes back with everything it had answered for: SQLite's write-ahead log is with the operating system
before a reply leaves, and a SIGKILL takes nothing back from there (only a power cut could; nobody rehearses that here).
One connection, used on the event loop's own thread: a write is some 30 microseconds, a hop to a thread costs more.
"""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedWriter
from pathlib import Path
from typing import Any


class FolderTaken(Exception):
    """Another sandbox works on this folder."""


class Store:
    """Plain SQL in, tuples out. `revision` rises with every write, so that pages know when to look again."""

    def __init__(self, folder: Path, schema: str) -> None:
        """Opens or makes `folder`. Raises FolderTaken; sqlite3.DatabaseError where the file is no database."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.revision = 0
        self._taken = _take(folder / "lock")
        self._connection = sqlite3.connect(folder / "sandbox.db", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(schema)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        found: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
        return found

    def write(self, sql: str, *values: object) -> None:
        self._connection.execute(sql, values)
        self.revision += 1

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside or none. No `await` inside: the connection is everybody's."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def empty(self) -> None:
        """Forgets every row of every table; the files in the folder are the platforms' own to remove."""
        with self.transaction():
            for (table,) in self.rows(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            ):
                self.write(f"DELETE FROM {table}")  # noqa: S608 the names are our own schema's

    def close(self) -> None:
        self._connection.close()
        self._taken.close()


def _take(path: Path) -> BufferedWriter:
    """The lock is the kernel's, so it is gone with the process, however that ended."""
    file = path.open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise FolderTaken(f"Another sandbox works on {path.parent}.") from None
    return file
