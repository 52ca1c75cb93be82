"""One line for one thing that happened. What people wrote is shown as text and nothing else: a terminal obeys."""

from datetime import datetime
from typing import Any

from rich.text import Text

COLOURS = {
    "online": "green",
    "failed": "red",
    "missed": "red",
    "held": "yellow",
    "unconfirmed": "yellow",
    "waiting": "yellow",
    "sending": "cyan",
    "cancelled": "dim",
}
JOINERS = "\u200c\u200d"  # not printable by themselves, and part of emoji and of several scripts
EXCERPT = 60
WIDEST = 11  # characters of a state

Json = dict[str, Any]


def publication(data: Json, at: str, handle: str) -> Text:
    """When, its state, on which account, the beginning of its text; then how late it was, or why it is where it is."""
    state = str(data.get("state", ""))
    line = Text.assemble(
        (clock(at), "dim"),
        "  ",
        (plain(state).ljust(WIDEST), COLOURS.get(state, "")),
        "  ",
        (plain(handle), "bold"),
        "  ",
        f"“{shortened(plain(str(data.get('excerpt', ''))))}”",
    )
    for said in (_more(data, state), data.get("url") if state == "online" else None):
        if said:
            line.append(f"  {plain(str(said))}", "dim")
    return line


def other(type: str, data: Json, at: str, handle: str | None) -> Text:
    """Anything else that happened: what, and to what."""
    name = handle or data.get("name") or data.get("handle") or data.get("id") or ""
    role = f" ({data['role']})" if "role" in data else ""
    return Text.assemble((clock(at), "dim"), "  ", plain(type).ljust(WIDEST), "  ", plain(f"{name}{role}"))


def many(state: str, count: int, at: str) -> Text:
    """More publications in one state than it is worth naming."""
    posts = "1 more post" if count == 1 else f"{count} more posts"
    return Text.assemble((clock(at), "dim"), "  ", (state.ljust(WIDEST), COLOURS.get(state, "")), "  ", posts)


def clock(at: str) -> str:
    """An instant (RFC 3339) as the clocks here show it: 2026-11-22 09:30:00."""
    try:
        return f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError):
        return plain(at)[:19].ljust(19)


def late(ms: int) -> str:
    """How late, in the unit that fits."""
    return f"{ms} ms late" if ms < 1000 else f"{ms / 1000:.1f} s late"


def plain(text: str) -> str:
    """`text` on one line, without what could move the cursor, change colours or turn the direction of writing."""
    return "".join(each if each.isprintable() or each in JOINERS else " " for each in text)


def shortened(text: str) -> str:
    """The beginning of `text`, which shows where it was cut."""
    return text if len(text) <= EXCERPT else text[: EXCERPT - 1].rstrip() + "…"


def _more(data: Json, state: str) -> str | None:
    if state == "online":
        ms = data.get("late_ms")
        return late(ms) if isinstance(ms, int) else None
    reason = data.get("reason")
    if isinstance(reason, dict) and reason.get("text"):
        return str(reason["text"])
    if state in {"planned", "preparing", "prepared", "queued"} and data.get("due_at"):
        return f"due {clock(str(data['due_at']))}"
    return None
