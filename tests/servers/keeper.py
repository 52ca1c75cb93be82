"""The process that the test servers belong to: `python -m tests.servers.keeper SHARED`."""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from social.embedded import mongod, seaweed, valkey
from social.embedded.folder import DATA, Folder
from social.embedded.supervisor import Supervisor, cancelled_by_signals
from tests.servers import Servers, announcement, locked

LOOK = 0.2  # seconds between two looks whether anybody is still here


async def keep(shared: Path) -> None:
    """Runs the servers until nobody needs them, then throws their data away and leaves the logs."""
    cancelled_by_signals(lambda: print("told to stop"))
    folder = Folder.opened(shared / f"servers-{os.getpid()}")
    try:
        async with Supervisor(print) as supervisor:
            await supervisor.start([server.program(folder) for server in (mongod, valkey, seaweed)])
            announce(shared, folder)
            while somebody(shared):
                await asyncio.sleep(LOOK)
            await supervisor.stop(grace=0)
    finally:
        for part in DATA:
            shutil.rmtree(folder.part(part), ignore_errors=True)


def announce(shared: Path, folder: Folder) -> None:
    """Tells the test processes how the servers are reached."""
    env = mongod.env(folder) | valkey.env(folder) | seaweed.env(folder)
    servers = Servers(
        mongo_url=env["SOCIAL_MONGO_URL"],
        redis_url=env["SOCIAL_REDIS_URL"],
        s3_endpoint=env["SOCIAL_S3_ENDPOINT"],
        s3_access_key=env["SOCIAL_S3_ACCESS_KEY"],
        s3_secret_key=env["SOCIAL_S3_SECRET_KEY"],
        s3_bucket=env["SOCIAL_S3_BUCKET"],
    )
    draft = shared / "servers.json.draft"
    draft.write_text(json.dumps(asdict(servers)))
    draft.replace(announcement(shared))


def somebody(shared: Path) -> bool:
    """Whether a test process needs the servers or stands at the door. When nobody does, they are announced no more."""
    with (
        contextlib.suppress(BlockingIOError),
        locked(shared / "servers.door", fcntl.LOCK_EX | fcntl.LOCK_NB),
        locked(shared / "servers.guests", fcntl.LOCK_EX | fcntl.LOCK_NB),
    ):
        announcement(shared).unlink(missing_ok=True)
        return False
    return True


if __name__ == "__main__":
    asyncio.run(keep(Path(sys.argv[1])))
