"""Is it there? Our post among the account's newest. Sheet: After a crash.

Every post that is read costs money: one page, narrowed by time, is all that is usually asked for.
"""

import unicodedata
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
import regex
from msgspec import Meta

from social.errors import RetryLater
from social.platforms.calls import Call
from social.platforms.contract import Receipt, Sought
from social.platforms.weighted import normal, spans
from social.platforms.x.media import progress_of
from social.platforms.x.posts import PostId, address, parent, quoted, text_of

BEFORE = timedelta(seconds=60)  # X's clock may be behind ours by this much
AFTER = timedelta(hours=1)  # a request that was lost to us may land late, and clocks differ
PAGE = 20
PAGES = 10
EPOCH = datetime(2010, 11, 4, 1, 42, 54, 657_000, tzinfo=UTC)  # of ids: 1288834974657 ms since 1970
FIELDS = (
    "created_at,text,note_tweet,entities,attachments,referenced_tweets,in_reply_to_user_id,conversation_id,"
    "edit_history_tweet_ids"
)
# UNCONFIRMED: a file's media key is the same after publishing. With False, posts are told apart by text and number of
# files alone; with True too where no key fits, since a changed one must not make us send a second time.
KEYS_STAY = True

OWN_MEDIA = regex.compile(r"/status/[0-9]+/(?:photo|video)/[0-9]+")
TRAILING = regex.compile(r"\s*https?://t\.co/\w+\s*\Z", regex.IGNORECASE)  # where entities do not name it
SCHEME = regex.compile(r"https?://", regex.IGNORECASE)
MENTIONS = regex.compile(r"\s*(?:@\w{1,20}\s+)+")


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One address in a text: as X wrote it, and as it was."""

    url: str
    expanded_url: str = ""
    media_key: str | None = None


class Entities(msgspec.Struct, frozen=True, kw_only=True):
    """What X found in a text."""

    urls: tuple[Link, ...] = ()


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """The whole text of a long post."""

    text: str
    entities: Entities = Entities()


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """What hangs on a post."""

    media_keys: tuple[str, ...] = ()


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A post that another answers, quotes or repeats."""

    type: str
    id: str


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """A post as it is read back. X is renaming fields: both names are taken."""

    id: PostId
    text: str
    created_at: Annotated[datetime, Meta(tz=True)] | None = None
    entities: Entities = Entities()
    attachments: Attached = Attached()
    note_tweet: Note | None = None
    note_post: Note | None = None
    referenced_tweets: tuple[Reference, ...] = ()
    referenced_posts: tuple[Reference, ...] = ()
    edit_history_tweet_ids: tuple[str, ...] = ()
    edit_history_post_ids: tuple[str, ...] = ()

    @property
    def made_at(self) -> datetime:
        """When it was made: to the millisecond, as its id says."""
        return EPOCH + timedelta(milliseconds=int(self.id) >> 22)

    @property
    def references(self) -> tuple[Reference, ...]:
        """What it refers to, under either name."""
        return self.referenced_tweets or self.referenced_posts

    @property
    def versions(self) -> frozenset[str]:
        """Its ids: an edited post has one more for each edit."""
        return frozenset({self.id, *self.edit_history_tweet_ids, *self.edit_history_post_ids})


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What X says about a page."""

    result_count: int
    next_token: str | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Posts, newest first. Without any, `data` is missing; without `meta` it is no such answer."""

    meta: Counted
    data: tuple[Post, ...] = ()


async def find(call: Call, sought: Sought) -> Receipt | None:
    """Our post, or None if it is not there. Looks no further than the first page that has it."""
    async for page in _newest(call, sought):
        ours = [post for post in page if _may_be(post, sought) and _says(post, sought)]
        if ours:
            surest = next((post for post in ours if _has_our_files(post, sought)), ours[-1])
            return Receipt(id=surest.id, url=address(call, sought.handle, surest.id), evidence="lookup")
    return None


async def _newest(call: Call, sought: Sought) -> AsyncIterator[tuple[Post, ...]]:
    """The account's posts since the first attempt, in pages. RetryLater if not all can be seen."""
    params = {
        "max_results": str(PAGE),
        "start_time": f"{sought.first_sent_at - BEFORE:%Y-%m-%dT%H:%M:%SZ}",
        "tweet.fields": FIELDS,
        "expansions": "attachments.media_keys",
        "exclude": "retweets",  # not replies: parts of threads are some
    }
    for _ in range(PAGES):
        page = await call.get(f"/2/users/{sought.remote_account}/tweets", Page, params=params)
        if len(page.data) < page.meta.result_count:
            raise RetryLater(f"{call.host} kept posts back that we asked for.", code="partial")
        yield page.data
        if page.meta.next_token is None:
            return
        params["pagination_token"] = page.meta.next_token
    raise RetryLater(f"There are too many newer posts on {call.host} to look through.", code="too-many-posts")


def _may_be(post: Post, sought: Sought) -> bool:
    """All but the text."""
    made_at = post.created_at or post.made_at
    answers = next((each.id for each in post.references if each.type == "replied_to"), None)
    shows = next((each.id for each in post.references if each.type == "quoted"), None)
    return (
        not post.versions & sought.known
        and post.made_at >= sought.first_sent_at - BEFORE
        and made_at <= sought.last_sent_at + AFTER
        and answers == parent(sought)
        and (quoted(sought) is None or shows == quoted(sought))
        and len(post.attachments.media_keys) == len(sought.media)
    )


def _has_our_files(post: Post, sought: Sought) -> bool:
    first = sum(len(part.media) for part in sought.content.parts[: sought.part])
    ours = progress_of(sought.prepared).keys[first : first + len(sought.media)]
    return KEYS_STAY and bool(ours) and all(ours) and set(ours) == set(post.attachments.media_keys)


def _says(post: Post, sought: Sought) -> bool:
    """Whether a post has the text that was sent, as far as X leaves it as it was."""
    theirs, ours = _read_back(post, quoted(sought)), _as_sent(text_of(sought))
    if parent(sought) is not None:  # X may put the names of those who are answered in front
        theirs, ours = MENTIONS.sub("", theirs, count=1), MENTIONS.sub("", ours, count=1)
    return _bones(theirs) == _bones(ours)


def _read_back(post: Post, shows: str | None) -> str:
    """A post's text with its addresses as they were, without those X added for its files and its quote."""
    note = post.note_tweet or post.note_post
    text, entities = (note.text, note.entities) if note else (post.text, post.entities)
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")  # before addresses that may look so
    for link in {each.url: each for each in (*post.entities.urls, *entities.urls)}.values():
        text = text.replace(link.url, "" if _added(link, shows) else _bare(link.expanded_url or link.url))
    return TRAILING.sub("", text) if post.attachments.media_keys else text


def _added(link: Link, shows: str | None) -> bool:
    of_a_file = link.media_key is not None or OWN_MEDIA.search(link.expanded_url) is not None
    return of_a_file or (shows is not None and link.expanded_url.rstrip("/").endswith(f"/status/{shows}"))


def _as_sent(text: str) -> str:
    text, pieces, at = normal(text), [], 0
    for start, end in spans(text):
        pieces += [text[at:start], _bare(text[start:end])]
        at = end
    return "".join([*pieces, text[at:]])


def _bare(address: str) -> str:
    """What two ways of writing one address have in common: X adds schemes and slashes, and writes hosts its own way."""
    host, slash, rest = SCHEME.sub("", address, count=1).partition("/")
    try:
        host = host.lower().encode("idna").decode()
    except UnicodeError:
        host = host.lower()
    return f"{host}{slash}{rest}".rstrip("/")


def _bones(text: str) -> str:
    """A text without what X may change: white space, composition, and schemes where only one of us saw an address."""
    return "".join(SCHEME.sub("", unicodedata.normalize("NFC", text)).split())
