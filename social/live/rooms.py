"""What one workspace's sockets in this process hear: one tape of events, and each socket's own place on it.

The tape is the newest events as texts, made once for all sockets, without gap, kept until all have heard them. Each
socket reads on at its own pace, so it costs a number and not a queue; one that the tape leaves behind is closed and
resumes from Mongo. When events come faster than even the fastest socket takes them, the tape waits for that one, and is
filled from Mongo later.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence

import msgspec
from bson import ObjectId

from social.events import Event
from social.outbox.bus import Message, frame
from social.outbox.documents import Relay, Row
from social.people.tickets import Admission

EVENTS, LENGTH = 1_000, 2**20  # of a tape, the latter in characters; half of it may lie before the fastest socket
ASIDE = 50  # ticks and pongs waiting for one socket; the oldest are of least interest
TOGETHER = 20  # events a socket is sent before others have their turn
PAGE = 100  # events read from Mongo at a time

SIGNED_OUT, RESTART, TRY_AGAIN = 4401, 1012, 1013  # what a socket is closed with


class Hello(msgspec.Struct, frozen=True, tag_field="type", tag="hello"):
    """The first a socket is sent. The next event is the one after `seq`."""

    seq: int
    workspace: str


class Refetch(msgspec.Struct, frozen=True, tag_field="type", tag="refetch"):
    """Events were missed that are not kept any more: fetch everything anew. The next event is the one after `seq`."""

    seq: int


class Listener:
    """One socket: whom it was let in for, how far it has heard, and what it is to be closed with, once it is."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.heard = 0  # the number of the last event it was handed
        self.caught_up = False
        self.code: int | None = None
        self._aside: deque[str] = deque(maxlen=ASIDE)
        self._woken = asyncio.Event()

    def say(self, text: str) -> None:
        """Sends it something without a number."""
        self._aside.append(text)
        self.wake()

    def end(self, code: int) -> None:
        """Has it closed with `code`, unless it already is to be closed."""
        self.code = self.code or code
        self.wake()

    def wake(self) -> None:
        """Lets it see whether there is something for it."""
        self._woken.set()

    def aside(self) -> list[str]:
        """What it was said meanwhile."""
        said = list(self._aside)
        self._aside.clear()
        return said

    async def woken(self) -> None:
        """Returns when there may be something for it."""
        await self._woken.wait()
        self._woken.clear()


class Tape:
    """The texts of the events from number `start` + 1 to `seq`, all of them: at most EVENTS, and LENGTH and a text."""

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self._texts: deque[str] = deque()
        self._length = 0

    @property
    def start(self) -> int:
        return self.seq - len(self._texts)

    def after(self, heard: int, most: int = EVENTS) -> list[str]:
        """At most `most` texts from the one after number `heard` on; none if that one is not on the tape."""
        first = heard - self.start
        return [self._texts[place] for place in range(first, min(first + most, len(self._texts)))] if first >= 0 else []

    def full(self, fastest: int | None) -> bool:
        """Whether half a tape lies before the socket that has heard most, up to number `fastest` (None: no socket)."""
        return _half(self._unheard(fastest))

    def extend(self, texts: Sequence[str], fastest: int | None) -> None:
        """The next events, until it is full. The oldest that the fastest socket has heard make room for them."""
        unheard = self._unheard(fastest)
        for text in texts:
            if _half(unheard):
                break
            if unheard is not None:
                unheard = (unheard[0] + 1, unheard[1] + len(text))
            self._texts.append(text)
            self._length += len(text)
            self.seq += 1
            while self._over() and self.start < (self.seq - 1 if fastest is None else fastest):
                self.forget(self.start + 1)

    def forget(self, heard: int) -> None:
        """Drops the events up to number `heard`. Whoever comes back for them finds them in Mongo."""
        while self._texts and self.start < heard:
            self._length -= len(self._texts.popleft())

    def _unheard(self, fastest: int | None) -> tuple[int, int] | None:
        """How many events lie before the fastest socket, and their length."""
        if fastest is None:
            return None
        texts = self.after(fastest)
        return len(texts), sum(map(len, texts))

    def _over(self) -> bool:
        return len(self._texts) > EVENTS or self._length > LENGTH


class Room:
    """The sockets of one workspace, and its tape once that has been opened.

    `look` is called when the tape is behind and somebody should fill it; `reading` bounds how many read from Mongo.
    """

    def __init__(self, workspace_id: ObjectId, *, look: Callable[[], None], reading: asyncio.Semaphore) -> None:
        self.workspace_id = workspace_id
        self.listeners: set[Listener] = set()
        self._tape: Tape | None = None
        self._known = 0  # the highest number that was seen
        self._opening = asyncio.Lock()
        self._look = look
        self._reading = reading

    @property
    def wanting(self) -> bool:
        """Whether there are events that could be put on the tape and are not."""
        return self._tape is not None and self._tape.seq < self._known and not self._tape.full(self._fastest())

    def hear(self, message: Message) -> None:
        """Takes what the bus brought. What does not follow on the tape is old, or shows that something is missing."""
        texts = [bytes(event).decode() for event in message.events]
        if not message.last:
            for listener in self.listeners:
                for text in texts:
                    listener.say(text)
        else:
            self._add(message.last - len(texts) + 1, texts)
            self.know(message.last)

    def know(self, last: int) -> None:
        """Learns that events up to number `last` exist."""
        self._known = max(self._known, last)
        if self.wanting:
            self._look()

    async def fill(self) -> None:
        """Puts the next missing events on the tape. Those that are not kept any more are passed by."""
        tape, last = await self._opened(), self._known
        after = tape.seq
        events = await self._read(after, last)
        if _follow(events, after):
            self._add(after + 1, [_text(event) for event in events])
        elif tape.seq == after:  # sockets are left behind, resume, and are told to fetch anew
            self._tape = Tape(last)
            self._wake()

    async def told(self, listener: Listener, after: int | None) -> AsyncGenerator[Sequence[str], None]:
        """What `listener` is to be sent: from now on, or from the event after number `after` on. Ends when it is ended.

        A PyMongoError ends it too: nothing is lost, it may resume.
        """
        tape = await self._opened()
        listener.heard = tape.seq if after is None else after
        yield [_said(Hello(listener.heard, str(self.workspace_id)))]
        if listener.heard > tape.seq and listener.heard > await self._newest():
            yield self._refetch(listener)
        while listener.code is None:
            yield await self._next(listener)

    async def _next(self, listener: Listener) -> Sequence[str]:
        tape = await self._opened()
        if said := listener.aside():
            return said
        if texts := tape.after(listener.heard, TOGETHER):
            listener.heard += len(texts)
            return texts
        if listener.heard >= tape.seq:
            return await self._awaited(listener)
        if listener.caught_up:  # and has been left behind since
            listener.end(TRY_AGAIN)
            return []
        return await self._replayed(listener, tape.seq)

    async def _awaited(self, listener: Listener) -> Sequence[str]:
        listener.caught_up = True
        if self.wanting:  # the tape may have waited for this one
            self._look()
        await listener.woken()
        return []

    async def _replayed(self, listener: Listener, last: int) -> Sequence[str]:
        events = await self._read(listener.heard, last)
        if not _follow(events, listener.heard):
            return self._refetch(listener)
        listener.heard += len(events)
        return [_text(event) for event in events]

    def _refetch(self, listener: Listener) -> Sequence[str]:
        listener.heard = self._tape.seq if self._tape else 0
        return [_said(Refetch(listener.heard))]

    def _add(self, first: int, texts: Sequence[str]) -> None:
        if self._tape is None:
            return
        if first <= self._tape.seq + 1:
            heard = [listener.heard for listener in self.listeners if listener.caught_up]
            self._tape.forget(min(heard, default=self._tape.seq))
            self._tape.extend(texts[self._tape.seq + 1 - first :], self._fastest())
            self._wake()

    def _wake(self) -> None:
        for listener in self.listeners:
            listener.wake()

    def _fastest(self) -> int | None:
        return max((listener.heard for listener in self.listeners if listener.caught_up), default=None)

    async def _opened(self) -> Tape:
        if self._tape is None:
            async with self._opening:
                if self._tape is None:
                    self._tape = Tape(await self._newest())
        return self._tape

    async def _newest(self) -> int:
        self.know((await Relay.last_seqs([self.workspace_id])).get(self.workspace_id, 0))
        return self._known

    async def _read(self, after: int, last: int) -> list[Event]:
        async with self._reading:
            return await Row.between(self.workspace_id, after, last, most=PAGE)


def _half(unheard: tuple[int, int] | None) -> bool:
    return unheard is not None and (unheard[0] >= EVENTS // 2 or unheard[1] >= LENGTH // 2)


def _follow(events: Sequence[Event], after: int) -> bool:
    """Whether they are the events after number `after`, with none missing."""
    return bool(events) and events[0].seq == after + 1 and events[-1].seq == after + len(events)


def _text(event: Event) -> str:
    return frame(event).decode()


def _said(said: Hello | Refetch) -> str:
    return msgspec.json.encode(said).decode()
