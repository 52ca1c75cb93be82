"""A workspace with an account on the sandbox, and the engine running beside the test."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from beanie import PydanticObjectId

from social.accounts.documents import Account, SealedApp
from social.backing import Backing
from social.backing.mongo import as_bson
from social.moments import now
from social.people.documents import Membership, User, Workspace
from social.people.roles import Caller, Role
from social.platforms import PLATFORMS
from social.platforms.contract import App, Token
from social.posts.documents import PartWritten, Post, Written
from social.posts.when import at_the_instant
from social.publishing import plan
from social.publishing.documents import Publication
from social.publishing.states import State
from tests import connecting
from tests.servers.sandbox import Sandbox

Planned = Callable[..., Awaitable[Post]]
Connect = Callable[..., Awaitable[Account]]


@pytest.fixture
async def caller(backing: Backing) -> Caller:
    """An owner in a workspace of their own."""
    return await somebody("Ada")


async def somebody(name: str) -> Caller:
    """Another person, owner of another workspace."""
    user, workspace = PydanticObjectId(), PydanticObjectId()
    email = f"{name.lower()}@example.org"
    await User(
        id=user, email=email, email_folded=email, password_hash="-", name=name, zone="Europe/Berlin", created_at=now()
    ).insert()
    await Workspace(id=workspace, name=f"{name}'s", created_at=now()).insert()
    await Membership(workspace_id=workspace, user_id=user, role=Role.OWNER, created_at=now()).insert()
    return Caller(user_id=user, workspace_id=workspace, role=Role.OWNER, session_id=PydanticObjectId(), name=name)


@pytest.fixture
def connect(backing: Backing, sandbox: Sandbox, caller: Caller) -> Connect:
    """Connects an account of the sandbox, as the connection's end would."""

    async def connected(username: str = "ada", of: Caller = caller, platform: str = "mastodon") -> Account:
        if platform != "mastodon":
            return await connecting.connected(platform, of, backing, sandbox, username)
        person = await asyncio.to_thread(sandbox.person, username, app_name="Social")
        id = PydanticObjectId()
        account = Account(
            id=id,
            workspace_id=of.workspace_id,
            platform="mastodon",
            realm="sandbox",
            origin=sandbox.url,
            remote_id=person["account_id"],
            handle=f"{username}@sandbox",
            name=username,
            app=SealedApp.of(
                App(client_id=person["client_id"], client_secret=person["client_secret"]),
                backing.vault,
                place=f"{of.workspace_id}:{id}:app",
            ),
            limits_read_at=now(),
            connected_at=now(),
            connected_by=of.user_id,
        )
        account.token = account.sealed_token(Token(access=person["access_token"]), backing.vault)
        await account.insert()
        return account

    return connected


@pytest.fixture
async def account(connect: Connect) -> Account:
    """A connected account."""
    return await connect()


@pytest.fixture
def planned(backing: Backing, caller: Caller, account: Account) -> Planned:
    """A post with a date (now, unless `due_at` says otherwise) on the account, or on those given. More than one text
    make a thread."""

    async def post(
        text: str = "hello", *further: str, on: tuple[Account, ...] = (), due_at: Any = None, **written: Any
    ) -> Post:
        accounts = tuple(str(each.id) for each in on or (account,))
        thread = tuple(PartWritten(text=each) for each in further)
        draft = await plan.create(
            caller, Written(text=text, accounts=accounts, **{"thread": thread} | written), backing
        )
        when = at_the_instant(due_at or now(), "UTC")
        return await plan.plan(caller, str(draft.id), draft.revision, when, backing)

    return post


def past() -> datetime:
    """An instant that has passed for the engine too: it goes by the database's clock, which may be some ms behind."""
    return now() - timedelta(seconds=1)


async def of(post: Post) -> Publication:
    """The only publication of a post."""
    found = await Publication.find({"workspace_id": post.workspace_id, "post_id": post.id}).to_list()
    assert len(found) == 1
    return found[0]


async def until(post: Post, *states: State, within: float = 15) -> Publication:
    """Waits until the post's only publication is in one of `states`."""
    deadline = time.monotonic() + within
    while True:
        publication = await of(post)
        if publication.state in states:
            return publication
        assert time.monotonic() < deadline, f"{publication.state}: {publication.reason}, not {states} within {within} s"
        await asyncio.sleep(0.02)


async def takes_more_than_its_server(account: Account) -> None:
    """The account's limits as they were before its server lowered them: what we let pass, the server refuses."""
    generous = msgspec.structs.replace(PLATFORMS["mastodon"].limits, text=5000)
    await Account.get_pymongo_collection().update_one({"_id": account.id}, {"$set": {"limits": as_bson(generous)}})
