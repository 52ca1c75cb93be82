"""One rig per platform: what the contract suite needs of its sandbox."""

from collections.abc import Callable

import pytest

from social.platforms import PLATFORMS
from social.platforms.contract import Platform
from tests.platforms.rigs.bluesky import BlueskyRig
from tests.platforms.rigs.mastodon import MastodonRig
from tests.platforms.rigs.rig import Rig, following, new_key
from tests.platforms.rigs.x import XRig

RIGS: dict[str, type[Rig]] = {"mastodon": MastodonRig, "x": XRig, "bluesky": BlueskyRig}


def where(condition: Callable[[type[Rig], Platform], bool]) -> pytest.MarkDecorator:
    """Runs a test of the fixture `rig` on the platforms that `condition` is true of."""
    chosen = [PLATFORMS[name] for name, rig in RIGS.items() if condition(rig, PLATFORMS[name])]
    return pytest.mark.parametrize("rig", chosen, ids=lambda platform: platform.name, indirect=True)


__all__ = ["RIGS", "Rig", "following", "new_key", "where"]
