"""The page where a person lets an app in. Sheet: Connecting an account, 1."""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency

from social.sandbox.clock import now_ms
from social.sandbox.pages import page
from social.sandbox.x.records import Client, Grant, User
from social.sandbox.x.service import SCOPES, Call, Service, new_secret

SIGNED_IN = "sandbox_x_person"  # the cookie that remembers who last signed in here
STATE_MOST = 500
ASKED = ("client_id", "redirect_uri", "response_type", "scope", "state", "code_challenge", "code_challenge_method")
IN_WORDS = {
    "tweet.read": "See posts",
    "tweet.write": "Post and repost for you",
    "users.read": "See profiles",
    "media.write": "Upload pictures and videos for you",
    "offline.access": "Stay connected until you end it",
}


class Wish(NamedTuple):
    """What an app asks a person for, checked."""

    client: Client
    asked: dict[str, str]
    scopes: list[str]


class NoConsent(Exception):
    """The request is wrong in a way that only a page may say."""


@get("/i/oauth2/authorize")
async def consent(request: Call, x: NamedDependency[Service]) -> Response[bytes]:
    """The page that asks."""
    asked = dict(parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True))
    try:
        wish = _wish(asked, x)
    except NoConsent as wrong:
        return _refusal(wrong)
    return _page(wish, x.archive.user_named(request.cookies.get(SIGNED_IN, "")), x)


@post("/i/oauth2/authorize")
async def decide(request: Call, x: NamedDependency[Service]) -> Response[bytes]:
    """The form of that page: `decision` authorize or deny, `username` chosen or `new_username` typed."""
    form = dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
    try:
        wish = _wish(form, x)
    except NoConsent as wrong:
        return _refusal(wrong)
    if form.get("decision") != "authorize":
        return _back(wish, {"error": "access_denied"})
    try:
        person = x.settled(form.get("new_username") or form.get("username") or "")
    except ValueError as wrong_name:
        return _page(wish, None, x, problem=str(wrong_name), typed=form.get("new_username", ""))
    answer = _back(wish, {"code": granted(wish, person, x).code})
    answer.set_cookie(Cookie(key=SIGNED_IN, value=person.username, path="/x/i", httponly=True, samesite="lax"))
    return answer


def granted(wish: Wish, person: User, x: Service) -> Grant:
    """The person's permission, not exchanged yet."""
    grant = Grant(
        id=new_secret(),
        client_id=wish.client.id,
        user_id=person.id,
        scopes=wish.scopes,
        code=new_secret(),
        redirect_uri=wish.asked["redirect_uri"],
        challenge=wish.asked["code_challenge"],
        method="plain" if wish.asked["code_challenge_method"] == "plain" else "S256",
        created_ms=now_ms(),
    )
    x.archive.save_grant(grant)
    return grant


def _wish(asked: dict[str, str], x: Service) -> Wish:
    client = x.archive.client(asked.get("client_id", ""))
    if client is None:
        raise NoConsent("Something went wrong: this app is not known.")
    address = asked.get("redirect_uri", "")
    if not urlsplit(address).scheme or (client.redirect_uris and address not in client.redirect_uris):
        raise NoConsent("Something went wrong: this redirect address is not registered for the app.")
    if asked.get("response_type") != "code":
        raise NoConsent("Something went wrong: only the response type `code` is known.")
    if not 0 < len(asked.get("state", "")) <= STATE_MOST:
        raise NoConsent(f"Something went wrong: a state of 1 to {STATE_MOST} characters is needed.")
    if not asked.get("code_challenge") or asked.get("code_challenge_method") not in ("S256", "plain"):
        raise NoConsent("Something went wrong: a code_challenge with its method (S256 or plain) is needed.")
    scopes = asked.get("scope", "").split()
    if not scopes or not set(scopes) <= set(SCOPES):
        raise NoConsent("Something went wrong: one of the scopes is not known.")
    return Wish(client, {name: asked[name] for name in ASKED if name in asked}, scopes)


def _page(
    wish: Wish, remembered: User | None, x: Service, problem: str | None = None, typed: str = ""
) -> Response[bytes]:
    others = [person for person in x.archive.users() if remembered is None or person.id != remembered.id]
    place = urlsplit(wish.asked["redirect_uri"])
    safe = place.scheme in ("http", "https") and re.fullmatch(r"[\w.:\[\]-]+", place.netloc)
    return page(
        "x_authorize.html",
        status=422 if problem else 200,
        form_action=f"{place.scheme}://{place.netloc}" if safe else None,
        app=wish.client,
        scopes=[(scope, IN_WORDS.get(scope, scope)) for scope in wish.scopes],
        asked=wish.asked,
        remembered=remembered,
        people=([remembered] if remembered else []) + others,
        problem=problem,
        typed=typed,
    )


def _back(wish: Wish, added: dict[str, str]) -> Response[bytes]:
    parts = urlsplit(wish.asked["redirect_uri"])
    pairs = [*parse_qsl(parts.query, keep_blank_values=True), ("state", wish.asked["state"]), *added.items()]
    to = urlunsplit(parts._replace(query=urlencode(pairs)))
    return Response(b"", status_code=302, headers={"Location": to, "Cache-Control": "no-store"})


def _refusal(wrong: NoConsent) -> Response[bytes]:
    return page("refusal.html", status=400, error="invalid_request", description=str(wrong))


ROUTES = (consent, decide)
