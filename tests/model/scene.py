"""What is there when a schedule begins: a workspace, its accounts and lanes, and posts with their publications.

Made once by the product's own documents for each shape, and copied from then on: only instants differ.
"""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from beanie import PydanticObjectId
from beanie.odm.utils.encoder import Encoder
from bson import ObjectId

from social.accounts.documents import Account, SealedApp
from social.backing.mongo import BSON_ENCODERS
from social.people.roles import Caller, Role
from social.platforms.contract import App, Content, MediaItem, Part, Token
from social.posts.documents import PartWritten, Post, Written
from social.posts.when import Plan, at_the_instant
from social.publishing.documents import Publication
from social.publishing.facts import key_of
from social.publishing.lanes import Lane
from tests.model.instance import VAULT
from tests.model.schedule import Schedule
from tests.model.values import Json, kept

WORKSPACE, PERSON = PydanticObjectId("0" * 23 + "1"), PydanticObjectId("0" * 23 + "2")
CALLER = Caller(user_id=PERSON, workspace_id=WORKSPACE, role=Role.OWNER, session_id=PERSON, name="Ada")
LONG_AGO = datetime.fromisoformat("2029-01-01T00:00:00+00:00")
PICTURE = MediaItem(media_id="0" * 24, key="w/x", mime="image/png", bytes=10, width=1, height=1)


def id_of(kind: int, number: int) -> PydanticObjectId:
    """The id of the `number`-th account (1), post (2) or publication (3)."""
    return PydanticObjectId(f"{kind:012x}{number:012x}")


def documents(schedule: Schedule, start: datetime) -> dict[str, list[Json]]:
    """What is stored at the instant `start`, by collection."""
    platform = f"model-{schedule.settles}"
    found: dict[str, list[Json]] = {"accounts": [], "lanes": [], "posts": [], "publications": []}
    for number in range(schedule.accounts):
        found["accounts"].append(dict(_account(platform, number)))
        found["lanes"].append({"_id": id_of(1, number), **_lane()})
    for number in range(schedule.publications):
        due_at = kept(start + timedelta(seconds=schedule.due_in + number * schedule.apart))
        text = "the same words" if schedule.same_words else f"words {number}"
        account = number % schedule.accounts
        post, publication = _planned(platform, number, account, text, schedule.parts, schedule.media)
        plan = post["plan"] | {"due_at": due_at}
        found["posts"].append(post | {"plan": plan, "created_at": start, "updated_at": start})
        found["publications"].append(
            publication
            | {
                "due_at": due_at,
                "next_at": due_at,
                "planned_at": start,
                "updated_at": start,
                "prepare_at": start if schedule.media else None,
                "deadline": due_at + timedelta(seconds=schedule.deadline) if schedule.deadline else None,
            }
        )
    return found


@lru_cache
def _account(platform: str, number: int) -> Json:
    id = id_of(1, number)
    account = Account(
        id=id,
        workspace_id=WORKSPACE,
        platform=platform,
        realm="live",
        origin="https://model.example",
        remote_id=f"remote {number}",
        handle=f"ada{number}",
        name="Ada",
        app=SealedApp.of(App(client_id="c"), VAULT, place=f"{WORKSPACE}:{id}:app"),
        limits_read_at=LONG_AGO,
        connected_at=LONG_AGO,
        connected_by=PERSON,
        updated_at=LONG_AGO,
    )
    account.token = account.sealed_token(Token(access="the token"), VAULT)
    return encoded(account)


@lru_cache
def _lane() -> Json:
    return {name: value for name, value in encoded(Lane(id=id_of(1, 0))).items() if name != "_id"}


@lru_cache
def _planned(platform: str, number: int, account: int, text: str, parts: int, media: bool) -> tuple[Json, Json]:
    further = tuple(f"{text}, part {part}" for part in range(1, parts))
    when: Plan = at_the_instant(LONG_AGO, "Europe/Berlin")
    post = Post(
        id=id_of(2, number),
        workspace_id=WORKSPACE,
        written=Written(
            text=text, thread=tuple(PartWritten(text=each) for each in further), accounts=(str(id_of(1, account)),)
        ),
        plan=when,
        draft=False,
        author_id=PERSON,
        author_name="Ada",
    )
    content = Content(text=text, media=(PICTURE,) if media else (), thread=tuple(Part(text=each) for each in further))
    id = id_of(3, number)
    publication = Publication(
        id=id,
        workspace_id=WORKSPACE,
        post_id=post.id,
        account_id=id_of(1, account),
        platform=platform,
        realm="live",
        content=content,
        key=key(id),
        wall=when.wall,
        zone=when.zone,
        due_at=LONG_AGO,
        next_at=LONG_AGO,
    )
    return encoded(post), encoded(publication)


def key(id: ObjectId, rev: int = 1, part: int = 0) -> str:
    """The product's key of a part."""
    return key_of(id, rev, part)


def encoded(document: Any) -> Json:
    """As beanie would store it."""
    raw = Encoder(custom_encoders=BSON_ENCODERS, to_db=True, exclude={"revision_id"}).encode(document)
    stored = {("_id" if name == "id" else name): value for name, value in raw.items()}
    found: Json = kept(stored)
    return found
