"""From due to online, once, whatever the platform answers and whoever else tries."""

import asyncio
import dataclasses
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from pymongo.errors import AutoReconnect, PyMongoError

from social.accounts.documents import Account
from social.backing import Backing
from social.backing.mongo import as_bson
from social.errors import Conflict, TokenExpired
from social.jobs.running import Running
from social.moments import now
from social.outbox.documents import Row
from social.people.roles import Caller
from social.platforms import PLATFORMS
from social.platforms.calls import Call
from social.platforms.contract import App, Content, MediaItem, Prepared, Receipt, Save, Token, Turn
from social.posts.documents import Post
from social.posts.when import at_the_instant
from social.publishing import claims, conclusions, due, plan, prepare, single
from social.publishing.attempts import Attempt
from social.publishing.documents import Publication
from social.publishing.lanes import Lane
from social.publishing.prepare import prepare_due
from social.publishing.reconnect import account_back
from social.publishing.send import send_due
from social.publishing.states import State
from tests.publishing.conftest import Connect, Planned, of, past, takes_more_than_its_server, until
from tests.servers.sandbox import Sandbox

PICTURE = MediaItem(media_id="m", key="k", mime="image/jpeg", bytes=1, width=1, height=1)


async def test_what_is_due_goes_out_with_its_stamps_and_its_receipt(
    planned: Planned, engine: Running, sandbox: Sandbox
) -> None:
    post = await planned("hello")

    publication = await until(post, State.ONLINE)

    status = sandbox.statuses()[0]
    assert (status["text"], status["id"]) == ("hello", publication.receipt and publication.receipt.id)
    assert publication.receipt is not None
    assert publication.receipt.evidence == "reply"
    assert publication.started_at is not None
    assert publication.sent_at is not None
    assert publication.answered_at is not None
    assert publication.due_at <= publication.sent_at <= publication.answered_at
    assert (publication.token, publication.next_at, publication.reason) == (None, None, None)


async def test_what_is_online_at_the_first_attempt_tells_of_it_by_itself(planned: Planned, engine: Running) -> None:
    publication = await until(await planned("plain"), State.ONLINE)

    (only,) = await Attempt.history(publication)

    assert await Attempt.find({}).count() == 0, "the publication holds all of it"
    assert (only.n, only.rev, only.part, only.outcome, only.key) == (1, 1, 0, "Receipt", publication.key)
    assert (only.sent_at, only.answered_at) == (publication.sent_at, publication.answered_at)
    assert only.receipt == publication.receipt


async def test_what_needed_two_attempts_has_both_written_down(
    planned: Planned, engine: Running, sandbox: Sandbox
) -> None:
    sandbox.trouble(publish={"status": 503, "count": 1})

    publication = await until(await planned("at last"), State.ONLINE, within=20)

    assert [(each.n, each.outcome) for each in await Attempt.history(publication)] == [
        (1, "OutcomeUnknown"),
        (2, "Receipt"),
    ]


async def test_a_publication_taken_by_five_workers_goes_out_once(
    planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    await planned("once")

    await asyncio.gather(*(send_due(now() + timedelta(seconds=1), backing) for _ in range(5)))

    assert sandbox.texts() == ["once"]


async def test_it_goes_out_at_its_instant_and_not_before(planned: Planned, engine: Running, sandbox: Sandbox) -> None:
    post = await planned("punctual", due_at=now() + timedelta(seconds=1.5))

    publication = await until(post, State.ONLINE)

    assert publication.sent_at is not None
    late = (publication.sent_at - publication.due_at).total_seconds()
    assert 0 <= late < 0.5


async def test_publications_of_one_account_go_out_in_due_order(
    planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    soon = now() + timedelta(milliseconds=600)
    await planned("third", due_at=soon + timedelta(milliseconds=200))
    await planned("second", due_at=soon + timedelta(milliseconds=100))
    await planned("first", due_at=soon)

    await send_due(now() + timedelta(seconds=5), backing)

    assert sandbox.texts() == ["first", "second", "third"]


async def test_accounts_do_not_wait_for_one_another(
    planned: Planned, connect: Connect, account: Account, backing: Backing, sandbox: Sandbox
) -> None:
    others = [await connect(f"friend{n}") for n in range(5)]
    sandbox.trouble(publish={"delay_before": 0.7})
    await planned("all at once", on=(account, *others))

    begun = asyncio.get_running_loop().time()
    await send_due(now() + timedelta(seconds=1), backing)

    assert asyncio.get_running_loop().time() - begun < 6 * 0.7
    assert sandbox.texts() == ["all at once"] * 6


async def test_a_quota_is_waited_for_and_costs_no_try(planned: Planned, engine: Running, sandbox: Sandbox) -> None:
    sandbox.trouble(publish={"status": 429, "count": 1})
    post = await planned("patience")

    publication = await until(post, State.WAITING)

    assert (publication.tries, publication.reason and publication.reason.code) == (0, "quota")
    assert publication.next_at is not None
    assert publication.next_at > now()


async def test_what_the_platform_refuses_for_good_fails_with_its_words(
    planned: Planned, account: Account, engine: Running, sandbox: Sandbox
) -> None:
    await takes_more_than_its_server(account)
    post = await planned("x" * 600)

    publication = await until(post, State.FAILED)

    assert publication.reason is not None
    assert publication.reason.text
    assert sandbox.texts() == []


async def test_a_dead_token_holds_all_of_the_account_until_it_is_back(
    planned: Planned, account: Account, backing: Backing, engine: Running, sandbox: Sandbox
) -> None:
    later = await planned("later", due_at=now() + timedelta(hours=1))
    sandbox.trouble(publish={"dead_token": True})
    post = await planned("now")

    held = await until(post, State.HELD)
    await until(later, State.HELD)

    assert held.reason is not None
    assert held.reason.code == "disconnected"
    found = await Account.get(account.id)
    assert found is not None
    assert found.state == "disconnected"

    sandbox.trouble()
    await Account.get_pymongo_collection().update_one(
        {"_id": account.id}, {"$set": {"state": "connected", "reason": None}}
    )
    found.state = "connected"
    await account_back(found, backing)
    assert (await of(later)).state is State.PLANNED
    passed = await of(post)
    assert (passed.state, passed.reason and passed.reason.code) == (State.HELD, "late")


async def test_cancelled_before_it_is_armed_it_is_never_sent(
    planned: Planned, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("never", due_at=now() + timedelta(seconds=1))
    sending = asyncio.create_task(send_due(now() + timedelta(seconds=5), backing))
    while (await of(post)).state is not State.QUEUED:
        await asyncio.sleep(0.01)

    await plan.cancel(caller, str(post.id), post.revision, backing)
    await sending

    assert (await of(post)).state is State.CANCELLED
    assert sandbox.texts() == []


async def test_an_edit_after_the_claim_goes_out_as_edited_and_once(
    planned: Planned, caller: Caller, backing: Backing, engine: Running, sandbox: Sandbox
) -> None:
    post = await planned("frist", due_at=now() + timedelta(seconds=1))
    while (await of(post)).state is not State.QUEUED:
        await asyncio.sleep(0.01)

    await plan.save(caller, str(post.id), post.revision, msgspec.structs.replace(post.written, text="first"), backing)
    await until(post, State.ONLINE)

    assert sandbox.texts() == ["first"]


async def test_a_move_after_the_claim_moves_it(
    planned: Planned, caller: Caller, backing: Backing, engine: Running, sandbox: Sandbox
) -> None:
    post = await planned("later", due_at=now() + timedelta(seconds=1))
    while (await of(post)).state is not State.QUEUED:
        await asyncio.sleep(0.01)
    moved_to = now() + timedelta(seconds=2.5)

    await single.move(caller, str((await of(post)).id), at_the_instant(moved_to, "UTC"), backing)
    publication = await until(post, State.ONLINE)

    assert publication.sent_at is not None
    assert publication.sent_at >= publication.due_at >= moved_to - timedelta(milliseconds=1)
    assert publication.rev == 1


async def test_while_it_is_going_out_nothing_about_it_can_be_changed(
    planned: Planned, caller: Caller, backing: Backing, engine: Running, sandbox: Sandbox
) -> None:
    sandbox.trouble(publish={"delay_before": 1, "count": 1})
    post = await planned("too late")
    await until(post, State.SENDING)

    with pytest.raises(Conflict):
        await plan.cancel(caller, str(post.id), post.revision, backing)
    with pytest.raises(Conflict):
        await plan.save(caller, str(post.id), post.revision, msgspec.structs.replace(post.written, text="x"), backing)
    with pytest.raises(Conflict):
        await plan.delete(caller, str(post.id), post.revision, backing)
    await until(post, State.ONLINE)
    assert sandbox.texts() == ["too late"]


async def test_what_is_held_for_a_person_stays_held_when_it_is_edited(
    planned: Planned, account: Account, caller: Caller, backing: Backing, engine: Running, sandbox: Sandbox
) -> None:
    post = await planned("held", due_at=now() + timedelta(seconds=3))
    held = {"state": State.HELD, "next_at": None, "reason": {"code": "late", "text": "passed"}}
    await Publication.engine().update_one({"post_id": post.id}, {"$set": held})

    edited = msgspec.structs.replace(post.written, text="held, edited")
    await plan.save(caller, str(post.id), post.revision, edited, backing)
    await asyncio.sleep(3 + 3 * backing.settings.times.tick)  # past its time

    publication = await of(post)
    assert (publication.state, publication.content.text) == (State.HELD, "held, edited")
    assert sandbox.texts() == []

    await single.again(caller, str(publication.id), backing)
    await until(post, State.ONLINE)
    assert sandbox.texts() == ["held, edited"]


async def test_what_takes_longer_to_prepare_than_a_lease_is_prepared_once(
    planned: Planned, backing: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = 0

    async def slowly(call: Call, content: Content, prepared: Prepared, save: Save) -> Prepared:
        nonlocal begun
        begun += 1
        await asyncio.sleep(2.5)
        return Prepared(media=("1",))

    async def at_once(call: Call, prepared: Prepared) -> Prepared:
        return prepared

    monkeypatch.setitem(
        PLATFORMS, "mastodon", dataclasses.replace(PLATFORMS["mastodon"], prepare=slowly, ready=at_once)
    )
    times = msgspec.structs.replace(backing.settings.times, lease=1)
    hasty = dataclasses.replace(backing, settings=msgspec.structs.replace(backing.settings, times=times))
    post = await planned("large", due_at=now() + timedelta(hours=1))
    pictured = {"content.media": [as_bson(PICTURE)], "prepare_at": now() - timedelta(seconds=1)}
    await Publication.engine().update_one({"post_id": post.id}, {"$set": pictured})

    first = asyncio.create_task(prepare_due(hasty))
    await asyncio.sleep(1.5)
    await prepare_due(hasty)
    await first

    assert begun == 1
    assert (await of(post)).state is State.PREPARED


async def pictured(planned: Planned, monkeypatch: pytest.MonkeyPatch, *, ready: bool) -> tuple[Post, list[Prepared]]:
    """A post with a picture, an hour ahead, where the platform is `ready` or never is; and what it was begun with."""
    begun: list[Prepared] = []

    async def upload(call: Call, content: Content, prepared: Prepared, save: Save) -> Prepared:
        begun.append(prepared)
        return Prepared(media=(f"upload {len(begun)}",))

    async def answer(call: Call, prepared: Prepared) -> Prepared | None:
        return prepared if ready else None

    monkeypatch.setattr(prepare, "POLLS", (0.01,))
    monkeypatch.setattr(prepare, "LATER", 0)
    changed = dataclasses.replace(PLATFORMS["mastodon"], prepare=upload, ready=answer)
    monkeypatch.setitem(PLATFORMS, "mastodon", changed)
    post = await planned("pictured", due_at=now() + timedelta(hours=1))
    due = {"content.media": [as_bson(PICTURE)], "prepare_at": now() - timedelta(seconds=1)}
    await Publication.engine().update_one({"post_id": post.id}, {"$set": due})
    return post, begun


async def test_what_never_becomes_ready_has_had_a_try_and_is_uploaded_again(
    planned: Planned, backing: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = msgspec.structs.replace(backing.settings.times, made_ready=0.5)
    patient = dataclasses.replace(backing, settings=msgspec.structs.replace(backing.settings, times=times))
    post, begun = await pictured(planned, monkeypatch, ready=False)

    await prepare_due(patient)
    working = await of(post)
    assert (working.state, working.prepared.media, working.tries) == (State.PREPARING, ("upload 1",), 0)
    await asyncio.sleep(0.5)
    await prepare_due(patient)

    given_up = await of(post)
    assert (given_up.state, given_up.tries, given_up.prepared) == (State.WAITING, 1, Prepared())
    assert given_up.reason is not None
    assert given_up.reason.code == "retry"
    assert given_up.prepare_at == given_up.next_at is not None
    assert [each.media for each in begun] == [(), ("upload 1",)]


async def test_what_was_prepared_too_long_ago_is_prepared_from_the_start(
    planned: Planned, backing: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    post, begun = await pictured(planned, monkeypatch, ready=True)
    await prepare_due(backing)
    assert (await of(post)).state is State.PREPARED
    late = {
        "state": State.PLANNED,
        "prepare_at": now() - timedelta(seconds=1),
        "prepared_until": now() + timedelta(minutes=1),
    }
    await Publication.engine().update_one({"post_id": post.id}, {"$set": late})

    await prepare_due(backing)

    assert [each.media for each in begun] == [(), ()]
    assert (await of(post)).prepared.media == ("upload 2",)


async def test_an_answer_to_an_old_token_says_nothing_of_a_login_made_since(
    planned: Planned, account: Account, backing: Backing, engine: Running, sandbox: Sandbox
) -> None:
    later = await planned("later", due_at=now() + timedelta(hours=1))
    sandbox.trouble(publish={"dead_token": True, "delay_before": 1, "count": 1})
    post = await planned("now")
    await until(post, State.SENDING)
    fresh = (await asyncio.to_thread(sandbox.person, "ada", app_name="Social"))["access_token"]
    sealed = account.sealed_token(Token(access=fresh), backing.vault)
    await Account.get_pymongo_collection().update_one({"_id": account.id}, {"$set": {"token": sealed}})

    await until(post, State.HELD)
    await asyncio.sleep(0.3)

    found = await Account.get(account.id)
    assert found is not None
    assert found.state == "connected"
    assert (await of(later)).state is State.PLANNED


@pytest.mark.parametrize(("refusals", "state", "tries"), [(1, State.ONLINE, 0), (2, State.WAITING, 1)])
async def test_an_expired_token_is_refreshed_and_the_request_repeated_once_within_the_same_intent(
    refusals: int,
    state: State,
    tries: int,
    planned: Planned,
    account: Account,
    backing: Backing,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish, used = PLATFORMS["mastodon"].publish, []
    token = account.opened_token(backing.vault)
    assert token is not None
    sealed = account.sealed_token(Token(access="worn out", refresh="next, please"), backing.vault)
    await Account.get_pymongo_collection().update_one({"_id": account.id}, {"$set": {"token": sealed}})

    async def expired(call: Call, turn: Turn) -> Receipt:
        assert call.token is not None
        used.append(call.token.access)
        if len(used) <= refusals:
            raise TokenExpired("It has expired.")
        return await publish(call, turn)

    async def refresh(call: Call, app: App, old: Token) -> Token:
        return Token(access=token.access, refresh="and the next")

    changed = dataclasses.replace(PLATFORMS["mastodon"], publish=expired, refresh=refresh)
    monkeypatch.setitem(PLATFORMS, "mastodon", changed)
    post = await planned("with a fresh one")

    await send_due(now() + timedelta(seconds=1), backing)

    publication = await of(post)
    assert (publication.state, publication.tries, publication.attempt_no) == (state, tries, 1)
    assert used == ["worn out", token.access]
    assert sandbox.texts() == (["with a fresh one"] if state is State.ONLINE else [])


async def test_a_look_that_fails_does_not_let_go_of_what_is_being_sent(
    planned: Planned, backing: Backing, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(backing: Backing) -> None:
        raise AutoReconnect("away")

    monkeypatch.setattr(due, "prepare_due", away)
    sandbox.trouble(publish={"delay_before": 0.5})
    await planned("still in hand")

    with pytest.raises(PyMongoError):
        await due.look(backing)

    assert sandbox.texts() == ["still in hand"]


async def test_a_conclusion_whose_commit_was_not_heard_of_is_written_once(
    planned: Planned, backing: Backing, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, missed = conclusions.concluded_together, list[int]()

    async def unheard(conclusions: Any) -> Any:
        answer = await written(conclusions)
        if not missed:
            missed.append(1)
            raise AutoReconnect("written, but who knows")
        return answer

    monkeypatch.setattr(claims, "concluded_together", unheard)
    sandbox.trouble(publish={"dead_token": True})
    post = await planned("once written")

    await send_due(now() + timedelta(seconds=1), backing)

    assert missed
    held = await of(post)
    assert held.state is State.HELD
    assert await Attempt.find({}).count() == 1
    told = await Row.find({"publication_id": str(held.id)}).sort("_id").to_list()
    assert told[-1].data["state"] == "held"
    assert (await Lane.find_one({})).token is None  # type: ignore[union-attr]


async def test_what_a_server_calls_a_post_is_kept_to_the_letter_and_does_nothing_to_those_concluded_with_it(
    planned: Planned, backing: Backing, connect: Connect, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    mastodon = PLATFORMS["mastodon"]

    async def publish(call: Call, turn: Turn) -> Receipt:
        receipt = await mastodon.publish(call, turn)
        return msgspec.structs.replace(receipt, id=turn.text if turn.text.startswith("$") else receipt.id)

    monkeypatch.setitem(PLATFORMS, "mastodon", dataclasses.replace(mastodon, publish=publish))
    odd = ["$token", "$$nobody_s", "$$ROOT"]
    posts = [await planned(text, on=(await connect(f"person{n}"),)) for n, text in enumerate([*odd, "well-behaved"])]

    await send_due(now() + timedelta(seconds=1), backing)

    publications = [await of(post) for post in posts]
    assert [each.state for each in publications] == [State.ONLINE] * 4
    assert [each.receipts[0].id for each in publications[:3]] == odd


@pytest.mark.parametrize("platform", ["bluesky", "x"])
async def test_a_token_that_dies_in_the_middle_of_a_send_is_renewed_and_the_post_goes_out_once(
    platform: str, connect: Connect, planned: Planned, sandbox: Sandbox, engine: Running
) -> None:
    account = await connect("ada", platform=platform)
    sandbox.trouble(publish={"dead_token": True, "count": 1})

    publication = await until(await planned("hello", on=(account,)), State.ONLINE)

    assert (publication.attempt_no, publication.tries) == (1, 0)
    assert [post["text"] for post in sandbox.statuses(platform=platform)] == ["hello"]


async def test_what_a_stop_kept_back_goes_out_in_due_order_one_by_one_and_what_is_due_now_at_its_time(
    planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    posts = [await planned(f"overdue {n}", due_at=now() + timedelta(hours=1 + n)) for n in range(3)]
    for n, post in enumerate(posts):
        long_ago = now() - timedelta(hours=1) + timedelta(minutes=n)
        await Publication.engine().update_one(
            {"post_id": post.id}, {"$set": {"due_at": long_ago, "next_at": long_ago, "state": State.PLANNED}}
        )
    punctual = await planned("punctual")
    times = msgspec.structs.replace(backing.settings.times, spacing=1.5)
    careful = dataclasses.replace(backing, settings=msgspec.structs.replace(backing.settings, times=times))

    await send_due(careful.now() + timedelta(seconds=1), careful)

    assert sandbox.texts() == ["overdue 0", "punctual"]
    waiting = [await of(post) for post in posts[1:]]
    assert [(each.state, each.reason and each.reason.code, each.tries) for each in waiting] == [
        (State.WAITING, "spaced", 0)
    ] * 2
    apart = [each.next_at - of_first for each, of_first in zip(waiting, [now()] * 2, strict=True) if each.next_at]
    assert 0 < apart[0].total_seconds() < 1.6
    assert 1.4 < (apart[1] - apart[0]).total_seconds() < 1.6

    await send_due(careful.now() + timedelta(seconds=5), careful)
    assert {(await of(post)).state for post in (*posts, punctual)} == {State.ONLINE}
    assert sandbox.texts() == ["overdue 0", "punctual", "overdue 1", "overdue 2"]


async def test_what_a_stop_kept_back_is_kept_apart_also_where_it_was_not_all_ready_at_once(
    planned: Planned, backing: Backing, sandbox: Sandbox
) -> None:
    posts = [await planned(f"overdue {n}", due_at=now() + timedelta(hours=1)) for n in range(3)]
    for n, post in enumerate(posts):
        long_ago = now() - timedelta(hours=1) + timedelta(minutes=n)
        late = {"due_at": long_ago, "next_at": long_ago, "state": State.PLANNED}
        await Publication.engine().update_one({"post_id": post.id}, {"$set": late | {"prepare_at": long_ago}})

    for post in posts:
        await Publication.engine().update_one({"post_id": post.id}, {"$set": {"prepare_at": None}})
        await send_due(backing.now() + timedelta(seconds=1), backing)

    assert sandbox.texts() == ["overdue 0"]
    first, *waiting = [await of(post) for post in posts]
    assert [each.reason and each.reason.code for each in waiting] == ["spaced", "spaced"]
    spacing = backing.settings.times.timedelta("spacing")
    assert [each.next_at and first.sent_at and each.next_at - first.sent_at for each in waiting] == [
        spacing,
        2 * spacing,
    ]


async def test_what_a_process_had_in_hand_each_time_it_died_is_left_alone_after_the_third(
    planned: Planned, backing: Backing, engine: Running, sandbox: Sandbox
) -> None:
    post, other = await planned("poison", due_at=now() + timedelta(hours=1)), await planned("harmless")
    left = {"state": State.SENDING, "token": "of the dead", "attempt_no": 3, "deaths": 2, "ambiguous": True}
    long_ago = now() - timedelta(seconds=60)
    stamps = {"sent_at": long_ago, "first_sent_at": long_ago, "updated_at": long_ago, "next_at": long_ago}
    await Publication.engine().update_one({"post_id": post.id}, {"$set": left | stamps | {"due_at": long_ago}})

    parked = await until(post, State.HELD)

    assert (parked.deaths, parked.reason and parked.reason.code) == (3, "poison")
    await until(other, State.ONLINE)
    assert sandbox.texts() == ["harmless"]


@pytest.mark.parametrize("word", ["again", "edited", "moved"])
async def test_what_was_left_alone_has_all_its_lives_again_on_a_person_s_word(
    word: str, planned: Planned, caller: Caller, backing: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    post, begun = await pictured(planned, monkeypatch, ready=True)
    await Publication.engine().update_one({"post_id": post.id}, {"$set": {"deaths": 3}})
    await prepare_due(backing)
    parked = await of(post)
    assert (parked.state, parked.reason and parked.reason.code, begun) == (State.HELD, "poison", [])

    if word == "edited":
        await plan.save(
            caller, str(post.id), post.revision, msgspec.structs.replace(post.written, text="changed"), backing
        )
        await Publication.engine().update_one({"post_id": post.id}, {"$set": {"content.media": [as_bson(PICTURE)]}})
    if word == "moved":
        await single.move(caller, str(parked.id), at_the_instant(now() + timedelta(hours=2), "UTC"), backing)
    else:
        await single.again(caller, str(parked.id), backing)
    await Publication.engine().update_one({"post_id": post.id}, {"$set": {"prepare_at": past()}})
    await prepare_due(backing)

    tried = await of(post)
    assert (tried.state, tried.deaths, len(begun)) == (State.PREPARED, 0, 1)
