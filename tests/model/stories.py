"""The publishing engine as a state machine of hypothesis: a story that breaks something is cut down to its shortest.

It lives in the explorer's world, but nothing is left to dice there: whose step comes next, what is lost, who dies, who
stands still, what a platform answers and what people do are the story's own sentences. The explorer goes further, for
it takes thousands of steps in the time of one story; this one says in a few lines what it takes to break something.

For a process of its own, as `installed.install` is.
"""

import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from pymongo.errors import AutoReconnect

from tests.model import people
from tests.model.explorer import in_memory
from tests.model.installed import bind
from tests.model.planted import named, plant
from tests.model.platform import SETTLES
from tests.model.schedule import Schedule
from tests.model.world import DOUBTS, REFUSALS, STANDS, Step, Violation, World

T = TypeVar("T")
SENTENCES = 15  # of a story, at most
SPANS = (0.5, 3.0, 10.0, 40.0, 130.0, 1000.0)  # seconds that go by
QUIET = {  # a schedule in which nothing happens of itself
    **dict.fromkeys(("trouble", "skewed"), 0.0),
    **dict.fromkeys(("crashes", "pauses", "people", "stops"), 0),
    **dict.fromkeys(("media", "same_words", "duplicates", "gap"), False),
    **dict.fromkeys(("deadline", "outage"), None),
    **dict.fromkeys(("hosts", "accounts", "parts", "apart"), 1),
    **dict.fromkeys(("instances", "publications"), 2),
    "due_in": 3.0,
}
few, either = st.integers(0, 2), st.booleans()


class Even(random.Random):
    """Dice that always fall alike: nothing happens that is merely possible."""

    def random(self) -> float:
        """As much as can be."""
        return 0.999

    def choice(self, of: Sequence[T]) -> T:  # type: ignore[override]
        """The one in the middle."""
        return of[len(of) // 2]

    def uniform(self, a: float, b: float) -> float:
        """The middle."""
        return (a + b) / 2

    def randrange(self, start: int, *_: Any) -> int:
        """The first."""
        return 0


class Told(World):
    """A world in which happens what it is told."""

    def __init__(self, **schedule: Any) -> None:
        super().__init__(Schedule.of(0, **(QUIET | schedule)), in_memory)
        self.dice, self.eager = Even(), 0.0
        self.outcomes: deque[str] = deque()  # of the next requests

    def outcome_of_publish(self, again: bool) -> str:
        """What was told, and else it is taken."""
        return self.outcomes.popleft() if self.outcomes and not self.healed else "taken"

    def _pick(self) -> bool:
        return self.pick(0)

    def pick(self, at: int) -> bool:
        """The `at`-th of all steps that can be made now. False if there is none."""
        waiting = [*self.asked, *(each for each in self.answers if not each.instance.paused)]
        if not waiting:
            return False
        step = waiting[at % len(waiting)]
        if step in self.asked:
            self.asked.remove(step)
            self._ask(step)
        else:
            self.answers.remove(step)
            self._hear(step)
        return True

    def happens(self, what: Callable[[], object]) -> None:
        """Something happens, and what follows of itself. Violation if anything does not hold."""
        self.steps = 0
        with self.loop:
            what()
            self.loop.settle()
            self._checked()

    def goes_on(self, steps: int, at: int) -> None:
        """So many steps are made, each the `at`-th of those that can be."""
        for _ in range(steps):
            self.loop.settle()
            self._checked()
            if not self.pick(at):
                return

    def goes_by(self, seconds: float) -> None:
        """Time goes by, and all that can be done in it is done."""
        until = self.loop.now + seconds
        while True:
            self.loop.settle()
            self._checked()
            if not self._pick() and not self.loop.jump(until):
                return

    def dies_with(self, instance: Any, done: bool) -> None:
        """An instance dies, and what it has just asked of the database is still `done` or never arrives."""
        for step in [each for each in self.asked if each.instance is instance and done]:
            self.asked.remove(step)
            self._carried(step)
        self.dies(instance, back_in=0.5)

    def loses(self, step: Step, done: bool) -> None:
        """The connection breaks before the database has `done` it or after."""
        self.asked.remove(step)
        if done:
            self._carried(step)
        step.answer = AutoReconnect("the connection was lost")
        self._hear(step)

    def ends(self) -> None:
        """Nothing more is told: all must come to rest as it should."""
        self._heal()
        self._come_to_rest()
        self.invariants.in_the_end()

    def of(self, number: int) -> Any:
        """One of the instances that are alive."""
        alive = [each for each in self.instances if each.alive]
        return alive[number % len(alive)]

    def questions(self) -> list[Step]:
        """What the database is asked and has not begun."""
        return [each for each in self.asked if each.mongo]


class Publishing(RuleBasedStateMachine):
    """Two instances, one account, two publications that fall due a second apart. `fixed`: what is otherwise."""

    fixed: dict[str, Any] = {}  # noqa: RUF012 - of a class that is made for each run
    world: Told

    @initialize(settles=st.sampled_from(SETTLES), lag=st.sampled_from((0.5, 25.0)))
    def begins(self, settles: str, lag: float) -> None:
        """Somebody has planned two posts on a platform that settles so, and shows what is new after `lag` seconds."""
        self.world = Told(**({"settles": settles, "lag": lag} | self.fixed))
        bind(self.world)
        self.world.happens(self.world._set_up)
        self.broken = False

    @rule(steps=st.integers(1, 8), at=few)
    def goes_on(self, steps: int, at: int) -> None:
        """Somebody gets a little further."""
        self._happens(lambda: self.world.goes_on(steps, at))

    @rule(seconds=st.sampled_from(SPANS))
    def goes_by(self, seconds: float) -> None:
        """Time goes by."""
        self._happens(lambda: self.world.goes_by(seconds))

    @precondition(lambda self: any(each.alive for each in self.world.instances))
    @rule(which=few, done=either)
    def dies(self, which: int, done: bool) -> None:
        """SIGKILL; another one is there soon."""
        self._happens(lambda: self.world.dies_with(self.world.of(which), done))

    @precondition(lambda self: any(each.alive for each in self.world.instances))
    @rule(which=few, seconds=st.sampled_from(STANDS))
    def stands_still(self, which: int, seconds: float) -> None:
        """A process is not let run."""
        self._happens(lambda: self.world.stands_still(self.world.of(which), seconds))

    @precondition(lambda self: self.world.questions())
    @rule(which=few, done=either)
    def loses(self, which: int, done: bool) -> None:
        """An answer of the database's is lost, or the question."""
        questions = self.world.questions()
        self._happens(lambda: self.world.loses(questions[which % len(questions)], done))

    @rule(what=st.sampled_from((*DOUBTS, *REFUSALS)))
    def will_answer(self, what: str) -> None:
        """The platform does so with the next request that has no such word yet."""
        self.world.outcomes.append(what)

    @precondition(lambda self: any(each.alive for each in self.world.instances))
    @rule(what=st.sampled_from(sorted(set(people.ACTS))), which=few, through=few)
    def asks_for(self, what: str, which: int, through: int) -> None:
        """Somebody edits, cancels, moves, plans anew, holds everything for a while, decides..."""
        publications = list(self.world.invariants.publications.values())
        publication = publications[which % len(publications)]
        self._happens(lambda: people.does(what, publication, self.world.of(through), self.world))

    def teardown(self) -> None:
        """All that was begun comes to its end."""
        if not hasattr(self, "world"):
            return
        try:
            if not self.broken:
                self.world.happens(self.world.ends)
        finally:
            with self.world.loop:
                self.world._bury()
            self.world.forget()

    def _happens(self, what: Callable[[], object]) -> None:
        try:
            self.world.happens(what)
        except BaseException:
            self.broken = True
            raise


def shortest(bug: str | None, stories: int) -> str | None:
    """Tries so many stories, with a planted `bug` if one is named. The shortest that breaks something and what it
    breaks, a sentence a line; None if none does."""
    fixed = {}
    if bug is not None:
        plant(named(bug))
        fixed = dict(named(bug).fixed)
    machine = type("Publishing", (Publishing,), {"fixed": fixed})
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=stories,
                stateful_step_count=SENTENCES,
                database=None,
                deadline=None,
                derandomize=True,
                report_multiple_bugs=False,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
        )
    except Violation as violation:
        told = [line for note in violation.__notes__ for line in note.splitlines() if line.startswith("state.")]
        return "\n".join([*(line for line in told if line != "state.teardown()"), str(violation)])
    return None
