"""Posts read back, alone and in lists. Sheet: After a crash, Metrics, Comments."""

from collections.abc import Iterator
from itertools import islice
from urllib.parse import urlencode

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from social.sandbox.mastodon.archive import read_id
from social.sandbox.mastodon.compose import may_see, too_recent
from social.sandbox.mastodon.entities import status_entity
from social.sandbox.mastodon.errors import NO_ROUTE, NOT_FOUND, Refused
from social.sandbox.mastodon.instance import Instance, caller, reply, visitor
from social.sandbox.mastodon.params import Call, Params, read_query
from social.sandbox.mastodon.people import found_account
from social.sandbox.mastodon.records import Account, Status

IDS_AT_ONCE = 20  # unconfirmed


@get("/api/v1/statuses")
async def several(request: Call, instance: NamedDependency[Instance]) -> Response[bytes]:
    """`id[]=`, since 4.3; what is missing or invisible is absent."""
    if not instance.oddities.since(4, 3):
        raise Refused(404, NO_ROUTE)
    viewer = visitor(request, instance, "read:statuses")
    asked = read_query(request).texts("id") or []
    if len(asked) > IDS_AT_ONCE:
        raise Refused(422, f"Number of statuses exceeds limit of {IDS_AT_ONCE}")
    seen = (_visible(read_id(one), viewer, instance) for one in asked)
    return reply([status_entity(status, instance) for status in seen if status])


@get("/api/v1/statuses/{status_id:str}")
async def one(request: Call, status_id: FromPath[str], instance: NamedDependency[Instance]) -> Response[bytes]:
    return reply(status_entity(found(request, status_id, instance), instance))


@get("/api/v1/statuses/{status_id:str}/source")
async def source(request: Call, status_id: FromPath[str], instance: NamedDependency[Instance]) -> Response[bytes]:
    caller(request, instance, "read:statuses")
    status = found(request, status_id, instance)
    return reply({"id": str(status.id), "text": status.text, "spoiler_text": status.spoiler_text})


@get("/api/v1/statuses/{status_id:str}/context")
async def context(request: Call, status_id: FromPath[str], instance: NamedDependency[Instance]) -> Response[bytes]:
    viewer = visitor(request, instance, "read:statuses")
    status = found(request, status_id, instance)
    above = islice(_ancestors(status, viewer, instance), 4096 if viewer else 40)
    below = islice(_descendants(status, viewer, instance), 4096 if viewer else 60)
    return reply(
        {
            "ancestors": [status_entity(item, instance) for item in reversed(list(above))],
            "descendants": [status_entity(item, instance) for item in below],
        }
    )


@get("/api/v1/accounts/{account_id:str}/statuses")
async def statuses_of(request: Call, account_id: FromPath[str], instance: NamedDependency[Instance]) -> Response[bytes]:
    """Newest first, 20 unless said, at most 40. `since_id`: the newest above it; `min_id`: those right above it."""
    viewer = visitor(request, instance, "read:statuses")
    author = found_account(instance, account_id)
    params = read_query(request)
    asked = params.number("limit")
    limit = 20 if asked is None else min(abs(asked), 40)
    above = read_id(params.text("min_id")) or read_id(params.text("since_id"))
    from_oldest = read_id(params.text("min_id")) is not None
    all_of_them = instance.archive.statuses_of(
        author.id, below=read_id(params.text("max_id")), above=above, from_oldest=from_oldest
    )
    wanted = (status for status in all_of_them if _listed(status, params, viewer, instance))
    page = sorted(islice(wanted, limit), key=lambda status: status.id, reverse=True)
    headers = _links(f"{instance.origin}/api/v1/accounts/{author.id}/statuses", params, page, limit)
    return reply([status_entity(status, instance) for status in page], headers=headers)


def found(request: Call, status_id: str, instance: Instance) -> Status:
    status = _visible(read_id(status_id), visitor(request, instance, "read:statuses"), instance)
    if status is None:
        raise Refused(404, NOT_FOUND)
    return status


def _visible(status_id: int | None, viewer: Account | None, instance: Instance) -> Status | None:
    status = instance.archive.status(status_id)
    if status is None or status.deleted_ms is not None or too_recent(status, instance):
        return None
    return status if may_see(status, viewer) else None


def _listed(status: Status, params: Params, viewer: Account | None, instance: Instance) -> bool:
    """Nobody boosts or pins here, so `exclude_reblogs` changes nothing. Answers to oneself are no replies."""
    if too_recent(status, instance) or not may_see(status, viewer) or params.flag("pinned"):
        return False
    if params.flag("only_media") and not status.media_ids:
        return False
    tag = params.text("tagged")
    if tag and f"#{tag.lower().lstrip('#')}" not in status.text.lower():
        return False
    to_others = status.in_reply_to_account_id not in (None, status.account_id)
    return not (params.flag("exclude_replies") and to_others)


def _links(url: str, params: Params, page: list[Status], limit: int) -> dict[str, str]:
    if not page:
        return {}
    kept = {
        name: value
        for name in ("limit", "exclude_reblogs", "exclude_replies", "only_media", "tagged")
        if (value := params.text(name))
    }
    links = []
    if len(page) == limit:
        links.append(f'<{url}?{urlencode({**kept, "max_id": page[-1].id})}>; rel="next"')
    links.append(f'<{url}?{urlencode({**kept, "min_id": page[0].id})}>; rel="prev"')
    return {"Link": ", ".join(links)}


def _ancestors(status: Status, viewer: Account | None, instance: Instance) -> Iterator[Status]:
    while (above := _visible(status.in_reply_to_id, viewer, instance)) is not None:
        yield above
        status = above


def _descendants(status: Status, viewer: Account | None, instance: Instance) -> Iterator[Status]:
    """Depth first, as a thread reads. A stack of our own: threads may be deeper than Python likes to call."""
    waiting = instance.archive.replies(status.id)[::-1]
    while waiting:
        reply_ = waiting.pop()
        if may_see(reply_, viewer) and not too_recent(reply_, instance):
            yield reply_
            waiting += instance.archive.replies(reply_.id)[::-1]


ROUTES = (several, one, source, context, statuses_of)
