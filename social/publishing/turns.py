"""Whose turn it is when more is due than can be taken at once."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar


class Waiting(Protocol):
    """One that is due."""

    @property
    def workspace_id(self) -> Hashable:
        """Whose it is."""

    @property
    def account_id(self) -> Hashable:
        """Where it goes out."""

    @property
    def due_at(self) -> datetime:
        """Since when (UTC)."""


W = TypeVar("W", bound=Waiting)


def fair(waiting: Iterable[W]) -> list[W]:
    """`waiting` in an order in which nobody's crowd delays others: round by round, one of each workspace, and within a
    workspace one of each account in turn. Of one account the earliest due comes first, of one round too.

    Where all are due at the same time they keep their order. Takes n log n.
    """
    accounts: defaultdict[Hashable, defaultdict[Hashable, list[W]]] = defaultdict(lambda: defaultdict(list))
    for each in sorted(waiting, key=_due):
        accounts[each.workspace_id][each.account_id].append(each)
    return _round_robin([_round_robin(list(lines.values())) for lines in accounts.values()])


def _round_robin(lines: Sequence[Sequence[W]]) -> list[W]:
    """The first of every line, then the second of each that has one, and so on; the earliest due first in each."""
    turns = [(place, each.due_at, each) for line in lines for place, each in enumerate(line)]
    return [each for _, _, each in sorted(turns, key=_turn)]


def _due(waiting: Waiting) -> datetime:
    return waiting.due_at


def _turn(turn: tuple[int, datetime, Any]) -> tuple[int, datetime]:
    return turn[:2]
