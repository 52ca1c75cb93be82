"""One rig per platform: what the contract suite needs of its sandbox."""

from tests.platforms.rigs.bluesky import BlueskyRig
from tests.platforms.rigs.mastodon import MastodonRig
from tests.platforms.rigs.rig import Rig, following, new_key
from tests.platforms.rigs.x import XRig

RIGS: dict[str, type[Rig]] = {"mastodon": MastodonRig, "x": XRig, "bluesky": BlueskyRig}

__all__ = ["RIGS", "Rig", "following", "new_key"]
