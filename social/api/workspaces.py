"""The workspace the caller acts in: what holds for all its posts."""

import msgspec
from litestar import Controller, get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK
from msgspec import UNSET, UnsetType

from social.api.callers import needs
from social.backing import Backing
from social.media.reach import Reach, reach
from social.people.documents import Originals, Workspace
from social.people.lateness import Lateness, sensible
from social.people.roles import Caller


class WorkspaceSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`lateness`: how late posts may go out that say nothing else themselves. `originals`: whether files are kept once
    every post that shows them has been online for a week; what is dropped keeps its thumbnail."""

    lateness: Lateness
    originals: Originals


class WorkspaceChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays."""

    lateness: Lateness | UnsetType = UNSET
    originals: Originals | UnsetType = UNSET


class ReachabilityController(Controller):
    """Whether platforms that fetch files by themselves can."""

    path = "/reachability"
    tags = ("media",)

    @post("/", summary="Can our files be fetched?", guards=[needs("admin")], status_code=HTTP_200_OK)
    async def check(self, backing: NamedDependency[Backing]) -> Reach:
        """Fetches one as a platform would, from this server over the internet: what stands between that and the
        platform's server is not seen."""
        return await reach(backing)


class WorkspaceController(Controller):
    """What holds for all posts of the workspace."""

    path = "/workspace/settings"
    tags = ("people",)

    @get("/", summary="Settings of the workspace", guards=[needs("viewer")])
    async def read(self, caller: NamedDependency[Caller]) -> WorkspaceSettings:
        """Until somebody changes it, what could not go out within a day is held and asks."""
        return await _settings(caller)

    @put("/", summary="Change them", guards=[needs("admin")])
    async def change(self, data: JSONBody[WorkspaceChange], caller: NamedDependency[Caller]) -> WorkspaceSettings:
        """Lateness holds for what is planned from now on; what is planned already keeps what it had."""
        if data.lateness is not UNSET:
            await Workspace.set_lateness(caller.workspace_id, sensible(data.lateness))
        if data.originals is not UNSET:
            await Workspace.set_originals(caller.workspace_id, data.originals)
        return await _settings(caller)


async def _settings(caller: Caller) -> WorkspaceSettings:
    return WorkspaceSettings(
        lateness=await Workspace.lateness_of(caller.workspace_id),
        originals=await Workspace.originals_of(caller.workspace_id),
    )
