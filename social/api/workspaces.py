"""The workspace the caller acts in: what holds for all its posts."""

import msgspec
from litestar import Controller, get, put
from litestar.di import NamedDependency
from litestar.params import JSONBody

from social.api.callers import needs
from social.people.documents import Workspace
from social.people.lateness import Lateness, sensible
from social.people.roles import Caller


class WorkspaceSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`lateness`: how late posts may go out that say nothing else themselves."""

    lateness: Lateness


class WorkspaceController(Controller):
    """What holds for all posts of the workspace."""

    path = "/workspace/settings"
    tags = ("people",)

    @get("/", summary="Settings of the workspace", guards=[needs("viewer")])
    async def read(self, caller: NamedDependency[Caller]) -> WorkspaceSettings:
        """Until somebody changes it, what could not go out within a day is held and asks."""
        return WorkspaceSettings(lateness=await Workspace.lateness_of(caller.workspace_id))

    @put("/", summary="Change them", guards=[needs("admin")])
    async def change(self, data: JSONBody[WorkspaceSettings], caller: NamedDependency[Caller]) -> WorkspaceSettings:
        """Holds for what is planned from now on; what is planned already keeps what it had."""
        await Workspace.set_lateness(caller.workspace_id, sensible(data.lateness))
        return data
