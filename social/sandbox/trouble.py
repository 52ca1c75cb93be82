"""Which trouble is switched on. Kept in memory only: a sandbox that starts anew is a healthy one."""

from typing import Any

import msgspec

from social.sandbox.bluesky.oddities import BlueskyOddities
from social.sandbox.faults import GROUPS, Fault
from social.sandbox.mastodon.oddities import Oddities
from social.sandbox.x.oddities import XOddities

ODD = ("mastodon", "x", "bluesky")  # the fields of `Trouble` that are a platform's own
Faults = Fault | tuple[Fault, ...]


class Trouble(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Per group of calls one fault, or several that happen one after another; and each platform's own oddities.

    `{"publish": {"hang_up": "after", "count": 1}, "read": [{"status": 503, "count": 2}, {"delay_after": 2}],
    "mastodon": {"version": "4.2"}}`
    """

    publish: Faults = ()
    edit: Faults = ()
    upload: Faults = ()
    poll: Faults = ()
    media: Faults = ()
    read: Faults = ()
    oauth: Faults = ()
    all: Faults = ()
    mastodon: Oddities = Oddities()
    x: XOddities = XOddities()
    bluesky: BlueskyOddities = BlueskyOddities()

    def faults(self, group: str) -> tuple[Fault, ...]:
        held: Faults = getattr(self, group)
        return (held,) if isinstance(held, Fault) else held


def at_rate(scale: float) -> Trouble:
    """No trouble, with every quota of every platform times `scale`; 0: none."""
    own = {name: msgspec.structs.replace(getattr(Trouble(), name), rate_scale=scale) for name in ODD}
    return Trouble(**own)


def as_given(switches: msgspec.Struct) -> dict[str, Any]:
    """What differs from a good day, ready for JSON. (msgspec's `omit_defaults` keeps an equal float.)"""
    present, usual = msgspec.to_builtins(switches), msgspec.to_builtins(type(switches)())
    return {name: value for name, value in present.items() if value != usual[name]}


class Switchboard:
    """The trouble of this moment. Counting down is all it does by itself."""

    def __init__(self, at_start: Trouble | None = None) -> None:
        self._at_start = at_start or Trouble()
        self.trouble = self._at_start

    def take(self, groups: tuple[str, ...], platform: str) -> Fault | None:
        """What goes wrong with a call of these groups to `platform`, counted as happened; the narrowest goes first."""
        for group in groups:
            for place, fault in enumerate(self.trouble.faults(group)):
                if fault.platform in (None, platform):
                    self._count_down(group, place)
                    return fault
        return None

    def put(self, trouble: Trouble) -> None:
        """Replaces everything."""
        self.trouble = trouble

    def add(self, group: str, fault: Fault) -> None:
        self.trouble = msgspec.structs.replace(self.trouble, **{group: (*self.trouble.faults(group), fault)})

    def clear(self) -> None:
        self.trouble = self._at_start

    def given(self) -> dict[str, Any]:
        """The present trouble, shortest form: `{}` on a good day."""
        own = {name: as_given(getattr(self.trouble, name)) for name in ODD}
        plain = msgspec.structs.replace(self.trouble, **{name: getattr(Trouble(), name) for name in ODD})
        return as_given(plain) | {name: oddities for name, oddities in own.items() if oddities}

    def listed(self) -> list[tuple[str, Fault]]:
        return [(group, fault) for group in GROUPS for fault in self.trouble.faults(group)]

    def _count_down(self, group: str, place: int) -> None:
        faults = list(self.trouble.faults(group))
        count = faults[place].count
        if count is None:
            return
        faults[place : place + 1] = [msgspec.structs.replace(faults[place], count=count - 1)] if count > 1 else []
        self.trouble = msgspec.structs.replace(self.trouble, **{group: tuple(faults)})
