"""Long lists in pages: `{items, next}`, where `next` is an opaque cursor to ask for the following page with.

A cursor names the last thing seen, by its id or by its instant and id, so that nothing is skipped or shown twice
while others add. A handler reads one more than it shows, which tells whether there is a next page.
"""

import base64
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Generic, TypeVar

import msgspec
from beanie import PydanticObjectId
from litestar.params import QueryParameter

from social.errors import Invalid, Wrong

T = TypeVar("T")
Shown = TypeVar("Shown")
Key = PydanticObjectId | None | tuple[datetime, PydanticObjectId | None]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
FORM = re.compile(r"(?:(-?[0-9]{1,14})\.)?([0-9a-f]{24})", re.ASCII)
LONGEST = 100

# How many of a list one page shows. Said by Litestar's own word: a msgspec Meta inside FromQuery is dropped unseen.
Limit = Annotated[int, QueryParameter(ge=1, le=100)]


class Page(msgspec.Struct, Generic[T]):
    """Some of a list; `next` is null on the last page."""

    items: list[T]
    next: str | None


def page(found: Sequence[T], limit: int, key: Callable[[T], Key], shown: list[Shown]) -> Page[Shown]:
    """The page that shows the first `limit` of `found` as `shown`. `key`: what the list is ordered by."""
    last = found[limit - 1] if len(found) > limit else None
    return Page(items=shown, next=None if last is None else _cursor(key(last)))


def after_id(cursor: str | None) -> PydanticObjectId | None:
    """The id that a list ordered by id continues after. Invalid for a cursor that is none of ours."""
    return None if cursor is None else _read(cursor, with_instant=False)[1]


def after_due(cursor: str | None) -> tuple[datetime, PydanticObjectId] | None:
    """The instant and id that a list ordered by them continues after. Invalid for a cursor that is none of ours."""
    return None if cursor is None else _read(cursor, with_instant=True)


def aware(**moments: datetime | None) -> None:
    """Invalid, naming each of the parameters that has no offset: such a time could mean anything."""
    naive = [name for name, moment in moments.items() if moment is not None and moment.tzinfo is None]
    if naive:
        wrong = [Wrong(f"/{name}", "Add an offset or Z.", "naive") for name in naive]
        raise Invalid("A time without an offset could mean anything.", wrong)


def _cursor(key: Key) -> str:
    said = f"{(key[0] - EPOCH) // MILLISECOND}.{key[1]}" if isinstance(key, tuple) else str(key)
    return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


def _read(cursor: str, *, with_instant: bool) -> tuple[datetime, PydanticObjectId]:
    try:
        said = base64.urlsafe_b64decode(cursor[:LONGEST] + "=" * (-len(cursor) % 4)).decode("ascii")
        found = FORM.fullmatch(said)
        if found is None or (found[1] is not None) is not with_instant:
            raise ValueError(said)
        return EPOCH + int(found[1] or 0) * MILLISECOND, PydanticObjectId(found[2])
    except (ValueError, OverflowError):
        detail = "Use `next` of a page of this list as it was given, or leave the cursor out to begin anew."
        raise Invalid("This cursor is none of ours.", [Wrong("/cursor", detail, "cursor")]) from None
