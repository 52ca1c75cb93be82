"""Records as the API shows them. Field names: the sheet's [REC] lists. Ids are strings, times ISO with milliseconds."""

from msgspec import structs

from social.sandbox.clock import iso, now_ms
from social.sandbox.mastodon import text
from social.sandbox.mastodon.instance import Instance
from social.sandbox.mastodon.records import Account, App, Edit, Media, Poll, Scheduled, Status

Entity = dict[str, object]


def account_entity(account: Account, instance: Instance) -> Entity:
    page = f"{instance.origin}/@{account.username}"
    avatar = f"{instance.origin}/avatars/{account.id}.png"
    return {
        "id": str(account.id),
        "username": account.username,
        "acct": account.username,
        "display_name": account.display_name,
        "locked": False,
        "bot": False,
        "discoverable": True,
        "indexable": False,
        "group": False,
        "created_at": iso(account.created_ms - account.created_ms % 86_400_000),
        "note": "",
        "url": page,
        "uri": f"{instance.origin}/users/{account.username}",
        "avatar": avatar,
        "avatar_static": avatar,
        "header": f"{instance.origin}/headers/original/missing.png",
        "header_static": f"{instance.origin}/headers/original/missing.png",
        "followers_count": 0,
        "following_count": 0,
        "statuses_count": account.posts,
        "last_status_at": iso(account.last_post_ms)[:10] if account.last_post_ms else None,
        "hide_collections": None,
        "noindex": False,
        "emojis": [],
        "roles": [],
        "fields": [],
    }


def own_account_entity(account: Account, instance: Instance) -> Entity:
    """With `source`, for the account itself."""
    source = {
        "privacy": account.privacy,
        "sensitive": account.sensitive,
        "language": account.language,
        "note": "",
        "fields": [],
        "follow_requests_count": 0,
        "quote_policy": "public",
    }
    return {**account_entity(account, instance), "source": source}


def status_entity(
    status: Status, instance: Instance, *, source: bool = False, media: list[Media] | None = None
) -> Entity:
    """`source`: with `text` instead of `content`, as a deletion answers. `media`: where they are no longer attached."""
    archive = instance.archive
    author = archive.account(status.account_id)
    assert author is not None
    attached = archive.media_in_order(status.media_ids) if media is None else media
    entity: Entity = {
        "id": str(status.id),
        "created_at": iso(status.created_ms),
        "in_reply_to_id": _id(status.in_reply_to_id),
        "in_reply_to_account_id": _id(status.in_reply_to_account_id),
        "sensitive": status.sensitive,
        "spoiler_text": status.spoiler_text,
        "visibility": status.visibility,
        "language": status.language,
        "uri": _uri(status, author, instance),
        "url": status_url(status, author, instance),
        "replies_count": archive.count_replies(status.id),
        "reblogs_count": 0,
        "favourites_count": 0,
        "edited_at": iso(status.edited_ms) if status.edited_ms else None,
        "favourited": False,
        "reblogged": False,
        "muted": False,
        "bookmarked": False,
        "pinned": False,
        "reblog": None,
        "application": application_entity(archive.app(status.client_id)),
        "account": account_entity(author, instance),
        "media_attachments": [media_entity(item, instance) for item in attached],
        **_mentions_and_tags(status.text, instance),
        "emojis": [],
        "card": None,
        "poll": poll_entity(status.poll) if status.poll else None,
    }
    entity["text" if source else "content"] = status.text if source else instance.html(status.text)
    if instance.oddities.since(4, 5):
        entity |= _quoting(status, instance)
    return entity


def status_url(status: Status, author: Account, instance: Instance) -> str:
    return f"{instance.origin}/@{author.username}/{status.id}"


def application_entity(app: App | None) -> Entity | None:
    return {"name": app.name, "website": app.website} if app else None


def app_entity(app: App) -> Entity:
    return {
        "id": str(app.id),
        "name": app.name,
        "website": app.website,
        "scopes": app.scopes,
        "redirect_uri": "\n".join(app.redirect_uris),
        "redirect_uris": app.redirect_uris,
    }


def media_entity(media: Media, instance: Instance) -> Entity:
    """`url` is null while it is processed. No sizes for video and audio: nothing here looks into them."""
    files = f"{instance.origin}/system/media_attachments/files/{media.id}"
    ready = is_ready(media)
    sizes: Entity = {}
    if media.size:
        sizes["original"] = _size(media.size)
    if media.preview_size:
        sizes["small"] = _size(media.preview_size)
    if media.kind == "image":
        sizes["focus"] = {"x": media.focus[0], "y": media.focus[1]}
    preview = f"{files}/small/{media.preview}" if media.preview else None
    return {
        "id": str(media.id),
        "type": media.kind,
        "url": f"{files}/original/{media.file}" if ready else None,
        "preview_url": preview if ready else None,
        "remote_url": None,
        "preview_remote_url": None,
        "text_url": None,
        "meta": sizes if ready else ({"focus": sizes["focus"]} if "focus" in sizes else {}),
        "description": media.description,
        "blurhash": media.blurhash if ready else None,
    }


def is_ready(media: Media) -> bool:
    return media.ready_ms <= now_ms() and not media.busy_looks and not media.failed


def poll_entity(poll: Poll) -> Entity:
    return {
        "id": str(poll.id),
        "expires_at": iso(poll.expires_ms),
        "expired": poll.expires_ms <= now_ms(),
        "multiple": poll.multiple,
        "votes_count": 0,
        "voters_count": 0,
        "voted": True,
        "own_votes": [],
        "options": [{"title": option, "votes_count": None if poll.hide_totals else 0} for option in poll.options],
        "emojis": [],
    }


def edit_entity(edit: Edit, status: Status, instance: Instance) -> Entity:
    author = instance.archive.account(status.account_id)
    assert author is not None
    media = []
    for media_id, description in edit.media:
        item = instance.archive.media(media_id)
        if item is not None:
            media.append({**media_entity(item, instance), "description": description})
    entity: Entity = {
        "content": instance.html(edit.text),
        "spoiler_text": edit.spoiler_text,
        "sensitive": edit.sensitive,
        "created_at": iso(edit.created_ms),
        "account": account_entity(author, instance),
        "media_attachments": media,
        "emojis": [],
    }
    if edit.options is not None:
        entity["poll"] = {"options": [{"title": option} for option in edit.options]}
    return entity


def scheduled_entity(scheduled: Scheduled, instance: Instance) -> Entity:
    media = instance.archive.media_in_order(scheduled.media_ids)
    return {
        "id": str(scheduled.id),
        "scheduled_at": iso(scheduled.due_ms),
        "params": scheduled.params,
        "media_attachments": [media_entity(item, instance) for item in media],
    }


def _uri(status: Status, author: Account, instance: Instance) -> str:
    if instance.oddities.since(4, 6):
        return f"{instance.origin}/ap/users/{author.id}/statuses/{status.id}"
    return f"{instance.origin}/users/{author.username}/statuses/{status.id}"


def _mentions_and_tags(words: str, instance: Instance) -> Entity:
    found = text.entities(words)
    mentioned = {}
    for name, domain in found.users:
        account = instance.archive.account_named(name) if domain in (None, instance.domain) else None
        if account is not None:
            mentioned[account.id] = account
    return {
        "mentions": [
            {
                "id": str(account.id),
                "username": account.username,
                "url": f"{instance.origin}/@{account.username}",
                "acct": account.username,
            }
            for account in mentioned.values()
        ],
        "tags": [{"name": tag, "url": f"{instance.origin}/tags/{tag}"} for tag in found.tags],
    }


def _quoting(status: Status, instance: Instance) -> Entity:
    """4.5 and later. A quoted post of anybody here is accepted at once; quotes are shown one deep."""
    quoted = instance.archive.status(status.quoted_id)
    quote: Entity | None = None
    if status.quoted_id is not None:
        live = quoted is not None and quoted.deleted_ms is None
        shown = (
            status_entity(structs.replace(quoted, quoted_id=None), instance) if quoted is not None and live else None
        )
        quote = {"state": "accepted" if live else "deleted", "quoted_status": shown}
    automatic = {"public": ["public"], "followers": ["followers"]}.get(status.quote_policy, [])
    approval = {"automatic": automatic, "manual": [], "current_user": "automatic"}
    return {"quotes_count": 0, "quote": quote, "quote_approval": approval}


def _size(size: tuple[int, int]) -> Entity:
    width, height = size
    return {"width": width, "height": height, "size": f"{width}x{height}", "aspect": width / height}


def _id(number: int | None) -> str | None:
    return None if number is None else str(number)
