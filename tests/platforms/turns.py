"""A part of a publication whose turn it is, as tests make one."""

from datetime import UTC, datetime
from typing import Any

from social.platforms.contract import Content, Prepared, Sought, Turn

SENT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def turn(content: Content, prepared: Prepared | None = None, key: str = "k", **more: Any) -> Turn:
    """The first part of `content` unless said otherwise, first sent at SENT by account 42."""
    usual: dict[str, Any] = {"first_sent_at": SENT, "remote_account": "42"}
    return Turn(content=content, prepared=prepared or Prepared(), key=key, **(usual | more))


def sought(content: Content, prepared: Prepared | None = None, key: str = "k", **more: Any) -> Sought:
    """What a look for the first part of `content` is given, sent once at SENT by account 42."""
    usual: dict[str, Any] = {"first_sent_at": SENT, "last_sent_at": SENT, "remote_account": "42"}
    return Sought(content=content, prepared=prepared or Prepared(), key=key, **(usual | more))
