"""Records as the AppView shows them: a little later than they are written. Sheet: Metrics, Comments."""

from social.sandbox.bluesky.pds import Pds
from social.sandbox.bluesky.records import Account, Json, Record, Version
from social.sandbox.bluesky.repo import inner
from social.sandbox.clock import iso, now_ms, read_iso

LIKES, REPOSTS, POSTS = "app.bsky.feed.like", "app.bsky.feed.repost", "app.bsky.feed.post"


def indexed(record: Record | None, pds: Pds) -> Version | None:
    """What the AppView knows of it by now; None where it has not heard of it, or has heard of its end."""
    if record is None:
        return None
    heard = now_ms() - int(pds.oddities.app_view_lag * 1000)
    if record.created_ms > heard or (record.deleted_ms is not None and record.deleted_ms <= heard):
        return None
    edited_later = record.edited_ms is not None and (record.edited_ms > heard or not pds.oddities.edits_shown)
    if edited_later and record.earlier is not None:
        return record.earlier
    return Version(cid=record.cid, value=record.value)


def profile_basic(account: Account, pds: Pds) -> Json:
    own = profile_record(account, pds)
    picture = inner(own, "avatar", "ref", "$link")
    return {
        "did": account.did,
        "handle": account.handle,
        "displayName": inner(own, "displayName") or account.display_name,
        "avatar": pds.blob_url(account.did, picture) if picture else pds.avatar_of(account.did),
        "createdAt": iso(account.created_ms),
        "labels": [],
    }


def profile_detailed(account: Account, pds: Pds) -> Json:
    own = profile_record(account, pds)
    return {
        **profile_basic(account, pds),
        "description": inner(own, "description") or "",
        "followersCount": 0,
        "followsCount": 0,
        "postsCount": pds.archive.count_posts(account.did),
        "indexedAt": iso(account.created_ms),
    }


def profile_record(account: Account, pds: Pds) -> Json:
    record = pds.archive.record(account.did, "app.bsky.actor.profile", "self")
    return record.value if record else {}


def post_view(record: Record, shown: Version, pds: Pds) -> Json:
    author = pds.archive.account(record.did)
    assert author is not None
    replies = pds.archive.about(record.uri, POSTS)
    view: Json = {
        "uri": record.uri,
        "cid": shown.cid,
        "author": profile_basic(author, pds),
        "record": shown.value,
        "likeCount": _count(pds.archive.about(record.uri, LIKES), pds),
        "repostCount": _count(pds.archive.about(record.uri, REPOSTS), pds),
        "replyCount": _count(replies, pds),
        "quoteCount": _count(pds.archive.quoting(record.uri), pds),
        "bookmarkCount": 0,
        "indexedAt": iso(record.created_ms),
        "labels": [],
    }
    embed = embed_view(shown.value.get("embed"), record.did, pds)
    return view | ({"embed": embed} if embed else {})


def embed_view(embed: object, did: str, pds: Pds) -> Json | None:
    """None for an embed that nobody knows: the post is shown without it."""
    if not isinstance(embed, dict):
        return None
    kind = str(embed.get("$type"))
    if kind == "app.bsky.embed.images":
        images = [_image_view(item, did, pds) for item in objects(embed, "images")]
        return {"$type": f"{kind}#view", "images": images}
    if kind == "app.bsky.embed.gallery":
        items = [_image_view(item, did, pds, small="thumbnail") for item in objects(embed, "items")]
        return {"$type": f"{kind}#view", "items": [{"$type": f"{kind}#viewImage", **item} for item in items]}
    if kind == "app.bsky.embed.video":
        cid = inner(embed, "video", "ref", "$link") or ""
        view = {"$type": f"{kind}#view", "cid": cid, "playlist": pds.blob_url(did, cid)}
        return view | {name: embed[name] for name in ("alt", "aspectRatio", "presentation") if name in embed}
    if kind == "app.bsky.embed.external":
        return {"$type": f"{kind}#view", "external": _external_view(object_in(embed, "external"), did, pds)}
    if kind == "app.bsky.embed.record":
        return {"$type": f"{kind}#view", "record": _quoted_view(inner(embed, "record", "uri") or "", pds)}
    if kind == "app.bsky.embed.recordWithMedia":
        quote = _quoted_view(inner(embed, "record", "record", "uri") or "", pds)
        return {"$type": f"{kind}#view", "record": {"record": quote}, "media": embed_view(embed.get("media"), did, pds)}
    return None


def objects(value: object, name: str) -> list[Json]:
    """A list of objects in an object; what is none is left out: `validate: false` lets anything through."""
    held = value.get(name) if isinstance(value, dict) else None
    return [item for item in held if isinstance(item, dict)] if isinstance(held, list) else []


def object_in(value: object, name: str) -> Json:
    held = value.get(name) if isinstance(value, dict) else None
    return held if isinstance(held, dict) else {}


def sorted_ms(record: Record, shown: Version) -> int:
    """What the AppView sorts by: the earlier of what the author says and when it came to know."""
    said = read_iso(str(shown.value.get("createdAt")))
    return min(record.created_ms, said if said is not None else record.created_ms)


def find(uri: str, pds: Pds) -> Record | None:
    """The record of an `at://` address, or the one that was deleted there last."""
    parts = uri.removeprefix("at://").split("/")
    if not uri.startswith("at://") or len(parts) != 3:
        return None
    account = pds.archive.account_named(parts[0])
    return pds.archive.latest_version(account.did, parts[1], parts[2]) if account else None


def _count(records: list[Record], pds: Pds) -> int:
    return sum(1 for record in records if indexed(record, pds) is not None)


def _image_view(item: Json, did: str, pds: Pds, small: str = "thumb") -> Json:
    url = pds.blob_url(did, inner(item, "image", "ref", "$link") or "")
    view = {small: url, "fullsize": url, "alt": item.get("alt", "")}
    return view | ({"aspectRatio": item["aspectRatio"]} if "aspectRatio" in item else {})


def _external_view(external: Json, did: str, pds: Pds) -> Json:
    thumb = inner(external, "thumb", "ref", "$link")
    view = {name: external.get(name) for name in ("uri", "title", "description")}
    return view | ({"thumb": pds.blob_url(did, thumb)} if thumb else {})


def _quoted_view(uri: str, pds: Pds) -> Json:
    record = find(uri, pds)
    shown = indexed(record, pds)
    author = pds.archive.account(record.did) if record else None
    if record is None or shown is None or author is None:
        return {"$type": "app.bsky.embed.record#viewNotFound", "uri": uri, "notFound": True}
    return {
        "$type": "app.bsky.embed.record#viewRecord",
        "uri": uri,
        "cid": shown.cid,
        "author": profile_basic(author, pds),
        "value": shown.value,
        "indexedAt": iso(record.created_ms),
    }
