"""Making, reading and deleting posts. Sheet: Publishing; After a crash; Deleting."""

from datetime import datetime
from typing import Any

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from social.sandbox.clock import iso, now_ms, read_iso
from social.sandbox.x import text as words
from social.sandbox.x.errors import (
    DUPLICATE,
    NOT_PERMITTED,
    PARENT_GONE,
    REPLY_RULE,
    bad_request,
    forbidden,
    not_found,
    of_posting,
)
from social.sandbox.x.media import attachable
from social.sandbox.x.quotas import DELETIONS, LOOKUP, ME, POSTS, TIMELINE
from social.sandbox.x.records import Media, Post, User
from social.sandbox.x.service import Call, Json, Service, Who, json_body, only, reply

FIELDS = frozenset(
    (
        *("text", "media", "reply", "quote_tweet_id", "quote_post_id", "poll", "reply_settings", "community_id"),
        *("share_with_followers", "edit_options", "geo", "made_with_ai", "paid_partnership", "card_uri", "nullcast"),
        *("for_super_followers_only", "direct_message_deep_link"),
    )
)
MEDIA_FIELDS = frozenset(
    (
        *("media_ids", "tagged_user_ids", "title", "description", "embeddable"),
        *("preview_media_id", "call_to_actions"),
    )
)
REPLY_FIELDS = frozenset(
    (
        *("in_reply_to_tweet_id", "in_reply_to_post_id"),
        *("exclude_reply_user_ids", "auto_populate_reply_metadata"),
    )
)
EXCLUSIVE = ("media", "poll", "quote_tweet_id", "card_uri", "direct_message_deep_link")
REPLY_SETTINGS = ("following", "mentionedUsers", "subscribers", "verified")
OPTIONS = ("reply_settings", "community_id", "made_with_ai", "paid_partnership", "geo", "share_with_followers")
CUT = 280  # characters of a long post that `text` has


@post("/2/tweets", status_code=201)
async def create(request: Call, x: NamedDependency[Service]) -> Response[bytes]:
    """201 with id and text, which has short links by now."""
    arrived = now_ms()
    who = x.who(request, "tweet.write", "tweet.read", "users.read")
    headers = x.spend(POSTS, who)
    body = await json_body(request, x.host)
    if x.oddities.posting != "fine":
        raise of_posting(x.oddities.posting, x.host)
    made = _made(body, who, arrived, x)
    x.archive.save_post(made)
    data = {"id": str(made.id), "text": _text(made, x)} | {_named("edit_history_tweet_ids", x): [str(made.id)]}
    return reply({"data": data}, 201, (*headers, ("location", f"{x.origin}/2/tweets/{made.id}")))


@get("/2/tweets/{post_id:str}")
async def one(request: Call, post_id: FromPath[str], x: NamedDependency[Service]) -> Response[bytes]:
    """One post; a deleted one is an error beside no data."""
    who = x.who(request, "tweet.read")
    headers = x.spend(LOOKUP, who)
    found = _live(post_id, x)
    if found is None:
        raise not_found(x.host, "tweet", post_id)
    return reply(_with_includes({"data": _entity(found, x)}, [found], x), headers=headers)


@get("/2/tweets")
async def several(request: Call, x: NamedDependency[Service]) -> Response[bytes]:
    """Up to 100 by `ids`; what is not there is in errors[]."""
    who = x.who(request, "tweet.read")
    headers = x.spend(LOOKUP, who)
    ids = [id for id in request.query_params.get("ids", "").split(",") if id]
    if not 0 < len(ids) <= 100:
        raise bad_request(x.host, "ids has 1 to 100 of them.", {"ids": ids})
    found = {id: _live(id, x) for id in ids}
    answer: Json = {"data": [_entity(each, x) for each in found.values() if each]}
    errors = [not_found(x.host, "tweet", id).body for id, each in found.items() if each is None]
    return reply(answer | ({"errors": errors} if errors else {}), headers=headers)


@delete("/2/tweets/{post_id:str}", status_code=200)
async def remove(request: Call, post_id: FromPath[str], x: NamedDependency[Service]) -> Response[bytes]:
    """Takes it away. What a second time answers is a switch."""
    who = x.who(request, "tweet.write")
    headers = x.spend(DELETIONS, who)
    found = _live(post_id, x)
    if found is None and x.oddities.deleted_again == "not-found":
        raise not_found(x.host, "tweet", post_id)
    if found is not None:
        if found.user_id != who.user.id:
            raise forbidden("You are not authorized to delete this Tweet.")
        found.deleted_ms = now_ms()
        x.archive.save_post(found)
    return reply({"data": {"deleted": True}}, headers=headers)


@get("/2/users/me")
async def me(request: Call, x: NamedDependency[Service]) -> Response[bytes]:
    """Whose token it is, with the fields that were asked for."""
    who = x.who(request, "users.read")
    headers = x.spend(ME, who)
    data = {"id": str(who.user.id), "name": who.user.name, "username": who.user.username}
    more = {
        "profile_image_url": f"{x.origin}/pictures/people/{who.user.username}.png",
        "verified": False,
        "verified_type": "none",
        "subscription_type": x.oddities.subscription or who.user.subscription,
    }
    asked = request.query_params.get("user.fields", "").split(",")
    return reply({"data": data | {name: value for name, value in more.items() if name in asked}}, headers=headers)


@get("/2/users/{user_id:str}/tweets")
async def timeline(request: Call, user_id: FromPath[str], x: NamedDependency[Service]) -> Response[bytes]:
    """Somebody's posts, newest first, as far as they show by now."""
    who = x.who(request, "tweet.read", "users.read")
    headers = x.spend(TIMELINE, who)
    user = x.archive.user(int(user_id)) if user_id.isdigit() and len(user_id) < 20 else None
    if user is None:
        raise not_found(x.host, "user", user_id)
    posts = _chosen(request, user, x)
    most = _number(request, "max_results", 10, 5, 100, x)
    page = posts[:most]
    meta: Json = {"result_count": len(page)}
    if page:
        meta |= {"newest_id": str(page[0].id), "oldest_id": str(page[-1].id)}
    if len(posts) > most:
        meta["next_token"] = f"before-{page[-1].id}"
    answer: Json = ({"data": [_entity(each, x) for each in page]} if page else {}) | {"meta": meta}
    if x.oddities.partial_errors:
        answer["errors"] = [not_found(x.host, "media", "3_1").body]
    return reply(_with_includes(answer, page, x), headers=headers)


def page_of(made: Post, x: Service) -> str:
    """As whoever does not know the author's name writes it; X leads on from there."""
    return f"{x.origin}/i/status/{made.id}"


def media_of(made: Post, x: Service) -> list[Media]:
    return [media for id in made.media_ids if (media := x.archive.media(id))]


def _made(body: Json, who: Who, arrived: int, x: Service) -> Post:
    """The post that `body` asks for. Raises Refused with everything X would say no to."""
    _well_formed(body, x)
    text = body.get("text", "")
    ids = [str(id) for id in (body.get("media") or {}).get("media_ids", [])]
    poll = _poll(body.get("poll"), x)
    if not text.strip() and not ids:
        message = "You must provide text or media to create a tweet"
        raise bad_request(x.host, message, {"text": [text]})
    if words.INVALID.search(text):
        raise bad_request(x.host, "The Tweet contains invalid characters.", {"text": [text]})
    if x.oddities.invalid_url_refused and words.LINK.search(text):
        raise bad_request(x.host, "The Tweet contains an invalid URL.", {"text": [text]})
    premium = (x.oddities.subscription or who.user.subscription) in {"Premium", "PremiumPlus"}
    if words.weight(text) > (words.PREMIUM_LIMIT if premium else words.LIMIT):
        raise forbidden(NOT_PERMITTED)
    media = attachable(ids, who, x)
    parent = _parent(body.get("reply") or {}, who, x)
    quoted = body.get("quote_tweet_id") or body.get("quote_post_id")
    if quoted is not None and _live(str(quoted), x) is None:
        raise bad_request(x.host, "The Tweet you are quoting is not there.", {"quote_tweet_id": [str(quoted)]})
    _not_said_before(text, ids, who, x)
    id = x.archive.next_id()
    return Post(
        id=id,
        user_id=who.user.id,
        client_id=who.grant.client_id,
        text=text,
        created_ms=now_ms(),
        reply_to=parent.id if parent else None,
        quoted=int(quoted) if quoted else None,
        conversation=parent.conversation if parent else id,
        media_ids=[each.id for each in media],
        poll=poll,
        options={name: body[name] for name in OPTIONS if name in body},
        links=words.links(text, id),
        media_link=next(iter(words.links("https://x.com/media", id + 4)), None) if media else None,
        arrived_ms=arrived,
    )


def _well_formed(body: Json, x: Service) -> None:
    only(body, FIELDS, x.host)
    if not isinstance(body.get("text", ""), str):
        raise bad_request(x.host, "$.text: must be a string", {"text": [str(body["text"])]})
    for name, known in (("media", MEDIA_FIELDS), ("reply", REPLY_FIELDS)):
        value = body.get(name)
        if value is not None and not isinstance(value, dict):
            raise bad_request(x.host, f"$.{name}: must be an object", {name: [str(value)]})
        only(value or {}, known, x.host, f"{name}.")
    ids = (body.get("media") or {}).get("media_ids", [])
    if "media" in body and (not isinstance(ids, list) or not 1 <= len(ids) <= 4):
        raise bad_request(x.host, "$.media.media_ids: there must be 1 to 4 items", {"media.media_ids": [str(ids)]})
    chosen = [name for name in EXCLUSIVE if body.get(name) is not None]
    if len(chosen) > 1:
        raise bad_request(x.host, f"{' and '.join(chosen)} cannot be used together.", {chosen[0]: ["given"]})
    settings = body.get("reply_settings")
    if settings is not None and settings not in REPLY_SETTINGS:
        raise bad_request(x.host, "reply_settings is not known.", {"reply_settings": [str(settings)]})


def _poll(given: Any, x: Service) -> Json | None:
    if given is None:
        return None
    options = given.get("options") if isinstance(given, dict) else None
    lasts = given.get("duration_minutes") if isinstance(given, dict) else None
    fine = isinstance(options, list) and 2 <= len(options) <= 4
    fine = fine and all(isinstance(option, str) and 1 <= len(option) <= 25 for option in options or [])
    if not fine:
        message = "poll.options has 2 to 4 texts of 1 to 25 characters."
        raise bad_request(x.host, message, {"poll.options": [str(options)]})
    if not isinstance(lasts, int) or not 5 <= lasts <= 10_080:
        raise bad_request(x.host, "poll.duration_minutes is 5 to 10080.", {"poll.duration_minutes": [str(lasts)]})
    return {"options": options, "duration_minutes": lasts}


def _parent(given: Json, who: Who, x: Service) -> Post | None:
    id = given.get("in_reply_to_tweet_id") or given.get("in_reply_to_post_id")
    if id is None:
        return None
    parent = _live(str(id), x)
    if parent is None:
        raise forbidden(PARENT_GONE)
    if parent.user_id == who.user.id:
        if not x.oddities.own_replies:
            raise forbidden(REPLY_RULE)
    elif f"@{who.user.username}".lower() not in parent.text.lower():
        raise forbidden(REPLY_RULE)
    return parent


def _not_said_before(text: str, ids: list[str], who: Who, x: Service) -> None:
    since = now_ms() - x.oddities.duplicate_window * 1000
    for earlier in x.archive.posts_of(who.user.id):
        if earlier.created_ms < since:
            return
        if earlier.deleted_ms is None and earlier.text == text and text.strip():
            if x.oddities.media_makes_a_difference and (earlier.media_ids or ids):
                continue
            raise forbidden(DUPLICATE)


def _live(id: str, x: Service) -> Post | None:
    found = x.archive.post(int(id)) if id.isdigit() and len(id) < 20 else None
    return found if found is not None and found.deleted_ms is None else None


def _chosen(request: Call, user: User, x: Service) -> list[Post]:
    asked = request.query_params
    since, until = (_moment(asked.get(name), name, x) for name in ("start_time", "end_time"))
    above, below = (_id(asked.get(name), name, x) for name in ("since_id", "until_id"))
    token = asked.get("pagination_token", "")
    page = _id(token.removeprefix("before-"), "pagination_token", x) if token else None
    excluded = asked.get("exclude", "").split(",")
    visible = now_ms() - round(x.oddities.read_lag * 1000)
    return [
        post
        for post in x.archive.posts_of(user.id)
        if post.deleted_ms is None
        and post.created_ms <= visible
        and (since is None or post.created_ms >= since)
        and (until is None or post.created_ms < until)
        and (above is None or post.id > above)
        and (below is None or post.id < below)
        and (page is None or post.id < page)
        and not (post.reply_to is not None and "replies" in excluded)
    ]


def _moment(given: str | None, name: str, x: Service) -> int | None:
    if given is None:
        return None
    found = read_iso(given)
    if found is None or "T" not in given:
        raise bad_request(x.host, f"{name} must be an ISO 8601 time.", {name: [given]})
    if "." in given.partition("T")[2] and datetime.fromisoformat(given).microsecond % 1000:
        raise bad_request(x.host, f"{name} has milliseconds at most.", {name: [given]})
    return found


def _id(given: str | None, name: str, x: Service) -> int | None:
    if given is None:
        return None
    if not given.isdigit() or len(given) > 19:
        raise bad_request(x.host, f"{name} is no id.", {name: [given]})
    return int(given)


def _number(request: Call, name: str, usual: int, least: int, most: int, x: Service) -> int:
    given = request.query_params.get(name, str(usual))
    if not given.isdigit() or not least <= int(given) <= most:
        message = f"The `{name}` query parameter value [{given}] is not between {least} and {most}"
        raise bad_request(x.host, message, {name: [given]})
    return int(given)


def _text(made: Post, x: Service) -> str:
    long = len(made.text) > CUT and words.weight(made.text) > words.LIMIT
    return words.shown(made.text[:CUT] if long else made.text, made.links, made.media_link)


def _entity(made: Post, x: Service) -> Json:
    """All fields, whatever was asked for: more is allowed, and clients must live with it."""
    answer: Json = {
        "id": str(made.id),
        "text": _text(made, x),
        "author_id": str(made.user_id),
        "created_at": iso(made.created_ms),
        "conversation_id": str(made.conversation),
        _named("edit_history_tweet_ids", x): [str(made.id)],
        "public_metrics": {
            _named("retweet_count", x): 0,
            "reply_count": 0,
            "like_count": 0,
            "quote_count": 0,
            "bookmark_count": 0,
            "impression_count": 0,
        },
    }
    if len(made.text) > CUT and words.weight(made.text) > words.LIMIT:
        answer[_named("note_tweet", x)] = {"text": words.shown(made.text, made.links, None)} | _entities(made, x)
    answer |= _entities(made, x)
    referenced = []
    if made.reply_to is not None:
        referenced.append({"type": "replied_to", "id": str(made.reply_to)})
        parent = x.archive.post(made.reply_to)
        if parent is not None:
            answer["in_reply_to_user_id"] = str(parent.user_id)
    if made.quoted is not None:
        referenced.append({"type": "quoted", "id": str(made.quoted)})
    if referenced:
        answer[_named("referenced_tweets", x)] = referenced
    if made.media_ids:
        answer["attachments"] = {"media_keys": [_key(each, x) for each in media_of(made, x)]}
    return answer


def _entities(made: Post, x: Service) -> Json:
    links = made.links | ({made.media_link: f"{x.origin}/i/status/{made.id}/photo/1"} if made.media_link else {})
    shown, found = words.shown(made.text, made.links, made.media_link), []
    for short, full in links.items():
        begin = shown.find(short)
        whole = full if full.startswith("http") else f"http://{full}"
        place = {"start": begin, "end": begin + len(short)}
        found.append(place | {"url": short, "expanded_url": whole, "display_url": full})
    return {"entities": {"urls": found}} if found else {}


def _with_includes(answer: Json, posts: list[Post], x: Service) -> Json:
    media = [{"media_key": _key(each, x), "type": each.kind} for post in posts for each in media_of(post, x)]
    return answer | ({"includes": {"media": media}} if media else {})


def _key(media: Media, x: Service) -> str:
    return media.key if x.oddities.keys_stay else f"{media.prefix}_{media.id + 1}"


SPELLINGS = {
    "edit_history_tweet_ids": "edit_history_post_ids",
    "retweet_count": "repost_count",
    "note_tweet": "note_post",
    "referenced_tweets": "referenced_posts",
}


def _named(name: str, x: Service) -> str:
    return name if x.oddities.spelling == "tweet" else SPELLINGS[name]


ROUTES = (create, several, one, remove, me, timeline)
