"""Pages for people: somebody's profile, one post, and the pictures on them."""

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import File

from social.sandbox.avatars import drawn
from social.sandbox.pages import HEADERS, page
from social.sandbox.platform import Post
from social.sandbox.x.errors import not_found
from social.sandbox.x.media import SHOWN
from social.sandbox.x.service import Service
from social.sandbox.x.showing import shown


@get("/")
async def front_door() -> Response[bytes]:
    return Response(b"", status_code=302, headers={"Location": "/sandbox/timeline/x"})


@get("/{username:str}")
async def profile(username: FromPath[str], x: NamedDependency[Service]) -> Response[bytes]:
    user = x.archive.user_named(username)
    if user is None:
        return page("missing.html", status=404)
    live = [post for post in x.archive.posts_of(user.id) if post.deleted_ms is None]
    return _page(user.name, [shown(post, user, x) for post in live[:60]])


@get("/{username:str}/status/{post_id:str}")
async def one_post(username: FromPath[str], post_id: FromPath[str], x: NamedDependency[Service]) -> Response[bytes]:
    """Under its author's name, or under `i`; 404 once it is gone."""
    found = x.archive.post(int(post_id)) if post_id.isdigit() and len(post_id) < 20 else None
    author = x.archive.user(found.user_id) if found else None
    named = author is not None and username.lower() in {"i", author.username.lower()}
    if found is None or author is None or found.deleted_ms is not None or not named:
        return page("missing.html", status=404)
    return _page(f"Post of {author.name}", [shown(found, author, x)])


def _page(heading: str, posts: list[Post]) -> Response[bytes]:
    return page("posts.html", here="timeline", heading=heading, lead="On a simulated X.", posts=posts)


@get("/pictures/people/{name:str}", sync_to_thread=False)
def avatar(name: FromPath[str]) -> Response[bytes]:
    """Drawn from the name, which is all there is."""
    return Response(drawn(name.removesuffix(".png") or "?"), media_type="image/png", headers=HEADERS)


@get("/pictures/media/{media_id:str}", sync_to_thread=False)
def file(media_id: FromPath[str], x: NamedDependency[Service]) -> File:
    """An uploaded file as it is. Raises Refused 404."""
    media = x.archive.media(int(media_id)) if media_id.isdigit() and len(media_id) < 20 else None
    if media is None or media.finalized_ms is None:
        raise not_found(x.host, "media", media_id)
    mime = media.mime if media.mime in SHOWN or media.mime.startswith("video/") else "application/octet-stream"
    return File(x.folder / media.file, media_type=mime, content_disposition_type="inline", headers=HEADERS)


ROUTES = (front_door, profile, one_post, avatar, file)
