"""What is made of files in the background: wanted, taken under a lease, tried so many times, and concluded.

Whoever has a hand free makes it, and renews the lease meanwhile; one that dies leaves it to run out, and another begins
anew. What nobody needs any more, or another has in hand, does not bear our token: whoever makes it stops.
"""

import asyncio
import secrets
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

import structlog
from beanie import PydanticObjectId
from pydantic import Field
from pymongo import ASCENDING, ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import PyMongoError

from social.backing import Backing
from social.backing.mongo import stored
from social.errors import Invalid, NotFound, Unavailable, UnsupportedType
from social.files import Probe
from social.media.children import KILLED
from social.media.keys import keys_known
from social.moments import now
from social.people.workspaces import OfWorkspace

log = structlog.get_logger()

RENEWALS = 30  # in the time that a lease lasts
NOT_MADE = "This file could not be converted: it was tried several times. Save it anew and try again."
KILLED_AT_LAST = (
    "This file could not be converted: it was tried several times, and the server ended the work, as it does where its "
    "memory runs out. Save it smaller, or try again later."
)

State = Literal["wanted", "ready", "failed"]


class ToMake(OfWorkspace):
    """One thing to make of a file. Its place in the bucket is known before it is there.

    Each kind says how long its lease lasts, how often one is tried whose storage, disk, time or maker failed, and how
    long after that; what is wrong with a file itself ends it at once. `first`: the field whose least value is taken.
    """

    lease: ClassVar[timedelta]
    tries_most: ClassVar[int]
    again_after: ClassVar[timedelta]
    first: ClassVar[str]

    id: PydanticObjectId = Field(default_factory=PydanticObjectId)
    fingerprint: str
    source_key: str
    source: Annotated[Probe, stored(Probe)]
    key: str
    state: State = "wanted"
    next_at: datetime | None  # when somebody may begin; None when nobody has to
    token: str | None = None  # of who makes it
    tries: int = 0
    created_at: datetime = Field(default_factory=now)

    @classmethod
    async def take(cls, backing: Backing) -> Self | None:
        """The first that is wanted and in nobody's hands, now in ours."""
        at = backing.now()
        found = await cls.get_pymongo_collection().find_one_and_update(
            {"next_at": {"$lte": at, "$type": "date"}},
            {"$set": {"token": secrets.token_hex(12), "next_at": at + cls.lease}, "$inc": {"tries": 1}},
            sort=[(cls.first, ASCENDING)],
            return_document=ReturnDocument.AFTER,
        )
        return cls.model_validate(found) if found else None

    async def renew(self, backing: Backing) -> bool:
        """Keeps the lease, if it is still ours; whether it was."""
        return await self._write({"next_at": backing.now() + self.lease})

    async def conclude(self, changes: Mapping[str, Any], session: AsyncClientSession | None = None) -> bool:
        """Writes `changes` and lets go of it, if it is still ours; whether it was."""
        return await self._write({**changes, "token": None}, session)

    async def fail(self, because: str, **said: Any) -> None:
        """Nothing becomes of it. The log says why, and so does what is `said` in the document."""
        log.info(f"{self.noun}.failed", **self.as_logged, because=because)
        await self.conclude({"state": "failed", "next_at": None, **said})

    @abstractmethod
    async def miss_file(self) -> None:
        """The file that it is to be made of is not there."""

    @property
    def as_logged(self) -> dict[str, str]:
        """What tells in the log which one it is."""
        return {self.noun: str(self.id)}

    async def _write(self, changes: Mapping[str, Any], session: AsyncClientSession | None = None) -> bool:
        ours = self._mine | {"token": self.token}
        written = await self.get_pymongo_collection().update_one(ours, {"$set": changes}, session=session)
        return written.matched_count > 0

    @property
    def _mine(self) -> dict[str, Any]:
        return {"_id": self.id, "workspace_id": self.workspace_id}

    @classmethod
    async def forget(cls, workspace_id: PydanticObjectId, fingerprint: str, backing: Backing) -> None:
        """Removes all that was made of a file that is no longer there."""
        of_it = {"workspace_id": workspace_id, "fingerprint": fingerprint}
        keys = [each["key"] async for each in cls.get_pymongo_collection().find(of_it, {"key": 1})]
        if keys:
            await cls.get_pymongo_collection().delete_many(of_it)
            await backing.bucket.delete(keys)

    @classmethod
    async def now_from(cls, workspace_id: PydanticObjectId, fingerprint: str, key: str) -> None:
        """The file that it is made of is elsewhere from now on."""
        of_it = {"workspace_id": workspace_id, "fingerprint": fingerprint}
        await cls.get_pymongo_collection().update_many(of_it, {"$set": {"source_key": key}})

    @classmethod
    async def known(cls, keys: Sequence[str]) -> set[str]:
        """Which of these keys in the bucket belong to one of any workspace."""
        return await keys_known(cls, ("key",), keys)


Kind = TypeVar("Kind", bound=ToMake)
Made = TypeVar("Made")
Make = Callable[[Kind, Backing], Coroutine[Any, Any, Made]]  # what becomes of it is in the bucket then
Finish = Callable[[Kind, Made, Backing], Awaitable[None]]  # writes down that it is


async def make_all(
    kind: type[Kind], make: Make[Kind, Made], finish: Finish[Kind, Made], hand: asyncio.Semaphore, backing: Backing
) -> None:
    """Makes what is wanted of a kind until nothing is, one at a time in this process, which has one `hand` for it.

    `make` may raise Invalid or UnsupportedType for what is wrong with the file, NotFound where it is gone, and
    Unavailable or OSError for what may be better later. It is cancelled where nobody needs what it makes. Safe to run
    in many processes.
    """
    if hand.locked():
        return
    async with hand:
        while not backing.stopping.is_set():
            taken = await kind.take(backing)
            if taken is None:
                return
            await _made(taken, make, finish, backing)


async def _made(one: Kind, make: Make[Kind, Made], finish: Finish[Kind, Made], backing: Backing) -> None:
    """Makes it and writes down what came of it. Cancelled, it is given back."""
    if one.tries > one.tries_most:  # it took its makers with it
        await one.fail(NOT_MADE)
        return
    try:
        made = await _unless_in_vain(make(one, backing), one, backing)
        await finish(one, made, backing)
    except _LetGo:
        log.info(f"{one.noun}.let_go", **one.as_logged)
    except NotFound:
        await one.miss_file()
    except (Invalid, UnsupportedType) as refused:
        await one.fail(refused.sentence)
    except (Unavailable, OSError) as away:  # or the machine has no time
        await _put_off(one, away, backing)
    except asyncio.CancelledError:
        with suppress(PyMongoError):
            await one.conclude({"next_at": backing.now(), "tries": one.tries - 1})
        raise


class _LetGo(Exception):
    """It is no longer ours to make."""


async def _unless_in_vain(work: Coroutine[Any, Any, Made], one: ToMake, backing: Backing) -> Made:
    """What `work` answers. It is cancelled where nobody needs it any more (_LetGo), and where the instance stops: then
    we are too, and another begins anew."""
    making, stopping = asyncio.create_task(work), asyncio.create_task(backing.stopping.wait())
    lost = asyncio.create_task(_until_lost(one, backing))
    try:
        await asyncio.wait({making, stopping, lost}, return_when=asyncio.FIRST_COMPLETED)
        if making.done():
            return making.result()
        raise _LetGo if lost.done() else asyncio.CancelledError
    finally:
        stopping.cancel()
        lost.cancel()
        if not making.done():
            making.cancel()
            await asyncio.wait({making})


async def _until_lost(one: ToMake, backing: Backing) -> None:
    """Keeps the lease, for as long as it is ours."""
    while True:
        await asyncio.sleep(one.lease.total_seconds() / RENEWALS)
        with suppress(PyMongoError):
            if not await one.renew(backing):
                return


async def _put_off(one: ToMake, away: Exception, backing: Backing) -> None:
    code = away.facts.get("code") if isinstance(away, Unavailable) else None
    log.warning(f"{one.noun}.put_off", **one.as_logged, error=type(away).__name__, code=code)
    if one.tries >= one.tries_most:
        await one.fail(KILLED_AT_LAST if code == KILLED else NOT_MADE)
    else:
        await one.conclude({"next_at": backing.now() + one.again_after})
