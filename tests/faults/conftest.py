"""What the fault tests share. Their rows are those of the list of faults: `@pytest.mark.rows("F3", "F4")`."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

from social.settings import Settings
from tests.faults.ledger import Figures
from tests.faults.scene import Scene, scene

FULL = "FAULTS_FULL"  # set: the sizes that are run by hand
ROWS = "FAULTS_ROWS"  # the rows to run, with commas between them; else all
HERE = Path(__file__).parent
# They want the machine to themselves: `python -m tests.bench faults` runs them, not every change.
collect_ignore_glob = [] if ROWS in os.environ else ["test_*.py"]


class Scenes(Protocol):
    """Makes a scene; its options are `scene.scene`'s, `settings` changed where given."""

    async def __call__(self, settings: Settings | None = None, **options: Any) -> Scene: ...


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """All of these are slow; with ROWS set only those of its rows are run."""
    wanted = {row for row in os.environ.get(ROWS, "").split(",") if row}
    chosen, others = [], []
    for item in items:
        if HERE not in item.path.parents:
            chosen.append(item)
            continue
        item.add_marker(pytest.mark.slow)
        marks = {row for mark in item.iter_markers("rows") for row in mark.args}
        (chosen if not wanted or wanted & marks else others).append(item)
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = chosen


@pytest.fixture
def size() -> Callable[[int, int], int]:
    """Of two sizes the one to run: `size(in CI, by hand)`."""
    return lambda small, large: large if os.environ.get(FULL) else small


@pytest.fixture
async def stage(settings: Settings, process: str, tmp_path: Path) -> AsyncIterator[Scenes]:
    """Makes this test's scene."""
    async with AsyncExitStack() as stack:

        async def make(own: Settings | None = None, **options: Any) -> Scene:
            made: AbstractAsyncContextManager[Scene] = scene(
                msgspec.structs.replace(own or settings, mongo_database=f"faults_{process}"), tmp_path, **options
            )
            return await stack.enter_async_context(made)

        yield make


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[..., Figures]:
    """Hands a test's figures to `python -m tests.bench faults`, and more by name; they must be faultless."""

    rows = [row for mark in request.node.iter_markers("rows") for row in mark.args]
    request.node.user_properties.append(("rows", ",".join(rows)))

    def reported(figures: Figures, **more: float) -> Figures:
        request.node.user_properties.extend((asdict(figures) | more).items())
        figures.faultless()
        return figures

    return reported
