"""Passwords: which are good enough, and their hashes (argon2id, 19 MiB, two passes: OWASP's smallest that is safe).

A hash takes 30 ms of a core, so it happens in two threads of its own, and whoever finds too many waiting is turned
away rather than slowing everything else down.
"""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.resources import files
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from social.errors import Unavailable, Wrong

SHORTEST, LONGEST = 12, 128
THREADS, WAITING = 2, 32

P = ParamSpec("P")
T = TypeVar("T")


class Passwords:
    """Hashes and checks. `close` ends its threads."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="password")
        self._inside = 0
        self._nobodys = self._hasher.hash("the password of nobody")

    async def hashed(self, password: str) -> str:
        """What to store. Unavailable when too many are waiting."""
        return await self._in_turn(self._hasher.hash, _same(password))

    async def fits(self, password: str, stored: str | None) -> bool:
        """Whether `password` made `stored`. None, for a user who does not exist, takes the same time. Unavailable."""
        fits = await self._in_turn(self._verified, _same(password), stored or self._nobodys)
        return fits and stored is not None

    def outdated(self, stored: str) -> bool:
        """Whether `stored` was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Waits for what is running and drops what is waiting."""
        self._pool.shutdown(cancel_futures=True)

    def _verified(self, password: str, stored: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_turn(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._inside >= THREADS + WAITING:
            raise Unavailable("Too many people are signing in just now. Please try again in a moment.", retry_after=2)
        self._inside += 1
        try:
            return await asyncio.wrap_future(self._pool.submit(work, *args, **kwargs))
        finally:
            self._inside -= 1


def weaknesses(password: str, *, not_like: tuple[str, ...] = ()) -> list[Wrong]:
    """Everything that is wrong with a new password. No rules about its characters: length is what counts.

    `not_like`: the person's e-mail and name, which it must not be.
    """
    plain = _same(password).casefold()
    if len(password) < SHORTEST:
        return [_wrong(f"Use at least {SHORTEST} characters; a few words in a row are easy to keep in mind.", "short")]
    if len(password) > LONGEST:
        return [_wrong(f"Use at most {LONGEST} characters.", "long")]
    if plain in common() or len(set(plain)) < 4 or plain in {_same(name).casefold() for name in not_like}:
        return [_wrong("This is one of the first passwords that would be guessed. Choose another.", "common")]
    return []


@cache
def common() -> frozenset[str]:
    """The most guessed passwords of 12 characters and more, in lower case."""
    return frozenset((files("social.people") / "common_passwords.txt").read_text().split())


def _same(password: str) -> str:
    """One form for what different keyboards write differently."""
    return unicodedata.normalize("NFKC", password)


def _wrong(detail: str, code: str) -> Wrong:
    return Wrong("/password", detail, code)
