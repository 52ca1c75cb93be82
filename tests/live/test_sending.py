"""What goes out is told the moment it is armed, to its own workspace alone, and what comes of it follows."""

import asyncio
from typing import Any

import pytest

from social.backing import Backing
from social.jobs.running import Running
from social.people.roles import Caller
from social.publishing.states import State
from tests.live.conftest import Instance, Member
from tests.publishing.conftest import account, connect, planned, until  # noqa: F401 - fixtures
from tests.servers.sandbox import Sandbox


@pytest.fixture
async def caller(member: Member) -> Caller:
    """Somebody who is signed in."""
    return await member()


@pytest.mark.slow
async def test_who_watches_hears_that_it_is_sent_and_then_that_it_is_online(
    live: Instance,
    member: Member,
    caller: Caller,
    planned: Any,  # noqa: F811
    backing: Backing,
    sandbox: Sandbox,
    engine: Running,
) -> None:
    ear, stranger = await live.ear(caller), await live.ear(await member())
    post = await planned(text="watch me")
    online = await until(post, State.ONLINE)
    async with asyncio.timeout(10):
        while not (ear.heard and (ear.heard[-1].get("data") or {}).get("state") == "online"):
            await ear.next()

    kinds = [each["type"] for each in ear.heard]
    ticks = [each for each in ear.heard if each["type"] == "publication.sending"]
    assert [tick["data"] for tick in ticks] == [{"publications": [str(online.id)]}]
    assert "seq" not in ticks[0]
    assert kinds.index("publication.sending") < len(kinds) - 1, "what comes of it follows"
    assert ear.heard[-1]["data"]["why"] is None
    with pytest.raises(TimeoutError):
        await stranger.next(within=0.5)
