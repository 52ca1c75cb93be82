"""How often something may be tried, by whom. Counted in Mongo, so a lost Redis opens no door."""

import hashlib
import ipaddress
import math
from datetime import timedelta

import msgspec

from social.errors import TooMany
from social.people.documents import Tries, folded


class Pace(msgspec.Struct, frozen=True):
    """`burst` at once, then one more `every` so often."""

    what: str
    burst: int
    every: timedelta


SIGN_IN_TO_ACCOUNT = Pace("sign in to account", 10, timedelta(minutes=1))
SIGN_IN_FROM_ADDRESS = Pace("sign in from address", 50, timedelta(seconds=6))
REFRESH_SESSION = Pace("refresh session", 30, timedelta(seconds=2))
REFRESH_FROM_ADDRESS = Pace("refresh from address", 300, timedelta(seconds=0.2))
SET_UP_FROM_ADDRESS = Pace("set up from address", 20, timedelta(seconds=30))
INVITATION_FROM_ADDRESS = Pace("invitation from address", 30, timedelta(seconds=10))
PASSWORD_LINK_FROM_ADDRESS = Pace("password link from address", 30, timedelta(seconds=10))


async def spend(pace: Pace, who: str) -> None:
    """Takes one try from `who`'s allowance. TooMany says when there will be one."""
    waiting = await Tries.take(_key(pace, who), every=pace.every, burst=pace.burst)
    if waiting is not None:
        seconds = max(1, math.ceil(waiting.total_seconds()))
        raise TooMany(f"Too many tries. Please wait {_in_words(seconds)}.", retry_after=seconds)


async def forget(pace: Pace, who: str) -> None:
    """What `who` tried no longer counts."""
    await Tries.forget(_key(pace, who))


def of_account(email: str) -> str:
    """Whom tries on an account are counted for."""
    return folded(email)


def of_address(address: str) -> str:
    """Whom tries from an address are counted for: in IPv6 the /64, which is what one customer gets."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((int(ip) >> 64 << 64, 64)))
    return str(ip)


def _key(pace: Pace, who: str) -> str:
    return f"{pace.what}: {hashlib.sha256(who.encode()).hexdigest()}"


def _in_words(seconds: int) -> str:
    if seconds < 90:
        return "a second" if seconds == 1 else f"{seconds} seconds"
    return f"{math.ceil(seconds / 60)} minutes"
