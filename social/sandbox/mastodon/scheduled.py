"""Posts that the server itself publishes later. Sheet: Ahead of time."""

from litestar import Response, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import structs

from social.sandbox.clock import now_ms, read_iso
from social.sandbox.mastodon.archive import read_id
from social.sandbox.mastodon.compose import Wish, as_params, composed
from social.sandbox.mastodon.entities import scheduled_entity
from social.sandbox.mastodon.errors import (
    NOT_FOUND,
    SCHEDULED_TOO_MANY,
    SCHEDULED_TOO_MANY_A_DAY,
    SCHEDULED_TOO_SOON,
    Refused,
)
from social.sandbox.mastodon.instance import Caller, Instance, caller, reply
from social.sandbox.mastodon.params import Call, read_params
from social.sandbox.mastodon.records import Account, Scheduled

SOONEST_MS = 300_000
PENDING = 300
A_DAY = 25
DAY_MS = 86_400_000


def schedule(wish: Wish, due_ms: int, who: Caller, instance: Instance, key: str | None) -> Scheduled:
    """Checked like a post, stored for later. A time less than five minutes ahead: 422 (since 4.3)."""
    _check_time(due_ms)
    pending = instance.archive.scheduled_of(who.account.id)
    if len(pending) >= PENDING:
        raise Refused(422, SCHEDULED_TOO_MANY, max=PENDING)
    if sum(1 for other in pending if other.due_ms // DAY_MS == due_ms // DAY_MS) >= A_DAY:
        raise Refused(422, SCHEDULED_TOO_MANY_A_DAY, max=A_DAY)
    as_it_would_be = composed(wish, who.account, instance, client_id=who.token.client_id, key=None, arrived_ms=0)
    scheduled = Scheduled(
        id=instance.archive.next_id(),
        account_id=who.account.id,
        client_id=who.token.client_id,
        due_ms=due_ms,
        params=as_params(wish),
        media_ids=as_it_would_be.media_ids,
        key=key,
    )
    instance.archive.add_scheduled(scheduled)
    return scheduled


@get("/api/v1/scheduled_statuses")
async def waiting(request: Call, instance: NamedDependency[Instance]) -> Response[bytes]:
    account = caller(request, instance, "read:statuses").account
    return reply([scheduled_entity(item, instance) for item in instance.archive.scheduled_of(account.id)])


@get("/api/v1/scheduled_statuses/{scheduled_id:str}")
async def waiting_one(
    request: Call, scheduled_id: FromPath[str], instance: NamedDependency[Instance]
) -> Response[bytes]:
    found = _own(scheduled_id, caller(request, instance, "read:statuses").account, instance)
    return reply(scheduled_entity(found, instance))


@put("/api/v1/scheduled_statuses/{scheduled_id:str}")
async def move(request: Call, scheduled_id: FromPath[str], instance: NamedDependency[Instance]) -> Response[bytes]:
    """Changes the time only."""
    found = _own(scheduled_id, caller(request, instance, "write:statuses").account, instance)
    params = await read_params(request, instance.incoming_folder)
    params.drop_uploads()
    due = read_iso(params.text("scheduled_at") or "")
    if due is None:
        raise Refused(422, SCHEDULED_TOO_SOON)
    _check_time(due)
    found = structs.replace(found, due_ms=due)
    instance.archive.save_scheduled(found)
    return reply(scheduled_entity(found, instance))


@delete("/api/v1/scheduled_statuses/{scheduled_id:str}", status_code=200)
async def call_off(request: Call, scheduled_id: FromPath[str], instance: NamedDependency[Instance]) -> Response[bytes]:
    found = _own(scheduled_id, caller(request, instance, "write:statuses").account, instance)
    with instance.archive.transaction():
        instance.archive.drop_scheduled(found.id)
        for media in instance.archive.media_in_order(found.media_ids):
            instance.archive.save_media(structs.replace(media, status_id=None, free_ms=now_ms()))
    return reply({})


def _check_time(due_ms: int) -> None:
    if due_ms <= now_ms() + SOONEST_MS:
        raise Refused(422, SCHEDULED_TOO_SOON)


def _own(scheduled_id: str, account: Account, instance: Instance) -> Scheduled:
    found = instance.archive.scheduled(read_id(scheduled_id))
    if found is None or found.account_id != account.id:
        raise Refused(404, NOT_FOUND)
    return found


ROUTES = (waiting, waiting_one, move, call_off)
