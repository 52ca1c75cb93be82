"""Workspaces, accounts and planned publications, put into Mongo as the product itself would have stored them."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from beanie import Document, PydanticObjectId
from beanie.odm.utils.dump import get_dict

from social.accounts.documents import Account, SealedApp
from social.backing import Backing
from social.moments import now
from social.people.documents import Membership, User, Workspace
from social.people.roles import Role
from social.people.signin import SignIn, Visitor
from social.platforms import PLATFORMS
from social.platforms.contract import App, Content, MediaItem, Token
from social.posts.documents import Post, Written
from social.posts.when import Plan, at_the_instant
from social.publishing.documents import Publication
from social.publishing.facts import key_of, preparing_begins
from social.publishing.lanes import Lane
from tests.bench.sink.arrivals import marked

ORDER = ("mastodon", "x", "bluesky")  # which platforms one, two or three are
AT_ONCE = 1_000  # documents in one insert
TEXT = 200  # characters of a post, about
WORDS = "the river is long and quiet this evening and nobody is in any hurry to be on the other side of it, "

T = TypeVar("T")
Json = dict[str, Any]
Expected = dict[str, int]  # publications by id: when they are due, in milliseconds since 1970


@dataclass(frozen=True, kw_only=True)
class Group:
    """One workspace, its owner, and its accounts, a row for each person who has one on every platform."""

    workspace: Workspace
    owner: User
    rows: list[list[Account]]


async def gathered(
    backing: Backing, *, workspaces: int, rows: int, platforms: Sequence[str] = ORDER, first: int = 0
) -> list[Group]:
    """So many workspaces with `rows` accounts on each of `platforms`. `first` tells crowds of one bench apart."""
    groups = [_group(first + number, rows, platforms, backing) for number in range(workspaces)]
    accounts = [account for group in groups for row in group.rows for account in row]
    members = [
        Membership(workspace_id=_id(group.workspace), user_id=_id(group.owner), role=Role.OWNER, created_at=now())
        for group in groups
    ]
    for documents in ([group.owner for group in groups], [group.workspace for group in groups], members, accounts):
        await inserted(documents)
    async with backing.client.start_session() as session:
        await Lane.exist([account.id for account in accounts], session)
    return groups


async def planned(
    groups: Sequence[Group],
    count: int,
    due_at: datetime,
    *,
    over: timedelta = timedelta(),
    media: tuple[MediaItem, ...] = (),
) -> Expected:
    """`count` posts, each on one row of accounts, from all groups in turn; due at `due_at`, or spread evenly over the
    time that follows it; with `media`, if any. What is to arrive."""
    rows = [(group, row) for each in zip(*(_with_rows(group) for group in groups), strict=True) for group, row in each]
    expected: Expected = {}
    posts: list[Post] = []
    publications: list[Publication] = []
    for number in range(count):
        group, row = rows[number % len(rows)]
        post, its = _written(group, row, at_the_instant(due_at + over * (number / count), "UTC"), media)
        posts.append(post)
        publications += its
        expected |= {str(each.id): round(each.due_at.timestamp() * 1000) for each in its}
        if len(publications) >= AT_ONCE or number == count - 1:
            await inserted(posts)
            await inserted(publications)
            posts, publications = [], []
            await asyncio.sleep(0)
    return expected


async def drafted(groups: Sequence[Group], count: int) -> dict[str, list[str]]:
    """`count` drafts for a row of accounts each, from all groups in turn: their ids, by workspace."""
    posts: dict[str, list[Post]] = {str(group.workspace.id): [] for group in groups}
    for number in range(count):
        group = groups[number % len(groups)]
        written = Written(text=_filler(), accounts=tuple(str(account.id) for account in group.rows[0]))
        post = Post(
            workspace_id=_id(group.workspace),
            written=written,
            author_id=_id(group.owner),
            author_name=group.owner.name,
        )
        posts[str(group.workspace.id)].append(post)
    await inserted([post for some in posts.values() for post in some])
    return {workspace: [str(post.id) for post in some] for workspace, some in posts.items()}


async def joined(group: Group, count: int) -> list[User]:
    """So many more people in the group's workspace."""
    users = [_user(f"{group.workspace.id}-{number}") for number in range(count)]
    members = [
        Membership(workspace_id=_id(group.workspace), user_id=_id(user), role=Role.EDITOR, created_at=now())
        for user in users
    ]
    await inserted(users)
    await inserted(members)
    return users


async def signed_in(user: User, backing: Backing) -> str:
    """An access token of the user, as a sign-in gives it, good for ten minutes."""
    with SignIn.opened(backing) as signin:
        return (await signin.begin(user, Visitor("127.0.0.1", "bench"), now())).access.token


async def inserted(documents: Sequence[Document]) -> None:
    """Stores new documents, a thousand at a time."""
    waiting = iter(documents)
    while batch := list(islice(waiting, AT_ONCE)):
        await type(batch[0]).get_pymongo_collection().insert_many([_stored(each) for each in batch], ordered=False)


def _group(number: int, rows: int, platforms: Sequence[str], backing: Backing) -> Group:
    owner = _user(f"owner-{number}")
    workspace = Workspace(id=PydanticObjectId(), name=f"Workspace {number}", created_at=now())
    accounts = [
        [_account(workspace, owner, platform, number * rows + row + 1, backing) for platform in platforms]
        for row in range(rows)
    ]
    return Group(workspace=workspace, owner=owner, rows=accounts)


def _user(name: str) -> User:
    email = f"{name}@example.org"
    return User(
        id=PydanticObjectId(),
        email=email,
        email_folded=email,
        password_hash="-",
        name=name,
        zone="UTC",
        created_at=now(),
    )


def _account(workspace: Workspace, owner: User, platform: str, number: int, backing: Backing) -> Account:
    """A connected account of the sandbox. The sink knows it by its token: a letter, then the platform's id of it."""
    id, at = PydanticObjectId(), now()
    remote_id = f"did:plc:{number:024d}" if platform == "bluesky" else str(10**17 + number)
    account = Account(
        id=id,
        workspace_id=_id(workspace),
        platform=platform,
        realm="sandbox",
        origin=f"{backing.settings.sandbox_url}{PLATFORMS[platform].sandbox_path}",
        remote_id=remote_id,
        handle=f"somebody{number}",
        name=f"Somebody {number}",
        way="page" if PLATFORMS[platform].password is None else "password",
        app=SealedApp.of(
            App(client_id="bench", client_secret="bench"), backing.vault, place=f"{workspace.id}:{id}:app"
        ),
        limits_read_at=at,
        connected_at=at,
        connected_by=_id(owner),
    )
    account.hold(Token(access=f"t{remote_id}"), backing.vault)
    return account


def _written(
    group: Group, row: Sequence[Account], plan: Plan, media: tuple[MediaItem, ...]
) -> tuple[Post, list[Publication]]:
    """A post with its publications, as planning makes them; each has a text of its own, as with a variant."""
    post = Post(
        workspace_id=_id(group.workspace),
        written=Written(text=_filler(), accounts=tuple(str(account.id) for account in row)),
        plan=plan,
        draft=False,
        author_id=_id(group.owner),
        author_name=group.owner.name,
    )
    return post, [_publication(post, account, plan, media) for account in row]


def _publication(post: Post, account: Account, plan: Plan, media: tuple[MediaItem, ...]) -> Publication:
    id = PydanticObjectId()
    content = Content(text=marked(str(id), round(plan.due_at.timestamp() * 1000), _filler()), media=media)
    return Publication(
        id=id,
        workspace_id=post.workspace_id,
        post_id=post.id,
        account_id=account.id,
        platform=account.platform,
        realm=account.realm,
        content=content,
        key=key_of(id, 1),
        wall=plan.wall,
        zone=plan.zone,
        fold=plan.fold,
        due_at=plan.due_at,
        next_at=plan.due_at,
        prepare_at=preparing_begins(content, account.platform, plan.due_at),
    )


def _filler() -> str:
    """So many characters that a marked text has TEXT of them."""
    start = random.randrange(len(WORDS))
    return (WORDS * 3)[start : start + TEXT - 45].strip()


def _with_rows(group: Group) -> Iterator[tuple[Group, list[Account]]]:
    return ((group, row) for row in group.rows)


def _stored(document: Document) -> Json:
    stored: Json = get_dict(document, to_db=True)  # what `insert` stores
    return stored


def _id(document: User | Workspace) -> PydanticObjectId:
    assert document.id is not None
    return document.id
