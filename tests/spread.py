"""Which test process takes which tests: a file stays together, but long runs of one file go wherever there is room."""

from xdist.scheduler import LoadFileScheduling

ALONE = ("tests/model/test_orders.py",)  # whose tests share nothing


class Spread(LoadFileScheduling):
    """As `--dist loadfile`, but for files whose tests are each on their own. The processes take those last."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return nodeid if file in ALONE else file
