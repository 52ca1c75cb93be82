"""What a seed stands for: how many instances and publications there are, what goes wrong and how often. Pure."""

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

START = datetime(2030, 1, 1, 12, tzinfo=UTC)  # when every schedule begins


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One world to be run through. Everything that happens in it follows from its seed."""

    seed: int
    settles: str
    instances: int
    hosts: int
    publications: int
    accounts: int
    parts: int
    media: bool
    same_words: bool
    deadline: float | None  # seconds after due
    apart: float  # seconds between two publications' due times
    due_in: float
    trouble: float  # how likely the next thing to go wrong does, 0 to 1
    crashes: int
    pauses: int
    people: int  # what people do meanwhile
    skewed: float  # seconds that wall clocks are off at most
    lag: float
    duplicates: bool  # whether the platform refuses the same words twice
    gap: bool  # whether a process may stand still between the deadline's check and the write: what no protocol excludes
    stops: int  # instances that are stopped in an orderly way
    outage: float | None  # when all instances die, for longer than keys live

    @classmethod
    def of(cls, seed: int, **fixed: Any) -> "Schedule":
        """What `seed` stands for, but for what is `fixed`."""
        dice = random.Random(seed)
        several = dice.random() < 0.3
        rough = dice.random() < 0.8
        made = cls(
            seed=seed,
            settles=dice.choice(("rkey", "key", "key", "handle", "search", "search", "search", "blind")),
            instances=dice.choice((2, 2, 2, 3)),
            hosts=dice.choice((1, 1, 2)),
            publications=dice.choice((2, 3)) if several else 1,
            accounts=dice.choice((1, 2)) if several else 1,
            parts=dice.choice((2, 3)) if dice.random() < 0.15 else 1,
            media=dice.random() < 0.12,
            same_words=several and dice.random() < 0.3,
            deadline=dice.choice((5.0, 40.0, 400.0)) if dice.random() < 0.15 else None,
            apart=dice.choice((0.0, 0.0, 1.0, 40.0)),
            due_in=dice.choice((-90.0, 0.0, 0.5, 3.0, 10.0)),
            trouble=dice.choice((0.3, 1.0, 1.0, 2.0)) if rough else 0.0,
            crashes=dice.choice((0, 0, 1, 1, 2, 3)),
            pauses=dice.choice((0, 0, 1, 2)),
            people=dice.choice((0, 0, 0, 1, 1, 2, 3)),
            skewed=dice.choice((0.0, 0.0, 20.0, 3600.0)),
            lag=dice.choice((0.0, 0.5, 8.0, 25.0)),
            duplicates=dice.random() < 0.3,
            gap=False,
            outage=dice.uniform(0, 60) if dice.random() < 0.04 else None,
            stops=dice.choice((0, 0, 0, 0, 1)),
        )
        return replace(made, **fixed)
