"""What the fault tests share. Their rows are those of the list of faults: `@pytest.mark.rows("F3", "F4")`."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

from social.settings import Settings
from tests.faults.ledger import FULL, LARGE, Figures
from tests.faults.scene import Scene, scene
from tests.faults.wire import Wire
from tests.servers.sandbox import Sandbox

ROWS = "FAULTS_ROWS"  # the rows to run, with commas between them; else all
MINUTES = "FAULTS_MINUTES"  # the time after which the storm is over, however many there were
PATIENCE = 6 * 3600  # seconds that a test of these sizes may take
HERE = Path(__file__).parent


class Scenes(Protocol):
    """Makes a scene on the sandbox without quotas; its options are `scene.scene`'s, `settings` changed where given."""

    async def __call__(self, settings: Settings | None = None, **options: Any) -> Scene: ...


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """All of these are slow; with ROWS set only those of its rows are run. In large sizes they have all the time they
    need."""
    wanted = {row for row in os.environ.get(ROWS, "").split(",") if row}
    chosen, others = [], []
    for item in items:
        if HERE not in item.path.parents:
            chosen.append(item)
            continue
        item.add_marker(pytest.mark.slow)
        if LARGE:
            item.add_marker(pytest.mark.timeout(PATIENCE), append=False)
        marks = {row for mark in item.iter_markers("rows") for row in mark.args}
        (chosen if not wanted or wanted & marks else others).append(item)
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = chosen


@pytest.fixture
def size() -> Callable[[int, int], int]:
    """Of two sizes the one to run: `size(in CI, by hand)`."""
    return lambda small, large: large if os.environ.get(FULL) else small


@pytest.fixture(scope="session")
def generous_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox without quotas as a process of its own."""
    sandbox = Sandbox(tmp_path_factory.mktemp("generous"), rate_scale=0)
    sandbox.start()
    yield sandbox
    sandbox.kill()


@pytest.fixture
def generous(generous_process: Sandbox) -> Sandbox:
    """The sandbox without quotas, empty and without trouble."""
    generous_process.reset()
    return generous_process


@pytest.fixture
def wire(generous: Sandbox) -> Iterator[Wire]:
    """A wire to the sandbox, for a scene whose product is to reach it that way."""
    with Wire(int(generous.url.rpartition(":")[2])) as wire:
        yield wire


@pytest.fixture
async def stage(settings: Settings, process: str, generous: Sandbox, tmp_path: Path) -> AsyncIterator[Scenes]:
    """Makes this test's scene."""
    async with AsyncExitStack() as stack:

        async def make(own: Settings | None = None, **options: Any) -> Scene:
            made: AbstractAsyncContextManager[Scene] = scene(
                msgspec.structs.replace(own or settings, mongo_database=f"faults_{process}"),
                tmp_path,
                generous,
                **options,
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
