"""What becomes of a post later: changed, its versions, taken back. Sheet: Deleting, editing."""

from litestar import Response, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import structs

from social.sandbox.clock import now_ms
from social.sandbox.mastodon.archive import read_id
from social.sandbox.mastodon.compose import edited
from social.sandbox.mastodon.entities import edit_entity, status_entity
from social.sandbox.mastodon.errors import NOT_FOUND, Refused
from social.sandbox.mastodon.instance import Instance, caller, reply
from social.sandbox.mastodon.media import checked_alt, drop, read_focus
from social.sandbox.mastodon.params import Call, Params, read_params
from social.sandbox.mastodon.publishing import check_quota, quota_headers, spend_quota
from social.sandbox.mastodon.records import Account, Edit, Media, Status
from social.sandbox.mastodon.statuses import found


@put("/api/v1/statuses/{status_id:str}")
async def edit(request: Call, status_id: FromPath[str], instance: NamedDependency[Instance]) -> Response[bytes]:
    who = caller(request, instance, "write:statuses")
    params = await read_params(request, instance.incoming_folder)
    params.drop_uploads()
    status = _own(status_id, who.account, instance)
    check_quota(who.account, instance)
    changed, media = edited(status, params, instance)
    _store_edit(status, changed, media, params, instance)
    spend_quota(who.account, instance)
    stored = instance.archive.status(status.id)
    assert stored is not None
    return reply(status_entity(stored, instance), headers=quota_headers(who.account, instance))


@delete("/api/v1/statuses/{status_id:str}", status_code=200)
async def take_back(request: Call, status_id: FromPath[str], instance: NamedDependency[Instance]) -> Response[bytes]:
    """With `text` instead of `content`; without `delete_media` (4.4) the files can be attached anew for a day."""
    who = caller(request, instance, "write:statuses")
    status = _own(status_id, who.account, instance)
    params = await read_params(request, instance.incoming_folder)
    params.drop_uploads()
    with_media = bool(params.flag("delete_media")) and instance.oddities.since(4, 4)
    media = instance.archive.media_in_order(status.media_ids)
    body = status_entity(status, instance, source=True, media=media)
    with instance.archive.transaction():
        instance.archive.save_status(structs.replace(status, deleted_ms=now_ms()))
        instance.archive.forget_post_count(who.account.id)
        for item in media:
            instance.archive.save_media(structs.replace(item, status_id=None, free_ms=now_ms()))
    for item in media if with_media else ():
        drop(item, instance)
    return reply(body)


@get("/api/v1/statuses/{status_id:str}/history")
async def history(request: Call, status_id: FromPath[str], instance: NamedDependency[Instance]) -> Response[bytes]:
    """Oldest first, the present version last."""
    status = found(request, status_id, instance)
    edits = instance.archive.edits(status.id) or [_version(status, instance)]
    return reply([edit_entity(edit, status, instance) for edit in edits])


def _store_edit(status: Status, changed: Status, media: list[Media], params: Params, instance: Instance) -> None:
    """Nothing changed: no edit. The first edit keeps the version before it as well."""
    described = _described(media, params, instance)
    same_media = all(new == old for new, old in zip(described, media, strict=True))
    if changed == status and same_media:
        return
    archive = instance.archive
    with archive.transaction():
        if not archive.edits(status.id):
            archive.add_edit(status.id, _version(status, instance))
        changed = structs.replace(changed, edited_ms=now_ms())
        for item in archive.media_in_order(status.media_ids):
            if item.id not in changed.media_ids:
                archive.save_media(structs.replace(item, status_id=None, free_ms=now_ms()))
        for item in described:
            archive.save_media(structs.replace(item, status_id=status.id))
        archive.save_status(changed)
        archive.add_edit(status.id, _version(changed, instance))


def _described(media: list[Media], params: Params, instance: Instance) -> list[Media]:
    """`media_attributes[]` change alt text and focus of what is attached."""
    wanted = {read_id(given.text("id")): given for given in params.inners("media_attributes")}
    return [_described_one(item, wanted.get(item.id), instance) for item in media]


def _described_one(item: Media, given: Params | None, instance: Instance) -> Media:
    if given is not None and "description" in given:
        item = structs.replace(item, description=checked_alt(given.text("description"), instance))
    if given is not None and "focus" in given:
        item = structs.replace(item, focus=read_focus(given))
    return item


def _version(status: Status, instance: Instance) -> Edit:
    return Edit(
        text=status.text,
        spoiler_text=status.spoiler_text,
        sensitive=status.sensitive,
        media=[(item.id, item.description) for item in instance.archive.media_in_order(status.media_ids)],
        options=status.poll.options if status.poll else None,
        created_ms=status.edited_ms or status.created_ms,
    )


def _own(status_id: str, account: Account, instance: Instance) -> Status:
    status = instance.archive.status(read_id(status_id))
    if status is None or status.deleted_ms is not None or status.account_id != account.id:
        raise Refused(404, NOT_FOUND)
    return status


ROUTES = (edit, take_back, history)
