"""Many publications are held and go on together, for a hold or a login: in few writes, each as it is by then."""

from datetime import timedelta
from typing import Any

import pytest
from beanie import PydanticObjectId

from social.accounts.documents import Account
from social.backing import Backing
from social.backing.mongo import as_bson
from social.jobs.tasks import profiles
from social.moments import now
from social.outbox.documents import Row
from social.people.roles import Caller
from social.platforms.contract import Content, MediaItem
from social.publishing.documents import Publication
from social.publishing.holds import hold, keep_holding, resume
from social.publishing.reconnect import account_back, account_lost
from social.publishing.states import State
from social.publishing.tellings import Telling
from tests.publishing.conftest import Connect, Planned, of, somebody
from tests.servers.commands import Commands

MANY = 15


async def test_a_login_that_is_lost_and_found_again_costs_a_few_queries_however_much_is_planned(
    planned: Planned, account: Account, backing: Backing, commands: Commands
) -> None:
    ahead = [await planned(f"ahead {n}", due_at=now() + timedelta(days=1)) for n in range(MANY)]
    passed = await of(await planned("passed", due_at=now() + timedelta(days=1)))
    await Publication.engine().update_one({"_id": passed.id}, {"$set": {"due_at": now() - timedelta(hours=1)}})
    already = await Row.find({"type": "publication.changed"}).count()
    commands.asked = 0

    await account_lost(account, backing)
    lost, asked_then = [await of(post) for post in ahead], commands.asked
    commands.asked = 0
    await account_back(account, backing)
    asked = commands.asked

    assert {(each.state, each.reason and each.reason.code) for each in lost} == {(State.HELD, "disconnected")}
    assert {(each.state, each.reason) for each in [await of(post) for post in ahead]} == {(State.PLANNED, None)}
    asking = await Publication.get(passed.id)
    assert asking is not None
    assert (asking.state, asking.reason and asking.reason.code) == (State.HELD, "late")
    assert await Row.find({"type": "publication.changed"}).count() - already == 2 * (MANY + 1)
    assert await Telling.find({}).count() == 0
    assert (asked_then - MANY < MANY, asked < MANY) == (True, True), (asked_then, asked)


async def test_what_is_edited_while_its_hold_ends_is_prepared_for_what_it_has_become(
    planned: Planned, caller: Caller, backing: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = (await hold(caller, "workspace", backing)).hold
    publication = await of(await planned("a plain one", due_at=now() + timedelta(hours=1)))
    await keep_holding(backing)
    begin = Telling.begin
    item = MediaItem(media_id=str(PydanticObjectId()), key="k", mime="image/png", bytes=9, width=1, height=1)
    edits = [{"rev": 2, "content": as_bson(Content(text="with a picture", media=(item,)))}]

    async def edited_in_between(*given: Any, **how: Any) -> None:
        await begin(*given, **how)
        if edits:
            await Publication.engine().update_one({"_id": publication.id}, {"$set": edits.pop()})

    monkeypatch.setattr(Telling, "begin", edited_in_between)
    resumed = await resume(caller, str(held.id), backing)

    assert (resumed.planned, edits) == (1, [])
    present = await Publication.get(publication.id)
    assert present is not None
    assert (present.state, present.rev) == (State.PLANNED, 2)
    assert present.prepare_at is not None, "the picture is uploaded before its time"


async def test_to_watch_over_many_holds_costs_no_more_queries_than_over_one(
    caller: Caller, connect: Connect, backing: Backing, commands: Commands
) -> None:
    await connect("first")
    await hold(caller, "workspace", backing)
    commands.asked = 0
    await keep_holding(backing)
    of_one = commands.asked
    for n in range(4):
        other = await somebody(f"Bob{n}")
        accounts = [await connect(f"another{n}{m}", of=other) for m in range(2)]
        await hold(other, "workspace", backing)
        await hold(other, "account", backing, account_id=str(accounts[0].id))

    commands.asked = 0
    await keep_holding(backing)

    assert commands.asked <= of_one


async def test_what_waits_for_a_login_goes_on_also_where_whoever_connected_the_account_died_of_it(
    planned: Planned, account: Account, backing: Backing
) -> None:
    post = await planned("held", due_at=now() + timedelta(hours=1))
    await account_lost(account, backing)
    assert (await of(post)).state is State.HELD  # the account is connected by now, and nobody has said so

    await profiles(backing)

    assert (await of(post)).state is State.PLANNED
