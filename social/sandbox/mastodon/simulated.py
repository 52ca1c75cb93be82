"""Mastodon as the sandbox sees it: which call belongs to which trouble, the front door, and what is online."""

import time
from typing import Any

from litestar import Request, Response
from litestar.datastructures import Headers
from litestar.exceptions import HTTPException

from social.sandbox.clock import iso, now_ms
from social.sandbox.faults import Fault
from social.sandbox.mastodon import (
    about,
    apps,
    consent,
    editing,
    media,
    people,
    publishing,
    scheduled,
    statuses,
    tokens,
)
from social.sandbox.mastodon.entities import media_entity, status_url
from social.sandbox.mastodon.errors import (
    BUSY,
    INVALID_TOKEN,
    NO_ROUTE,
    OUTSIDE_SCOPES,
    TOO_MANY_REQUESTS,
    Refused,
)
from social.sandbox.mastodon.instance import Instance, fresh_secret, token_in
from social.sandbox.mastodon.params import TooLarge
from social.sandbox.mastodon.quotas import (
    DELETIONS,
    PAGING,
    PER_ADDRESS,
    PER_TOKEN,
    PER_USER,
    UPLOADS,
    Bucket,
    Standing,
)
from social.sandbox.mastodon.records import App, Media, Status, Token
from social.sandbox.mastodon.text import entities
from social.sandbox.pages import page
from social.sandbox.platform import Admission, Answer, NewPerson, Person, Picture, Poll, Post

HTML_ERRORS = {502: "Bad Gateway", 504: "Gateway Time-out"}  # these come from the proxy in front, which says it in HTML


class Mastodon:
    """Fulfils `platform.Platform`. At the root of the origin, as any server with accounts of its own."""

    name = "mastodon"
    routes = (
        *about.ROUTES, *apps.ROUTES, *consent.ROUTES, *tokens.ROUTES, *people.ROUTES, *media.ROUTES,
        *publishing.ROUTES, *statuses.ROUTES, *editing.ROUTES, *scheduled.ROUTES,
    )  # fmt: skip

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    def groups(self, method: str, path: str) -> tuple[str, ...]:
        if path.startswith(("/oauth/", "/api/v1/apps", "/.well-known/oauth")):
            return ("oauth", "all")
        if path.startswith(("/.well-known/", "/nodeinfo/")):
            return ("read", "all")
        if not path.startswith("/api/"):
            return ()
        if path.startswith(("/api/v1/media", "/api/v2/media")):
            narrow = {"POST": ("upload",), "GET": ("poll",)}.get(method, ())
            return (*narrow, "media", "all")
        if path.startswith("/api/v1/statuses") and method in ("POST", "PUT", "DELETE"):
            return ("publish" if method == "POST" else "edit", "all")
        return ("read", "all") if method in ("GET", "HEAD") else ("all",)

    def admit(self, scope: Any) -> Admission:
        """Counts the call; only replies of the API carry the headers."""
        if not scope["path"].startswith("/api/"):
            return Admission()
        try:
            standing = self.instance.quotas.spend(self._claims(scope), time.time())
        except Refused as refused:
            return Admission(refusal=refused.answer(self.instance.oddities.localised))
        return Admission(standing.headers if standing else ())

    def broken(self, fault: Fault, status: int) -> Answer:
        if status == 429:
            standing = Standing(300, 0, time.time() + fault.reset_in)
            return Refused(429, TOO_MANY_REQUESTS, headers=standing.headers).answer(self.instance.oddities.localised)
        if status in HTML_ERRORS:
            title = f"{status} {HTML_ERRORS[status]}"
            body = f"<html><head><title>{title}</title></head><body><h1>{title}</h1><hr>nginx</body></html>"
            return Answer(status, body.encode(), "text/html")
        return Refused(status, BUSY if status == 503 else "Internal Server Error").answer(
            self.instance.oddities.localised
        )

    def dead_token(self) -> Answer:
        return Refused(401, INVALID_TOKEN).answer(self.instance.oddities.localised)

    def missing_scope(self) -> Answer:
        return Refused(403, OUTSIDE_SCOPES).answer(self.instance.oddities.localised)

    def person(self, wanted: NewPerson) -> Person:
        unknown = set(wanted.scopes or ()) - set(apps.SCOPES)
        if unknown:
            raise ValueError(f"Mastodon has no scope {' or '.join(sorted(unknown))}.")
        archive = self.instance.archive
        account = people.settled(self.instance, wanted.username, wanted.display_name)
        app = App(
            id=archive.next_id(),
            client_id=fresh_secret(),
            client_secret=fresh_secret(),
            name=wanted.app_name,
            website=None,
            redirect_uris=[apps.OUT_OF_BAND],
            scopes=wanted.scopes if wanted.scopes is not None else ["profile", "read", "write"],
        )
        token = Token(
            token=fresh_secret(), client_id=app.client_id, account_id=account.id, scopes=app.scopes, created_ms=now_ms()
        )
        archive.save_app(app)
        archive.save_token(token)
        return Person(
            platform=self.name,
            username=account.username,
            account_id=str(account.id),
            url=f"{self.instance.origin}/@{account.username}",
            access_token=token.token,
            client_id=app.client_id,
            client_secret=app.client_secret,
            scopes=app.scopes,
        )

    def online(self, *, author: str | None = None, tag: str | None = None, limit: int = 60) -> list[Post]:
        """Newest first; everything that is not deleted, whoever may see it."""
        account = self.instance.archive.account_named(author) if author is not None else None
        if author is not None and account is None:
            return []
        found = self.instance.archive.latest_statuses(account.id if account else None, limit if tag is None else 1000)
        fitting = [status for status in found if tag is None or tag.lower() in entities(status.text).tags]
        return [self._post(status) for status in fitting[:limit]]

    def post(self, author: str, status_id: int | None) -> Post | None:
        """One that is online, under its author's name."""
        status = self.instance.archive.status(status_id)
        if status is None or status.deleted_ms is not None:
            return None
        shown = self._post(status)
        return shown if shown.author_url.lower() == f"{self.instance.origin}/@{author}".lower() else None

    def evidence(self) -> list[dict[str, object]]:
        return [self._evidence(status) for status in self.instance.archive.all_statuses()]

    def tick(self) -> None:
        publishing.publish_due(self.instance)

    def forget(self) -> None:
        self.instance.quotas.forget()
        for files in (self.instance.media_folder, self.instance.incoming_folder):
            for file in files.iterdir():
                file.unlink(missing_ok=True)

    def _claims(self, scope: Any) -> list[tuple[Bucket, object]]:
        given = token_in(Headers.from_scope(scope))
        token = self.instance.archive.token(given) if given else None
        if token is None:
            return [(PER_ADDRESS, (scope.get("client") or ("unknown",))[0])]
        user = token.account_id or token.token
        claims: list[tuple[Bucket, object]] = [(PER_TOKEN, token.token), (PER_USER, user)]
        method, path = scope["method"], scope["path"]
        if any(name in scope["query_string"] for name in (b"max_id=", b"min_id=", b"since_id=", b"page=")):
            claims.append((PAGING, user))
        if method == "POST" and path.startswith(("/api/v1/media", "/api/v2/media")):
            claims.append((UPLOADS, user))
        if method == "DELETE" and path.startswith("/api/v1/statuses/"):
            claims.append((DELETIONS, user))
        return claims

    def _post(self, status: Status) -> Post:
        archive = self.instance.archive
        author = archive.account(status.account_id)
        app = archive.app(status.client_id)
        above = archive.status(status.in_reply_to_id)
        above_author = archive.account(above.account_id) if above and above.deleted_ms is None else None
        assert author is not None
        page_url = f"{self.instance.origin}/@{author.username}"
        poll = status.poll
        return Post(
            id=str(status.id),
            platform=self.name,
            url=status_url(status, author, self.instance),
            author=author.display_name,
            handle=f"@{author.username}",
            author_url=page_url,
            avatar_url=f"{self.instance.origin}/avatars/{author.id}.png",
            html=self.instance.html(status.text),
            warning=status.spoiler_text,
            sensitive=status.sensitive,
            visibility=status.visibility,
            language=status.language,
            application=app.name if app else None,
            created_ms=status.created_ms,
            edited_ms=status.edited_ms,
            reply_to_url=status_url(above, above_author, self.instance) if above and above_author else None,
            pictures=tuple(map(self._picture, archive.media_in_order(status.media_ids))),
            poll=Poll(tuple(poll.options), poll.multiple, poll.expires_ms) if poll else None,
        )

    def _picture(self, item: Media) -> Picture:
        shown = media_entity(item, self.instance)
        width, height = item.preview_size or (None, None)
        return Picture(
            url=_text(shown["url"]),
            preview_url=_text(shown["preview_url"]),
            alt=item.description,
            kind=item.kind,
            width=width,
            height=height,
        )

    def _evidence(self, status: Status) -> dict[str, object]:
        archive = self.instance.archive
        author = archive.account(status.account_id)
        app = archive.app(status.client_id)
        assert author is not None
        return {
            "platform": self.name,
            "id": str(status.id),
            "url": status_url(status, author, self.instance),
            "account": {"id": str(author.id), "username": author.username},
            "text": status.text,
            "spoiler_text": status.spoiler_text,
            "visibility": status.visibility,
            "language": status.language,
            "sensitive": status.sensitive,
            "in_reply_to_id": str(status.in_reply_to_id) if status.in_reply_to_id else None,
            "media": [
                {"id": str(item.id), "kind": item.kind, "mime": item.mime, "alt": item.description, "size": item.size}
                for item in archive.media_in_order(status.media_ids)
            ],
            "poll": status.poll.options if status.poll else None,
            "idempotency_key": status.key,
            "application": app.name if app else None,
            "arrived_at": iso(status.arrived_ms),
            "created_at": iso(status.created_ms),
            "edited_at": iso(status.edited_ms) if status.edited_ms else None,
            "deleted": status.deleted_ms is not None,
        }


def refused(request: Request[Any, Any, Any], error: Refused, switched: str | None) -> Response[bytes]:
    """A refusal as a reply; `lang` in the query wins over the switch."""
    return _response(error.answer(request.query_params.get("lang") or switched))


def too_large(_: Request[Any, Any, Any], error: TooLarge) -> Response[bytes]:
    return _response(error.answer)


def no_route(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """A wrong path and a wrong method are the same to the original; people get a page."""
    if "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/"):
        return page("missing.html", status=404)
    return _response(Refused(404 if error.status_code == 405 else error.status_code, NO_ROUTE).answer())


def _response(answer: Answer) -> Response[bytes]:
    return Response(
        answer.body, status_code=answer.status, media_type=answer.content_type, headers=dict(answer.headers)
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
