"""Which test process takes which tests. A file stays together, but long runs of one file go wherever there is room.

The processes wait for half of their time, for leases, servers and browsers, so there is one more of them than cores.
So that they do not wait for the same thing, each begins with other work: the first with what breaks servers or measures
times, which so meets no other of its kind; the last, where there are three, with what only computes. Whoever has no
more of its own helps the others, and of each kind the longest begins first, so that what is left at the end is short.
"""

import os

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

LONE = ("tests/faults/", "tests/crashes/", "tests/bench/")  # where several programs are timed, or killed
ALONE = ("tests/model/test_orders.py",)  # whose tests share nothing, and only compute
SECONDS = {  # that one test takes, about, where it is not a moment
    "tests/faults/test_storm.py": 200.0,
    "tests/faults/": 20.0,
    "tests/bench/": 15.0,
    "tests/running/": 30.0,
    "tests/journeys/": 20.0,
    "tests/model/": 10.0,
    "tests/crashes/": 15.0,
    "tests/embedded/": 4.0,
    "tests/jobs/": 4.0,
}
A_MOMENT = 0.5


def processes(cores: int) -> int:
    """How many test processes a machine with so many cores takes."""
    return cores + 1


class Spread(LoadFileScheduling):
    """As `--dist loadfile`, but for whose turn it is."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return nodeid if file in ALONE else file

    def _assign_work_unit(self, node: WorkerController) -> None:
        likes = liked(_number(node), self.numnodes)
        scope = min(self.workqueue, key=lambda scope: (likes.index(kind(scope)), -weight(scope, self.workqueue[scope])))
        self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)


def liked(number: int, of: int) -> tuple[str, ...]:
    """The kinds of work that the process of that number takes, in the order it prefers them."""
    if number == 0:
        return ("lone", "usual", "computing")
    if number == of - 1 >= 2:
        return ("computing", "usual", "lone")
    return ("usual", "computing", "lone")


def kind(scope: str) -> str:
    """What kind of work a file or test is."""
    if scope.startswith(ALONE):
        return "computing"
    return "lone" if scope.startswith(LONE) else "usual"


def weight(scope: str, tests: dict[str, bool]) -> float:
    """How many seconds it takes, about."""
    each = max((begins for begins in SECONDS if scope.startswith(begins)), key=len, default="")
    return len(tests) * SECONDS.get(each, A_MOMENT)


def _number(node: WorkerController) -> int:
    """0 for gw0, and so on; one that takes the place of a dead process has a number beyond all."""
    return int(node.gateway.id.removeprefix("gw"))


def wanted() -> int | None:
    """How many processes `-n auto` means here; None if the environment says it."""
    return None if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS") else processes(len(os.sched_getaffinity(0)))
