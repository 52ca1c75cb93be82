"""Bluesky as the sandbox sees it: which call belongs to which trouble, the front door, and what is online."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, Response, Router, route
from litestar.datastructures import Headers
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath

from social.sandbox.bluesky import appview, blobs, consent, oauth, people, repo, sessions, videos
from social.sandbox.bluesky.call import Call, Web, reply
from social.sandbox.bluesky.errors import Refused, broken, expired, invalid_request, missing_scope, not_implemented
from social.sandbox.bluesky.pds import Pds
from social.sandbox.bluesky.quotas import REQUESTS, Standing
from social.sandbox.bluesky.records import Record
from social.sandbox.bluesky.repo import inner, quoted
from social.sandbox.bluesky.schemas import TID_KEYED
from social.sandbox.bluesky.showing import language_of, media, post_url, shown_post, tags_of
from social.sandbox.clock import iso
from social.sandbox.faults import Fault
from social.sandbox.platform import Admission, Answer, NewPerson, Person, Post

PREFIX = "/bluesky"
HTML_ERRORS = {502: "Bad Gateway", 504: "Gateway Time-out"}  # from the proxy in front, which says it in HTML

Handle = Callable[[Call], Awaitable[Response[bytes] | Any]]

QUERIES: dict[str, Handle] = {**sessions.QUERIES, **repo.QUERIES, **blobs.QUERIES, **appview.QUERIES, **videos.QUERIES}
PROCEDURES: dict[str, Handle] = {**sessions.PROCEDURES, **repo.PROCEDURES, **blobs.PROCEDURES, **videos.PROCEDURES}

WRITES = {f"com.atproto.repo.{name}": "publish" for name in ("createRecord", "putRecord", "applyWrites")}
GROUPS = {
    **WRITES,
    "com.atproto.repo.deleteRecord": "edit",
    "com.atproto.repo.uploadBlob": "upload",
    "app.bsky.video.uploadVideo": "upload",
    **dict.fromkeys(sessions.PROCEDURES, "oauth"),
}


@route("/xrpc/{nsid:str}", http_method=["GET", "POST"], status_code=200)
async def xrpc(request: Web, nsid: FromPath[str], pds: NamedDependency[Pds]) -> Response[bytes] | Any:
    """Every method of the protocol: queries by GET, procedures by POST."""
    if nsid == "_health":
        return reply({"version": pds.oddities.version})
    call = Call(request, nsid, pds)
    try:
        call.spend((REQUESTS,), (request.scope.get("client") or ("unknown",))[0])
        answer = await _handler(call)(call)
    except Refused as refused:
        refused.headers = (*refused.headers, *(header for header in call.quota_headers if refused.status != 429))
        raise
    for name, value in call.quota_headers:
        answer.set_header(name, value)
    return answer


def _handler(call: Call) -> Handle:
    """Raises Refused: 400 for the wrong verb, 501 for what this host does not know."""
    table, other, verb = (QUERIES, PROCEDURES, "POST") if call.request.method == "GET" else (PROCEDURES, QUERIES, "GET")
    if call.nsid in table:
        return table[call.nsid]
    if call.nsid in other:
        raise invalid_request(f"Incorrect HTTP method ({call.request.method}) expected {verb}")
    raise not_implemented()


class Bluesky:
    """Fulfils `platform.Platform`. Everything of it is below `/bluesky`."""

    name = "bluesky"

    def __init__(self, pds: Pds) -> None:
        self.pds = pds
        own = [xrpc, *oauth.ROUTES, *consent.ROUTES, *people.ROUTES]
        self.routes = (
            Router(
                PREFIX,
                route_handlers=own,
                dependencies={"pds": Provide(lambda: pds, sync_to_thread=False)},
                exception_handlers={Refused: _refused},
                request_max_body_size=None,
            ),
        )

    def groups(self, method: str, path: str) -> tuple[str, ...]:
        """By path alone: a reply control written as a record of its own is a `publish` too."""
        place = path.removeprefix(PREFIX)
        if place == path or not place.startswith(("/xrpc/", "/oauth/", "/.well-known/")):
            return ()
        if not place.startswith("/xrpc/"):
            return ("oauth", "all")
        nsid = place.removeprefix("/xrpc/")
        if nsid in GROUPS:
            narrow = GROUPS[nsid]
            return (narrow, "media", "all") if narrow == "upload" else (narrow, "all")
        if nsid == "com.atproto.sync.getBlob" or nsid.startswith("app.bsky.video."):
            return ("media", "all")
        return ("read", "all") if method in ("GET", "HEAD") else ("all",)

    def admit(self, scope: Any) -> Admission:
        """Each of the two servers has nonces of its own, on every reply."""
        place = scope["path"].removeprefix(PREFIX)
        if place.startswith("/oauth/"):
            return Admission(self.pds.proofs.header("authorization"))
        scheme = Headers.from_scope(scope).get("authorization", "").partition(" ")[0].lower()
        return Admission(self.pds.proofs.header("resource") if scheme == "dpop" else ())

    def broken(self, fault: Fault, status: int) -> Answer:
        if status == 429:
            return Standing(5_000, 0, time.time() + fault.reset_in, 3_600).refusal().answer()
        if status in HTML_ERRORS:
            title = f"{status} {HTML_ERRORS[status]}"
            body = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
            return Answer(status, body.encode(), "text/html")
        return broken(status).answer()

    def dead_token(self) -> Answer:
        return expired().answer()

    def missing_scope(self) -> Answer:
        return missing_scope(f"repo:{TID_KEYED[0]}?action=create").answer()

    def person(self, wanted: NewPerson) -> Person:
        """With a session of a fresh app password; scopes are for OAuth, whose tokens need a key of the caller's own."""
        if wanted.scopes is not None:
            raise ValueError("A session of an app password has no scopes to choose.")
        account = self.pds.settled(wanted.username, wanted.display_name)
        name, number = wanted.app_name, 1
        while any(password.name == name for password in self.pds.archive.app_passwords(account.did)):
            number += 1
            name = f"{wanted.app_name} {number}"
        app_password = self.pds.new_app_password(account, name)
        session = sessions.begun(self.pds, account, app_password)
        return Person(
            platform=self.name,
            username=account.username,
            account_id=account.did,
            url=self.pds.page_of(account.did),
            access_token=session["accessJwt"],
            client_id="",
            client_secret="",
            scopes=[],
            refresh_token=session["refreshJwt"],
            password=account.password,
            app_password=app_password.password,
        )

    def online(self, *, author: str | None = None, tag: str | None = None, limit: int = 60) -> list[Post]:
        """Newest first; everything that is not deleted."""
        account = self.pds.archive.account_named(author) if author is not None else None
        if author is not None and account is None:
            return []
        found = self.pds.archive.latest_posts(account.did if account else None, limit if tag is None else 1000)
        fitting = [record for record in found if tag is None or tag.lower() in tags_of(record.value)]
        return [shown_post(record, self.pds) for record in fitting[:limit]]

    def evidence(self) -> list[dict[str, object]]:
        return [self._evidence(record) for record in self.pds.archive.all_posts()]

    def tick(self) -> None:
        pass

    def forget(self) -> None:
        self.pds.quotas.forget()
        self.pds.proofs.forget()
        for files in (self.pds.blob_folder, self.pds.incoming_folder):
            for file in files.iterdir():
                file.unlink(missing_ok=True)

    def _evidence(self, record: Record) -> dict[str, object]:
        author, value = self.pds.archive.account(record.did), record.value
        assert author is not None
        return {
            "platform": self.name,
            "id": record.uri,
            "cid": record.cid,
            "url": post_url(record, self.pds),
            "account": {"id": author.did, "username": author.username, "handle": author.handle},
            "text": value.get("text"),
            "record": value,
            "visibility": "public",
            "language": language_of(value),
            "in_reply_to_id": inner(value, "reply", "parent", "uri"),
            "quoted_id": quoted(value),
            "media": media(value),
            "idempotency_key": record.rkey,
            "application": record.application,
            "arrived_at": iso(record.arrived_ms),
            "created_at": iso(record.created_ms),
            "edited_at": iso(record.edited_ms) if record.edited_ms else None,
            "deleted": record.deleted_ms is not None,
        }


def _refused(_: Request[Any, Any, Any], error: Refused) -> Response[bytes]:
    answer = error.answer()
    return Response(
        answer.body, status_code=answer.status, media_type=answer.content_type, headers=dict(answer.headers)
    )
