"""Tokens that end: refreshed once however many want it, stored before they are used, lost only on a definite word."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from pymongo.errors import AutoReconnect

from social.accounts import renewal
from social.accounts.documents import Account, Reason, Refreshing
from social.accounts.tokens import as_account, call_as, mark_disconnected
from social.backing import Backing, opened
from social.backing.mongo import as_bson
from social.errors import Disconnected, OperatorNeeded, RetryLater, TokenExpired
from social.moments import now
from social.platforms import PLATFORMS
from social.platforms.calls import Call
from social.platforms.contract import App, Token
from tests.accounts.granting import NAME, PLATFORM, Server, account_at, granting, identify

DUE = 100.0  # a token of an hour that ends in so many seconds is to be refreshed


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    monkeypatch.setitem(PLATFORMS, NAME, PLATFORM)
    async with granting() as server:
        yield server


@pytest.fixture
async def instances(backing: Backing, server: Server) -> AsyncIterator[tuple[Backing, Backing]]:
    """Two instances, each with connections of its own, to whom the server is the sandbox."""
    times = msgspec.structs.replace(backing.settings.times, http_timeout=0.5, margin=0.2)
    settings = msgspec.structs.replace(backing.settings, sandbox_url=server.origin, times=times)
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(opened(settings)) for _ in range(2)]
        yield replace(one, client=backing.client), replace(other, client=backing.client)  # documents know but this one


@pytest.fixture
def one(instances: tuple[Backing, Backing]) -> Backing:
    return instances[0]


async def due(server: Server, backing: Backing) -> Account:
    """An account whose token still works, and is to be refreshed."""
    account = await account_at(server, backing)
    account.refresh_at = now() - timedelta(seconds=1)
    await account.save()
    return account


async def stored(account: Account) -> Account:
    found = await Account.get(account.id)
    assert found is not None
    return found


async def held(account: Account, backing: Backing) -> Token:
    """The token as it is stored."""
    token = (await stored(account)).opened_token(backing.vault)
    assert token is not None
    return token


async def until(met: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5
    while not met():
        assert time.monotonic() < deadline, "not met within 5 s"
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("known", [True, False], ids=["we know that it ends", "the platform says that it ended"])
async def test_however_many_want_it_a_token_is_refreshed_once(
    known: bool, server: Server, instances: tuple[Backing, Backing]
) -> None:
    account = await (due if known else account_at)(server, instances[0])
    server.delay = 0.2
    if not known:
        server.access = "another"  # what we have is refused from now on
    readers = [await stored(account) for _ in range(20)]
    await asyncio.gather(*(as_account(each, instances[n % 2], identify) for n, each in enumerate(readers)))
    assert server.refreshes == ["refresh-0"]
    assert set(server.uses) == ({"access-1"} if known else {"access-0", "access-1"})
    assert server.uses.count("access-1") == 20
    token = await held(account, instances[0])
    assert (token.access, token.refresh) == ("access-1", "refresh-1")
    assert {each.token for each in readers} == {(await stored(account)).token}


async def test_a_token_is_refreshed_before_it_ends_and_not_long_before(server: Server, one: Backing) -> None:
    account = await account_at(server, one, ends_in=3600)
    assert account.refresh_at is not None
    assert timedelta(minutes=54) < account.refresh_at - now() < timedelta(minutes=55, seconds=1)
    short = await account_at(server, one, ends_in=100)
    assert short.refresh_at is not None
    assert timedelta(seconds=88) < short.refresh_at - now() <= timedelta(seconds=90)
    await as_account(account, one, identify)
    assert server.refreshes == []


async def test_what_a_token_is_refreshed_with_does_not_lapse_unused(server: Server, one: Backing) -> None:
    account = await account_at(server, one)
    account.hold(Token(access="a", refresh="r", lapses_at=now() + timedelta(days=14)), one.vault)
    assert account.refresh_at is not None
    assert timedelta(days=6) < account.refresh_at - now() < timedelta(days=7, seconds=1)


async def test_a_new_pair_is_stored_before_it_is_used(server: Server, one: Backing) -> None:
    account = await due(server, one)

    async def act(call: Call) -> str:
        assert call.token is not None
        assert call.token == await held(account, one)
        return call.token.access

    assert await as_account(account, one, act) == "access-1"


async def test_an_account_that_was_read_long_ago_uses_what_was_refreshed_since(server: Server, one: Backing) -> None:
    old = await due(server, one)
    await as_account(await stored(old), one, identify)
    await as_account(old, one, identify)
    assert server.refreshes == ["refresh-0"]
    assert old.token == (await stored(old)).token


@pytest.mark.parametrize("dead", [True, False], ids=["proven dead", "never heard of again"])
async def test_a_holder_that_died_is_followed_by_another(dead: bool, server: Server, one: Backing) -> None:
    account = await due(server, one)
    owner = one.owner if dead else msgspec.structs.replace(one.owner, host="elsewhere")
    if dead:
        owner = msgspec.structs.replace(owner, pid=2**22 + 1)
    ends = now() + timedelta(seconds=600 if dead else 0.6)
    lease = Refreshing(by="somebody", owner=owner, until=ends)
    await Account.get_pymongo_collection().update_one({"_id": account.id}, {"$set": {"refreshing": as_bson(lease)}})
    began = time.monotonic()
    readers = [await stored(account) for _ in range(5)]
    await asyncio.gather(*(as_account(each, one, identify) for each in readers))
    assert server.refreshes == ["refresh-0"]
    assert (time.monotonic() - began > 0.3) is not dead


async def test_a_holder_that_is_cancelled_stores_what_it_gets(server: Server, one: Backing) -> None:
    account = await due(server, one)
    server.delay = 0.2
    holder = asyncio.create_task(as_account(account, one, identify))
    await server.asked.wait()
    holder.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holder
    assert (await held(account, one)).refresh == server.refresh == "refresh-1"
    assert server.uses == []


async def test_a_pair_is_stored_however_often_mongo_is_away(
    server: Server, one: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await due(server, one)
    real, failures = Account.refreshed, [AutoReconnect("away"), AutoReconnect("away")]

    async def refreshed(*given: object) -> bool:
        if failures:
            await real(*given)  # type: ignore[arg-type]
            raise failures.pop()  # it was written, and the answer was lost
        return await real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(Account, "refreshed", refreshed)
    await as_account(account, one, identify)
    assert (await held(account, one)).access == "access-1"
    assert server.refreshes == ["refresh-0"]


async def test_a_definite_refusal_disconnects_and_nothing_else_does(
    server: Server, instances: tuple[Backing, Backing]
) -> None:
    account = await due(server, instances[0])
    server.dead = True
    with pytest.raises(Disconnected) as refused:
        await as_account(account, instances[0], identify)
    assert server.refreshes == ["refresh-0"]
    assert (await stored(account)).state == "connected"  # whoever acted writes it down, with what follows from it
    waiting = asyncio.create_task(as_account(await stored(account), instances[1], identify))
    assert await mark_disconnected(account, refused.value, instances[0]) is not None
    with pytest.raises(Disconnected):
        await waiting
    assert server.refreshes == ["refresh-0"]


@pytest.mark.parametrize("trouble", ["status", "stall"])
async def test_trouble_while_a_token_still_works_changes_nothing(trouble: str, server: Server, one: Backing) -> None:
    account = await due(server, one)
    if trouble == "stall":
        server.delay = 1.0
    else:
        server.status = 503
    await as_account(account, one, identify)
    await as_account(await stored(account), one, identify)
    assert server.uses == ["access-0", "access-0"]
    assert len(server.refreshes) == 1  # and not again at once
    assert (await stored(account)).state == "connected"


async def test_trouble_once_a_token_has_ended_is_waited_for(server: Server, one: Backing) -> None:
    account = await account_at(server, one)
    server.access, server.status = "another", 503
    for _ in range(2):
        with pytest.raises(RetryLater) as later:
            await as_account(account, one, identify)
        assert not later.value.answered  # it costs no try: nothing of ours went out
    assert (await stored(account)).state == "connected"
    server.status = None
    await as_account(account, one, identify)
    assert server.refreshes == ["refresh-0"] * 3


@pytest.mark.parametrize("forgives", [True, False])
async def test_after_a_lost_reply_the_old_one_is_tried_once_more(forgives: bool, server: Server, one: Backing) -> None:
    account = await account_at(server, one)
    server.access, server.loses_replies, server.forgives = "another", 1, forgives
    with pytest.raises(RetryLater):
        await as_account(account, one, identify)
    if forgives:
        await as_account(account, one, identify)
        assert (await held(account, one)).refresh == "refresh-1"
    else:
        with pytest.raises(Disconnected):
            await as_account(account, one, identify)
    assert server.refreshes == ["refresh-0", "refresh-0"]


async def test_who_parts_meanwhile_gets_the_new_pair_given_back(server: Server, one: Backing) -> None:
    account = await due(server, one)
    server.delay = 0.3
    acting = asyncio.create_task(as_account(account, one, identify))
    await server.asked.wait()
    reason = Reason(code="by-hand", text="Disconnected by Ada.")

    async def body(session: object) -> None:
        await Account.disconnect(await stored(account), reason, session)  # type: ignore[arg-type]

    await one.transaction(body)
    with pytest.raises(Disconnected):
        await acting
    assert server.revoked == ["refresh-1", "access-1"]
    assert server.uses == []


async def test_a_token_that_cannot_be_refreshed_is_lost_when_it_ends(server: Server, one: Backing) -> None:
    account = await account_at(server, one, refresh=False)
    server.access = "another"
    with pytest.raises(Disconnected):
        await as_account(account, one, identify)
    assert server.refreshes == []
    assert account.token_ends_at is not None


async def test_a_second_refusal_in_a_row_is_the_callers(server: Server, one: Backing) -> None:
    account = await account_at(server, one)

    async def refused(_: Call) -> None:
        raise TokenExpired("No.")

    with pytest.raises(TokenExpired):
        await as_account(account, one, refused)
    assert server.refreshes == ["refresh-0"]


async def test_a_busy_holder_is_not_waited_for_without_end(
    server: Server, one: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await due(server, one)
    monkeypatch.setattr(renewal, "lease", lambda _: 0.2)
    lease = Refreshing(by="x", owner=one.owner, until=now() + timedelta(hours=1))
    await Account.get_pymongo_collection().update_one({"_id": account.id}, {"$set": {"refreshing": as_bson(lease)}})
    with pytest.raises(RetryLater):
        await as_account(account, one, identify)


async def test_an_app_that_is_refused_is_the_owners_matter(server: Server, one: Backing) -> None:
    account = await account_at(server, one)
    server.access, server.status = "another", 400
    with pytest.raises(OperatorNeeded):
        await as_account(account, one, identify)
    assert (await stored(account)).state == "connected"


async def test_a_platforms_own_way_is_gone_for_passwords(
    server: Server, one: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, App, str | None]] = []

    async def refresh(call: Call, app: App, token: Token) -> Token:
        asked.append((call.origin, app, token.refresh))
        assert call.token is None
        return Token(access=server.access, refresh="r2")

    async def login(call: Call, name: str, secret: str) -> Token:
        raise NotImplementedError

    monkeypatch.setitem(PLATFORMS, NAME, replace(PLATFORM, refresh=refresh, login=login))
    by_page, by_password = await due(server, one), await account_at(server, one)
    await as_account(by_page, one, identify)
    assert asked == []
    by_password.way, by_password.refresh_at = "password", now()
    await by_password.save()
    await as_account(by_password, one, identify)
    assert [(origin, refresh) for origin, _, refresh in asked] == [(server.origin, "refresh-0")]


async def test_a_sandbox_accounts_token_goes_to_the_sandbox_alone(server: Server, one: Backing) -> None:
    account = await due(server, one)
    for origin in ("https://live.example", f"{server.origin}/x", server.origin.replace("127.0.0.1", "localhost")):
        account.origin = origin
        with pytest.raises(OperatorNeeded):
            await call_as(account, one)
    account.realm = "live"
    for origin in (server.origin, "http://live.example", "https://live.example:8443", "https://live.example/x"):
        account.origin = origin
        with pytest.raises(OperatorNeeded):
            await call_as(account, one)
    assert server.uses == server.refreshes == []
