"""From "connect" through the consent page to an account, and back, against the sandbox and a real Mongo."""

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from beanie import PydanticObjectId

from social.accounts.connect import Found, start
from social.accounts.connect import finish as found_after
from social.accounts.documents import Account, AppRegistration
from social.accounts.link import disconnect, drop, give_back_forgotten, link
from social.accounts.pending import FoundAccount, Pending
from social.accounts.profile import read_again
from social.accounts.tokens import call_as, mark_disconnected
from social.backing import Backing
from social.errors import Conflict, Disconnected, Invalid, NotFound, Unavailable
from social.moments import now
from social.outbox.documents import Row
from social.people.roles import Caller
from social.platforms import PLATFORMS
from social.platforms.contract import Realm
from tests.connecting import somebody
from tests.servers.sandbox import Sandbox


@pytest.fixture
def caller() -> Caller:
    return somebody()


async def begun(caller: Caller, backing: Backing) -> str:
    """The address of the consent page."""
    return (await start(caller, "mastodon", "", "sandbox", backing)).url


async def back(url: str, sandbox: Sandbox, username: str = "anna", *, deny: bool = False) -> dict[str, Any]:
    """What the browser comes back with."""
    address = await sandbox.consent(url, username, deny=deny)
    said = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    return {name: said.get(name) for name in ("code", "state", "error")}


async def found(caller: Caller, backing: Backing, sandbox: Sandbox, username: str = "anna") -> Found:
    said = await back(await begun(caller, backing), sandbox, username)
    return await found_after(caller, "mastodon", **said, backing=backing)


async def finish(caller: Caller, platform: str, **said: Any) -> Account:
    """Back from the page, and linked without a second thought."""
    found = await found_after(caller, platform, **said)
    return await link(caller, found.id, said["backing"])


async def connected(caller: Caller, backing: Backing, sandbox: Sandbox, username: str = "anna") -> Account:
    return await link(caller, (await found(caller, backing, sandbox, username)).id, backing)


async def told(caller: Caller) -> list[str]:
    """The events of the workspace, in order."""
    return [row.type for row in await Row.find({"workspace_id": caller.workspace_id}).sort("_id").to_list()]


async def test_an_account_is_connected_and_can_be_used(caller: Caller, backing: Backing, sandbox: Sandbox) -> None:
    account = await connected(caller, backing, sandbox)
    stored = await Account.found(caller, str(account.id))
    assert stored.model_dump() == account.model_dump()
    assert (stored.way, stored.refresh_at, stored.token_ends_at) == ("page", None, None)
    assert (stored.handle.split("@")[0], stored.realm, stored.state, stored.origin) == (
        "anna",
        "sandbox",
        "connected",
        sandbox.url,
    )
    assert stored.limits is not None
    assert stored.limits.alt == 10_000
    who = await PLATFORMS["mastodon"].identify(await call_as(stored, backing))
    assert who.id == stored.remote_id
    assert await told(caller) == ["account.connected"]
    assert await Pending.count() == await FoundAccount.count() == 0


async def test_whose_account_it_is_is_said_before_anything_is_linked(
    caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    seen = await found(caller, backing, sandbox)
    assert (seen.account.handle.split("@")[0], seen.already, seen.elsewhere, seen.warnings) == (
        "anna",
        False,
        False,
        [],
    )
    assert await Account.count() == 0
    assert await told(caller) == []
    account = await link(caller, seen.id, backing)
    assert account.remote_id == seen.account.remote_id
    with pytest.raises(NotFound):
        await link(caller, seen.id, backing)
    assert (await found(caller, backing, sandbox)).already
    assert not (await found(caller, backing, sandbox, "berta")).already


async def test_what_is_not_linked_is_given_back(caller: Caller, backing: Backing, sandbox: Sandbox) -> None:
    seen = await found(caller, backing, sandbox)
    call = await call_as(seen.account, backing)
    assert (await PLATFORMS["mastodon"].identify(call)).id == seen.account.remote_id
    await drop(caller, seen.id, backing)
    with pytest.raises(Disconnected):
        await PLATFORMS["mastodon"].identify(call)
    for again in (link, drop):
        with pytest.raises(NotFound):
            await again(caller, seen.id, backing)


async def test_what_is_forgotten_is_given_back_too(caller: Caller, backing: Backing, sandbox: Sandbox) -> None:
    seen, fresh = await found(caller, backing, sandbox), await found(caller, backing, sandbox, "berta")
    late = {"$set": {"expires_at": now() - timedelta(seconds=1)}}
    await FoundAccount.find({"_id": PydanticObjectId(seen.id)}).update(late)
    with pytest.raises(NotFound):
        await link(caller, seen.id, backing)
    await give_back_forgotten(backing)
    with pytest.raises(Disconnected):
        await PLATFORMS["mastodon"].identify(await call_as(seen.account, backing))
    assert (await link(caller, fresh.id, backing)).state == "connected"


async def test_what_was_found_belongs_to_who_found_it(caller: Caller, backing: Backing, sandbox: Sandbox) -> None:
    seen = await found(caller, backing, sandbox)
    strangers = [
        msgspec.structs.replace(caller, session_id=PydanticObjectId()),
        msgspec.structs.replace(caller, workspace_id=PydanticObjectId()),
    ]
    for stranger in strangers:
        for act in (link, drop):
            with pytest.raises(NotFound):
                await act(stranger, seen.id, backing)
    for nonsense in ("", "x", "0" * 24):
        with pytest.raises(NotFound):
            await link(caller, nonsense, backing)
    assert await link(caller, seen.id, backing)


async def test_an_account_of_another_workspace_is_warned_of_without_naming_it(
    caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    other = somebody()
    theirs = await connected(other, backing, sandbox)
    seen = await found(caller, backing, sandbox)
    assert (seen.already, seen.elsewhere) == (False, True)
    assert str(other.workspace_id) not in str([seen.warnings, seen.account.model_dump()])
    await disconnect(other, theirs, backing)
    assert not (await found(caller, backing, sandbox)).elsewhere


async def test_no_secret_rests_in_the_clear(caller: Caller, backing: Backing, sandbox: Sandbox) -> None:
    await begun(caller, backing)
    seen = await found(caller, backing, sandbox, "berta")
    account = await connected(caller, backing, sandbox)
    token = account.opened_token(backing.vault)
    assert token is not None
    app = account.app.opened(backing.vault, place=account.place("app"))
    everything = str([await backing.db[name].find().to_list() for name in await backing.db.list_collection_names()])
    berta = seen.account.opened_token(backing.vault)
    assert berta is not None
    for secret in (token.access, berta.access, app.client_secret):
        assert len(secret) > 20
        assert secret not in everything
    assert repr(token.access) not in repr(account)


async def test_a_secret_that_is_moved_to_another_account_does_not_open(
    caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    anna, berta = await connected(caller, backing, sandbox), await connected(caller, backing, sandbox, "berta")
    berta.token = anna.token
    with pytest.raises(Disconnected):
        await call_as(berta, backing)


async def test_one_app_serves_everybody_who_connects(backing: Backing, sandbox: Sandbox) -> None:
    await connected(somebody(), backing, sandbox)
    await connected(somebody(), backing, sandbox, "berta")
    assert await AppRegistration.count() == 1
    assert len(sandbox.requests("POST", "/api/v1/apps")) == 1


async def test_an_app_from_which_nobody_came_back_is_registered_anew(
    caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    """The server may have forgotten it, and tells that to the person, never to us."""
    first = await begun(caller, backing)
    await begun(caller, backing)
    assert len(sandbox.requests("POST", "/api/v1/apps")) == 2
    assert await AppRegistration.count() == 1
    account = await finish(caller, "mastodon", **await back(first, sandbox), backing=backing)  # which still counts
    assert account.state == "connected"


async def test_a_refusal_at_the_consent_page_is_an_answer_of_the_server(
    caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    said = await back(await begun(caller, backing), sandbox, deny=True)
    assert said["error"]
    with pytest.raises(Invalid) as refused:
        await finish(caller, "mastodon", **said, backing=backing)
    assert "nothing was connected" in refused.value.sentence
    await begun(caller, backing)
    assert len(sandbox.requests("POST", "/api/v1/apps")) == 1
    assert await Account.count() == 0


async def test_connecting_again_keeps_the_account(caller: Caller, backing: Backing, sandbox: Sandbox) -> None:
    first = await connected(caller, backing, sandbox)
    await disconnect(caller, first, backing)
    second = await connected(caller, backing, sandbox)
    assert second.id == first.id
    assert (second.state, second.reason) == ("connected", None)
    assert await Account.count() == 1
    await PLATFORMS["mastodon"].identify(await call_as(second, backing))


async def test_two_at_once_connect_one_account(caller: Caller, backing: Backing, sandbox: Sandbox) -> None:
    answers = [await back(await begun(caller, backing), sandbox) for _ in range(2)]
    both = await asyncio.gather(*(finish(caller, "mastodon", **said, backing=backing) for said in answers))
    assert both[0].id == both[1].id
    assert await Account.count() == 1


async def test_each_workspace_has_its_own_account(backing: Backing, sandbox: Sandbox) -> None:
    one, other = somebody(), somebody()
    first, second = await connected(one, backing, sandbox), await connected(other, backing, sandbox)
    assert first.id != second.id
    with pytest.raises(NotFound):
        await Account.found(other, str(first.id))
    assert [account.id for account in await Account.page(other, after=None, limit=10)] == [second.id]


async def test_a_second_account_of_a_server_is_asked_to_sign_in_anew(
    caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    assert "force_login" not in await begun(caller, backing)
    await connected(caller, backing, sandbox)
    assert "force_login=true" in await begun(caller, backing)


async def test_a_connection_belongs_to_who_began_it(caller: Caller, backing: Backing, sandbox: Sandbox) -> None:
    said = await back(await begun(caller, backing), sandbox)
    strangers = [
        msgspec.structs.replace(caller, session_id=PydanticObjectId()),
        msgspec.structs.replace(caller, workspace_id=PydanticObjectId()),
    ]
    for stranger in strangers:
        with pytest.raises(Invalid) as refused:
            await finish(stranger, "mastodon", **said, backing=backing)
        assert refused.value.wrong[0].code == "state"
    assert await finish(caller, "mastodon", **said, backing=backing)


async def test_a_state_counts_once_and_for_ten_minutes(caller: Caller, backing: Backing, sandbox: Sandbox) -> None:
    said = await back(await begun(caller, backing), sandbox)
    await finish(caller, "mastodon", **said, backing=backing)
    with pytest.raises(Invalid):
        await finish(caller, "mastodon", **said, backing=backing)
    said = await back(await begun(caller, backing), sandbox)
    await Pending.find_all().update({"$set": {"expires_at": now() - timedelta(seconds=1)}})
    with pytest.raises(Invalid):
        await finish(caller, "mastodon", **said, backing=backing)


@pytest.mark.parametrize("state", ["", "x", "../..", "💩" * 100])
async def test_a_state_of_nobody_is_refused(state: str, caller: Caller, backing: Backing) -> None:
    with pytest.raises(Invalid):
        await finish(caller, "mastodon", code="c", state=state, error=None, backing=backing)


async def test_a_wrong_code_is_refused_and_the_app_stays(caller: Caller, backing: Backing, sandbox: Sandbox) -> None:
    said = await back(await begun(caller, backing), sandbox)
    with pytest.raises(Invalid) as refused:
        await finish(caller, "mastodon", code="wrong", state=said["state"], error=None, backing=backing)
    assert "Connect the account again" in refused.value.sentence
    assert await AppRegistration.count() == 1


async def test_an_app_that_the_server_forgot_is_registered_anew(
    caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    said = await back(await begun(caller, backing), sandbox)
    sandbox.reset()
    with pytest.raises(Invalid):
        await finish(caller, "mastodon", **said, backing=backing)
    assert await AppRegistration.count() == 0
    assert (await connected(caller, backing, sandbox)).state == "connected"


async def test_a_server_in_trouble_says_so(caller: Caller, backing: Backing, sandbox: Sandbox) -> None:
    sandbox.trouble(oauth={"status": 503})
    with pytest.raises(Unavailable):
        await begun(caller, backing)
    assert await Pending.count() == 0


@pytest.mark.parametrize(
    ("platform", "server", "realm", "pointer"),
    [
        ("myspace", "", "sandbox", "/platform"),
        ("mastodon", "", "live", "/server"),
        ("mastodon", "127.0.0.1", "live", "/server"),
        ("mastodon", "nobody.invalid", "live", "/server"),
    ],
)
async def test_nonsense_is_refused_in_words(
    platform: str, server: str, realm: Realm, pointer: str, caller: Caller, backing: Backing
) -> None:
    with pytest.raises(Invalid) as refused:
        await start(caller, platform, server, realm, backing)
    assert refused.value.wrong[0].pointer == pointer


async def test_disconnecting_gives_the_token_back_and_forgets_it(
    caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    account = await connected(caller, backing, sandbox)
    before = await call_as(account, backing)
    gone = await disconnect(caller, account, backing)
    assert (gone.state, gone.token) == ("disconnected", None)
    assert gone.reason is not None
    assert gone.reason.text == "Disconnected by Ada."
    with pytest.raises(Disconnected):
        await PLATFORMS["mastodon"].identify(before)
    with pytest.raises(Disconnected):
        await call_as(await Account.found(caller, str(account.id)), backing)
    assert await told(caller) == ["account.connected", "account.changed"]
    await disconnect(caller, gone, backing)  # a second time does no harm


async def test_disconnecting_works_while_the_server_is_away(caller: Caller, backing: Backing, sandbox: Sandbox) -> None:
    account = await connected(caller, backing, sandbox)
    sandbox.trouble(oauth={"status": 503})
    assert (await disconnect(caller, account, backing)).token is None


async def test_an_account_that_was_connected_anew_is_not_marked_by_older_news(
    caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    before = await connected(caller, backing, sandbox)
    await connected(caller, backing, sandbox)
    assert await mark_disconnected(before, Disconnected("No.", code="disconnected"), backing) is None
    with pytest.raises(Conflict):
        await disconnect(caller, before, backing)
    assert (await Account.found(caller, str(before.id))).state == "connected"


async def test_a_lost_token_is_written_down_with_its_reason(caller: Caller, backing: Backing, sandbox: Sandbox) -> None:
    account = await connected(caller, backing, sandbox)
    marked = await mark_disconnected(account, Disconnected("It was revoked.", code="disconnected"), backing)
    assert marked is not None
    assert marked.reason is not None
    assert (marked.state, marked.reason.code, marked.reason.text) == ("disconnected", "disconnected", "It was revoked.")
    assert (await told(caller))[-1] == "account.changed"


async def test_an_account_is_read_again_after_a_day(caller: Caller, backing: Backing, sandbox: Sandbox) -> None:
    account = await connected(caller, backing, sandbox)
    sandbox.trouble(mastodon={"characters": 9000})
    assert await read_again(backing) == []
    assert account.limits is not None
    assert account.limits.text == 500
    await a_day_later(account)
    assert await read_again(backing) == []
    read = await Account.found(caller, str(account.id))
    assert read.limits is not None
    assert read.limits.text == 9000
    assert read.limits_read_at > now() - timedelta(minutes=1)
    assert (await told(caller))[-1] == "account.changed"


async def test_reading_again_notices_a_dead_token_before_anything_is_due(
    caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    account = await connected(caller, backing, sandbox)
    await a_day_later(account)
    sandbox.trouble(all={"dead_token": True})
    lost = await read_again(backing)
    assert [(one.id, one.state) for one in lost] == [(account.id, "disconnected")]
    assert await read_again(backing) == []


async def test_reading_again_while_the_server_is_away_changes_nothing(
    caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    account = await connected(caller, backing, sandbox)
    await a_day_later(account)
    sandbox.trouble(all={"status": 503})
    assert await read_again(backing) == []
    assert (await Account.found(caller, str(account.id))).state == "connected"


async def a_day_later(account: Account) -> None:
    await Account.find({"_id": account.id}).update({"$set": {"limits_read_at": now() - timedelta(days=1, seconds=1)}})
