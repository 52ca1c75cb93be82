"""Record keys of posts: timestamp identifiers (TIDs) that we choose ourselves. Pure. Sheet: Text post; Idempotency."""

import hashlib
from datetime import UTC, datetime, timedelta

ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"  # sorts as the numbers do
LENGTH = 13  # characters of 5 bits: 53 bits of microseconds since 1970, then 10 of a clock's id
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def tid(key: str, at: datetime) -> str:
    """The TID of what has `key` and was first sent `at` (aware): the same for the same two, later ones sort later.

    Instants have milliseconds here. What is finer than that, and the clock's id, come from the key, so that two posts
    of one millisecond hardly ever meet: there are a million places in it.
    """
    milliseconds = (at - BEGINNING) // timedelta(milliseconds=1)
    drawn = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])
    finer, clock = drawn % 1000, drawn // 1000 % 1024
    return written((milliseconds * 1000 + finer) << 10 | clock)


def written(number: int) -> str:
    """A 63-bit number as a TID."""
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(LENGTH)))
