"""How much an account may post where that is not the usual: by its platform's word, or by a person's."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from social.accounts import profile
from social.accounts.documents import Account
from social.accounts.link import disconnect
from social.backing import Backing
from social.backing.quotas import Quotas
from social.errors import Invalid, NotFound, QuotaSpent
from social.jobs.running import Running
from social.moments import now
from social.outbox.documents import Row
from social.people.roles import Caller
from social.platforms.contract import Receipt, Told
from social.publishing import gate
from social.publishing.allowance import allow
from social.publishing.documents import Publication
from social.publishing.gate import Attempted, Sending, standing
from social.publishing.states import State
from tests import connecting
from tests.publishing.conftest import Connect, Planned, somebody, until
from tests.servers.sandbox import Sandbox

ONLINE = Receipt(id="1")


@pytest.fixture
def fresh(backing: Backing) -> Backing:
    """`backing` with quotas that know nothing yet."""
    return replace(backing, quotas=Quotas(patience=5))


def of(account: Account, id: str = "p") -> Sending:
    return Sending(id, account.id, account.platform, account.realm, account.origin, account.remote_id, account.allowed)


async def read(account: Account) -> Account:
    found = await Account.get(account.id)
    assert found is not None
    return found


async def admitted(account: Account, backing: Backing, asking: int) -> int:
    return asking - len(await gate.admit([of(account, f"p{n}") for n in range(asking)], backing))


async def test_a_person_s_figure_is_kept_to_and_the_platform_s_comes_back_without_it(
    fresh: Backing, caller: Caller, connect: Connect
) -> None:
    fewer, more, usual = [await connect(name) for name in ("fewer", "more", "usual")]
    fewer = await allow(caller, fewer, {"5 minutes": 3}, fresh)
    more = await allow(caller, more, {"5 minutes": 310, "3 hours": 305}, fresh)

    assert [await admitted(each, fresh, 320) for each in (fewer, more, usual)] == [3, 305, 300]
    (refusal,) = (await gate.admit([of(fewer, "q")], fresh)).values()
    assert isinstance(refusal, QuotaSpent)
    assert "allows this account 3 posts in 5 minutes" in refusal.sentence
    one = await allow(caller, fewer, {"5 minutes": 1}, fresh)
    (refusal,) = (await gate.admit([of(one, "r")], fresh)).values()
    assert isinstance(refusal, QuotaSpent)
    assert "allows this account 1 post in 5 minutes" in refusal.sentence
    assert await admitted(await allow(caller, fewer, {}, fresh), fresh, 320) == 297


async def test_where_two_workspaces_say_differently_of_one_account_a_batch_keeps_to_the_stricter(
    fresh: Backing, caller: Caller, connect: Connect
) -> None:
    ours = await allow(caller, await connect("shared"), {"5 minutes": 9}, fresh)
    other = await somebody("Bob")
    theirs = await allow(other, await connect("shared", of=other), {"5 minutes": 4}, fresh)
    assert ours.remote_id == theirs.remote_id

    both = [of(account, f"{account.workspace_id}{n}") for n in range(10) for account in (ours, theirs)]
    refused = await gate.admit(both, fresh)

    assert len(both) - len(refused) == 4


@pytest.mark.parametrize(
    ("wanted", "code"), [({"a fortnight": 3}, "unknown"), ({"15 minutes": 3, "a day": 5}, "shared")]
)
async def test_what_is_no_limit_of_this_account_alone_cannot_be_set(
    backing: Backing, caller: Caller, sandbox: Sandbox, wanted: dict[str, int], code: str
) -> None:
    account = await connecting.connected("x", caller, backing, sandbox)

    with pytest.raises(Invalid) as refused:
        await allow(caller, account, wanted, backing)

    assert [each.code for each in refused.value.wrong] == [code]
    assert (await read(account)).own_quotas == {}


async def test_nobody_sets_another_workspace_s_limits(backing: Backing, account: Account) -> None:
    stranger = await somebody("Eve")

    with pytest.raises(NotFound):
        await allow(stranger, await Account.found(stranger, str(account.id)), {"5 minutes": 1}, backing)


async def test_who_set_it_is_kept_and_told(backing: Backing, caller: Caller, account: Account) -> None:
    first = await allow(caller, account, {"5 minutes": 7}, backing)
    second = await allow(caller, first, {"5 minutes": 7, "3 hours": 9}, backing)

    assert {name: (each.posts, each.by) for name, each in second.own_quotas.items()} == {
        "5 minutes": (7, "Ada"),
        "3 hours": (9, "Ada"),
    }
    assert second.own_quotas["5 minutes"].at == first.own_quotas["5 minutes"].at
    told = await Row.find({"type": "account.changed"}).to_list()
    assert [row.data["id"] for row in told] == [str(account.id)] * 2


async def test_a_figure_survives_that_the_account_is_connected_anew(
    backing: Backing, caller: Caller, sandbox: Sandbox
) -> None:
    account = await connecting.connected("x", caller, backing, sandbox)
    account = await allow(caller, account, {"15 minutes": 40}, backing)
    await disconnect(caller, account, backing)

    again = await connecting.connected("x", caller, backing, sandbox)

    assert (again.id, again.allowed) == (account.id, (("15 minutes", 40),))


async def test_what_waits_for_a_lower_figure_goes_out_when_it_is_taken_back(
    backing: Backing, caller: Caller, account: Account, planned: Planned, engine: Running, sandbox: Sandbox
) -> None:
    await allow(caller, account, {"5 minutes": 2}, backing)
    posts = [await planned(f"post {n}") for n in range(5)]
    async with asyncio.timeout(15):
        while Counter(str(each.state) for each in await Publication.find().to_list()) != {"online": 2, "waiting": 3}:
            await asyncio.sleep(0.05)
    used = [(at.quota.name, at.window.most, at.used) for at in await standing(await read(account), backing)]

    await allow(caller, await read(account), {}, backing)
    for post in posts:
        await until(post, State.ONLINE)

    assert used == [("5 minutes", 2, 2), ("3 hours", 300, 2)]
    assert sorted(sandbox.texts()) == [f"post {n}" for n in range(5)]
    assert {each.tries for each in await Publication.find().to_list()} == {0}


async def test_what_a_platform_s_answer_says_of_an_account_is_kept_and_kept_to(
    backing: Backing, caller: Caller, planned: Planned, engine: Running, sandbox: Sandbox
) -> None:
    account = await connecting.connected("x", caller, backing, sandbox)
    sandbox.trouble(x={"rate_scale": 0.05})  # of 100

    await until(await planned("the first", on=(account,)), State.ONLINE)
    async with asyncio.timeout(10):
        while not (account := await read(account)).told_quotas:
            await asyncio.sleep(0.02)

    assert account.allowed == (("15 minutes", 5),)
    assert [at.window.most for at in await standing(account, backing)] == [5, 10_000]


async def test_an_answer_that_says_the_usual_is_not_worth_a_write_and_takes_back_another(
    fresh: Backing, caller: Caller, sandbox: Sandbox
) -> None:
    account = await connecting.connected("x", caller, fresh, sandbox)

    async def hears(most: int) -> tuple[tuple[str, int], ...]:
        nonlocal account
        told = Told("15 minutes", most - 1, 800.0, most)
        await gate.learnt([Attempted(of(account), ONLINE, (told,))], replace(fresh, quotas=Quotas(patience=5)))
        account = await read(account)
        return account.allowed

    assert await hears(100) == ()
    assert await hears(200) == (("15 minutes", 200),)
    assert await hears(100) == (("15 minutes", 100),)


async def test_the_same_word_is_written_once_an_hour_and_not_with_every_batch(
    fresh: Backing, caller: Caller, sandbox: Sandbox
) -> None:
    account = await connecting.connected("x", caller, fresh, sandbox)
    told = Told("15 minutes", 199, 800.0, 200)
    await gate.learnt([Attempted(of(account), ONLINE, (told,))] * 3, fresh)
    first = (await read(account)).told_quotas["15 minutes"].at

    await gate.learnt([Attempted(of(await read(account)), ONLINE, (told,))], fresh)

    assert (await read(account)).told_quotas["15 minutes"].at == first


async def test_what_no_answer_has_said_for_days_is_forgotten_when_the_account_is_read(
    fresh: Backing, caller: Caller, sandbox: Sandbox
) -> None:
    account = await connecting.connected("x", caller, fresh, sandbox)
    account = await allow(caller, account, {"15 minutes": 40}, fresh)
    await gate.learnt([Attempted(of(account), ONLINE, (Told("15 minutes", 9, 800.0, 200),))], fresh)
    written = {"told_quotas.15 minutes.at": now() - timedelta(days=3), "limits_read_at": now() - timedelta(days=2)}
    await Account.get_pymongo_collection().update_one({"_id": account.id}, {"$set": written})

    assert await profile.read_again(fresh) == []

    account = await read(account)
    assert (account.told_quotas, account.allowed) == ({}, (("15 minutes", 40),))
