"""What the person at the terminal asked for, as `social up` and `social servers` take it."""

import msgspec

from social.embedded.folder import Folder

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - addresses to bind, and to visit instead


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Where the data lies, where the product listens, and whether the sandbox is wanted."""

    folder: Folder
    host: str
    port: int  # 0: any free one
    sandbox: bool


def visited(host: str) -> str:
    """The address on which something bound to `host` is visited on this machine."""
    return EVERYWHERE.get(host, host)
