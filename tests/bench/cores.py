"""Which cores the product has, and which everybody else."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Cores:
    """Numbers of cores. On a machine with one, it is shared."""

    product: frozenset[int]
    rest: frozenset[int]

    @classmethod
    def of_this_machine(cls) -> Self:
        """The first core this process may use for the product, the others for the rest."""
        first, *others = sorted(os.sched_getaffinity(0))
        return cls(frozenset({first}), frozenset(others or [first]))


@contextmanager
def on(cores: frozenset[int]) -> Iterator[None]:
    """What is started in the block, and this thread while it lasts, runs on `cores` alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
