"""Events out: Redis in, the sockets of this process out.

One connection to Redis, following the workspaces that have sockets here. Every two seconds Mongo is asked how far these
workspaces are numbered, in one query, so that whatever Redis loses, or is too late to say, is read from Mongo.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
import structlog
from bson import ObjectId
from pymongo.errors import PyMongoError
from redis.asyncio.client import PubSub

from social.backing import Backing
from social.backing.redis import GONE
from social.events import TickType
from social.live.rooms import RESTART, SIGNED_OUT, Listener, Room
from social.outbox.bus import Bus, channel, unpacked
from social.outbox.documents import Relay
from social.people.tickets import Admission, Ticket, admitted

SEATS = 20  # sockets of one user in one process
READERS = 8  # of Mongo at a time, so that a swarm that comes back leaves connections to others
LOOK = 2.0  # seconds between questions to Mongo
QUIET, DEAD = 5.0, 15.0  # seconds without a word from Redis until it is asked, and until it is given up
PAUSE, LONGEST_PAUSE = 0.2, 5.0  # seconds until Redis is tried again; doubled each time
CHECK = 30.0  # seconds between checks that everybody may still listen, if nobody says that somebody left
TOGETHER = 0.2  # seconds for which those who leave are gathered
SPREAD = 2.0  # seconds over which a closing hub sends its sockets away
LAST = 2.0  # seconds that the last of them may take to go

log = structlog.get_logger()


class Silent(Exception):
    """Redis does not answer, though the connection to it stands."""


class NoSeat(Exception):
    """This user has as many sockets as they may, or the hub is closing."""


class Hub:
    """The sockets of this process. `run` is its work; without it, sockets only hear what they have missed."""

    def __init__(self, backing: Backing, *, check: float = CHECK) -> None:
        self.settings = backing.settings
        self._backing = backing
        self._bus = Bus(backing)
        self._rooms: dict[ObjectId, Room] = {}
        self._listeners: set[Listener] = set()
        self._seats: Counter[ObjectId] = Counter()
        self._reading = asyncio.Semaphore(READERS)
        self._looked_for = asyncio.Event()
        self._unsure: set[ObjectId] = set()  # workspaces that may have had events before they were followed
        self._waiting: asyncio.Timeout | None = None  # for a word from Redis
        self._pause = PAUSE
        self._check_every = check
        self._left = asyncio.Event()  # somebody may not listen any more
        self._closing = False
        self._empty = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Passes events on until `stop`, and drains."""
        async with asyncio.TaskGroup() as tasks:
            working = {tasks.create_task(work) for work in (self._follow(), self._look(), self._check())}
            await stop.wait()
            await self.drain()
            while working:  # again and again: in Python 3.11 a wait_for that is just done swallows a cancellation
                for task in working:
                    task.cancel()
                _, working = await asyncio.wait(working, timeout=0.2)

    async def drain(self) -> None:
        """Takes in nobody any more, sends all sockets away (1012: come back), a few at a time, and sees them off."""
        self._closing = True
        going = list(self._listeners)
        for listener in going:
            listener.end(RESTART)
            await asyncio.sleep(SPREAD / len(going))
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST):
                while self._listeners:
                    self._empty.clear()
                    await self._empty.wait()

    async def tick(self, workspace_id: ObjectId, type: TickType, data: Mapping[str, Any]) -> None:
        """Tells a workspace's sockets in all processes something fleeting."""
        await self._bus.tick(workspace_id, type, data)

    async def admission(self, ticket: str) -> Admission | None:
        """Whom a ticket lets in. A swarm that comes back waits here, in turn, rather than for Mongo's connections."""
        async with self._reading:
            return await Ticket.redeem(ticket)

    @contextmanager
    def seat(self, listener: Listener) -> Iterator[Room]:
        """A place in the room of the listener's workspace. NoSeat if there is none."""
        room = self._enter(listener)
        try:
            yield room
        finally:
            self._leave(listener, room)

    def __len__(self) -> int:
        return len(self._listeners)

    # Rooms

    def _enter(self, listener: Listener) -> Room:
        admission = listener.admission
        if self._closing or self._seats[admission.user_id] >= SEATS:
            raise NoSeat
        room = self._rooms.get(admission.workspace_id)
        if room is None:
            room = Room(admission.workspace_id, look=self._looked_for.set, reading=self._reading)
            self._rooms[admission.workspace_id] = room
            self._interrupt()
        room.listeners.add(listener)
        self._listeners.add(listener)
        self._seats[admission.user_id] += 1
        return room

    def _leave(self, listener: Listener, room: Room) -> None:
        self._listeners.discard(listener)
        room.listeners.discard(listener)
        self._seats[listener.admission.user_id] -= 1
        if not self._seats[listener.admission.user_id]:
            del self._seats[listener.admission.user_id]
        if not self._listeners:
            self._empty.set()
        if not room.listeners:
            del self._rooms[room.workspace_id]
            self._interrupt()

    # Redis

    async def _follow(self) -> None:
        """Hears Redis for as long as it is there, and tries again, ever more slowly, while it is not."""
        while True:
            try:
                async with self._backing.redis.pubsub() as pubsub:
                    await self._hear(pubsub)
            except (*GONE, Silent) as error:
                if self._pause == PAUSE:
                    log.warning("live.redis_away", error=type(error).__name__)
            await asyncio.sleep(self._pause * random.uniform(0.5, 1))  # noqa: S311
            self._pause = min(LONGEST_PAUSE, self._pause * 2)

    async def _hear(self, pubsub: PubSub) -> None:
        """Passes on what Redis says. Ends by one of GONE or Silent. No other task uses this connection."""
        clock = asyncio.get_running_loop().time
        await pubsub.subscribe(channel(self._backing, None))  # one may only wait for words where one subscribed
        followed: dict[bytes, ObjectId] = {}
        heard = clock()
        while True:
            followed = await self._refollow(pubsub, followed)
            word = await self._word(pubsub)
            if word is not None:
                heard, self._pause = clock(), PAUSE
                self._pass_on(word, followed)
            elif clock() - heard > DEAD:
                raise Silent
            elif clock() - heard > QUIET:
                await pubsub.ping()

    async def _refollow(self, pubsub: PubSub, followed: dict[bytes, ObjectId]) -> dict[bytes, ObjectId]:
        """Subscribes to the workspaces that have come, and unsubscribes from those that have gone."""
        wanted = {channel(self._backing, each).encode(): each for each in self._rooms}
        if come := wanted.keys() - followed.keys():
            await pubsub.subscribe(*come)
        if gone := followed.keys() - wanted.keys():
            await pubsub.unsubscribe(*gone)
        return wanted

    async def _word(self, pubsub: PubSub) -> dict[str, Any] | None:
        """What Redis says next; None after QUIET, or when a room was opened or left."""
        try:
            async with asyncio.timeout(QUIET) as self._waiting:
                word: dict[str, Any] | None = await pubsub.get_message(timeout=None)
                return word
        except TimeoutError:
            return None
        finally:
            self._waiting = None

    def _interrupt(self) -> None:
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(0)

    def _pass_on(self, word: Mapping[str, Any], followed: Mapping[bytes, ObjectId]) -> None:
        if word["type"] == "message" and word["channel"] == channel(self._backing, None).encode():
            self._left.set()
            return
        workspace_id = followed.get(word["channel"])
        room = self._rooms.get(workspace_id) if workspace_id else None
        if room is None:
            return
        if word["type"] == "subscribe":
            self._unsure.add(room.workspace_id)
            self._looked_for.set()
        elif word["type"] == "message":
            try:
                room.hear(unpacked(word["data"]))
            except msgspec.MsgspecError:
                log.warning("live.not_ours", channel=word["channel"])

    # Mongo

    async def _look(self) -> None:
        """Finds what Redis did not say, and fills the tapes that are behind."""
        clock = asyncio.get_running_loop().time
        looked = clock() - LOOK
        while True:
            due = clock() - looked >= LOOK
            asked, self._unsure = (list(self._rooms) if due else list(self._unsure)), set()
            looked = clock() if due else looked
            try:
                await self._learn(asked)
                await self._fill()
            except PyMongoError as error:
                log.warning("live.mongo_away", error=type(error).__name__)
            await self._look_again(within=looked + LOOK - clock())

    async def _learn(self, workspaces: Sequence[ObjectId]) -> None:
        for workspace_id, last in (await Relay.last_seqs(workspaces) if workspaces else {}).items():
            if workspace_id in self._rooms:
                self._rooms[workspace_id].know(last)

    async def _fill(self) -> None:
        while wanting := [room for room in self._rooms.values() if room.wanting]:
            await asyncio.gather(*(room.fill() for room in wanting))

    async def _look_again(self, *, within: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, within)):
                await self._looked_for.wait()
        self._looked_for.clear()

    # Ends

    async def _check(self) -> None:
        """Closes the sockets of those who were signed out or are not in the workspace any more."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._check_every):
                    await self._left.wait()
                await asyncio.sleep(TOGETHER)  # many may leave in one moment
            self._left.clear()
            try:
                welcome = await admitted({listener.admission for listener in self._listeners})
            except PyMongoError as error:
                log.warning("live.mongo_away", error=type(error).__name__)
                continue
            for listener in [each for each in self._listeners if each.admission not in welcome]:
                listener.end(SIGNED_OUT)
