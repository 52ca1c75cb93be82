"""What is repeated while Mongo is away or between two primaries, and what is not."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    DuplicateKeyError,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
    WTimeoutError,
)

from social.backing import Backing, mongo
from social.backing.mongo import insist, no_room, passing
from tests.conftest import free_port
from tests.faults.servers import ReplicaSet, elsewhere
from tests.servers.disks import filled, small_disk

STEPPED_DOWN = 189


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (AutoReconnect("gone"), True),
        (NetworkTimeout("slow"), True),
        (WTimeoutError("slow", 64), True),
        (WriteConcernError("stepped down", STEPPED_DOWN), True),
        (BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": STEPPED_DOWN}]}), True),
        (BulkWriteError({"writeErrors": [{"code": 11000}], "writeConcernErrors": []}), False),
        (OperationFailure("available disk space of 5 bytes is less than required minimum", 14031), True),
        (DuplicateKeyError("twice", 11000), False),
        (OperationFailure("an index of that name is there and is another", 86), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_another_moment_mends_is_told_from_what_it_does_not(error: PyMongoError, passes: bool) -> None:
    assert passing(error) is passes


async def test_a_write_that_met_a_change_of_primaries_is_made_again() -> None:
    outcomes: list[PyMongoError | None] = [WriteConcernError("stepped down", STEPPED_DOWN), None]

    async def write() -> int:
        if (error := outcomes.pop(0)) is not None:
            raise error
        return 42

    assert await insist(write) == 42
    assert outcomes == []


async def test_a_write_that_is_refused_for_good_is_made_once() -> None:
    async def write() -> None:
        raise DuplicateKeyError("twice", 11000)

    with pytest.raises(DuplicateKeyError):
        await insist(write)


async def test_a_transaction_ends_though_mongo_stays_away(backing: Backing, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver would go on for two minutes, and whoever asked for it wait for as long."""
    monkeypatch.setattr(mongo, "ENDS_IN", 1.0)
    nobody: AsyncMongoClient[Any] = AsyncMongoClient(port=free_port(), serverSelectionTimeoutMS=100)
    async with nobody:

        async def body(session: AsyncClientSession) -> None:
            await nobody.social.things.insert_one({}, session=session)

        began = time.monotonic()
        with pytest.raises(PyMongoError) as ended:
            await dataclasses.replace(backing, client=nobody).transaction(body)

    assert passing(ended.value)
    assert time.monotonic() - began < 20


async def test_a_write_for_which_there_was_no_room_is_made_again_once_there_is(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", megabytes=400) as disk,
        ReplicaSet(disk, members=1) as replicas,
        (await elsewhere(replicas.start)).members[0].client() as client,
    ):
        filled(disk / "filler")

        async def write() -> None:
            try:
                await elsewhere(client.social.things.insert_one, {"_id": "kept"})
            except PyMongoError as refused:
                if no_room(refused):
                    (disk / "filler").unlink()
                raise

        await insist(write)

        assert not (disk / "filler").exists()
        assert client.social.things.find_one() == {"_id": "kept"}
