"""A post, made once per key. Sheet: Publishing, Idempotency, Ahead of time."""

import asyncio

from litestar import Response, post
from litestar.di import NamedDependency
from msgspec import structs

from social.sandbox.clock import now_ms, read_iso
from social.sandbox.connection import line_of
from social.sandbox.mastodon.compose import Wish, composed, from_params
from social.sandbox.mastodon.entities import scheduled_entity, status_entity
from social.sandbox.mastodon.errors import BUSY, NOT_FOUND, Refused
from social.sandbox.mastodon.instance import Caller, Instance, caller, reply
from social.sandbox.mastodon.params import Call, Params, read_params
from social.sandbox.mastodon.quotas import STATUSES
from social.sandbox.mastodon.records import Account, Scheduled, Status
from social.sandbox.mastodon.scheduled import SOONEST_MS, schedule


@post("/api/v1/statuses")
async def publish(request: Call, instance: NamedDependency[Instance]) -> Response[bytes]:
    who = caller(request, instance, "write:statuses")
    params = await read_params(request, instance.incoming_folder)
    params.drop_uploads()
    key = request.headers.get("idempotency-key") or None
    arrived = line_of(request.scope).arrived_ms
    if key is None:
        made = await _made(Wish.of(params), params, who, instance, None, arrived)
    else:
        made = await _made_once(params, who, instance, key, arrived)
    return _shown(made, who.account, instance)


def publish_due(instance: Instance) -> None:
    """What was scheduled and has come due. One that can no longer be made is dropped, as the original does."""
    for scheduled in instance.archive.scheduled_before(now_ms()):
        author = instance.archive.account(scheduled.account_id)
        instance.archive.drop_scheduled(scheduled.id)
        for media in instance.archive.media_in_order(scheduled.media_ids):
            instance.archive.save_media(structs.replace(media, status_id=None, free_ms=now_ms()))
        if author is None:
            continue
        try:
            status = composed(
                from_params(scheduled.params), author, instance,
                client_id=scheduled.client_id, key=None, arrived_ms=now_ms(),
            )  # fmt: skip
        except Refused:
            continue
        instance.archive.add_status(status)


async def _made_once(params: Params, who: Caller, instance: Instance, key: str, arrived: int) -> Status | Scheduled:
    """The key comes before everything else: before validation, and whatever the body says now."""
    oddities = instance.oddities
    scheduling = params.text("scheduled_at") is not None
    if oddities.key_ignored or (scheduling and not oddities.since(4, 3)):
        return await _made(Wish.of(params), params, who, instance, None, arrived)
    earlier = instance.archive.made_with(who.account.id, key)
    if earlier is not None:
        return _earlier(earlier, instance)
    place = (who.account.id, key)
    if oddities.locks_keys and place in instance.sending:
        raise Refused(503, BUSY)
    instance.sending.add(place)
    try:
        return await _made(Wish.of(params), params, who, instance, key, arrived)
    finally:
        instance.sending.discard(place)


def _earlier(earlier: tuple[str, int], instance: Instance) -> Status | Scheduled:
    kind, made = earlier
    oddities = instance.oddities
    if oddities.repeats_fail:
        raise Refused(500, "Internal Server Error")
    if kind == "scheduled":
        scheduled = instance.archive.scheduled(made) if oddities.scheduled_repeat == "same" else None
        if scheduled is None:
            raise Refused(404, NOT_FOUND)
        return scheduled
    status = instance.archive.status(made)
    if status is None or status.deleted_ms is not None:
        raise Refused(404, NOT_FOUND)
    return status


async def _made(
    wish: Wish, params: Params, who: Caller, instance: Instance, key: str | None, arrived: int
) -> Status | Scheduled:
    if instance.oddities.working:
        await asyncio.sleep(instance.oddities.working)
    check_quota(who.account, instance)
    due = read_iso(params.text("scheduled_at") or "")
    if due is not None and due > now_ms() and (instance.oddities.since(4, 3) or due > now_ms() + SOONEST_MS):
        return schedule(wish, due, who, instance, key)
    status = composed(wish, who.account, instance, client_id=who.token.client_id, key=key, arrived_ms=arrived)
    if not instance.oddities.spam_filtered:
        instance.archive.add_status(status)
    spend_quota(who.account, instance)
    return status


def _shown(made: Status | Scheduled, author: Account, instance: Instance) -> Response[bytes]:
    if isinstance(made, Scheduled):
        return reply(scheduled_entity(made, instance))
    return reply(status_entity(made, instance), headers=quota_headers(author, instance))


def check_quota(account: Account, instance: Instance) -> None:
    instance.quotas.check(STATUSES, account.id, now_ms() / 1000)


def spend_quota(account: Account, instance: Instance) -> None:
    """After the fact: a refused post does not lower it."""
    instance.quotas.spend([(STATUSES, account.id)], now_ms() / 1000)


def quota_headers(account: Account, instance: Instance) -> dict[str, str]:
    standing = instance.quotas.standing(STATUSES, account.id, now_ms() / 1000)
    return dict(standing.headers) if standing else {}


ROUTES = (publish,)
