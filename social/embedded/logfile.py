"""The servers' log files: appended to by the servers themselves, kept from growing by us, read when one has died."""

import os
import shutil
from pathlib import Path

import msgspec

LIMIT = 8 * 2**20  # bytes; with the one that is kept before it, a program's log takes twice this
LAST = 16 * 2**10  # bytes of the end that are searched for the reason of a death


def opened(path: Path) -> int:
    """A descriptor that appends to `path`, so that cutting the file is safe while a server writes to it."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def bound(path: Path) -> None:
    """Moves what `path` holds to `path`.1 once it is larger than LIMIT. A line written at that moment may be lost."""
    try:
        if path.stat().st_size <= LIMIT:
            return
    except FileNotFoundError:
        return
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)


def last_words(path: Path, since: int) -> str:
    """What the program has written to `path` after offset `since`, at most LAST bytes of it."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(min(since, size), size - LAST))
        return file.read().decode(errors="replace")


def complaint(words: str) -> str:
    """The line of `words` that says best why a program ended: mongod's last error, else the last line."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    errors = [said for said in map(_mongod_error, lines) if said]
    return (errors or lines or [""])[-1]


def _mongod_error(line: str) -> str | None:
    """The message of a line that mongod logged with severity error or fatal, as JSON."""
    try:
        entry = msgspec.json.decode(line, type=dict[str, object])
    except msgspec.DecodeError:
        return None
    if entry.get("s") not in {"E", "F"}:
        return None
    facts = entry.get("attr")
    error = facts.get("error") if isinstance(facts, dict) else None
    return f"{entry.get('msg')}" + (f": {error}" if error else "")
