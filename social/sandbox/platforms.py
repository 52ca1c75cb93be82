"""The simulated platforms. Adding one is its folder, a line in `made`, its schema, and a field in `trouble.Trouble`.

Each brings its own routes, with whatever its handlers need; Mastodon lives at the root, as any server with accounts of
its own, and every other one below its name.
"""

from pathlib import Path

from social.sandbox.bluesky import archive as bluesky
from social.sandbox.bluesky.pds import Pds
from social.sandbox.bluesky.simulated import Bluesky
from social.sandbox.mastodon import archive as mastodon
from social.sandbox.mastodon.instance import Instance
from social.sandbox.mastodon.simulated import Mastodon
from social.sandbox.platform import Platform
from social.sandbox.store import Store
from social.sandbox.trouble import Switchboard
from social.sandbox.x import archive as x
from social.sandbox.x.service import Service
from social.sandbox.x.simulated import X

SCHEMA = "".join((mastodon.SCHEMA, bluesky.SCHEMA, x.SCHEMA))


def made(origin: str, store: Store, folder: Path, switchboard: Switchboard) -> tuple[Platform, ...]:
    """All of them, on one store and folder, reached below `origin`."""
    return (
        Mastodon(Instance(origin, mastodon.Archive(store), folder, switchboard)),
        X(Service(f"{origin}/x", x.Archive(store), folder, switchboard)),
        Bluesky(Pds(f"{origin}/bluesky", bluesky.Archive(store), folder, switchboard)),
    )
