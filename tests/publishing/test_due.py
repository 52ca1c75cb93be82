"""What a look at the whole engine goes by: the database's clock, whatever the machine's own says."""

import dataclasses
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from social import moments
from social.api.publications import WhenIn
from social.backing import Backing
from social.backing.mongo import ServerClock
from social.people.roles import Caller
from social.publishing import single
from social.publishing.documents import Publication
from social.publishing.due import look
from social.publishing.holds import hold
from social.publishing.states import State
from tests.publishing.conftest import Planned, of

AHEAD = timedelta(hours=1)


async def _look(caller: Caller, backing: Backing) -> None:
    await look(backing)


async def _hold(caller: Caller, backing: Backing) -> None:
    await hold(caller, "workspace", backing)


class Wrong(datetime):
    """The wall clock of a machine where somebody has set it an hour ahead."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return datetime.now(tz) + AHEAD


@pytest.mark.parametrize("state", [State.HELD, State.FAILED])
async def test_what_a_person_lets_go_now_goes_now_also_on_a_machine_an_hour_ahead(
    state: State, planned: Planned, caller: Caller, backing: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = await planned("now")
    ended = {"state": state, "reason": {"code": "late", "text": "It was late."}, "next_at": None}
    await Publication.engine().update_one({"post_id": post.id}, {"$set": ended})
    await backing.clock.ask(backing.client)
    monkeypatch.setattr(moments, "datetime", Wrong)
    assert moments.now() > backing.now() + AHEAD / 2

    again = await single.again(caller, str((await of(post)).id), backing)

    assert again.next_at is not None
    assert max(again.next_at, again.due_at) <= backing.now()
    assert WhenIn(now=True).plan("UTC", backing.now()).due_at <= backing.now()


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
