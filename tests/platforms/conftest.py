"""A platform and its sandbox, put together for the contract suite."""

import base64
from collections.abc import AsyncIterator

import pytest

from social.backing.outbound import Outbound
from social.platforms import PLATFORMS
from social.settings import Settings, Times
from tests.platforms.rigs import RIGS, Rig
from tests.servers.sandbox import Sandbox


@pytest.fixture
async def outbound(sandbox: Sandbox) -> AsyncIterator[Outbound]:
    """The product's own sessions, with the sandbox switched on."""
    settings = Settings(
        mongo_url="mongodb://127.0.0.1:1",
        redis_url="redis://127.0.0.1:1",
        s3_endpoint="http://127.0.0.1:1",
        s3_access_key="none",
        s3_secret_key="none",
        master_key=base64.b64encode(bytes(32)).decode(),
        sandbox_url=sandbox.url,
        times=Times(http_timeout=2),
    )
    async with Outbound.opened(settings) as outbound:
        yield outbound


@pytest.fixture(params=PLATFORMS.values(), ids=lambda platform: platform.name)
def rig(request: pytest.FixtureRequest, sandbox: Sandbox, outbound: Outbound) -> Rig:
    """One platform after the other, each against its sandbox."""
    return RIGS[request.param.name](request.param, sandbox, outbound)
