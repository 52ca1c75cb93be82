"""Connecting, refreshing and parting on every platform, against its sandbox."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from social.accounts.connect import Found, finish, login
from social.accounts.documents import Account
from social.accounts.link import disconnect, drop, link
from social.accounts.renewal import renewed
from social.accounts.tokens import as_account, call_as
from social.backing import Backing
from social.errors import Disconnected, Invalid, PlatformError, TokenExpired
from social.moments import now
from social.people.roles import Caller
from social.platforms import PLATFORMS
from social.platforms.contract import Platform
from tests.connecting import answered, somebody
from tests.connecting import found as found_on
from tests.servers.sandbox import Sandbox

WITH_A_PAGE = [platform for platform in PLATFORMS.values() if platform.oauth]
WITH_A_PASSWORD = [platform for platform in PLATFORMS.values() if platform.login]


@pytest.fixture
def caller() -> Caller:
    return somebody()


def on(platforms: list[Platform]) -> pytest.MarkDecorator:
    """Once for each of them."""
    return pytest.mark.parametrize("platform", platforms, ids=lambda platform: platform.name)


async def by_password(platform: Platform, caller: Caller, backing: Backing, sandbox: Sandbox) -> Found:
    person = await asyncio.to_thread(sandbox.person, "anna", platform=platform.name)
    name, secret = person["account_id"], person["app_password"]
    return await login(caller, platform.name, "", "sandbox", f" {name} ", f"{secret}\n", backing)


async def used(account: Account, backing: Backing) -> None:
    """Both as it is and with a token that was refreshed just now, if it can be."""
    platform = PLATFORMS[account.platform]
    assert (await as_account(account, backing, platform.identify)).id == account.remote_id
    if account.refresh_at is None:
        return
    before = account.token
    await renewed(account, backing, forced=True)
    assert account.token != before
    assert (await as_account(account, backing, platform.identify)).id == account.remote_id


async def parted(account: Account, caller: Caller, backing: Backing) -> None:
    token = account.opened_token(backing.vault)
    assert token is not None
    call = await call_as(account, backing)
    gone = await disconnect(caller, account, backing)
    assert (gone.state, gone.token) == ("disconnected", None)
    call.token = msgspec.structs.replace(token)
    if account.way == "page":
        with pytest.raises((Disconnected, TokenExpired)):
            await PLATFORMS[account.platform].identify(call)


@on(WITH_A_PAGE)
async def test_over_its_page(platform: Platform, caller: Caller, backing: Backing, sandbox: Sandbox) -> None:
    found = await found_on(platform.name, caller, backing, sandbox)
    assert not found.already
    account = await link(caller, found.id, backing)
    assert (account.platform, account.realm, account.way) == (platform.name, "sandbox", "page")
    assert account.origin == f"{sandbox.url}{platform.sandbox_path}"
    await used(account, backing)
    await parted(account, caller, backing)
    again = await found_on(platform.name, caller, backing, sandbox)
    assert again.already
    back = await link(caller, again.id, backing)
    assert (back.id, back.state) == (account.id, "connected")
    await used(back, backing)


@on(WITH_A_PASSWORD)
async def test_by_a_password(platform: Platform, caller: Caller, backing: Backing, sandbox: Sandbox) -> None:
    account = await link(caller, (await by_password(platform, caller, backing, sandbox)).id, backing)
    assert account.way == "password"
    await used(account, backing)
    everything = str([await backing.db[name].find().to_list() for name in await backing.db.list_collection_names()])
    person = await asyncio.to_thread(sandbox.person, "anna", platform=platform.name)
    assert person["app_password"] not in everything
    await parted(account, caller, backing)


@on(WITH_A_PASSWORD)
async def test_a_wrong_password_opens_nothing(
    platform: Platform, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    await asyncio.to_thread(sandbox.person, "anna", platform=platform.name)
    with pytest.raises(Invalid) as refused:
        await login(caller, platform.name, "", "sandbox", "anna", "wr0ng-wr0ng-wr0ng", backing)
    assert refused.value.wrong[0].pointer == "/secret"
    assert "wr0ng" not in refused.value.sentence


@on(WITH_A_PAGE)
async def test_a_refusal_links_nothing(platform: Platform, caller: Caller, backing: Backing, sandbox: Sandbox) -> None:
    said = await answered(platform.name, caller, backing, sandbox, deny=True)
    assert said["error"]
    with pytest.raises(Invalid, match="nothing was connected"):
        await finish(caller, platform.name, **said, backing=backing)


@on(WITH_A_PAGE)
async def test_what_is_dropped_is_given_back(
    platform: Platform, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    found = await found_on(platform.name, caller, backing, sandbox)
    call = await call_as(found.account, backing)
    await drop(caller, found.id, backing)
    with pytest.raises((Disconnected, TokenExpired)):
        await platform.identify(call)


@on([platform for platform in WITH_A_PAGE if platform.discover])
async def test_an_answer_of_another_server_is_refused(
    platform: Platform, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    for iss in ("https://evil.example", None):
        said = await answered(platform.name, caller, backing, sandbox)
        assert said["iss"]
        with pytest.raises(Invalid) as refused:
            await finish(caller, platform.name, **(said | {"iss": iss}), backing=backing)
        assert refused.value.wrong[0].code == "issuer"


@on(WITH_A_PAGE)
async def test_many_at_once_refresh_once(
    platform: Platform, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    account = await link(caller, (await found_on(platform.name, caller, backing, sandbox)).id, backing)
    if account.refresh_at is None:
        return
    await Account.find({"_id": account.id}).update({"$set": {"refresh_at": now() - timedelta(seconds=1)}})
    readers = [await Account.found(caller, str(account.id)) for _ in range(8)]
    asked = len(sandbox.requests())
    await asyncio.gather(*(as_account(reader, backing, platform.identify) for reader in readers))
    refreshes = [each for each in sandbox.requests()[asked:] if each["method"] == "POST" and each["status"] == 200]
    assert len(refreshes) == 1


@on(WITH_A_PAGE)
async def test_a_server_that_is_away_disconnects_nobody(
    platform: Platform, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    account = await link(caller, (await found_on(platform.name, caller, backing, sandbox)).id, backing)
    sandbox.trouble(all={"status": 503})
    with pytest.raises(PlatformError) as trouble:
        await (used(account, backing) if account.refresh_at is None else renewed(account, backing, forced=True))
    assert not isinstance(trouble.value, Disconnected)
    assert (await Account.found(caller, str(account.id))).state == "connected"
