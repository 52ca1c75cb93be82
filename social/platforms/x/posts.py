"""Making a part public on X, and taking a post away. Sheet: Create a post; Deleting."""

from typing import Annotated
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Meta, UnsetType
from yarl import URL

from social.errors import PlatformError, RetryLater
from social.platforms.calls import Call
from social.platforms.contract import Receipt, Turn
from social.platforms.x.rules import ReplySettings, XOptions, options_of, post_id

API = "api.x.com"
PAGES = "https://x.com"
SOMEBODY = "i"  # UNCONFIRMED: stands for any username in a post's address; used only where ours is not known

PostId = Annotated[str, Meta(pattern="^[1-9][0-9]{0,18}$")]


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A post, as far as a reply must tell of it."""

    id: PostId


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """What X answers to a new post. A 201 without it tells nothing."""

    data: Made


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a post is gone."""

    deleted: bool


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """What X answers to a deletion."""

    data: Gone


class NewMedia(msgspec.Struct, frozen=True, kw_only=True):
    """The files of a post to be made."""

    media_ids: tuple[str, ...]


class NewReply(msgspec.Struct, frozen=True, kw_only=True):
    """What a post to be made answers."""

    in_reply_to_tweet_id: str


class NewPoll(msgspec.Struct, frozen=True, kw_only=True):
    """The poll of a post to be made."""

    options: tuple[str, ...]
    duration_minutes: int


class NewPost(msgspec.Struct, frozen=True, kw_only=True):
    """A post to be made. X refuses fields it does not know."""

    text: str | UnsetType = UNSET
    media: NewMedia | UnsetType = UNSET
    reply: NewReply | UnsetType = UNSET
    quote_tweet_id: str | UnsetType = UNSET
    poll: NewPoll | UnsetType = UNSET
    reply_settings: ReplySettings | UnsetType = UNSET
    made_with_ai: bool | UnsetType = UNSET
    paid_partnership: bool | UnsetType = UNSET


async def publish(call: Call, turn: Turn) -> Receipt:
    """Makes a part public. X knows no key: what a lost answer did is found out by `find`."""
    made = await call.post("/2/tweets", Created, commits=True, json=_new(turn))
    return Receipt(id=made.data.id, url=address(call, turn.handle, made.data.id))


async def delete(call: Call, id: str) -> None:
    """Takes a post away. One that is gone already is no error. RetryLater if X does not say that it is gone."""
    try:
        answer = await call.ask("DELETE", f"/2/tweets/{quote(id, safe='')}", Deleted)
    except PlatformError as error:
        if error.facts.get("status") == 404:
            return
        raise
    if not answer.value.data.deleted:
        raise RetryLater("X did not take the post away.", code="not-deleted", status=answer.status)


def parent(turn: Turn) -> str | None:
    """The post that a part answers: the part before it, or whatever the first one is in answer to."""
    return turn.before[-1].id if turn.before else post_id(options_of(turn.content).reply_to)


def quoted(turn: Turn) -> str | None:
    """The post that a part shows below its text."""
    return None if turn.part else post_id(options_of(turn.content).quote)


def text_of(turn: Turn) -> str:
    """A part's text as it is sent: its lines end as they were counted."""
    return turn.text.replace("\r\n", "\n").replace("\r", "\n")


def address(call: Call, handle: str, id: str) -> str:
    """Where people see a post. In the sandbox, pages are where the API is."""
    pages = PAGES if URL(call.origin).host == API else call.origin
    return f"{pages}/{handle or SOMEBODY}/status/{id}"


def _new(turn: Turn) -> NewPost:
    options, answers = options_of(turn.content), parent(turn)
    first = options if turn.part == 0 else XOptions()
    return NewPost(
        text=text_of(turn) or UNSET,
        media=NewMedia(media_ids=turn.media_ids) if turn.media_ids else UNSET,
        reply=NewReply(in_reply_to_tweet_id=answers) if answers else UNSET,
        quote_tweet_id=quoted(turn) or UNSET,
        poll=_poll(first),
        reply_settings=UNSET if first.reply_settings == "everyone" else first.reply_settings,
        made_with_ai=options.made_with_ai or UNSET,
        paid_partnership=options.paid_partnership or UNSET,
    )


def _poll(options: XOptions) -> NewPoll | UnsetType:
    if options.poll is None:
        return UNSET
    return NewPoll(options=options.poll.options, duration_minutes=options.poll.duration_minutes)
