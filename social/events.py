"""What browsers are told. An event is a noun and what happened to it; the web client's types follow these."""

from datetime import datetime
from typing import Any, Literal

import msgspec

EventType = Literal[
    "publication.changed",
    "post.created",
    "post.changed",
    "post.deleted",
    "account.connected",
    "account.changed",
    "media.added",
    "media.changed",
    "media.removed",
    "member.joined",
    "member.changed",
    "member.left",
    "hold.begun",
    "hold.ended",
    "alarm.raised",
    "alarm.cleared",
]

TickType = Literal[
    "publication.sending", "rendition.making"
]  # of what is true for a moment: without a number, not kept, maybe not heard


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened in one workspace. `seq` counts without gaps within the workspace.

    `data` is the thing as the API shows it (a PublicationOut, PostOut, AccountOut, MediaOut), JSON-able; of a member,
    their user id, name and role, and by whom it was done; of an alarm, what is wrong and since when.
    """

    seq: int
    workspace: str
    at: datetime
    type: EventType
    post_id: str | None = None
    publication_id: str | None = None
    rev: int | None = None
    data: dict[str, Any] = {}
