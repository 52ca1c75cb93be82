"""Every socket hears every event of its workspace, once and in order, whatever happens to Redis and to relays."""

import asyncio
import dataclasses
import itertools
import socket
import time
from collections.abc import Sequence
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from social.backing import Backing
from social.live import hub, sockets
from social.outbox.documents import Relay, Row
from social.outbox.relay import Relaying
from social.people.roles import Caller
from tests.live.conftest import Ear, HalfOpen, Instance, Member, OwnRedis, happen, instance

NOWHERE = Redis.from_url("redis://127.0.0.1:1")  # nobody listens on the port of tcpmux


async def test_a_change_is_heard_at_once_with_its_number_after_a_hello(live: Instance, member: Member) -> None:
    caller = await member()
    ear = await live.connected(await live.ticket(caller))
    assert await ear.next() == {"type": "hello", "seq": 0, "workspace": str(caller.workspace_id)}
    begun = time.monotonic()

    await happen(live.backing, caller.workspace_id, 1)

    event = await ear.next()
    assert event.pop("at").endswith("Z")
    assert event == {
        "seq": 1, "workspace": str(caller.workspace_id), "type": "post.changed", "post_id": "p", "data": {"n": 0},
    }  # fmt: skip
    assert time.monotonic() - begun < 1


async def test_two_workspaces_never_hear_each_other(live: Instance, member: Member) -> None:
    one, other = await member(), await member()
    ears = [await live.ear(one), await live.ear(other)]

    for _ in range(5):
        await happen(live.backing, one.workspace_id, 3)
        await happen(live.backing, other.workspace_id, 3)

    for caller, ear in zip((one, other), ears, strict=True):
        await ear.until(15)
        assert ear.seqs == list(range(1, 16))
        assert {event["workspace"] for event in ear.heard} == {str(caller.workspace_id)}


async def test_who_comes_back_gets_what_was_missed_and_then_what_is_new_without_gap_or_double(
    live: Instance, member: Member
) -> None:
    caller = await member()
    first = await live.ear(caller)
    await happen(live.backing, caller.workspace_id, 30)
    await first.until(30)
    await first.connection.close()
    await happen(live.backing, caller.workspace_id, 450)

    async def go_on() -> None:
        for _ in range(20):
            await happen(live.backing, caller.workspace_id, 5)

    going_on = asyncio.create_task(go_on())
    back = await live.ear(caller, after=30)
    await back.until(580)
    await going_on

    assert back.heard[0]["seq"] == 30
    assert back.seqs == list(range(31, 581))


async def test_who_comes_back_too_late_is_told_to_fetch_everything_anew(live: Instance, member: Member) -> None:
    caller = await member()
    ear = await live.ear(caller)
    await happen(live.backing, caller.workspace_id, 10)
    await ear.until(10)
    await Row.get_pymongo_collection().delete_many({"seq": {"$lte": 5}})

    for after in (3, 11, 10_000_000, "x", "-1", ""):
        async with instance(live.backing, relaying=False) as other:  # whose tape begins now
            late = await other.ear(caller, after=after)
            assert await late.next() == {"type": "refetch", "seq": 10}
    async with instance(live.backing, relaying=False) as other:
        back = await other.ear(caller, after=5)
        assert (await back.until(10)).seqs == [6, 7, 8, 9, 10]


async def test_who_heard_more_elsewhere_than_this_instance_yet_has_is_not_told_to_refetch(
    backing: Backing, member: Member
) -> None:
    caller = await member()
    async with instance(backing, relaying=False) as behind:
        await behind.ear(caller)
        await happen(backing, caller.workspace_id, 3)
        await Relaying(dataclasses.replace(backing, redis=NOWHERE)).round()

        ahead = await behind.ear(caller, after=3)
        await happen(backing, caller.workspace_id, 1)
        await Relaying(backing).round()

        assert (await ahead.next())["seq"] == 4


async def test_what_a_relay_numbered_before_it_died_is_heard_though_nobody_told_it(
    backing: Backing, member: Member
) -> None:
    caller = await member()
    async with instance(backing, relaying=False) as live:
        ear = await live.ear(caller)
        await happen(backing, caller.workspace_id, 5)
        await Relaying(dataclasses.replace(backing, redis=NOWHERE)).round()

        await ear.until(5, within=5)

    assert ear.seqs == [1, 2, 3, 4, 5]


async def test_messages_that_come_twice_late_or_never_make_neither_gap_nor_double(
    backing: Backing, member: Member
) -> None:
    caller = await member()
    numbering = [Relaying(backing), Relaying(dataclasses.replace(backing, redis=NOWHERE))]
    async with instance(backing, relaying=False) as live:
        ear = await live.ear(caller)
        late = None
        for turn in range(12):
            await happen(backing, caller.workspace_id, 2)
            relaying = numbering[turn % 2]
            await Relay.claim([caller.workspace_id], token=relaying.token, lease=timedelta(seconds=5))
            batches = await Relay.look([caller.workspace_id], token=relaying.token, most=10)
            await Relay.give(batches, token=relaying.token)
            await relaying.finish(batches)
            if late and turn % 3 == 0:
                await numbering[0].finish(late)
            late = batches

        await ear.until(24)
    assert ear.seqs == list(range(1, 25))


async def test_redis_that_forgets_everything_loses_no_event(live: Instance, member: Member) -> None:
    caller = await member()
    ear = await live.ear(caller)

    for _ in range(5):
        await live.backing.redis.flushall()
        await happen(live.backing, caller.workspace_id, 2)

    assert (await ear.until(10)).seqs == list(range(1, 11))


@pytest.mark.slow
async def test_while_redis_is_gone_sockets_hear_everything_and_after_it_at_once_again(
    backing: Backing, member: Member, own_redis: OwnRedis
) -> None:
    caller = await member()
    async with own_redis.client() as redis, instance(dataclasses.replace(backing, redis=redis)) as live:
        ear = await live.ear(caller)
        await happen(live.backing, caller.workspace_id, 2)
        await ear.until(2)

        await own_redis.kill()
        spent, begun = time.process_time(), time.monotonic()
        for seq in range(3, 6):
            await happen(live.backing, caller.workspace_id, 1)
            await ear.until(seq, within=6)
        newcomer = await live.ear(await member(caller.workspace_id), after=0)
        assert (await newcomer.until(5)).seqs == [1, 2, 3, 4, 5]
        assert time.process_time() - spent < 0.5 * (time.monotonic() - begun)  # nobody tries again without a pause

        await own_redis.start()
        async with asyncio.timeout(20):
            for seq in itertools.count(6):
                begun = time.monotonic()
                await happen(live.backing, caller.workspace_id, 1)
                await ear.until(seq)
                if time.monotonic() - begun < 0.5:
                    break
    assert ear.seqs == list(range(1, seq + 1))


async def test_a_redis_connection_gone_silent_is_given_up_and_nothing_is_missed(
    backing: Backing, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "QUIET", 0.2)
    monkeypatch.setattr(hub, "DEAD", 0.6)
    path = HalfOpen(backing.settings.redis_url)
    caller = await member()
    async with path.client() as redis, instance(dataclasses.replace(backing, redis=redis), relaying=False) as live:
        ear = await live.ear(caller)
        opened = path.opened
        path.swallow_what_is_open()
        await happen(backing, caller.workspace_id, 1)
        await Relaying(backing).round()
        await ear.until(1, within=6)

        async with asyncio.timeout(10):
            while path.opened == opened:
                await asyncio.sleep(0.02)
    await path.close()


@pytest.mark.slow
async def test_three_hundred_sockets_hear_fifty_events_each_and_again_after_they_all_come_back(
    live: Instance, member: Member
) -> None:
    callers = [await member() for _ in range(3)]
    people = [await member(callers[n % 3].workspace_id) for n in range(300)]
    ears = await swarm(live, people)

    for _ in range(10):
        for caller in callers:
            await happen(live.backing, caller.workspace_id, 5)
    await asyncio.gather(*(ear.until(50) for ear in ears))
    assert all(ear.seqs == list(range(1, 51)) for ear in ears)

    await asyncio.gather(*(ear.connection.close() for ear in ears))
    for caller in callers:
        await happen(live.backing, caller.workspace_id, 50)
    back = await swarm(live, people, after=50)
    await asyncio.gather(*(ear.until(100) for ear in back))
    assert all(ear.seqs == list(range(51, 101)) for ear in back)


async def test_a_burst_longer_than_the_tape_is_heard_by_all_who_read(live: Instance, member: Member) -> None:
    caller = await member()
    ears = [await live.ear(await member(caller.workspace_id)) for _ in range(10)]

    for _ in range(3):
        await happen(live.backing, caller.workspace_id, 1_000, {"text": "x" * 500})

    await asyncio.gather(*(ear.until(3_000, within=60) for ear in ears))
    assert all(ear.seqs == list(range(1, 3_001)) for ear in ears)


async def test_a_socket_that_does_not_read_is_dropped_and_others_do_not_notice(
    backing: Backing, member: Member
) -> None:
    caller = await member()
    async with instance(backing, send_buffer=32 * 1024) as live:
        slow = await live.ear(caller, sock=small(live.port), max_queue=1)
        quick = await live.ear(caller)

        for n in range(20):
            await happen(live.backing, caller.workspace_id, 10, {"text": "x" * 20_000})
            await quick.until(10 * (n + 1), within=5)

        assert await slow.closed() == 1013
        assert quick.seqs == list(range(1, 201))
        assert slow.seqs == list(range(1, len(slow.seqs) + 1))
        assert len(slow.seqs) < 200
        resumed = await live.ear(caller, after=len(slow.seqs))
        assert (await resumed.until(200)).seqs == list(range(len(slow.seqs) + 1, 201))


async def test_a_socket_that_never_reads_again_gives_its_seat_up(
    backing: Backing, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "STUCK", 0.3)
    caller = await member()
    async with instance(backing, send_buffer=32 * 1024) as live:
        await live.ear(caller, sock=small(live.port), max_queue=1)
        await happen(live.backing, caller.workspace_id, 50, {"text": "x" * 20_000})

        async with asyncio.timeout(10):
            while len(live.hub):
                await asyncio.sleep(0.02)


async def test_ticks_are_heard_without_a_number_and_are_not_kept(live: Instance, member: Member) -> None:
    caller, stranger = await member(), await member()
    ear, strange = await live.ear(caller), await live.ear(stranger)
    async with asyncio.timeout(5):
        while "publication.sending" not in {
            each.get("type") for each in ear.heard
        }:  # the first may come before the subscription
            await live.hub.tick(caller.workspace_id, "publication.sending", {"publications": ["p"]})
            await ear.next()

    tick = ear.heard[-1]
    assert tick.pop("at").endswith("Z")
    assert tick == {
        "workspace": str(caller.workspace_id),
        "type": "publication.sending",
        "data": {"publications": ["p"]},
    }
    await happen(live.backing, stranger.workspace_id, 1)
    assert (await strange.next())["seq"] == 1
    assert (await live.ear(caller)).heard[-1]["seq"] == 0


async def test_a_closing_hub_sends_everybody_away_to_come_back(backing: Backing, member: Member) -> None:
    callers = [await member() for _ in range(30)]
    async with instance(backing) as live:
        ears = [await live.ear(caller) for caller in callers]
        draining = asyncio.create_task(live.hub.drain())

        assert set(await asyncio.gather(*(ear.closed() for ear in ears))) == {1012}
        await draining
        assert len(live.hub) == 0


async def swarm(live: Instance, people: Sequence[Caller], after: int | None = None) -> list[Ear]:
    """All of `people` connected at the same time."""
    tickets = [await live.ticket(person) for person in people]
    ears = await asyncio.gather(*(live.connected(ticket, after=after, open_timeout=60) for ticket in tickets))
    assert {(await ear.next(60))["type"] for ear in ears} == {"hello"}
    return ears


def small(port: int) -> socket.socket:
    """A connection to a port of ours that takes little until it is read."""
    taking = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    taking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024)
    taking.connect(("127.0.0.1", port))
    taking.setblocking(False)
    return taking
