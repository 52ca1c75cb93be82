"""What is online, as a reader would see it: everything, one person's, one tag's, one post."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from social.sandbox.desk import Desk
from social.sandbox.mastodon.archive import read_id
from social.sandbox.mastodon.errors import NO_ROUTE, Refused
from social.sandbox.pages import page
from social.sandbox.platform import Post
from social.sandbox.rehearsal import in_words

Call = Request[Any, Any, Any]

NOTHING_YET = (
    "Nothing is online yet",
    "Connect an account, write a post and send it: it appears here the second it goes out.",
)
GONE = ("This post is not online", "It was deleted, or it never was here.")


@get("/")
async def front_door() -> Response[bytes]:
    return Response(b"", status_code=302, headers={"Location": "/sandbox/timeline"})


@get(["/sandbox/timeline", "/sandbox/timeline/{platform:str}"])
async def timeline(request: Call, desk: NamedDependency[Desk], platform: str | None = None) -> Response[bytes]:
    """Of all platforms, or of one."""
    if platform is not None and platform not in desk.platforms:
        return _nothing(request)
    if _unchanged(request, desk):
        return _not_modified(desk)
    chosen = [desk.platforms[platform]] if platform else desk.platforms.values()
    posts = [post for each in chosen for post in each.online()]
    posts.sort(key=lambda post: post.created_ms, reverse=True)
    return _page("Timeline", posts, desk, NOTHING_YET, tab=platform or "all")


@get("/tags/{tag:str}")
async def tagged(request: Call, tag: FromPath[str], desk: NamedDependency[Desk]) -> Response[bytes]:
    if _unchanged(request, desk):
        return _not_modified(desk)
    return _page(
        f"#{tag}",
        desk.mastodon.online(tag=tag),
        desk,
        (f"Nothing with #{tag} yet", "Posts with this hashtag appear here."),
    )


@get("/{handle:str}")
async def profile(request: Call, handle: FromPath[str], desk: NamedDependency[Desk]) -> Response[bytes]:
    """`/@name`, a Mastodon account's page."""
    person = desk.mastodon.instance.archive.account_named(handle[1:]) if handle.startswith("@") else None
    if person is None:
        return _nothing(request)
    if _unchanged(request, desk):
        return _not_modified(desk)
    empty = (f"@{person.username} has nothing online", "What this account posts appears here.")
    return _page(f"@{person.username}", desk.mastodon.online(author=person.username), desk, empty)


@get("/{handle:str}/{status_id:str}")
async def one_post(
    request: Call, handle: FromPath[str], status_id: FromPath[str], desk: NamedDependency[Desk]
) -> Response[bytes]:
    """`/@name/id`, a Mastodon post's page; 404 once it is gone."""
    found = desk.mastodon.post(handle[1:], read_id(status_id)) if handle.startswith("@") else None
    if found is None:
        return _nothing(request)
    if _unchanged(request, desk):
        return _not_modified(desk)
    return _page(f"Post of {found.handle}", [found], desk, GONE)


def _page(
    heading: str, posts: list[Post], desk: Desk, empty: tuple[str, str], *, tab: str | None = None
) -> Response[bytes]:
    instance = desk.mastodon.instance
    shown = page(
        "timeline.html",
        here="timeline",
        tab=tab,
        platforms=list(desk.platforms),
        heading=heading,
        posts=posts,
        empty=empty,
        troubles=in_words(desk),
        people=[
            {
                "name": person.display_name,
                "url": f"/@{person.username}",
                "avatar_url": f"/avatars/{person.id}.png",
                "posts": person.posts,
            }
            for person in instance.archive.accounts()[:30]
        ],
        domain=instance.domain,
    )
    shown.set_header("ETag", desk.state_tag())
    return shown


def _unchanged(request: Call, desk: Desk) -> bool:
    return request.headers.get("if-none-match") == desk.state_tag()


def _not_modified(desk: Desk) -> Response[bytes]:
    return Response(b"", status_code=304, headers={"ETag": desk.state_tag()})


def _nothing(request: Call) -> Response[bytes]:
    if "text/html" in request.headers.get("accept", ""):
        return page("missing.html", status=404)
    raise Refused(404, NO_ROUTE)


ROUTES = (front_door, timeline, tagged, profile, one_post)
