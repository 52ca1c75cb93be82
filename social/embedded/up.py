"""What `social up` runs: `social servers` and one `social serve`, each a process of its own.

A product that is killed leaves its servers and the sandbox running, and with them the evidence of what it had sent.
"""

import asyncio
import http.client
import sys
from collections.abc import Mapping
from functools import partial
from os import EX_UNAVAILABLE
from signal import SIGTERM

import msgspec

from social.embedded.folder import Folder
from social.embedded.order import Order, visited
from social.embedded.program import Program, until
from social.embedded.supervisor import Supervisor, Tell, cancelled_by_signals, how
from social.embedded.unfit import Said, Unfit

ANNOUNCEMENT_PATIENCE = 120  # seconds that the instance waits for the servers
ANSWER_PATIENCE = 2.0  # seconds for one answer of the instance
SERVERS_GRACE = 20.0  # seconds
INSTANCE_GRACE = 40.0  # seconds: longer than the instance takes to drain (SOCIAL_GRACE)
ORPHAN_GRACE = 3.0  # seconds for an instance without servers, which has nowhere to drain to


class Setup(msgspec.Struct):
    """What GET /api/v1/setup answers."""

    needed: bool


async def run(order: Order, environment: Mapping[str, str], tell: Tell) -> None:
    """Runs until it is told to stop. Unfit when the servers cannot run here, or end."""
    cancelled_by_signals(lambda: tell("Stopping (Ctrl-C again: at once)"))
    try:
        async with Supervisor(_silent) as servers:
            await servers.start([_servers(order, environment)])
            async with Supervisor(tell) as instance:
                await servers.unless_over(_started(order.folder, environment, instance, tell))
                code = await servers.over()
                await instance.stop(ORPHAN_GRACE)
        raise _ended(code, order.folder)
    except asyncio.CancelledError:
        tell("Stopped")


def setup_link(folder: Folder) -> str | None:
    """The one-time link with which the first person becomes the owner; None when somebody has.

    Unfit when nothing runs here that could tell.
    """
    announced = folder.announced()
    if announced is None:
        raise not_running(folder)
    status, body = _got(announced, "/api/v1/setup")
    if status != http.client.OK:
        raise Unfit(f"Social does not answer yet (status {status or 'none'}): try again in a moment.")
    if not msgspec.json.decode(body, type=Setup).needed:
        return None
    return f"{announced['SOCIAL_PUBLIC_URL']}/setup#token={announced['SOCIAL_SETUP_TOKEN']}"


def not_running(folder: Folder) -> Unfit:
    """Why nothing can be asked of the Social on this folder."""
    return Unfit(f"Social is not running on {folder.root}: `social up` starts it, or choose its folder with --data.")


async def _started(folder: Folder, environment: Mapping[str, str], instance: Supervisor, tell: Tell) -> None:
    """Starts the instance and says where it is; then waits for ever, so that only the servers' end is an end."""
    await instance.start([_instance(folder, environment)])
    announced = folder.announced() or {}
    link = await asyncio.to_thread(setup_link, folder)
    tell("")
    tell(f"Social is at {announced['SOCIAL_PUBLIC_URL']}")
    if link is not None:
        tell(f"Begin here, once: {link}")
    if "SOCIAL_SANDBOX_URL" in announced:
        tell(f"What goes to the sandbox shows at {announced['SOCIAL_SANDBOX_URL']}")
    tell(f"Data and logs are in {folder.root}; Ctrl-C stops everything")
    await asyncio.get_running_loop().create_future()


def _servers(order: Order, environment: Mapping[str, str]) -> Program:
    options = ["--data", str(order.folder.root), "--host", order.host, "--port", str(order.port)]
    return Program(
        name="The servers",
        command=[sys.executable, "-m", "social", "servers", *options, *([] if order.sandbox else ["--no-sandbox"])],
        env=environment,
        ready=partial(_holds, order.folder),
        grace=SERVERS_GRACE,
        death=SIGTERM,
        restarts=False,
    )


def _instance(folder: Folder, environment: Mapping[str, str]) -> Program:
    options = ["--data", str(folder.root), "--wait", str(ANNOUNCEMENT_PATIENCE)]
    return Program(
        name="Social",
        command=[sys.executable, "-m", "social", "serve", *options],
        env=environment,
        log=folder.log("social"),
        ready=partial(_answers, folder),
        patience=2 * ANNOUNCEMENT_PATIENCE,
        grace=INSTANCE_GRACE,
        death=SIGTERM,
    )


async def _holds(folder: Folder, pid: int) -> None:
    """Returns once process `pid` has the folder, so that nobody reads what another run has announced."""

    async def held() -> bool:
        return folder.owner() == pid

    await until(held)


async def _answers(folder: Folder, _: int) -> None:
    async def ready() -> bool:
        announced = folder.announced()
        if announced is None:
            return False
        status, _ = await asyncio.to_thread(_got, announced, "/health/ready")
        return status == http.client.OK

    await until(ready)


def _got(announced: Mapping[str, str], path: str) -> tuple[int, bytes]:
    """Status and body that the instance answers on this machine; status 0 when it doesn't."""
    host, port = announced["SOCIAL_HOST"], int(announced["SOCIAL_PORT"])
    connection = http.client.HTTPConnection(visited(host), port, timeout=ANSWER_PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def _ended(code: int, folder: Folder) -> Unfit:
    if code == EX_UNAVAILABLE:
        return Said()
    return Unfit(
        f"The servers have ended ({how(code)}), so everything was stopped: start it again, "
        f"and look into {folder.part('logs')} if it happens twice."
    )


def _silent(_: str) -> None:
    """The servers speak for themselves."""
