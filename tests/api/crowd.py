"""Several people at one API, each with their own token."""

from typing import Any

from argon2 import PasswordHasher
from beanie import PydanticObjectId

from social.moments import now
from social.people.documents import Membership, User
from social.people.roles import Role
from tests.api.serving import PASSWORD, Answer, Api


class Someone:
    """A signed-in person; `ask` as they."""

    def __init__(self, api: Api, user_id: str, token: str, workspace: str | None = None) -> None:
        self.api, self.id, self.token = api, user_id, token
        self._headers = {"Social-Workspace": workspace} if workspace else {}

    async def ask(self, method: str, path: str, *, headers: dict[str, str] | None = None, **given: Any) -> Answer:
        """One request of theirs."""
        own = {"Authorization": f"Bearer {self.token}"} | self._headers
        return await self.api.ask(method, path, headers=own | (headers or {}), **given)


async def owner(api: Api) -> Someone:
    """Who set it up."""
    answer = await api.set_up()
    api.token = None
    return Someone(api, answer.json["me"]["user"]["id"], answer.json["access_token"])


async def member(api: Api, workspace_id: str, role: Role, name: str) -> Someone:
    """Somebody else, in this workspace."""
    user_id = PydanticObjectId()
    email = f"{name}@example.org"
    hashed = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1).hash(PASSWORD)
    await User(
        id=user_id, email=email, email_folded=email, password_hash=hashed, name=name, zone="UTC", created_at=now()
    ).insert()
    workspace = PydanticObjectId(workspace_id)
    await Membership(workspace_id=workspace, user_id=user_id, role=role, created_at=now()).insert()
    return await signed_in(api, email, str(user_id))


async def signed_in(api: Api, email: str, user_id: str, **headers: str) -> Someone:
    """A new session of somebody."""
    answer = await api.ask("POST", "/session", json={"email": email, "password": PASSWORD}, headers=headers)
    assert answer.status == 201, answer.body
    return Someone(api, user_id, answer.json["access_token"])


async def home(someone: Someone) -> str:
    """The workspace they act in."""
    workspace: str = (await someone.ask("GET", "/me")).json["workspace_id"]
    return workspace
