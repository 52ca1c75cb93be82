"""From what a caller sent to a post, or a refusal. Sheet: Publishing, Limits. Everything here is one step: no await."""

import re
from collections.abc import Sequence

import msgspec

from social.sandbox.clock import now_ms
from social.sandbox.mastodon import text
from social.sandbox.mastodon.archive import read_id
from social.sandbox.mastodon.entities import is_ready
from social.sandbox.mastodon.errors import (
    BLANK,
    MEDIA_NOT_FOUND,
    MIXED_MEDIA,
    NOT_FOUND,
    NOT_PROCESSED,
    POLL_OPTION_TOO_LONG,
    POLL_OPTION_TWICE,
    POLL_TOO_FEW,
    POLL_TOO_LONG,
    POLL_TOO_MANY,
    POLL_TOO_SHORT,
    REPLY_GONE,
    TOO_LONG,
    TOO_MANY_MEDIA,
    Refused,
)
from social.sandbox.mastodon.instance import Instance
from social.sandbox.mastodon.media import is_swept
from social.sandbox.mastodon.params import Params
from social.sandbox.mastodon.records import Account, Media, Poll, Status

MEDIA_PER_POST = 4
POLL_OPTIONS = 4
POLL_OPTION_CHARACTERS = 50
POLL_SECONDS = (300, 2_629_746)
VISIBILITIES = ("public", "unlisted", "private", "direct")
QUOTE_POLICIES = ("public", "followers", "nobody")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?")


class PollWish(msgspec.Struct, frozen=True, kw_only=True):
    options: list[str]
    expires_in: int
    multiple: bool = False
    hide_totals: bool = False


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A post as it was asked for. None: not given."""

    text: str = ""
    spoiler_text: str = ""
    media_ids: list[str] = []
    poll: PollWish | None = None
    sensitive: bool | None = None
    visibility: str | None = None
    language: str | None = None
    in_reply_to_id: str | None = None
    quoted_id: str | None = None
    quote_policy: str | None = None

    @classmethod
    def of(cls, params: Params) -> "Wish":
        return cls(
            text=params.text("status") or "",
            spoiler_text=params.text("spoiler_text") or "",
            media_ids=params.texts("media_ids") or [],
            poll=_poll_wish(params.inner("poll")),
            sensitive=params.flag("sensitive"),
            visibility=params.text("visibility") or None,
            language=params.text("language") or None,
            in_reply_to_id=params.text("in_reply_to_id") or None,
            quoted_id=params.text("quoted_status_id") or None,
            quote_policy=params.text("quote_approval_policy") or None,
        )


def composed(
    wish: Wish, author: Account, instance: Instance, *, client_id: str | None, key: str | None, arrived_ms: int
) -> Status:
    """The post, checked and with an id, not stored yet. Raises Refused 404 or 422, in the order of the original."""
    oddities = instance.oddities
    thread = _reply_target(wish, author, instance)
    words, spoiler = _words(wish)
    media = attachable(wish.media_ids, author, instance, with_poll=wish.poll is not None)
    _check_words(words, spoiler, instance, needed=not media)
    poll = made_poll(wish.poll, instance)
    visibility = wish.visibility or author.privacy
    if visibility not in VISIBILITIES:
        raise Refused(422, f"'{visibility}' is not a valid visibility")
    if oddities.silenced and visibility == "public":
        visibility = "unlisted"
    status_id = instance.archive.next_id()
    return Status(
        id=status_id,
        account_id=author.id,
        client_id=client_id,
        text=words,
        spoiler_text=spoiler,
        sensitive=(author.sensitive if wish.sensitive is None else wish.sensitive) or bool(spoiler),
        visibility=visibility,
        language=read_language(wish.language) or author.language or "en",
        in_reply_to_id=thread.id if thread else None,
        in_reply_to_account_id=thread.account_id if thread else None,
        quoted_id=_quoted(wish, author, instance),
        quote_policy=wish.quote_policy if wish.quote_policy in QUOTE_POLICIES else "public",
        media_ids=[item.id for item in media],
        poll=poll,
        created_ms=status_id >> 16,
        key=key,
        arrived_ms=arrived_ms,
    )


def attachable(
    media_ids: Sequence[str], owner: Account, instance: Instance, *, with_poll: bool, kept: Sequence[int] = ()
) -> list[Media]:
    """The media in the order asked for. `kept`: those an edited post already has. Raises Refused 422."""
    if len(media_ids) > MEDIA_PER_POST or (media_ids and with_poll):
        raise Refused(422, TOO_MANY_MEDIA, max=MEDIA_PER_POST)
    found: list[Media] = []
    missing: list[str] = []
    for media_id in dict.fromkeys(media_ids):
        media = instance.archive.media(read_id(media_id))
        free = media is not None and media.status_id is None and not is_swept(media, instance)
        if media is None or media.account_id != owner.id or not (free or media.id in kept):
            missing.append(media_id)
        else:
            found.append(media)
    if missing and not instance.oddities.drops_unknown_media:
        raise Refused(422, MEDIA_NOT_FOUND, ids=", ".join(missing))
    if len(found) > 1 and any(media.kind != "image" for media in found):
        raise Refused(422, MIXED_MEDIA)
    if not all(map(is_ready, found)):
        raise Refused(422, NOT_PROCESSED)
    return found


def made_poll(wish: PollWish | None, instance: Instance) -> Poll | None:
    if wish is None:
        return None
    options = [option.strip() for option in wish.options if option.strip()]
    if len(options) < 2:
        raise Refused(422, POLL_TOO_FEW)
    if len(options) > POLL_OPTIONS:
        raise Refused(422, POLL_TOO_MANY, max=POLL_OPTIONS)
    if any(text.clusters(option) > POLL_OPTION_CHARACTERS for option in options):
        raise Refused(422, POLL_OPTION_TOO_LONG, max=POLL_OPTION_CHARACTERS)
    if len(set(options)) < len(options):
        raise Refused(422, POLL_OPTION_TWICE)
    if wish.expires_in < POLL_SECONDS[0]:
        raise Refused(422, POLL_TOO_SHORT)
    if wish.expires_in > POLL_SECONDS[1]:
        raise Refused(422, POLL_TOO_LONG)
    return Poll(
        id=instance.archive.next_id(),
        options=options,
        expires_ms=now_ms() + wish.expires_in * 1000,
        multiple=wish.multiple,
        hide_totals=wish.hide_totals,
    )


def edited(status: Status, params: Params, instance: Instance) -> tuple[Status, list[Media]]:
    """The post after an edit, and its media. What is not named stays, except the media (an oddity decides)."""
    author = instance.archive.account(status.account_id)
    assert author is not None
    wish = Wish.of(params)
    words = wish.text if "status" in params else status.text
    spoiler = wish.spoiler_text if "spoiler_text" in params else status.spoiler_text
    if "media_ids" in params or instance.oddities.edit_drops_media:
        media = attachable(wish.media_ids, author, instance, with_poll=wish.poll is not None, kept=status.media_ids)
    else:
        media = instance.archive.media_in_order(status.media_ids)
    _check_words(words, spoiler, instance, needed=not media)
    poll = status.poll
    if "poll" in params and (wish.poll is None or poll is None or not _same_poll(poll, wish.poll)):
        poll = made_poll(wish.poll, instance)  # other options begin to count anew
    sensitive = status.sensitive if wish.sensitive is None else wish.sensitive
    changed = msgspec.structs.replace(
        status,
        text=words,
        spoiler_text=spoiler,
        sensitive=sensitive or bool(spoiler),
        language=read_language(wish.language) or status.language,
        media_ids=[item.id for item in media],
        poll=poll,
    )
    return changed, media


def read_language(code: str | None) -> str | None:
    """What is no language code counts as not given."""
    return code if code and LANGUAGE.fullmatch(code) else None


def as_params(wish: Wish) -> dict[str, object]:
    """As a scheduled post shows what it was asked for."""
    poll = wish.poll and {
        "options": wish.poll.options,
        "expires_in": wish.poll.expires_in,
        "multiple": wish.poll.multiple,
        "hide_totals": wish.poll.hide_totals,
    }
    return {
        "text": wish.text,
        "poll": poll,
        "media_ids": wish.media_ids or None,
        "sensitive": wish.sensitive,
        "spoiler_text": wish.spoiler_text,
        "visibility": wish.visibility,
        "language": wish.language,
        "in_reply_to_id": wish.in_reply_to_id,
        "quoted_status_id": wish.quoted_id,
        "quote_approval_policy": wish.quote_policy,
        "scheduled_at": None,
        "idempotency": None,
        "with_rate_limit": False,
    }


def from_params(params: dict[str, object]) -> Wish:
    """The way back, when its time has come."""
    named = {"quoted_id": params["quoted_status_id"], "quote_policy": params["quote_approval_policy"]}
    same = ("text", "spoiler_text", "poll", "sensitive", "visibility", "language", "in_reply_to_id")
    return msgspec.convert(
        {**{name: params[name] for name in same}, **named, "media_ids": params["media_ids"] or []}, Wish
    )


def may_see(status: Status, visitor: Account | None) -> bool:
    """Nobody follows anybody here, so what is not public is the author's."""
    return status.visibility in ("public", "unlisted") or (visitor is not None and visitor.id == status.account_id)


def too_recent(status: Status, instance: Instance) -> bool:
    """Not on the read replica yet, where that is switched on."""
    return bool(instance.oddities.read_lag) and status.created_ms + instance.oddities.read_lag * 1000 > now_ms()


def _words(wish: Wish) -> tuple[str, str]:
    """Without a text the warning is the text."""
    if not wish.text.strip() and wish.spoiler_text.strip():
        return wish.spoiler_text, ""
    return wish.text, wish.spoiler_text


def _check_words(words: str, spoiler: str, instance: Instance, *, needed: bool) -> None:
    limit = instance.oddities.characters
    hopeless = len(words) + len(spoiler) > 100_000 + 100 * limit  # not worth counting
    in_full = instance.oddities.spoiler_urls_in_full
    if hopeless or text.length(words, spoiler, spoiler_urls_in_full=in_full) > limit:
        raise Refused(422, TOO_LONG, max=limit)
    if needed and not words.strip():
        raise Refused(422, BLANK)


def _reply_target(wish: Wish, author: Account, instance: Instance) -> Status | None:
    if wish.in_reply_to_id is None:
        return None
    target = instance.archive.status(read_id(wish.in_reply_to_id))
    if target is None or target.deleted_ms is not None or not may_see(target, author):
        raise Refused(404, REPLY_GONE)
    return target


def _quoted(wish: Wish, author: Account, instance: Instance) -> int | None:
    """4.5 and later; before, the parameter means nothing."""
    if wish.quoted_id is None or not instance.oddities.since(4, 5):
        return None
    target = instance.archive.status(read_id(wish.quoted_id))
    if target is None or target.deleted_ms is not None or not may_see(target, author):
        raise Refused(404, NOT_FOUND)
    return target.id


def _poll_wish(params: Params | None) -> PollWish | None:
    options = params.texts("options") if params else None
    if params is None or not options:
        return None
    return PollWish(
        options=options,
        expires_in=params.number("expires_in") or 0,
        multiple=params.flag("multiple") or False,
        hide_totals=params.flag("hide_totals") or False,
    )


def _same_poll(poll: Poll, wish: PollWish) -> bool:
    return poll.options == [option.strip() for option in wish.options] and poll.multiple == wish.multiple
