"""The channel to a supervisor that wants to be told when a process is ready: PM2's, which speaks JSON in lines.

PM2 in fork mode gives its children one end of a socket and its number in NODE_CHANNEL_FD; `wait_ready` waits for the
word on it.
"""

import os
from collections.abc import MutableMapping
from contextlib import suppress

CHANNEL = "NODE_CHANNEL_FD"
READY = b'"ready"\n'


def ready(env: MutableMapping[str, str]) -> bool:
    """Tells the supervisor that names its channel in `env`, once: the name is taken out. Whether anybody was told."""
    channel = env.pop(CHANNEL, "")
    if not channel.isdigit():
        return False
    with suppress(OSError):  # it has gone, or the number means something else: then nobody waits for us
        os.write(int(channel), READY)
        return True
    return False


def keep_from_children(env: MutableMapping[str, str]) -> dict[str, str]:
    """A copy of `env` for processes of our own, which have nothing to say on the channel."""
    return {name: value for name, value in env.items() if name != CHANNEL}
