"""The page where a person lets an app in. Sheet: Connecting an account, 2."""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency

from social.sandbox.clock import now_ms
from social.sandbox.mastodon.apps import BAD_SCOPE, OUT_OF_BAND, UNKNOWN_CLIENT
from social.sandbox.mastodon.instance import Instance, carries, fresh_secret
from social.sandbox.mastodon.params import Call, Params, read_params, read_query
from social.sandbox.mastodon.people import settled
from social.sandbox.mastodon.records import Account, App, Grant
from social.sandbox.pages import page

SIGNED_IN = "sandbox_person"  # the cookie that remembers who last signed in here
IN_WORDS = {
    "read": "Read all your account's data",
    "write": "Modify all your account's data",
    "profile": "Read your account's profile information only",
    "follow": "Modify account relationships",
    "push": "Receive your push notifications",
    "read:accounts": "See accounts information",
    "read:statuses": "See all posts",
    "write:statuses": "Publish posts",
    "write:media": "Upload media files",
}
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")

DENIED = "The resource owner or authorization server denied the request."


class Wish(NamedTuple):
    """What an app asks a person for, checked."""

    app: App
    redirect_uri: str
    scopes: list[str]
    state: str | None
    challenge: str | None

    @property
    def out_of_band(self) -> bool:
        return self.redirect_uri == OUT_OF_BAND


class NoConsent(Exception):
    """The request is wrong in a way that only a page may say: nobody is redirected to an address not registered."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status, self.error, self.description = status, error, description


@get("/oauth/authorize")
async def consent(request: Call, instance: NamedDependency[Instance]) -> Response[bytes]:
    """The page that asks. `force_login` forgets who signed in before."""
    params = read_query(request)
    try:
        wish = _wish(params, instance)
    except NoConsent as wrong:
        return _refusal_page(wrong)
    remembered = (
        None if params.flag("force_login") else instance.archive.account_named(request.cookies.get(SIGNED_IN, ""))
    )
    return _consent_page(wish, params, remembered, instance)


@post("/oauth/authorize")
async def decide(request: Call, instance: NamedDependency[Instance]) -> Response[bytes]:
    """The form of that page: `decision` authorize or deny, `username` chosen or `new_username` typed."""
    params = await read_params(request, instance.incoming_folder)
    params.drop_uploads()
    try:
        wish = _wish(params, instance)
    except NoConsent as wrong:
        return _refusal_page(wrong)
    if params.text("decision") != "authorize":
        return _denied(wish)
    try:
        person = settled(instance, params.text("new_username") or params.text("username") or "")
    except ValueError as wrong:
        return _consent_page(wish, params, None, instance, problem=str(wrong))
    code = fresh_secret()
    grant = Grant(
        code=code,
        client_id=wish.app.client_id,
        account_id=person.id,
        redirect_uri=wish.redirect_uri,
        scopes=wish.scopes,
        challenge=wish.challenge,
        created_ms=now_ms(),
    )
    instance.archive.save_grant(grant)
    if wish.out_of_band:
        answer = _redirect(f"{instance.origin}/oauth/authorize/native?{urlencode({'code': code})}")
    else:
        answer = _redirect(_with_query(wish.redirect_uri, {"code": code, "state": wish.state}))
    answer.set_cookie(Cookie(key=SIGNED_IN, value=person.username, path="/oauth", httponly=True, samesite="lax"))
    return answer


@get("/oauth/authorize/native")
async def shown_code(request: Call) -> Response[bytes]:
    return page("code.html", code=read_query(request).text("code") or "")


def _wish(params: Params, instance: Instance) -> Wish:
    app = instance.archive.app(params.text("client_id"))
    if app is None:
        raise NoConsent(401, "invalid_client", UNKNOWN_CLIENT)
    redirect_uri = params.text("redirect_uri") or ""
    if redirect_uri not in app.redirect_uris:
        raise NoConsent(
            400, "invalid_redirect_uri", "The requested redirect uri is malformed or doesn't match client redirect URI."
        )
    if params.text("response_type") != "code":
        raise NoConsent(
            400, "unsupported_response_type", "The authorization server does not support this response type."
        )
    scopes = (params.text("scope") or "read").split()
    if not scopes or not all(carries(app.scopes, scope) for scope in scopes):
        raise NoConsent(400, "invalid_scope", BAD_SCOPE)
    return Wish(app, redirect_uri, scopes, params.text("state") or None, _challenge(params, instance))


def _challenge(params: Params, instance: Instance) -> str | None:
    """PKCE is known since 4.3, S256 only; before that the parameters mean nothing."""
    challenge = params.text("code_challenge")
    if not challenge or not instance.oddities.since(4, 3):
        return None
    if params.text("code_challenge_method") != "S256":
        raise NoConsent(400, "invalid_code_challenge_method", "The code_challenge_method must be S256.")
    if not CHALLENGE.fullmatch(challenge):
        raise NoConsent(400, "invalid_request", "The code_challenge is no S256 digest.")
    return challenge


ASKED = ("client_id", "redirect_uri", "response_type", "scope", "state", "code_challenge", "code_challenge_method")


def _consent_page(
    wish: Wish, params: Params, remembered: Account | None, instance: Instance, problem: str | None = None
) -> Response[bytes]:
    others = [person for person in instance.archive.accounts() if remembered is None or person.id != remembered.id]
    return page(
        "authorize.html",
        status=422 if problem else 200,
        form_action=_target(wish),
        app=wish.app,
        domain=instance.domain,
        scopes=[(scope, IN_WORDS.get(scope, scope)) for scope in wish.scopes],
        asked={name: value for name in ASKED if (value := params.text(name)) is not None},
        remembered=remembered,
        people=([remembered] if remembered else []) + others,
        problem=problem,
        typed=params.text("new_username") or "",
    )


def _target(wish: Wish) -> str | None:
    """Where the form may lead: browsers hold the policy against the redirect that follows it, too."""
    if wish.out_of_band:
        return None
    parts = urlsplit(wish.redirect_uri)
    if parts.scheme in ("http", "https"):
        return f"{parts.scheme}://{parts.netloc}" if re.fullmatch(r"[\w.:\[\]-]+", parts.netloc) else None
    return f"{parts.scheme}:"


def _denied(wish: Wish) -> Response[bytes]:
    """`access_denied`: the sheet has it as unconfirmed, RFC 6749 as the rule."""
    if wish.out_of_band:
        return _refusal_page(NoConsent(403, "access_denied", DENIED))
    answer = {"error": "access_denied", "error_description": DENIED, "state": wish.state}
    return _redirect(_with_query(wish.redirect_uri, answer))


def _refusal_page(wrong: NoConsent) -> Response[bytes]:
    return page("refusal.html", status=wrong.status, error=wrong.error, description=wrong.description)


def _with_query(uri: str, added: dict[str, str | None]) -> str:
    parts = urlsplit(uri)
    pairs = [*parse_qsl(parts.query, keep_blank_values=True), *((k, v) for k, v in added.items() if v is not None)]
    return urlunsplit(parts._replace(query=urlencode(pairs)))


def _redirect(to: str) -> Response[bytes]:
    return Response(b"", status_code=302, headers={"Location": to, "Cache-Control": "no-store"})


ROUTES = (consent, decide, shown_code)
