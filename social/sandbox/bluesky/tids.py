"""TIDs, the keys of posts: 53 bits of microseconds and 10 of a clock's id, in an alphabet that sorts."""

import re
import secrets
import time

ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
_TID = re.compile(rf"[{ALPHABET[:16]}][{ALPHABET}]{{12}}")


def is_tid(text: str) -> bool:
    return _TID.fullmatch(text) is not None


def written(number: int) -> str:
    return "".join(ALPHABET[number >> shift & 31] for shift in range(60, -1, -5))


class Clock:
    """Each TID above the one before it."""

    def __init__(self) -> None:
        self._last = 0
        self._id = secrets.randbelow(1024)

    def next(self) -> str:
        self._last = max(time.time_ns() // 1000, self._last + 1)
        return written(self._last << 10 | self._id)
