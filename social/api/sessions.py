"""Where I am signed in, and ending it: from here, of one session or of all others."""

from datetime import datetime

import msgspec
from beanie import PydanticObjectId
from bson import ObjectId
from litestar import Controller, delete, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from social.api.callers import Callers, signed_in
from social.backing import Backing
from social.errors import NotFound
from social.moments import now
from social.outbox.bus import somebody_left
from social.people.agents import label
from social.people.documents import Session
from social.people.roles import Somebody


class SessionOut(msgspec.Struct, kw_only=True):
    """One sign-in. `label` is `user_agent` in words; `used_at` is when it last got a new access token."""

    id: str
    current: bool
    label: str
    user_agent: str
    created_at: datetime
    used_at: datetime
    ends_at: datetime


class SessionController(Controller):
    """One's own sign-ins, whatever the workspace."""

    path = "/sessions"
    tags = ("people",)

    @get("/", summary="Where am I signed in?", guards=[signed_in])
    async def list(self, somebody: NamedDependency[Somebody]) -> list[SessionOut]:
        """This one first, then what was used last."""
        found = await Session.of_user(somebody.user_id, now())
        shown = [_shown(each, somebody) for each in found]
        return sorted(shown, key=lambda each: not each.current)

    @delete("/{session_id:str}", summary="Sign out somewhere", guards=[signed_in])
    async def end(
        self,
        session_id: FromPath[str],
        somebody: NamedDependency[Somebody],
        callers: NamedDependency[Callers],
        backing: NamedDependency[Backing],
    ) -> None:
        """Its tokens count no more and its sockets are closed."""
        id = PydanticObjectId(session_id) if ObjectId.is_valid(session_id) else None
        if id is None or not await Session.end_one(id, somebody.user_id):
            raise NotFound("There is no session with this id.")
        callers.forget(id)
        await somebody_left(backing)

    @delete("/", summary="Sign out everywhere else", guards=[signed_in])
    async def end_others(
        self,
        somebody: NamedDependency[Somebody],
        callers: NamedDependency[Callers],
        backing: NamedDependency[Backing],
    ) -> None:
        """All but the one that asks."""
        await Session.end_others(somebody.user_id, somebody.session_id)
        callers.forget_user(somebody.user_id)
        await somebody_left(backing)


def _shown(session: Session, somebody: Somebody) -> SessionOut:
    return SessionOut(
        id=str(session.id),
        current=session.id == somebody.session_id,
        label=label(session.user_agent),
        user_agent=session.user_agent,
        created_at=session.created_at,
        used_at=session.used_at,
        ends_at=session.ends_at,
    )
