"""X as the product uses it: posts without any key, looked for in the account's timeline; media."""

import itertools
from datetime import UTC, datetime, timedelta

import msgspec

from tests.bench.sink.arrivals import Arrivals
from tests.bench.sink.wire import Request, answer
from tests.bench.sink.x_media import UPLOAD, Uploads, refused

PREFIX = "/x"
POSTS = "/x/2/tweets"
USERS = "/x/2/users/"
BEGINNING = 1_288_834_974_657  # of ids, in milliseconds since 1970
SEQUENCE = 2**22
NOT_FOUND = answer(404, {"title": "Not Found Error", "detail": "There is nothing here.", "status": 404})


class Files(msgspec.Struct, frozen=True):
    """The files of a post."""

    media_ids: tuple[str, ...] = ()


class Sent(msgspec.Struct):
    """A post as it is sent."""

    text: str = ""
    reply: dict[str, str] | None = None
    media: Files = Files()


class Post(msgspec.Struct, omit_defaults=True):
    """A post as it is answered."""

    id: str
    text: str
    created_at: datetime | None = None
    edit_history_tweet_ids: tuple[str, ...] = ()
    attachments: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    referenced_tweets: tuple[dict[str, str], ...] = ()


class X:
    """The API. A token is the user's id with a letter before it."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._number = itertools.count()
        self._sent = msgspec.json.Decoder(Sent)
        self._of_users: dict[str, list[Post]] = {}
        self._uploads = Uploads(self._id)

    def answer(self, request: Request) -> bytes:
        """What the API answers."""
        path = request.path
        if path == POSTS and request.method == "POST":
            return self._made(request)
        if path.startswith(USERS) and path.endswith("/tweets"):
            return self._newest(path[len(USERS) : -len("/tweets")], request)
        if path.startswith(UPLOAD) and (answered := self._uploads.answer(request)) is not None:
            return answered
        self._arrivals.unknown += 1
        return NOT_FOUND

    def _made(self, request: Request) -> bytes:
        sent, id = self._sent.decode(request.body), self._id(request.at)
        if not self._uploads.usable(sent.media.media_ids, request.at):
            return refused("Your media IDs are invalid.")
        post = Post(
            id=id,
            text=sent.text,
            created_at=datetime.fromtimestamp(request.at, UTC),
            edit_history_tweet_ids=(id,),
            attachments={"media_keys": tuple(f"3_{each}" for each in sent.media.media_ids)}
            if sent.media.media_ids
            else {},
            referenced_tweets=(
                ({"type": "replied_to", "id": sent.reply["in_reply_to_tweet_id"]},) if sent.reply else ()
            ),
        )
        self._of_users.setdefault(request.token[1:], []).append(post)
        self._arrivals.note(sent.text, request.at)
        return answer(201, {"data": {"id": id, "text": sent.text, "edit_history_tweet_ids": [id]}})

    def _newest(self, user: str, request: Request) -> bytes:
        asked = request.asked
        since = datetime.fromisoformat(asked["start_time"]) - timedelta(seconds=1)
        there = [
            post for post in reversed(self._of_users.get(user, [])) if post.created_at and post.created_at >= since
        ]
        first, most = int(asked.get("pagination_token", 0)), int(asked.get("max_results", 10))
        page = there[first : first + most]
        meta = {"result_count": len(page)} | ({"next_token": str(first + most)} if len(there) > first + most else {})
        return answer(200, ({"data": page} if page else {}) | {"meta": meta})

    def _id(self, at: float) -> str:
        return str((int(at * 1000) - BEGINNING) * SEQUENCE + next(self._number) % SEQUENCE)
