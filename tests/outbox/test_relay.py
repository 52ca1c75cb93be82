"""Every committed row gets the next number of its workspace, whatever happens to those who number."""

import asyncio
import dataclasses
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from beanie import PydanticObjectId
from redis.asyncio import Redis

from social.backing import Backing
from social.outbox import relay
from social.outbox.documents import Announcement, Relay, Row, announce
from social.outbox.relay import Relaying

SOON = timedelta(milliseconds=50)


def row(workspace_id: PydanticObjectId, n: int = 0) -> Announcement:
    return Row.about(workspace_id=workspace_id, type="post.changed", data={"n": n})


async def commit(backing: Backing, rows: Sequence[Announcement]) -> None:
    """`rows` in one transaction."""

    async def body(session: Any) -> None:
        await announce(rows, session)

    await backing.transaction(body)


async def numbered(workspace_id: PydanticObjectId) -> list[tuple[int, int]]:
    """The numbers given in a workspace, each with the `n` of its row."""
    rows = Row.get_pymongo_collection().find({"workspace_id": workspace_id, "seq": {"$gt": 0}}).sort("seq")
    return [(each["seq"], each["data"]["n"]) async for each in rows]


async def until_none_wait(within: float = 60) -> None:
    async with asyncio.timeout(within):
        while await Row.waiting(most=1):
            await asyncio.sleep(0.02)


async def until_numbered_by(relaying: Relaying, workspace_id: PydanticObjectId) -> None:
    async with asyncio.timeout(10):
        while not await numbered(workspace_id):
            await relaying.round()
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(backing: Backing, relays: int) -> AsyncIterator[None]:
    """So many instances' relays, each with its own sign of what was committed."""
    stop = asyncio.Event()
    instances = [dataclasses.replace(backing, announced=asyncio.Event()) for _ in range(relays)]
    tasks = [asyncio.create_task(relay.run(each, stop)) for each in instances]
    yield
    stop.set()
    await asyncio.gather(*tasks)


async def test_three_racing_relays_number_the_rows_of_concurrent_transactions_without_gap_or_double(
    backing: Backing,
) -> None:
    workspaces = [PydanticObjectId() for _ in range(4)]
    together = asyncio.Semaphore(20)

    async def change(number: int) -> None:
        async with together:
            await commit(backing, [row(workspaces[number % 4], number * 5 + part) for part in range(5)])

    async with running(backing, relays=3):
        await asyncio.gather(*(change(number) for number in range(400)))
        await until_none_wait()

    for workspace_id in workspaces:
        rows = await numbered(workspace_id)
        assert [seq for seq, _ in rows] == list(range(1, 501))
        place = {n: seq for seq, n in rows}
        assert len(place) == 500
        assert all(place[n] < place[n + 1] for n in place if n % 5 != 4)  # in the order of their transaction


async def test_numbers_follow_the_order_of_writing(backing: Backing) -> None:
    workspace_id = PydanticObjectId()
    for n in range(30):
        await commit(backing, [row(workspace_id, n)])

    await Relaying(backing).round()

    assert await numbered(workspace_id) == [(n + 1, n) for n in range(30)]


async def test_a_row_of_a_transaction_that_failed_is_never_numbered(backing: Backing) -> None:
    workspace_id = PydanticObjectId()

    async def body(session: Any) -> None:
        await announce([row(workspace_id)], session)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        await backing.transaction(body)
    await Relaying(backing).round()

    assert await numbered(workspace_id) == []


async def test_a_relay_that_was_overtaken_decides_nothing(backing: Backing) -> None:
    workspace_id = PydanticObjectId()
    await commit(backing, [row(workspace_id, n) for n in range(3)])
    assert await Relay.claim([workspace_id], token="paused", lease=SOON) == 1
    batches = await Relay.look([workspace_id], token="paused", most=10)
    await until_numbered_by(Relaying(backing), workspace_id)
    await commit(backing, [row(workspace_id, 3)])

    assert await Relay.give(batches, token="paused") is False
    assert await Relay.look([workspace_id], token="paused", most=10) == []
    assert await numbered(workspace_id) == [(1, 0), (2, 1), (3, 2)]


async def test_what_a_relay_decided_on_before_it_was_overtaken_is_carried_out_once(backing: Backing) -> None:
    workspace_id = PydanticObjectId()
    await commit(backing, [row(workspace_id, n) for n in range(3)])
    paused, other = Relaying(backing), Relaying(backing)
    await Relay.claim([workspace_id], token=paused.token, lease=SOON)
    batches = await Relay.look([workspace_id], token=paused.token, most=2)
    assert await Relay.give(batches, token=paused.token)
    await until_numbered_by(other, workspace_id)
    await other.round()
    await commit(backing, [row(workspace_id, 3)])

    await paused.finish(batches)
    await other.round()

    assert await numbered(workspace_id) == [(1, 0), (2, 1), (3, 2), (4, 3)]


async def test_a_relay_that_died_before_it_wrote_how_far_it_came_is_made_up_for(backing: Backing) -> None:
    workspace_id = PydanticObjectId()
    await commit(backing, [row(workspace_id, n) for n in range(3)])
    await Relay.claim([workspace_id], token="dead", lease=SOON)
    batches = await Relay.look([workspace_id], token="dead", most=10)
    await Relay.give(batches, token="dead")
    await Row.number(batches[0].numbers())

    async with running(backing, relays=1), asyncio.timeout(10):
        while await Relay.last_seqs([workspace_id]) != {workspace_id: 3}:
            await asyncio.sleep(0.02)


async def test_what_a_relay_claimed_before_it_died_is_numbered_by_another(backing: Backing) -> None:
    workspace_id = PydanticObjectId()
    await commit(backing, [row(workspace_id)])
    await Relay.claim([workspace_id], token="dead", lease=timedelta(seconds=0.5))
    other = Relaying(backing)

    assert await other.round() == relay.HELD
    await until_numbered_by(other, workspace_id)

    assert await numbered(workspace_id) == [(1, 0)]


@pytest.mark.slow
async def test_relays_that_are_killed_at_any_moment_leave_neither_gap_nor_double(backing: Backing) -> None:
    workspace_id = PydanticObjectId()
    written = 0
    for _ in range(3):
        killed = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.outbox.relaying", stdin=PIPE, stdout=PIPE, stderr=DEVNULL
        )
        assert killed.stdin
        assert killed.stdout
        killed.stdin.write(msgspec.json.encode(backing.settings) + b"\n")
        assert await killed.stdout.readline() == b"relaying\n"
        for _ in range(5):
            await announce([row(workspace_id, written + n) for n in range(300)])
            written += 300
        async with asyncio.timeout(20):  # in the middle of its work
            while len(await numbered(workspace_id)) <= written - 1_500:
                await asyncio.sleep(0.005)
        killed.kill()
        await killed.wait()

    async with running(backing, relays=1):
        await until_none_wait()

    assert await numbered(workspace_id) == [(n + 1, n) for n in range(written)]


async def test_numbers_are_not_given_again_after_the_rows_were_removed_for_their_age(backing: Backing) -> None:
    workspace_id, relaying = PydanticObjectId(), Relaying(backing)
    await commit(backing, [row(workspace_id, n) for n in range(3)])
    await relaying.round()
    await Row.get_pymongo_collection().delete_many({})

    await commit(backing, [row(workspace_id, 9)])
    await relaying.round()

    assert await numbered(workspace_id) == [(4, 9)]


async def test_a_lost_relay_document_is_made_up_for_by_the_rows(backing: Backing) -> None:
    workspace_id, relaying = PydanticObjectId(), Relaying(backing)
    await commit(backing, [row(workspace_id, n) for n in range(3)])
    await relaying.round()
    await Relay.get_pymongo_collection().delete_many({})

    await commit(backing, [row(workspace_id, 9)])
    await relaying.round()

    assert (await numbered(workspace_id))[-1] == (4, 9)


async def test_a_burst_in_one_workspace_does_not_keep_another_waiting(backing: Backing) -> None:
    busy, quiet = PydanticObjectId(), PydanticObjectId()
    for start in range(0, 3_000, 1_000):
        await announce([row(busy, start + n) for n in range(1_000)])
    await announce([row(quiet)])

    await Relaying(backing).round()

    assert await numbered(quiet) == [(1, 0)]
    async with running(backing, relays=1):
        await until_none_wait()
    assert await numbered(busy) == [(n + 1, n) for n in range(3_000)]


async def test_stopping_numbers_what_was_committed_until_then(backing: Backing) -> None:
    workspace_id = PydanticObjectId()
    async with running(backing, relays=1):
        await commit(backing, [row(workspace_id, n) for n in range(700)])

    assert len(await numbered(workspace_id)) == 700


async def test_a_redis_that_refuses_or_never_answers_keeps_nothing_from_being_numbered(backing: Backing) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    for address in (f"redis://127.0.0.1:{port}", "redis://127.0.0.1:1"):
        workspace_id = PydanticObjectId()
        async with Redis.from_url(address, socket_timeout=15) as away:
            relaying = Relaying(dataclasses.replace(backing, redis=away))
            async with asyncio.timeout(3):
                for n in range(10):
                    await commit(backing, [row(workspace_id, n)])
                    await relaying.round()
        assert await numbered(workspace_id) == [(n + 1, n) for n in range(10)]
    silent.close()
    await silent.wait_closed()


async def test_looking_for_work_reads_one_key_for_each_workspace_that_has_some(backing: Backing) -> None:
    workspaces = [PydanticObjectId() for _ in range(5)]
    for workspace_id in workspaces:
        await announce([row(workspace_id, n) for n in range(100)])
    await backing.db.command("profile", 2)
    try:
        found = await Row.waiting(most=100)
    finally:
        await backing.db.command("profile", 0)

    [query] = await backing.db["system.profile"].find({"command.aggregate": "outbox"}).to_list()
    await backing.db["system.profile"].drop()
    assert found == workspaces
    assert query["keysExamined"] <= len(workspaces) + 1
    assert query["docsExamined"] == 0
