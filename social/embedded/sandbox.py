"""The sandbox: the platforms, simulated, as a process of their own with a memory of its own."""

import os
import sys
from functools import partial

from social.embedded.folder import Folder
from social.embedded.program import Program, listens, plain_environment, until

SETTING = "SOCIAL_SANDBOX_URL"


def env(folder: Folder) -> dict[str, str]:
    """How an instance, and a browser on this machine, reaches it."""
    return {SETTING: f"http://127.0.0.1:{folder.ports().sandbox}"}


def program(folder: Folder) -> Program:
    """`python -m social.sandbox` on the folder's data."""
    port = folder.ports().sandbox
    return Program(
        name="The sandbox",
        command=[sys.executable, "-m", "social.sandbox", "--port", str(port), "--data", str(folder.part("sandbox"))],
        env=plain_environment() | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},  # the same `social` as ours
        log=folder.log("sandbox"),
        ready=partial(_ready, port),
        instead="do without it: --no-sandbox",
        ports=[port],
    )


async def _ready(port: int, _: int) -> None:
    await until(partial(listens, port))
