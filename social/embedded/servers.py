"""What `social servers` runs: everything an instance needs that is not replaced by a server of the user's own.

It also owns the public listening socket, so that instances come and go without a refused connection, and the sandbox,
so that a killed product leaves the evidence of what it had sent.
"""

import asyncio
import contextlib
import os
from collections.abc import Mapping

from social.embedded import listener, mongod, sandbox, seaweed, valkey
from social.embedded.child import Register
from social.embedded.folder import Folder
from social.embedded.order import Order, visited
from social.embedded.supervisor import Supervisor, Tell, cancelled_by_signals
from social.embedded.unfit import Unfit
from social.supervised import ready

SERVERS = (mongod, valkey, seaweed)
S3 = (seaweed.SETTING, "SOCIAL_S3_ACCESS_KEY", "SOCIAL_S3_SECRET_KEY")
GIVEN = (  # what the environment may say instead of us
    *(mongod.SETTING, valkey.SETTING, *S3, "SOCIAL_S3_BUCKET", "SOCIAL_S3_REGION", sandbox.SETTING),
    *("SOCIAL_MASTER_KEY", "SOCIAL_SETUP_TOKEN", "SOCIAL_PUBLIC_URL"),
)


async def run(order: Order, environment: Mapping[str, str], tell: Tell) -> None:
    """Runs until it is told to stop (SIGINT, SIGTERM). Unfit when something cannot run here. Holds no lock itself."""
    folder = order.folder
    cancelled_by_signals(folder.stopping)
    given = {name: environment[name] for name in GIVEN if environment.get(name)}
    register = Register(folder.run / "children.json")
    try:
        await register.end_leftovers(tell)
        with contextlib.closing(listener.bind(order.host, order.port)) as listening:
            async with Supervisor(tell, register) as supervisor:
                own = await _started(order, given, supervisor)
                with listener.handed_over(listening, folder.run, lambda pid: register.add("an instance", pid)) as path:
                    public = _public(order.host, listening.getsockname()[1])
                    folder.announce(_kept(folder) | public | {"SOCIAL_LISTEN": str(path)} | own | given)
                    ready(os.environ)
                    await asyncio.get_running_loop().create_future()  # until we are told to stop
    except asyncio.CancelledError:
        tell("The servers have stopped")
    finally:
        folder.withdraw()


async def _started(order: Order, given: Mapping[str, str], supervisor: Supervisor) -> dict[str, str]:
    """Starts what nothing replaces, and answers how it is reached."""
    _whole(given)
    wanted = [*SERVERS, *([sandbox] if order.sandbox else [])]
    embedded = [server for server in wanted if server.SETTING not in given]
    await supervisor.start([server.program(order.folder) for server in embedded])
    return {name: value for server in embedded for name, value in server.env(order.folder).items()}


def _whole(given: Mapping[str, str]) -> None:
    """Unfit when only a part of what an S3 server of one's own needs is there."""
    missing = [name for name in S3 if name not in given]
    if missing and len(missing) < len(S3):
        raise Unfit(f"For an S3 server of your own {' and '.join(missing)} must be set too.")


def _kept(folder: Folder) -> dict[str, str]:
    secrets = folder.secrets()
    return {"SOCIAL_MASTER_KEY": secrets.master_key, "SOCIAL_SETUP_TOKEN": secrets.setup_token}


def _public(host: str, port: int) -> dict[str, str]:
    address = visited(host)
    return {
        "SOCIAL_HOST": host,
        "SOCIAL_PORT": str(port),
        "SOCIAL_PUBLIC_URL": f"http://{f'[{address}]' if ':' in address else address}:{port}",
    }
