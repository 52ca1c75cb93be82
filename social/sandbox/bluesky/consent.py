"""The page where a person lets an app in. Sheet: OAuth, from the pushed request to the callback."""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency

from social.sandbox.bluesky.call import FORM_LIMIT, Web, whole
from social.sandbox.bluesky.oauth import code_for
from social.sandbox.bluesky.pds import Pds
from social.sandbox.bluesky.records import Account, Asking
from social.sandbox.bluesky.scopes import in_words
from social.sandbox.clock import now_ms
from social.sandbox.pages import page

SIGNED_IN = "sandbox_bluesky_person"  # the cookie that remembers who last signed in here
DENIED = "The resource owner denied the request"


class NoConsent(Exception):
    """The request is wrong in a way that only a page may say: nobody is redirected to an address not checked."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error, self.description = error, description


@get("/oauth/authorize")
async def consent(request: Web, pds: NamedDependency[Pds]) -> Response[bytes]:
    """The page that asks: only for a request that was pushed before, and once."""
    asked = dict(parse_qsl(request.scope["query_string"].decode("latin-1")))
    try:
        asking = _asking(asked, pds)
    except NoConsent as wrong:
        return _refusal_page(wrong)
    hinted = asking.login_hint or request.cookies.get(SIGNED_IN, "")
    return _consent_page(asking, pds.archive.account_named(hinted.lower()), pds)


@post("/oauth/authorize")
async def decide(request: Web, pds: NamedDependency[Pds]) -> Response[bytes]:
    """The form of that page: `decision` authorize or deny, `username` chosen or `new_username` typed."""
    body = await whole(request, FORM_LIMIT)
    form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        asking = _asking(form, pds)
    except NoConsent as wrong:
        return _refusal_page(wrong)
    if form.get("decision") != "authorize":
        asking.answered = True
        pds.archive.save_asking(asking)
        return _back(asking, pds, {"error": "access_denied", "error_description": DENIED})
    typed = form.get("new_username", "").strip()
    try:
        person = pds.settled(typed or form.get("username", ""))
    except ValueError as wrong_name:
        return _consent_page(asking, None, pds, problem=str(wrong_name), typed=typed)
    answer = _back(asking, pds, {"code": code_for(asking, person.did, pds)})
    answer.set_cookie(Cookie(key=SIGNED_IN, value=person.did, path="/bluesky/oauth", httponly=True, samesite="lax"))
    return answer


def _asking(asked: dict[str, str], pds: Pds) -> Asking:
    asking = pds.archive.asking(asked.get("request_uri", ""))
    if asking is None or asking.client.id != asked.get("client_id"):
        raise NoConsent("invalid_request", "Push the authorization request first, and come here with its request_uri.")
    if asking.answered or asking.expires_ms <= now_ms():
        raise NoConsent("access_denied", "This request has expired or was answered before.")
    return asking


def _consent_page(
    asking: Asking, remembered: Account | None, pds: Pds, problem: str | None = None, typed: str = ""
) -> Response[bytes]:
    others = [person for person in pds.archive.accounts() if remembered is None or person.did != remembered.did]
    place = urlsplit(asking.redirect_uri)
    safe = re.fullmatch(r"[\w.:\[\]-]+", place.netloc)
    return page(
        "bluesky_authorize.html",
        status=422 if problem else 200,
        form_action=f"{place.scheme}://{place.netloc}" if safe else None,
        client=asking.client,
        scopes=[(scope, in_words(scope)) for scope in asking.scopes],
        asked={"client_id": asking.client.id, "request_uri": asking.uri},
        remembered=remembered,
        people=([remembered] if remembered else []) + others,
        problem=problem,
        typed=typed,
    )


def _back(asking: Asking, pds: Pds, answer: dict[str, str]) -> Response[bytes]:
    """To the app, by way of the browser; `iss` says which server it is from."""
    named = {"state": asking.state, "iss": pds.origin, **answer}
    parts = urlsplit(asking.redirect_uri)
    pairs = [*parse_qsl(parts.query, keep_blank_values=True), *((k, v) for k, v in named.items() if v is not None)]
    to = urlunsplit(parts._replace(query=urlencode(pairs)))
    return Response(b"", status_code=302, headers={"Location": to, "Cache-Control": "no-store"})


def _refusal_page(wrong: NoConsent) -> Response[bytes]:
    return page("refusal.html", status=400, error=wrong.error, description=wrong.description)


ROUTES = (consent, decide)
