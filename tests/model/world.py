"""The simulated world: who goes on next, what time it is, what is lost, who dies. One seed, one course of events."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo.errors import AutoReconnect, PyMongoError

from social.backing.quotas_here import Here
from social.errors import Refused
from social.platforms.contract import Turn
from social.publishing import due
from social.publishing.prepare import _Lost
from tests.model import people, scene
from tests.model.driver import Client, Named
from tests.model.instance import SETTINGS, Instance
from tests.model.invariants import Invariants
from tests.model.loop import INSTANCE, PERSON, VirtualLoop
from tests.model.platform import Live, Simulated
from tests.model.schedule import START, Schedule

STEPS = 6_000  # after which a schedule that has not come to rest never will
PATIENCE = 30 * 3600.0  # seconds of its own time in which it must
LOOK_AHEAD = timedelta(seconds=2)
SLOW = 3.0  # seconds that the database may let somebody wait at one step
FALLBACK = 60.0  # seconds between looks that nothing calls for
STANDS = (3.0, 20.0, 31.0, 45.0, 58.0, 62.0, 80.0, 130.0)  # seconds that a process may stand still
REFUSALS = ("quota", "rejected", "busy", "disconnected", "operator", "unprepared")
DOUBTS = ("lost before", "lost after", "late", "trouble after")


class Violation(Exception):
    """An invariant does not hold: its name, and what was seen."""


@dataclass(slots=True, eq=False)
class Step:
    """What an instance waits for: to be carried out, or (`done`) to hear the answer."""

    instance: Instance
    name: str
    carry: Callable[[], Any] | None
    writes: bool
    mongo: bool
    heard: asyncio.Future[Any]
    answer: Any = None
    person: bool = False
    of: str = ""  # the collection

    def __str__(self) -> str:
        return f"{self.of}.{self.name}" if self.of else self.name


class World:
    """Everything there is. `run` lets it happen and raises Violation for the first thing that must not."""

    def __init__(self, schedule: Schedule, store: Callable[["World"], Any], tell: list[str] | None = None) -> None:
        """`store` makes the database; `tell` takes a line for every step, where one is given."""
        self.schedule = schedule
        self.dice = random.Random(schedule.seed ^ 0x5EED)
        self.loop = VirtualLoop()
        self._now_at, self._now = 0.0, START
        self.asked: list[Step] = []
        self.answers: list[Step] = []
        self.instances: list[Instance] = []
        self.healed = False
        self.actor: Instance | None = None
        self.by_person = False
        self.trouble = schedule.trouble
        self.eager = self.dice.choice((0.0, 0.5, 0.8))
        self.steps = 0
        self.looks = 0
        self._tell = tell
        self._pids = 100
        self._wakes: set[float] = set()
        self.started: dict[int, str] = {}  # the host of each process that is alive
        self.words: dict[Any, set[str]] = {}  # every text that a publication ever had
        self.holding: set[Any] = set()  # the holds that were acknowledged and not ended
        self.let_go: set[Any] = set()  # the holds that somebody wanted ended
        self.violation = Violation
        self.gate, self.scripts = Here(), {"gate"}
        self.store = store(self)
        self.client = Client(self)
        self.db = Named(self, self.client)
        self.platform = Simulated(self, schedule.settles, schedule.lag, schedule.duplicates)
        self.invariants = Invariants(self)
        self.store.seen = self._changed

    # Time and chance.

    def now(self) -> datetime:
        """The database server's present, which is the world's."""
        at = self.loop.now
        if at != self._now_at:
            self._now_at, self._now = at, self.instant(at)
        return self._now

    @staticmethod
    def instant(at: float) -> datetime:
        """An instant of the loop's clock, to the millisecond."""
        return START + timedelta(milliseconds=int(at * 1000))

    def chance(self, probability: float) -> bool:
        """Whether it happens."""
        return self.dice.random() < probability

    def faulty(self, probability: float) -> bool:
        """Whether it goes wrong: never once the world is healed."""
        return self.trouble > 0 and self.dice.random() < probability * self.trouble

    def at(self, when: float, then: Callable[[], object]) -> None:
        """Has `then` happen at `when`, whatever instance is at work now."""
        self.loop.outside(when, then)

    def trace(self, who: object, what: str) -> None:
        """Takes note of a step, where somebody wants to read it."""
        if self._tell is not None:
            self._tell.append(f"{self.loop.now:10.3f} {who!s:9} {what}")

    # What happens to instances.

    def born(self) -> Instance:
        """A new process begins; its first look comes at once."""
        self._pids += 1
        skew = self.dice.uniform(-1, 1) * self.schedule.skewed
        host = f"host {self.dice.randrange(self.schedule.hosts)}"
        instance = Instance(world=self, pid=self._pids, host=host, skew=skew, boot=self.dice.uniform(0, 1e5))
        self.instances.append(instance)
        self.started[instance.pid] = host
        self.trace(instance, f"begins on {host}")
        instance.begin(self._begun(instance), "begin")
        return instance

    async def _begun(self, instance: Instance) -> None:
        with suppress(PyMongoError):
            await instance.backing.clock.ask(instance.backing.client)  # type: ignore[arg-type]
        await due.look(instance.backing)

    def dies(self, instance: Instance, back_in: float | None = None) -> None:
        """SIGKILL: nothing of it ever goes on; what it had asked for may still be done."""
        if not instance.alive:
            return
        self.trace(instance, "dies")
        instance.alive = False
        del self.started[instance.pid]
        self.answers = [each for each in self.answers if each.instance is not instance]
        left = [each for each in self.asked if each.instance is instance]
        self.asked = [each for each in self.asked if each.instance is not instance]
        for each in left:
            if each.mongo and each.writes and self.chance(0.5):
                self._carried(each)
        if not self.healed or not any(each.alive for each in self.instances):
            self.at(self.loop.now + (back_in or self.dice.choice((0.5, 3.0, 70.0, 200.0))), self.born)

    def _outage(self) -> None:
        """The power is gone, for longer than any key lives."""
        if not self.healed:
            for instance in self.instances:
                self.dies(instance, back_in=4000.0)
            self.horizon = max(self.horizon, self.loop.now + 4100)

    def stands_still(self, instance: Instance, seconds: float) -> None:
        """Neither its tasks nor its timers go on for so long."""
        self.trace(instance, f"stands still for {seconds:.0f} s")
        instance.paused_until = max(instance.paused_until, self.loop.now + seconds)

    def stops(self, instance: Instance) -> None:
        """SIGTERM: it ends what it has begun, and what takes too long is cut off."""
        if instance.alive and not instance.backing.stopping.is_set():
            self.trace(instance, "is stopped")
            instance.backing.stopping.set()
            self.at(self.loop.now + self.dice.choice((0.0, 1.0, 30.0)), lambda: self._cut_off(instance))

    def _cut_off(self, instance: Instance) -> None:
        if instance.alive:
            left = list(instance.at_work())
            self.trace(instance, f"is cut off with {len(left)} tasks")
            for task in left:
                task.cancel()
            self.at(self.loop.now + 2, lambda: self.dies(instance))

    # What wakes them.

    def wake(self, when: float) -> None:
        """Somebody looks at about `when`: a hint, or a clock's tick. Maybe several at once."""
        when = round(max(when, self.loop.now), 1)
        if when not in self._wakes:
            self._wakes.add(when)
            self.at(when, lambda: self._woken(when))

    def _woken(self, when: float) -> None:
        self._wakes.discard(when)
        able = [each for each in self.instances if each.alive and not each.backing.stopping.is_set()]
        if not able or (not self.invariants.due(self.now() + LOOK_AHEAD) and self.chance(0.8)):
            return  # most looks would see nothing
        first = self.dice.choice(able)
        several = able if self.chance(0.3) else [first, first] if self.chance(0.1) else [first]
        for each in several:
            if each.paused:
                self.wake(each.paused_until + 0.1)
            else:
                self.looks += 1
                each.begin(due.look(each.backing), "look")

    def _tick(self) -> None:
        """The clock of whoever is there ticks whether or not something calls for it."""
        self._ticking += 1
        self.at(self.loop.now + self._idle(), lambda number=self._ticking: self._ticked(number))  # type: ignore[misc]

    def _ticked(self, number: int) -> None:
        if number == self._ticking:
            if not self.settled():
                self.wake(self.loop.now)
            self._tick()

    def _idle(self) -> float:
        """The longer nothing happens, the longer nobody looks: nothing would be seen."""
        until = self._next_change()
        return FALLBACK if until is None else max(FALLBACK, until - self.loop.now)

    def _next_change(self) -> float | None:
        ahead = [each for each in self.invariants.awaited() if each > self.loop.now]
        return min(ahead, default=None)

    # Steps.

    async def step(self, name: str, carry: Callable[[], Any], *, writes: bool, mongo: bool = True, of: str = "") -> Any:
        """What `carry` answers when the dice say that it is its turn; for ever nothing if its instance dies first."""
        instance = INSTANCE.get()
        if instance is None:
            return carry()
        if not instance.alive:
            raise asyncio.CancelledError
        if self.eager and self.dice.random() < self.eager:  # some schedules are made of long runs
            self.actor, self.by_person = instance, PERSON.get()
            try:
                answer = carry()
            finally:
                self.actor, self.by_person = None, False
            if self._tell is not None:
                self.trace(instance, f"{f'{of}.{name}' if of else name} -> {_short(answer)}")
            return answer
        heard: asyncio.Future[Any] = asyncio.Future(loop=self.loop)
        self.asked.append(Step(instance, name, carry, writes, mongo, heard, None, PERSON.get(), of))
        return await heard

    def answer(self, instance: Instance, heard: asyncio.Future[Any], answer: Any) -> None:
        """Something from outside arrives at `instance`, which hears it when it goes on."""
        if instance.alive:
            self.answers.append(Step(instance, "answer", None, False, False, heard, answer))

    def _pick(self) -> bool:
        """One step of one instance. False if nobody waits for anything."""
        deliverable = self.answers
        if deliverable and any(each.instance.paused_until > self.loop.now for each in deliverable):
            deliverable = [each for each in deliverable if not each.instance.paused]
        count = len(self.asked)
        total = count + len(deliverable)
        if not total:
            return False
        at = int(self.dice.random() * total) if total > 1 else 0
        if at < count:
            step = self.asked[at]
            self.asked[at] = self.asked[-1]
            self.asked.pop()
            self._ask(step)
        else:
            step = deliverable[at - count]
            self.answers.remove(step)
            self._hear(step)
        return True

    def _ask(self, step: Step) -> None:
        fate = self._fate(step)
        if fate == "lost":
            step.answer = AutoReconnect("the connection was lost before it arrived")
        else:
            self._carried(step)
            if fate == "unheard":
                step.answer = AutoReconnect("the connection was lost after it arrived")
        if self._tell is not None:
            self.trace(step.instance, f"{step}{f' ({fate})' if fate else ''} -> {_short(step.answer)}")
        if fate == "dies":
            self.dies(step.instance)
        elif step.instance.paused or self.chance(0.15):
            self.answers.append(step)
        else:
            self._hear(step)

    def _fate(self, step: Step) -> str:
        """What happens to a request and its answer."""
        if not self.trouble:
            return ""
        die = self.dice.random()
        if self._pauses and step.of == "lanes" and step.mongo and self.chance(0.05):
            die = self._deadly / 2  # the lease runs meanwhile
        if die < self._deadly:
            if self._crashes > 0 and self.chance(0.6):
                self._crashes -= 1
                if self.chance(0.5):
                    self.trace(step.instance, f"{step} (dies before)")
                    step.mongo = False
                    self.asked.append(step)
                    self.dies(step.instance)
                    step.carry = None
                return "dies"
            if self._pauses > 0:
                self._pauses -= 1
                self.stands_still(step.instance, self.dice.choice(STANDS))
                return ""
        if step.mongo and die > 1 - 0.012 * self.trouble / (1 - self.eager):
            return "lost" if self.chance(0.4) or not step.writes else "unheard"
        return ""

    def _carried(self, step: Step) -> None:
        if step.carry is None:
            return
        self.actor, self.by_person = step.instance, step.person
        try:
            step.answer = step.carry()
        except (PyMongoError, Refused) as error:
            step.answer = error
        except Violation:
            raise
        except Exception as error:
            step.answer = error
        finally:
            self.actor, self.by_person = None, False

    def _hear(self, step: Step) -> None:
        if step.heard.done() or not step.instance.alive:
            return
        if isinstance(step.answer, BaseException):
            step.heard.set_exception(step.answer)
        else:
            step.heard.set_result(step.answer)

    # The whole of it.

    def run(self) -> None:
        """Everything, from the first look to the rest that must come."""
        with self.loop:
            try:
                self._set_up()
                self._live_through()
                self._come_to_rest()
                self.invariants.in_the_end()
            finally:
                self._bury()

    def _set_up(self) -> None:
        self._crashes, self._pauses = self.schedule.crashes, self.schedule.pauses
        self._deadly = 0.02 * (self._crashes + self._pauses) / (1 - self.eager)
        for name, documents in scene.documents(self.schedule, START).items():
            self.store[name].insert(documents)
        for _ in range(self.schedule.instances):
            self.born()
        self.horizon = horizon = self.dice.choice((20.0, 60.0, 200.0, 700.0))
        self.last_act = 0.0
        for _ in range(self.schedule.people):
            when = self.dice.uniform(0, horizon) * self.dice.random()
            self.last_act = max(self.last_act, when)
            self.at(when, lambda: people.act(self))
        if self.schedule.outage is not None:
            self.at(self.schedule.outage, self._outage)
        for _ in range(self.schedule.stops):
            self.at(self.dice.uniform(0, horizon), lambda: self.stops(self.dice.choice(self.instances)))
        self._ticking = 0
        self._tick()

    def _live_through(self) -> None:
        while self.loop.now < self.horizon:
            self.loop.settle()
            self._checked()
            if self.asked or self.answers:
                if self.chance(0.97) and self._pick():
                    continue
                if any(not each.instance.paused for each in (*self.asked, *self.answers)):
                    self.loop.jump(min(self.horizon, self.loop.now + self.dice.uniform(0, SLOW)))
                    continue
            if self.settled() and not self._busy() and self.loop.now > self.last_act:
                break
            self.loop.jump(self.horizon)
        self._heal()

    def _heal(self) -> None:
        """Nothing goes wrong any more, and somebody is there."""
        self.trace("world", "is healed")
        self.healed, self.trouble, self._deadly = True, 0.0, 0.0
        for each in self.instances:
            each.paused_until = min(each.paused_until, self.loop.now)
        if not any(each.alive and not each.backing.stopping.is_set() for each in self.instances):
            self.born()
        people.let_everything_go_on(self)
        self.wake(self.loop.now)
        self._tick()

    def _come_to_rest(self) -> None:
        until = self.loop.now + PATIENCE
        while True:
            self.loop.settle()
            self._checked()
            if self._pick():
                continue
            if self.settled() and not self._busy():
                return
            if self.loop.next_timer() is None or self.loop.now >= until:
                return
            self.loop.jump(until)

    def _busy(self) -> bool:
        return any(each.alive and each.at_work() for each in self.instances) or any(self.platform.on_the_way.values())

    def settled(self) -> bool:
        """Whether everything has come to an end, or waits for a person."""
        return self.invariants.all_ended()

    def _checked(self) -> None:
        self.steps += 1
        if self.steps > STEPS:
            raise Violation(f"I4: it does not come to rest: {self.invariants.states()}")
        if self.invariants.broken:
            raise Violation(self.invariants.broken[0])
        if self.loop.wrong:
            raise Violation(f"an instance went wrong: {self.loop.wrong[0]}")

    def _bury(self) -> None:
        """Ends every task that is left, so that nothing of this world goes on in the next."""
        self.store.seen = None
        for instance in self.instances:
            instance.alive = False
        for _ in range(20):
            left = [task for instance in self.instances for task in instance.at_work()]
            if not left:
                break
            for task in left:
                task.cancel()
            self.loop.settle()
        self.asked.clear()
        self.answers.clear()

    def forget(self) -> None:
        """Cuts the rings that all this is made of, so that it goes at once."""
        for part in (*self.instances, self.platform, self.invariants, self.loop, self.client, self.db, self):
            part.__dict__.clear()

    # What others tell the world.

    def ended(self, task: asyncio.Task[Any]) -> None:
        """A look or a person's act has ended."""
        if task.cancelled() or self.store.seen is None:
            return
        error = task.exception()
        if error is not None and not isinstance(error, PyMongoError | Refused | asyncio.CancelledError | _Lost):
            self.loop.wrong.append(f"{task.get_name()}: {type(error).__name__}: {error}")
            self._raised = error

    def flush(self) -> None:
        """Redis forgets everything."""
        self.gate = Here()
        self.scripts.clear()

    def gap(self, instance: Instance) -> float:
        """Seconds that pass between the deadline's check and the write: none, unless the schedule is of that kind."""
        if self.schedule.gap and self.faulty(0.2):
            seconds = self.dice.choice((5.0, 70.0, 200.0, 320.0))
            self.stands_still(instance, seconds)
            return seconds
        return 0.0

    def outcome_of_publish(self, again: bool) -> str:
        """What will come of the next request. `again`: one under this key is known or on its way already."""
        if not self.trouble:
            return "taken"
        if again and self.chance(0.35):
            return self.dice.choice(REFUSALS)
        die = self.dice.random() / self.trouble
        if die < 0.3:
            return self.dice.choice(DOUBTS)
        if die < 0.4:
            return self.dice.choice(REFUSALS)
        return "taken"

    def handed_over(self, instance: Instance, turn: Turn, until: float) -> None:
        """The one request is written, and will be heard of at `until`: in between the instance may die or stand
        still."""
        self.trace(instance, f"sends part {turn.part} under {turn.key[:8]}")
        self.invariants.handed_over(instance, turn)
        if self.trouble and self.chance(0.15) and self._crashes > 0:
            self._crashes -= 1
            self.at(self.dice.uniform(self.loop.now, until), lambda: self.dies(instance))
        elif self.trouble and self.chance(0.15) and self._pauses > 0:
            self._pauses -= 1
            seconds = self.dice.choice(STANDS)
            self.at(self.dice.uniform(self.loop.now, until), lambda: self.stands_still(instance, seconds))

    def went_live(self, live: Live) -> None:
        """A post became public."""
        self.invariants.went_live(live)

    def _changed(self, table: Any, before: Any, after: Any) -> None:
        self.invariants.changed(table.name, before, after)

    @property
    def times(self) -> Any:
        """The protocol's times."""
        return SETTINGS.times


def _short(answer: Any) -> str:
    if isinstance(answer, BaseException):
        return f"{type(answer).__name__}: {answer}"[:120]
    text = repr(answer)
    return text if len(text) < 160 else text[:157] + "..."
