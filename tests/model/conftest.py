"""A process that the explorers run in, kept for all tests of one test process: it takes seconds to begin."""

from collections.abc import Iterator

import pytest

from tests.model.parallel import Simulated


@pytest.fixture(scope="session")
def simulated() -> Iterator[Simulated]:
    """A simulated process."""
    with Simulated() as processes:
        yield processes
