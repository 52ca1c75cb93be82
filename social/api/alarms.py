"""Alarms: what the watchdog has found wrong with the engine itself and has not seen mended."""

from datetime import datetime

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency

from social.api.callers import needs
from social.people.roles import Caller
from social.publishing.watchdog import Alarm


class OpenAlarm(msgspec.Struct, kw_only=True):
    """Something that is wrong now, as the events `alarm.raised` and `alarm.cleared` tell it: `text` is for people,
    `publication_id` is the post it is about, if it is about one."""

    id: str
    name: str
    text: str
    since: datetime
    publication_id: str | None


class AlarmController(Controller):
    """What is wrong."""

    path = "/alarms"
    tags = ("alarms",)

    @get("/", summary="What is wrong now", guards=[needs("viewer")])
    async def list(self, caller: NamedDependency[Caller]) -> list[OpenAlarm]:
        """The workspace's own open alarms, what began first first."""
        return [_shown(each) for each in await Alarm.of(caller)]


def _shown(alarm: Alarm) -> OpenAlarm:
    return OpenAlarm(
        id=alarm.id,
        name=alarm.invariant,
        text=alarm.text,
        since=alarm.since,
        publication_id=str(alarm.publication_id) if alarm.publication_id else None,
    )
