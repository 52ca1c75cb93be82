"""What the host asks its AppView for: profiles, posts, threads. Sheet: Identity, Metrics, Comments."""

from collections.abc import Iterator

from litestar import Response

from social.sandbox.bluesky.auth import caller
from social.sandbox.bluesky.call import Call, reply
from social.sandbox.bluesky.errors import Refused, invalid_request, no_service
from social.sandbox.bluesky.pds import Pds
from social.sandbox.bluesky.records import Account, Json, Record, Version
from social.sandbox.bluesky.repo import inner
from social.sandbox.bluesky.views import (
    POSTS,
    find,
    indexed,
    post_view,
    profile_detailed,
    sorted_ms,
)

POSTS_AT_ONCE = 25
DEEPEST = 200  # levels of replies, whatever is asked for
NO_MEDIA = ("app.bsky.embed.record", "app.bsky.embed.external")


async def get_profile(call: Call) -> Response[bytes]:
    _asked(call)
    return reply(profile_detailed(_actor(call), call.pds))


async def get_preferences(call: Call) -> Response[bytes]:
    """The host's own, so there without an AppView too."""
    caller(call)
    return reply({"preferences": []})


async def get_posts(call: Call) -> Response[bytes]:
    """What is missing is left out."""
    _asked(call)
    uris = call.texts("uris")
    if not 1 <= len(uris) <= POSTS_AT_ONCE:
        raise invalid_request(f"Error: uris must have 1 to {POSTS_AT_ONCE} elements")
    found = ((record, indexed(record, call.pds)) for record in (find(uri, call.pds) for uri in uris))
    return reply({"posts": [post_view(record, shown, call.pds) for record, shown in found if record and shown]})


async def get_author_feed(call: Call) -> Response[bytes]:
    _asked(call)
    limit, wanted = call.number("limit", 50, 1, 100), call.text("filter") or "posts_with_replies"
    feed = sorted(_feed(_actor(call), wanted, call.pds), key=lambda item: item[0], reverse=True)
    cursor = call.text("cursor")
    if cursor is not None:
        if not cursor.isdecimal():
            raise invalid_request("Malformed cursor")
        feed = [item for item in feed if item[0] < int(cursor)]
    page = feed[:limit]
    more = {"cursor": str(page[-1][0])} if len(feed) > limit else {}
    return reply({"feed": [{"post": post_view(record, shown, call.pds)} for _, record, shown in page], **more})


async def get_post_thread(call: Call) -> Response[bytes]:
    _asked(call)
    depth, height = call.number("depth", 6, 0, 1000), call.number("parentHeight", 80, 0, 1000)
    uri = call.needed("uri")
    record = find(uri, call.pds)
    shown = indexed(record, call.pds)
    if record is None or shown is None:
        raise Refused(400, "NotFound", f"Post not found: {uri}")
    thread = _with_replies(record, shown, min(depth, DEEPEST), call.pds)
    lowest = thread
    above = inner(shown.value, "reply", "parent", "uri")
    while above is not None and height > 0:
        lowest["parent"], above = _one_above(above, call.pds)
        lowest, height = lowest["parent"], height - 1
    return reply({"thread": thread})


def _asked(call: Call) -> None:
    """Raises Refused: without a token, and where this host has no AppView."""
    caller(call)
    if not call.pds.oddities.app_view:
        raise no_service(call.nsid)


def _actor(call: Call) -> Account:
    found = call.pds.archive.account_named(call.needed("actor"))
    if found is None:
        raise invalid_request("Profile not found")
    return found


def _feed(account: Account, wanted: str, pds: Pds) -> Iterator[tuple[int, Record, Version]]:
    for record in pds.archive.posts_of(account.did):
        shown = indexed(record, pds)
        if shown is not None and _fits(shown.value, wanted, account.did):
            yield sorted_ms(record, shown), record, shown


def _fits(value: Json, wanted: str, did: str) -> bool:
    parent = inner(value, "reply", "parent", "uri")
    if wanted == "posts_no_replies":
        return parent is None
    if wanted == "posts_with_media":
        return (inner(value, "embed", "$type") or NO_MEDIA[0]) not in NO_MEDIA
    if wanted == "posts_and_author_threads":
        return parent is None or parent.startswith(f"at://{did}/")
    return True


def _with_replies(record: Record, shown: Version, depth: int, pds: Pds) -> Json:
    view = {"$type": "app.bsky.feed.defs#threadViewPost", "post": post_view(record, shown, pds)}
    if depth == 0:
        return view
    below = ((answer, indexed(answer, pds)) for answer in pds.archive.about(record.uri, POSTS))
    return view | {"replies": [_with_replies(answer, seen, depth - 1, pds) for answer, seen in below if seen]}


def _one_above(uri: str, pds: Pds) -> tuple[Json, str | None]:
    """The view of a parent, and the address of the one above it."""
    record = find(uri, pds)
    shown = indexed(record, pds)
    if record is None or shown is None:
        return {"$type": "app.bsky.feed.defs#notFoundPost", "uri": uri, "notFound": True}, None
    view = {"$type": "app.bsky.feed.defs#threadViewPost", "post": post_view(record, shown, pds)}
    return view, inner(shown.value, "reply", "parent", "uri")


QUERIES = {
    "app.bsky.actor.getProfile": get_profile,
    "app.bsky.actor.getPreferences": get_preferences,
    "app.bsky.feed.getPosts": get_posts,
    "app.bsky.feed.getAuthorFeed": get_author_feed,
    "app.bsky.feed.getPostThread": get_post_thread,
}
