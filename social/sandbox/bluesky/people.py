"""Pages for people: somebody's profile, one post, and where app passwords are made."""

from urllib.parse import parse_qsl

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from social.sandbox.avatars import drawn
from social.sandbox.bluesky.call import FORM_LIMIT, Web, whole
from social.sandbox.bluesky.errors import Refused
from social.sandbox.bluesky.pds import Pds
from social.sandbox.bluesky.records import Account
from social.sandbox.bluesky.showing import shown_post, tags_of
from social.sandbox.pages import page
from social.sandbox.platform import Post


@get("/")
async def front_door() -> Response[bytes]:
    return Response(b"", status_code=302, headers={"Location": "/sandbox/timeline/bluesky"})


@get("/profile/{actor:str}")
async def profile(actor: FromPath[str], pds: NamedDependency[Pds]) -> Response[bytes]:
    account = pds.archive.account_named(actor)
    if account is None:
        return page("missing.html", status=404)
    posts = [shown_post(record, pds) for record in pds.archive.latest_posts(account.did)]
    return _page(account.display_name, posts)


@get("/profile/{actor:str}/post/{rkey:str}")
async def one_post(actor: FromPath[str], rkey: FromPath[str], pds: NamedDependency[Pds]) -> Response[bytes]:
    """Under the author's DID or handle; 404 once it is gone."""
    account = pds.archive.account_named(actor)
    record = pds.archive.record(account.did, "app.bsky.feed.post", rkey) if account else None
    if account is None or record is None:
        return page("missing.html", status=404)
    return _page(f"Post of {account.display_name}", [shown_post(record, pds)])


@get("/hashtag/{tag:str}")
async def hashtag(tag: FromPath[str], pds: NamedDependency[Pds]) -> Response[bytes]:
    records = [record for record in pds.archive.latest_posts(limit=1000) if tag.lower() in tags_of(record.value)]
    return _page(f"#{tag}", [shown_post(record, pds) for record in records[:60]])


@get("/avatars/{name:str}")
async def avatar(name: FromPath[str], pds: NamedDependency[Pds]) -> Response[bytes]:
    account = pds.archive.account(name.removesuffix(".png"))
    if account is None:
        raise Refused(404, "NotFound")
    headers = {"Cache-Control": "public, max-age=86400"}
    return Response(drawn(account.username), media_type="image/png", headers=headers)


@get("/settings/app-passwords")
async def app_passwords(pds: NamedDependency[Pds]) -> Response[bytes]:
    """Where an app password comes from; the real page is at the same path of bsky.app."""
    return _password_page(pds)


@post("/settings/app-passwords", status_code=200)
async def make_app_password(request: Web, pds: NamedDependency[Pds]) -> Response[bytes]:
    body = await whole(request, FORM_LIMIT)
    form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    name = form.get("name", "").strip() or "App"
    try:
        person = pds.settled(form.get("new_username", "").strip() or form.get("username", ""))
        made = pds.new_app_password(person, name)
    except ValueError as wrong:
        return _password_page(pds, problem=str(wrong))
    except Refused:
        return _password_page(pds, problem="There is an app password of this name already.")
    return _password_page(pds, made=(person, made.password))


def _password_page(pds: Pds, problem: str | None = None, made: tuple[Account, str] | None = None) -> Response[bytes]:
    return page(
        "bluesky_app_passwords.html",
        status=422 if problem else 200,
        people=pds.archive.accounts(),
        problem=problem,
        made=made,
    )


def _page(heading: str, posts: list[Post]) -> Response[bytes]:
    return page("posts.html", lead="On a simulated Bluesky host.", here="timeline", heading=heading, posts=posts)


ROUTES = (front_door, profile, one_post, hashtag, avatar, app_passwords, make_app_password)
