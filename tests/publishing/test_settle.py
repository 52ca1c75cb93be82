"""What may be online although nobody heard so: looked for, believed when it is proven, never sent blindly again."""

import asyncio
import dataclasses
from datetime import timedelta

import msgspec
import pytest

from social.accounts.documents import Account
from social.backing import Backing
from social.backing.mongo import NOW
from social.errors import Conflict, Rejected
from social.jobs.running import Running
from social.moments import now
from social.people.roles import Caller
from social.platforms import PLATFORMS, mastodon
from social.platforms.calls import Call
from social.platforms.contract import Receipt, Turn
from social.platforms.x import search
from social.publishing import arming, claims, single
from social.publishing.attempts import Attempt
from social.publishing.documents import Publication
from social.publishing.lanes import Lane
from social.publishing.prepare import taken
from social.publishing.reconnect import account_back
from social.publishing.send import send_due, went_out
from social.publishing.settle import settle_due
from social.publishing.states import State
from tests.publishing.conftest import Connect, Planned, of, past, until
from tests.servers.sandbox import Sandbox

LONG_AGO = now() - timedelta(hours=1)


@pytest.mark.parametrize(
    "trouble", [{"status_after": 503}, {"hang_up": "after"}, {"truncated": True}, {"garbage": True}]
)
async def test_a_lost_answer_is_looked_for_and_never_sent_twice(
    trouble: dict[str, object], planned: Planned, engine: Running, sandbox: Sandbox
) -> None:
    sandbox.trouble(publish={**trouble, "count": 1})
    post = await planned("heard once")

    publication = await until(post, State.ONLINE)

    assert sandbox.texts() == ["heard once"]
    assert publication.receipt is not None
    assert publication.receipt.evidence == "lookup"
    assert not publication.ambiguous


async def test_a_request_that_got_lost_is_sent_again_with_the_same_key(
    planned: Planned, engine: Running, sandbox: Sandbox
) -> None:
    sandbox.trouble(publish={"hang_up": "before", "count": 1})
    post = await planned("on the second try")

    publication = await until(post, State.ONLINE)

    assert sandbox.texts() == ["on the second try"]
    assert publication.attempt_no == 2
    attempts = await Attempt.history(publication)
    assert [attempt.outcome for attempt in attempts] == ["OutcomeUnknown", "Receipt"]
    assert len({attempt.key for attempt in attempts}) == 1


async def test_what_an_owner_left_in_the_air_is_settled_by_the_next(
    planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("left behind")
    claim = await claims.take(now() + timedelta(seconds=1), backing, most=10)
    assert claim is not None
    armed = await arming.arm([await of(post)], token=claim.token, at=NOW)
    assert len(armed) == 1
    dead = msgspec.structs.replace(backing.owner, started=1)
    await Lane.engine().update_many({}, {"$set": {"owner": msgspec.to_builtins(dead)}})
    await Publication.engine().update_many({}, {"$set": {"owner": msgspec.to_builtins(dead)}})

    assert await Lane.free_the_dead(backing.owner) == 1
    await send_due(now() + timedelta(seconds=1), backing)

    doubted = await of(post)
    assert (doubted.state, doubted.ambiguous) == (State.UNCONFIRMED, True)
    assert sandbox.texts() == []

    await settle_due(backing)
    await asyncio.sleep(0)
    assert (await of(post)).state in (State.UNCONFIRMED, State.WAITING)


async def test_what_was_left_in_the_air_is_found_behind_a_long_line_of_another_account(
    planned: Planned, connect: Connect, backing: Backing
) -> None:
    line, left = [await planned(f"in line {n}") for n in range(3)], await planned("left", on=(await connect("bert"),))
    ages_ago = now() - timedelta(hours=1)
    long_ago = {"next_at": ages_ago, "due_at": ages_ago, "updated_at": ages_ago, "token": "somebody"}
    await Publication.engine().update_many({}, {"$set": long_ago | {"state": State.QUEUED}})
    at_work = {"token": "somebody", "lease_until": now() + timedelta(minutes=1)}
    await Lane.engine().update_one({"_id": (await of(line[0])).account_id}, {"$set": at_work})
    sent = {"state": State.SENDING, "sent_at": ages_ago, "next_at": ages_ago + timedelta(seconds=1), "token": "nobody"}
    await Publication.engine().update_one({"post_id": left.id}, {"$set": sent})

    claim = await claims.take(now() + timedelta(seconds=1), backing, most=len(line))

    assert claim is not None
    assert [each.post_id for each in await claim.left_sending()] == [left.id]


async def test_a_receipt_that_comes_late_is_a_fact_whoever_holds_the_lane(planned: Planned, backing: Backing) -> None:
    post = await planned("late but true")
    claim = await claims.take(now() + timedelta(seconds=1), backing, most=10)
    assert claim is not None
    publication = await of(post)
    assert await arming.arm([publication], token=claim.token, at=NOW)
    armed = await of(post)
    await Publication.engine().update_one(
        {"_id": publication.id}, {"$set": {"token": "another", "state": State.UNCONFIRMED}}
    )

    await went_out(armed, Receipt(id="42"), backing)

    seen = await of(post)
    assert (seen.state, seen.receipt and seen.receipt.id) == (State.ONLINE, "42")


@pytest.mark.parametrize(("deaths", "looked_for"), [(3, True), (6, False)], ids=["of its sending", "of its looks"])
async def test_what_processes_died_of_is_looked_for_once_more_unless_they_die_of_the_look(
    deaths: int, looked_for: bool, planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("poison")
    doubt = {"state": State.UNCONFIRMED, "ambiguous": True, "next_at": past(), "attempt_no": 3, "deaths": deaths}
    await Publication.engine().update_one({"_id": (await of(post)).id}, {"$set": doubt | {"sent_at": now()}})
    asked = len(sandbox.requests("GET"))

    await settle_due(backing)

    parked = await of(post)
    assert (parked.state, parked.reason and parked.reason.code) == (State.HELD, "poison")
    assert parked.work is None
    assert (len(sandbox.requests("GET")) > asked) is looked_for


async def test_a_receipt_written_down_settles_without_asking_the_platform(
    planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("known already")
    publication = await of(post)
    doubt = {"state": State.UNCONFIRMED, "ambiguous": True, "next_at": past(), "attempt_no": 1}
    await Publication.engine().update_one({"_id": publication.id}, {"$set": doubt})
    await Attempt(
        workspace_id=publication.workspace_id,
        publication_id=publication.id,
        rev=1,
        n=1,
        fence=1,
        key=publication.key,
        sent_at=now(),
        answered_at=now(),
        outcome="Receipt",
        receipt=Receipt(id="42"),
    ).insert()

    await settle_due(backing)

    seen = await of(post)
    assert (seen.state, seen.receipt and seen.receipt.id) == (State.ONLINE, "42")
    assert sandbox.statuses() == []


async def test_a_repeat_that_waited_beyond_its_keys_life_is_looked_for_and_not_sent(
    planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("stopped in between")
    long_ago = past() - PLATFORMS["mastodon"].replay_for
    repeat = {"state": State.WAITING, "ambiguous": True, "first_sent_at": long_ago, "sent_at": long_ago}
    await Publication.engine().update_one({"post_id": post.id}, {"$set": repeat | {"attempt_no": 1}})

    await send_due(now() + timedelta(seconds=1), backing)

    publication = await of(post)
    assert sandbox.texts() == []
    assert (publication.state, publication.ambiguous, publication.attempt_no) == (State.UNCONFIRMED, True, 1)
    assert publication.next_at is not None


async def test_a_refusal_for_the_lost_login_is_not_believed_once_it_is_back(
    planned: Planned, account: Account, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("in doubt")
    sent = now() - timedelta(seconds=10)
    doubt = {
        "state": State.HELD,
        "reason": {"code": "disconnected", "text": "gone"},
        "next_at": None,
        "ambiguous": True,
        "attempt_no": 2,
        "sent_at": sent,
        "first_sent_at": sent,
        "refusal": {"kind": "Disconnected", "sentence": "gone"},
    }
    await Publication.engine().update_one({"post_id": post.id}, {"$set": doubt})

    await account_back(account, backing)
    await settle_due(backing)

    assert (await of(post)).state is State.WAITING


async def test_one_account_is_asked_a_few_things_at_a_time(
    planned: Planned, connect: Connect, account: Account, backing: Backing, sandbox: Sandbox
) -> None:
    other = await connect("other")
    posts = [await planned(f"post {n}") for n in range(8)]
    elsewhere = await planned("elsewhere", on=(other,))
    sent = now() - timedelta(seconds=1)
    doubt = {"state": State.UNCONFIRMED, "ambiguous": True, "next_at": sent, "sent_at": sent, "attempt_no": 1}
    await Publication.engine().update_many({}, {"$set": doubt | {"first_sent_at": sent}})

    begun = now()
    work = taken(backing)
    first = await Publication.take_to_settle(work, most=50, few=3, apart=timedelta(seconds=10), at=now())
    assert await Publication.take_to_settle(taken(backing), most=50, few=3, apart=timedelta(seconds=10), at=now()) == []

    assert sorted(str(each.account_id) for each in first) == sorted([str(account.id)] * 3 + [str(other.id)])
    assert (await of(elsewhere)).work is not None
    put_off = [each for each in [await of(post) for post in posts] if each.work is None]
    waits = sorted(round((each.next_at - begun).total_seconds()) for each in put_off if each.next_at)
    assert waits == [10, 10, 10, 20, 20]


async def test_what_the_platform_calls_a_duplicate_of_itself_asks_a_person(
    planned: Planned, connect: Connect, backing: Backing, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await connect("grace", platform="x")
    post = await planned("said twice", on=(account,))

    async def has_it(call: Call, turn: Turn) -> Receipt:
        raise Rejected("It is there already.", code="duplicate")

    monkeypatch.setitem(PLATFORMS, "x", dataclasses.replace(PLATFORMS["x"], publish=has_it))
    absent = {"attempt_no": 1, "tries": 1, "first_sent_at": now() - timedelta(minutes=1)}  # so the looks had it
    await Publication.engine().update_one({"post_id": post.id}, {"$set": absent})

    await send_due(now() + timedelta(seconds=1), backing)

    doubted = await of(post)
    assert (doubted.state, doubted.ambiguous) == (State.UNCONFIRMED, True)
    long_ago = now() - timedelta(minutes=1)
    await Publication.engine().update_one({"post_id": post.id}, {"$set": {"sent_at": long_ago, "next_at": long_ago}})
    await settle_due(backing)
    asking = await of(post)
    assert (asking.state, asking.ambiguous, asking.next_at) == (State.HELD, True, None)
    assert asking.reason is not None
    assert "has this already" in asking.reason.text


async def test_who_takes_it_for_a_look_does_not_set_the_time_of_its_last_change_back(
    planned: Planned, backing: Backing
) -> None:
    post, ahead = await planned("changed on a machine whose clock is fast"), now() + timedelta(hours=1)
    doubted = {"state": State.UNCONFIRMED, "ambiguous": True, "next_at": past(), "updated_at": ahead}
    await Publication.engine().update_one({"post_id": post.id}, {"$set": doubted})

    [looked_for] = await Publication.take_to_settle(
        taken(backing), most=1, few=1, apart=timedelta(), at=backing.now() + timedelta(seconds=1)
    )

    assert looked_for.updated_at > ahead  # browsers believe the latest


async def test_what_a_person_did_not_see_and_the_platform_has_already_is_not_called_failed(
    planned: Planned, connect: Connect, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("there after all", on=(await connect("ada", platform="x"),))
    await send_due(backing.now() + timedelta(seconds=1), backing)
    assert (await of(post)).state is State.ONLINE
    unheard = {"state": State.HELD, "ambiguous": True, "receipts": [], "answered_at": None, "sent_at": LONG_AGO}
    await Publication.engine().update_one({"post_id": post.id}, {"$set": unheard})

    await single.verdict(caller, str((await of(post)).id), is_there=False, url=None, backing=backing)
    await send_due(backing.now() + timedelta(seconds=1), backing)

    refused = await of(post)
    assert (refused.state, refused.ambiguous, refused.attempt_no) == (State.UNCONFIRMED, True, 2)
    assert sandbox.texts() == ["there after all"]


async def test_that_it_is_not_there_is_not_believed_while_the_first_one_may_still_arrive(
    planned: Planned, caller: Caller, backing: Backing
) -> None:
    publication = await of(await planned("on its way", due_at=now() + timedelta(hours=1)))
    held = {"state": State.HELD, "ambiguous": True, "next_at": None, "sent_at": backing.now()}
    await Publication.engine().update_one({"_id": publication.id}, {"$set": held})

    with pytest.raises(Conflict, match="may still arrive"):
        await single.verdict(caller, str(publication.id), is_there=False, url=None, backing=backing)
    a_while_ago = {"sent_at": backing.now() - timedelta(seconds=backing.settings.times.lease)}
    await Publication.engine().update_one({"_id": publication.id}, {"$set": a_while_ago})
    again = await single.verdict(caller, str(publication.id), is_there=False, url=None, backing=backing)

    assert (again.state, again.rev) == (State.PLANNED, 2)


async def test_what_processes_died_of_and_a_person_tries_again_is_looked_for_with_all_its_lives(
    planned: Planned, caller: Caller, backing: Backing
) -> None:
    publication = await of(await planned("left alone"))
    sent = {"attempt_no": 3, "first_sent_at": LONG_AGO, "sent_at": LONG_AGO, "next_at": None}
    parked = {"state": State.HELD, "ambiguous": True, "deaths": 3} | sent
    await Publication.engine().update_one({"_id": publication.id}, {"$set": parked})

    await single.again(caller, str(publication.id), backing)
    await settle_due(backing)

    tried = await Publication.get(publication.id)
    assert tried is not None
    assert (tried.state, tried.deaths) == (State.WAITING, 0)


@pytest.mark.parametrize("platform", ["x", "mastodon"])
async def test_what_lies_behind_more_than_a_look_can_see_asks_a_person(
    platform: str, planned: Planned, connect: Connect, backing: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = await planned("long ago", on=(await connect("grace", platform=platform),))
    sent = now() - timedelta(hours=3)
    doubt = {"state": State.UNCONFIRMED, "ambiguous": True, "next_at": sent, "first_sent_at": sent, "sent_at": sent}
    await Publication.engine().update_one({"post_id": post.id}, {"$set": doubt})
    monkeypatch.setattr({"x": search, "mastodon": mastodon}[platform], "PAGES", 0)  # so much has been posted since

    await settle_due(backing)

    asking = await of(post)
    assert (asking.state, asking.ambiguous, asking.next_at) == (State.HELD, True, None)
    assert asking.reason is not None
    assert "is it there, or shall we send it again?" in asking.reason.text
