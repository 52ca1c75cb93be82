"""Holds: nothing goes out of a workspace, to a platform or on an account until somebody says so."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Controller, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK
from msgspec import Meta

from social.api.callers import needs
from social.backing import Backing
from social.people.roles import Caller
from social.publishing import holds
from social.publishing.holds import Hold, Scope
from social.publishing.shown import PublicationOut, shown


class HoldIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What to hold: all of the workspace, or the `platform` or the account (`account_id`) named beside its scope."""

    scope: Scope = "workspace"
    platform: Annotated[str, Meta(max_length=64)] | None = None
    account_id: Annotated[str, Meta(max_length=24)] | None = None
    note: Annotated[str, Meta(max_length=500)] = ""


class HoldOut(msgspec.Struct, kw_only=True):
    """A hold that is on, and who put it on."""

    id: str
    scope: Scope
    platform: str | None
    account_id: str | None
    note: str
    by: str
    at: datetime


class HoldBegun(HoldOut, kw_only=True):
    """A hold that was just put on: how many publications it keeps back, and those that were going out at that moment,
    as they are now. Nothing else goes out any more."""

    held: int
    going_out: list[PublicationOut]


class HoldEnded(msgspec.Struct, kw_only=True):
    """How many go on as planned; how many have passed meanwhile and ask whether to send them; how many are looked for,
    because they may be online; and how many stay held for another reason."""

    planned: int
    late: int
    checking: int
    held: int


class HoldController(Controller):
    """Stop everything, and go on."""

    path = "/holds"
    tags = ("holds",)

    @get("/", summary="What is held", guards=[needs("viewer")])
    async def list(self, caller: NamedDependency[Caller]) -> list[HoldOut]:
        """The holds that are on, the oldest first."""
        return [HoldOut(**_told(each)) for each in await Hold.of(caller).sort("_id").to_list()]

    @post("/", summary="Hold", guards=[needs("editor")])
    async def begin(
        self, data: JSONBody[HoldIn], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> HoldBegun:
        """Answers when nothing more can go out: at once, or when what was going out has ended, half a minute at most.
        409 if the same is held already."""
        held = await holds.hold(
            caller, data.scope, backing, platform=data.platform, account_id=data.account_id, note=data.note
        )
        return HoldBegun(**_told(held.hold), held=held.held, going_out=[shown(each) for each in held.going_out])

    @delete("/{hold_id:str}", summary="Go on", guards=[needs("editor")], status_code=HTTP_200_OK)
    async def end(
        self, hold_id: FromPath[str], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> HoldEnded:
        """What lies ahead goes out as planned. What has passed meanwhile asks: send it now, or cancel it?"""
        resumed = await holds.resume(caller, hold_id, backing)
        return HoldEnded(**msgspec.structs.asdict(resumed))


def _told(hold: Hold) -> dict[str, Any]:
    return {
        "id": str(hold.id),
        "scope": hold.scope,
        "platform": hold.platform,
        "account_id": str(hold.account_id) if hold.account_id else None,
        "note": hold.note,
        "by": hold.by_name,
        "at": hold.at,
    }
