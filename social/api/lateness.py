"""How punctual a workspace's publications are."""

from litestar import Controller, get
from litestar.di import NamedDependency

from social.api.callers import needs
from social.backing import Backing
from social.people.roles import Caller
from social.publishing import lateness
from social.publishing.lateness import Punctuality


class LatenessController(Controller):
    """Counted over all instances as things go out; a few seconds behind."""

    path = "/lateness"
    tags = ("publications",)

    @get("/", summary="How late things went out", guards=[needs("viewer")])
    async def read(self, caller: NamedDependency[Caller], backing: NamedDependency[Backing]) -> Punctuality:
        """From the due instant to the moment the request was armed, of what went out for the first time in the last
        five minutes, hour and day."""
        return await lateness.of_workspace(caller.workspace_id, backing.now())
