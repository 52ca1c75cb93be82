"""Accounts of the sandbox, connected as people do it: over the platform's own page, on whichever platform."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from beanie import PydanticObjectId

from social.accounts.connect import Found, finish, start
from social.accounts.documents import Account
from social.accounts.link import link
from social.backing import Backing
from social.people.roles import Caller, Role
from tests.servers.sandbox import Sandbox


def somebody(role: Role = Role.ADMIN) -> Caller:
    """A person in a workspace of their own, of whom no document knows."""
    return Caller(
        user_id=PydanticObjectId(),
        workspace_id=PydanticObjectId(),
        role=role,
        session_id=PydanticObjectId(),
        name="Ada",
    )


async def answered(
    platform: str, caller: Caller, backing: Backing, sandbox: Sandbox, username: str = "anna", *, deny: bool = False
) -> dict[str, Any]:
    """What the browser comes back with, as `finish` takes it."""
    url = (await start(caller, platform, "", "sandbox", backing)).url
    said = parse_qs(urlsplit(await sandbox.consent(url, username, deny=deny)).query)
    return {name: said[name][0] if name in said else None for name in ("code", "state", "error", "iss")}


async def found(platform: str, caller: Caller, backing: Backing, sandbox: Sandbox, username: str = "anna") -> Found:
    """Whose account it is; not linked."""
    said = await answered(platform, caller, backing, sandbox, username)
    return await finish(caller, platform, **said, backing=backing)


async def connected(
    platform: str, caller: Caller, backing: Backing, sandbox: Sandbox, username: str = "anna"
) -> Account:
    """A connected account."""
    return await link(caller, (await found(platform, caller, backing, sandbox, username)).id, backing)
