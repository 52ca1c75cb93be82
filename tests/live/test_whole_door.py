"""Through the program's own server: sign in, ask for a ticket, listen."""

import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest
from beanie import PydanticObjectId
from websockets.asyncio.client import connect

from social import app
from social.api.health import Readiness
from social.backing import Backing
from social.live.hub import Hub
from social.outbox import relay
from tests.live.conftest import happen


@pytest.fixture
async def address(backing: Backing) -> AsyncIterator[str]:
    """Host and port of the API and the live door."""
    hub, stop = Hub(backing), asyncio.Event()
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    server = app.server(backing, hub, Readiness())
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    working = [asyncio.create_task(work) for work in (hub.run(stop), relay.run(backing, stop))]
    async with asyncio.timeout(10):
        while not server.started:
            await asyncio.sleep(0.01)
    yield f"127.0.0.1:{listening.getsockname()[1]}"
    stop.set()
    await asyncio.gather(*working)
    server.should_exit = True
    await serving


async def test_a_ticket_from_the_api_opens_a_socket_in_the_caller_s_workspace(backing: Backing, address: str) -> None:
    setup = {
        "token": backing.settings.setup_token, "name": "Ada", "email": "ada@example.org",
        "password": "a long and quiet river", "workspace": "Engines", "zone": "Europe/London",
    }  # fmt: skip
    async with aiohttp.ClientSession(f"http://{address}") as client:
        async with client.post("/api/v1/live/tickets") as answer:
            assert answer.status == 401
        async with client.post("/api/v1/setup", json=setup, headers={"Social-Client": "web"}) as answer:
            assert answer.status == 201, await answer.text()
            signed_in = await answer.json()
        bearer = {"Authorization": f"Bearer {signed_in['access_token']}"}
        async with client.post("/api/v1/live/tickets", headers=bearer) as answer:
            assert answer.status == 201, await answer.text()
            assert answer.headers["Cache-Control"] == "no-store"
            ticket = (await answer.json())["ticket"]
    workspace_id = signed_in["me"]["workspace_id"]

    async with connect(f"ws://{address}/live?ticket={ticket}", proxy=None) as listening:
        assert msgspec.json.decode(await listening.recv()) == {"type": "hello", "seq": 0, "workspace": workspace_id}
        await happen(backing, PydanticObjectId(workspace_id), 1)
        assert msgspec.json.decode(await listening.recv())["seq"] == 1
