"""X as the sandbox sees it: which call belongs to which trouble, the front door, and what is online."""

from typing import Any

from litestar import Request, Response, Router
from litestar.di import Provide

from social.sandbox.clock import now_ms
from social.sandbox.faults import Fault
from social.sandbox.platform import Admission, Answer, NewPerson, Person, Post
from social.sandbox.x import consent, media, oauth, pages, posts
from social.sandbox.x.archive import BUILT_IN
from social.sandbox.x.errors import NOT_PERMITTED, Refused, forbidden, problem, typed, unauthorized
from social.sandbox.x.records import Grant, User
from social.sandbox.x.records import Post as Made
from social.sandbox.x.service import SCOPES, Service, new_secret
from social.sandbox.x.showing import shown

PREFIX = "/x"
USUAL = ("tweet.read", "tweet.write", "users.read", "media.write", "offline.access")
HTML_ERRORS = {502: "Bad Gateway", 504: "Gateway Time-out"}  # from the proxy in front, which says it in HTML


class X:
    """Fulfils `platform.Platform`. Everything of it is below `/x`."""

    name = "x"

    def __init__(self, service: Service) -> None:
        self.service = service
        own = [*oauth.ROUTES, *consent.ROUTES, *media.ROUTES, *posts.ROUTES, *pages.ROUTES]
        self.routes = (
            Router(
                PREFIX,
                route_handlers=own,
                dependencies={"x": Provide(lambda: service, sync_to_thread=False)},
                exception_handlers={Refused: _refused},
                request_max_body_size=None,
            ),
        )

    def groups(self, method: str, path: str) -> tuple[str, ...]:
        place = path.removeprefix(PREFIX)
        if place == path or not place.startswith(("/2/", "/i/oauth2/")):
            return ()
        if place.startswith(("/2/oauth2/", "/i/oauth2/")):
            return ("oauth", "all")
        if place.startswith("/2/media/"):
            if place.startswith("/2/media/upload"):
                return ("upload" if method == "POST" else "poll", "media", "all")
            return ("media", "all")
        if place.startswith("/2/tweets") and method in ("POST", "DELETE"):
            return ("publish" if method == "POST" else "edit", "all")
        return ("read", "all")

    def admit(self, scope: Any) -> Admission:
        """Quotas are counted by each method, which knows whose they are."""
        return Admission()

    def broken(self, fault: Fault, status: int) -> Answer:
        if status == 429:
            return self.service.quotas.spent(fault.reset_in).answer()
        if status in HTML_ERRORS:
            title = f"{status} {HTML_ERRORS[status]}"
            body = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
            return Answer(status, body.encode(), "text/html")
        if status == 503:
            return problem(503, "Service Unavailable", "Service Unavailable").answer()
        name = typed(self.service.host, "internal-error")
        return problem(status, "Internal Server Error", "Something went wrong.", name).answer()

    def dead_token(self) -> Answer:
        return unauthorized().answer()

    def missing_scope(self) -> Answer:
        return forbidden(NOT_PERMITTED).answer()

    def person(self, wanted: NewPerson) -> Person:
        unknown = set(wanted.scopes or ()) - set(SCOPES)
        if unknown:
            raise ValueError(f"X has no scope {' or '.join(sorted(unknown))}.")
        user = self.service.settled(wanted.username, wanted.display_name)
        scopes = list(wanted.scopes if wanted.scopes is not None else USUAL)
        grant = Grant(
            id=new_secret(),
            client_id=BUILT_IN.id,
            user_id=user.id,
            scopes=scopes,
            code=new_secret(),
            redirect_uri="",
            challenge="",
            method="S256",
            created_ms=now_ms(),
            exchanged=True,
        )
        self.service.archive.save_grant(grant)
        tokens = oauth.handed_out(grant, self.service)
        return Person(
            platform=self.name,
            username=user.username,
            account_id=str(user.id),
            url=self.service.page_of(user),
            access_token=tokens["access_token"],
            client_id=BUILT_IN.id,
            client_secret=BUILT_IN.secret or "",
            scopes=scopes,
            refresh_token=tokens.get("refresh_token", ""),
        )

    def online(self, *, author: str | None = None, tag: str | None = None, limit: int = 60) -> list[Post]:
        """Newest first; everything that is not deleted."""
        live = [made for made in reversed(self.service.archive.posts()) if made.deleted_ms is None]
        users = {user.id: user for user in self.service.archive.users()}
        chosen = [
            made
            for made in live
            if made.user_id in users
            and (author is None or users[made.user_id].username == author)
            and (tag is None or f"#{tag}".lower() in made.text.lower())
        ]
        return [shown(made, users[made.user_id], self.service) for made in chosen[:limit]]

    def evidence(self) -> list[dict[str, object]]:
        users = {user.id: user for user in self.service.archive.users()}
        return [self._evidence(made, users.get(made.user_id)) for made in self.service.archive.posts()]

    def tick(self) -> None:
        """X does nothing by itself."""

    def forget(self) -> None:
        self.service.quotas.forget()
        for file in self.service.folder.iterdir():
            file.unlink(missing_ok=True)

    def _evidence(self, made: Made, author: User | None) -> dict[str, object]:
        return {
            "platform": self.name,
            "id": str(made.id),
            "url": posts.page_of(made, self.service),
            "account": {"id": str(made.user_id), "username": author.username if author else None},
            "text": made.text,
            "in_reply_to_id": str(made.reply_to) if made.reply_to else None,
            "quoted_id": str(made.quoted) if made.quoted else None,
            "media": [
                {"id": str(each.id), "kind": each.kind, "mime": each.mime, "alt": each.alt, "size": each.total}
                for each in posts.media_of(made, self.service)
            ],
            "poll": made.poll["options"] if made.poll else None,
            "options": made.options,
            "application": made.client_id,
            "arrived_ms": made.arrived_ms,
            "created_ms": made.created_ms,
            "deleted": made.deleted_ms is not None,
        }


def _refused(request: Request[Any, Any, Any], error: Refused) -> Response[bytes]:
    answer = error.answer()
    return Response(
        answer.body, status_code=answer.status, media_type=answer.content_type, headers=dict(answer.headers)
    )
