"""The ecosystem file with the real PM2: instances in fork mode behind one port, restarted, reloaded, stopped."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from tests.servers import npm

ROOT = Path(__file__).parents[2]
PM2 = "pm2@7.0.4"
Json = dict[str, Any]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


class Pm2:
    """One PM2 daemon with a home and a data folder of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home  # short: PM2 listens on unix sockets in it
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._program = npm.installed("pm2", PM2) / "node_modules" / ".bin" / "pm2"
        self._env = {name: value for name, value in npm.environment().items() if not name.startswith("SOCIAL_")} | {
            "PM2_HOME": str(home / "pm2"),
            "SOCIAL_DATA": str(home / "data"),
            "SOCIAL_PORT": str(self.port),
            "SOCIAL_INSTANCES": "2",
            "SOCIAL_BIN": str(Path(sys.executable).parent / "social"),
            "SOCIAL_GRACE": "10",
        }

    def ask(self, *words: str) -> str:
        """What PM2 prints for a command. Fails the test if it fails."""
        told = subprocess.run(
            [self._program, *words], check=False, env=self._env, capture_output=True, text=True, timeout=300
        )
        assert told.returncode == 0, told.stdout + told.stderr
        return told.stdout

    def apps(self, name: str = "social") -> list[Json]:
        """The instances of an app, as PM2 lists them."""
        listed: list[Json] = json.loads(self.ask("jlist").splitlines()[-1])
        return [app for app in listed if app["name"] == name]

    def pids(self) -> set[int]:
        """Of the instances that are online."""
        return {app["pid"] for app in self.apps() if app["pm2_env"]["status"] == "online"}

    def ready(self) -> bool:
        """Whether whoever takes the request is ready."""
        try:
            with urllib.request.urlopen(f"{self.url}/health/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def logs(self) -> str:
        """The last of everything that was logged."""
        files = [*(self.home / "pm2").glob("logs/*.log"), self.home / "pm2" / "pm2.log"]
        return "\n".join(f"{file.name}: {file.read_text(errors='replace')[-2000:]}" for file in files if file.exists())


@pytest.fixture
def pm2() -> Iterator[Pm2]:
    home = Path(tempfile.mkdtemp(prefix="pm2-"))
    running = Pm2(home)
    try:
        yield running
    finally:
        running.ask("kill")
        shutil.rmtree(home, ignore_errors=True)


async def test_two_instances_share_a_port_come_back_and_reload_without_a_refused_connection(pm2: Pm2) -> None:
    await asyncio.to_thread(pm2.ask, "start", str(ROOT / "pm2" / "ecosystem.config.cjs"))
    assert pm2.ready(), pm2.logs()  # `wait_ready`: PM2 returns when they say that they are
    first = pm2.pids()
    assert len(first) == 2
    listening = {conn.laddr.port for pid in first for conn in psutil.Process(pid).net_connections("tcp")}
    assert pm2.port in listening

    os.kill(min(first), signal.SIGKILL)
    await _until(lambda: len(pm2.pids()) == 2 and pm2.pids() != first, "the killed one came back", pm2)
    assert max(first) in pm2.pids()
    await _until(pm2.ready, "ready again", pm2)

    before = pm2.pids()
    asking = asyncio.create_task(_ask_on_and_on(pm2.url))
    await asyncio.to_thread(pm2.ask, "reload", "social")
    asked, failed = await _stopped(asking)
    assert not before & pm2.pids()
    assert len(pm2.pids()) == 2
    assert asked > 50
    assert failed == [], pm2.logs()

    everything = [psutil.Process(app["pid"]) for app in [*pm2.apps(), *pm2.apps("social-servers")]]
    everything += [child for process in everything for child in process.children(recursive=True)]
    await asyncio.to_thread(pm2.ask, "delete", "all")
    assert [process for process in everything if process.is_running()] == []
    assert not pm2.ready()


def test_an_instance_count_that_is_none_is_refused(pm2: Pm2) -> None:
    config = str(ROOT / "pm2" / "ecosystem.config.cjs")
    told = subprocess.run(
        [npm.BIN / "node", "-e", f"require({config!r})"],
        check=False,
        env=npm.environment() | {"SOCIAL_INSTANCES": "many"},
        capture_output=True,
        text=True,
    )
    assert told.returncode != 0
    assert "SOCIAL_INSTANCES is a number or max, not many." in told.stderr


async def _ask_on_and_on(url: str) -> tuple[int, list[str]]:
    """Asks on a new connection each time until it is cancelled: how often, and what went wrong."""
    asked, failed = 0, list[str]()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        while True:
            try:
                async with session.get(f"{url}/health/live", timeout=aiohttp.ClientTimeout(total=30)) as answer:
                    if answer.status != 200:
                        failed.append(str(answer.status))
                asked += 1
                await asyncio.sleep(0.01)
            except (aiohttp.ClientError, TimeoutError) as error:
                failed.append(repr(error))
            except asyncio.CancelledError:
                return asked, failed


async def _stopped(asking: "asyncio.Task[tuple[int, list[str]]]") -> tuple[int, list[str]]:
    asking.cancel()
    return await asking


async def _until(condition: Callable[[], bool], what: str, pm2: Pm2) -> None:
    deadline = time.monotonic() + 60
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, f"not within 60 s: {what}\n{pm2.logs()}"
        await asyncio.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
