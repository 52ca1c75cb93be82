"""What a look at the whole engine goes by: the database's clock, whatever the machine's own says."""

import dataclasses
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from social import moments
from social.backing import Backing
from social.backing.mongo import ServerClock
from social.people.roles import Caller
from social.publishing.due import look
from social.publishing.holds import hold

AHEAD = timedelta(hours=1)


async def _look(caller: Caller, backing: Backing) -> None:
    await look(backing)


async def _hold(caller: Caller, backing: Backing) -> None:
    await hold(caller, "workspace", backing)


@pytest.mark.parametrize("act", [_look, _hold])
async def test_a_machine_an_hour_ahead_whose_database_has_not_told_the_time_yet_asks_before_it_decides_by_it(
    act: Callable[[Caller, Backing], Awaitable[None]],
    caller: Caller,
    backing: Backing,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = moments.now()
    monkeypatch.setattr(moments, "now", lambda: begun + AHEAD)
    unheard = dataclasses.replace(backing, clock=ServerClock())
    assert unheard.now() == begun + AHEAD  # so what a request is given 30 s for would be over at once

    await act(caller, unheard)

    assert unheard.now() < begun + AHEAD / 2
