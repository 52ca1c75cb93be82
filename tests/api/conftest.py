"""The application alone, without the live hub and the engine."""

from collections.abc import AsyncIterator

import pytest

from social.backing import Backing
from tests.api.serving import Api, served


@pytest.fixture(scope="session")
async def running(session_backing: Backing) -> AsyncIterator[Api]:
    """Served once; `api` is what tests use."""
    async with served(session_backing) as api:
        yield api


@pytest.fixture
def api(backing: Backing, running: Api) -> Api:
    """Nobody is signed in; nothing is set up."""
    running.token = None
    return running
