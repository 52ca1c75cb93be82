"""Mastodon as the product uses it: statuses, under idempotency keys, looked for among an account's newest; media."""

import itertools
from datetime import UTC, datetime

import msgspec

from tests.bench.sink.arrivals import Arrivals
from tests.bench.sink.wire import Request, answer

PREFIX = ""
STATUSES = "/api/v1/statuses"
ACCOUNTS = "/api/v1/accounts/"
MEDIA = ("/api/v2/media", "/api/v1/media/")
NOT_FOUND = answer(404, {"error": "Record not found"})


class Sent(msgspec.Struct):
    """A status as it is sent."""

    status: str = ""
    visibility: str = "public"
    spoiler_text: str = ""
    in_reply_to_id: str | None = None
    media_ids: tuple[str, ...] = ()


class File(msgspec.Struct):
    """An uploaded file."""

    id: str
    url: str = "https://files.example/1.jpg"
    type: str = "image"


class Application(msgspec.Struct, frozen=True):
    """The program a status was made with."""

    name: str = "Social"


class Status(msgspec.Struct):
    """A status as it is answered."""

    id: str
    created_at: datetime
    visibility: str
    url: str
    content: str
    spoiler_text: str
    in_reply_to_id: str | None
    media_attachments: tuple[File, ...]
    application: Application = Application()


class Mastodon:
    """One server. A token is the account's id with a letter before it."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._ids = itertools.count(1)
        self._sent = msgspec.json.Decoder(Sent)
        self._statuses: dict[str, tuple[Status, str]] = {}  # with the text as it was sent
        self._of_accounts: dict[str, list[str]] = {}
        self._keys: dict[tuple[str, str], str] = {}

    def answer(self, request: Request) -> bytes:
        """What the server answers."""
        path = request.path
        if path == STATUSES and request.method == "POST":
            return self._made(request)
        if path.startswith(STATUSES):
            return self._shown(path[len(STATUSES) + 1 :])
        if path.startswith(ACCOUNTS) and path.endswith("/statuses"):
            return self._newest(path[len(ACCOUNTS) : -len("/statuses")], request)
        if path.startswith(MEDIA):
            return answer(
                200, File(id=path.removeprefix(MEDIA[1]) if request.method == "GET" else str(next(self._ids)))
            )
        self._arrivals.unknown += 1
        return NOT_FOUND

    def _made(self, request: Request) -> bytes:
        account, sent = request.token[1:], self._sent.decode(request.body)
        if known := self._keys.get((account, request.key)):
            self._arrivals.repeats += 1
            return answer(200, self._statuses[known][0])
        id = str(next(self._ids))
        status = Status(
            id=id,
            created_at=datetime.fromtimestamp(request.at, UTC),
            visibility=sent.visibility,
            url=f"https://mastodon.example/@somebody/{id}",
            content=f"<p>{sent.status}</p>",
            spoiler_text=sent.spoiler_text,
            in_reply_to_id=sent.in_reply_to_id,
            media_attachments=tuple(File(id=each) for each in sent.media_ids),
        )
        self._statuses[id] = status, sent.status
        self._of_accounts.setdefault(account, []).append(id)
        if request.key:
            self._keys[account, request.key] = id
        self._arrivals.note(sent.status, request.at)
        return answer(200, status)

    def _shown(self, path: str) -> bytes:
        id, _, part = path.partition("/")
        if id not in self._statuses:
            return NOT_FOUND
        status, text = self._statuses[id]
        if part == "source":
            return answer(200, {"id": id, "text": text, "spoiler_text": status.spoiler_text})
        return answer(200, status)

    def _newest(self, account: str, request: Request) -> bytes:
        ids = self._of_accounts.get(account, [])
        below = int(request.asked.get("max_id", 0)) or float("inf")
        page = [id for id in reversed(ids) if int(id) < below][: int(request.asked.get("limit", 20))]
        return answer(200, [self._statuses[id][0] for id in page])
