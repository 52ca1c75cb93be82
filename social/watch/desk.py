"""The API, as a person with a terminal uses it: signing in, staying signed in, tickets, and looking things up."""

import os
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import aiohttp

from social.watch.kept import Memory
from social.watch.wanted import Away, CannotWatch, Credentials, SignInOver

PATIENCE = aiohttp.ClientTimeout(total=20)  # for one call
FAREWELL = aiohttp.ClientTimeout(total=3)
COOKIES = ("__Host-social", "social")
MOMENTARY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})

Json = dict[str, Any]


class Desk:
    """One signed-in person in one workspace. The password is known for as long as this lives, and written nowhere."""

    def __init__(self, session: aiohttp.ClientSession, url: str, credentials: Credentials, memory: Memory) -> None:
        self._session = session
        self._api = f"{url}/api/v1"
        self._credentials = credentials
        self._memory = memory
        self._access = credentials.token
        self._workspace: str | None = None

    async def enter(self, workspace: str | None) -> str:
        """Signs in and chooses the workspace, by id or name; its id. CannotWatch, Away."""
        if self._access is None:
            await self._renew()
        me = await self.get("/me")
        self._workspace = _chosen(workspace, me["workspaces"], me["workspace_id"])
        return self._workspace

    async def ticket(self) -> str:
        """Opens the live line once, soon. CannotWatch, Away."""
        ticket: str = (await self._ask("POST", "/live/tickets"))["ticket"]
        return ticket

    async def get(self, path: str, **params: str) -> Any:
        """What is at `path`. CannotWatch in the service's own words, Away."""
        return await self._ask("GET", path, params=params)

    async def leave(self) -> None:
        """Ends the session that was begun for this watch, unless it is to be remembered."""
        if self._memory.path is None and self._memory.kept.cookie is not None and self._access is not None:
            try:
                await self._send("DELETE", "/session", timeout=FAREWELL)
            except (Away, CannotWatch):
                return

    async def _ask(self, method: str, path: str, **given: Any) -> Any:
        """One call, after which the access token may have been renewed."""
        status, answer = await self._send(method, path, **given)
        if status == HTTPStatus.UNAUTHORIZED:
            await self._renew()
            status, answer = await self._send(method, path, **given)
        return _expected(status, answer)

    async def _renew(self) -> None:
        """A new access token: by the refresh token if there is one that counts, else by signing in."""
        kept, who = self._memory.kept, self._credentials
        if kept.cookie is not None:
            headers = {"Cookie": "=".join(kept.cookie), "Social-Client": "watch"}
            status, answer = await self._send("POST", "/session/refresh", headers=headers)
            if status != HTTPStatus.UNAUTHORIZED:
                self._access = _expected(status, answer)["access_token"]
                return
        if who.password is None:
            raise SignInOver("Your sign-in has run out. Please sign in again.")
        body = {"email": who.email, "password": who.password}
        status, answer = await self._send("POST", "/session", json=body)
        if status == HTTPStatus.UNAUTHORIZED:
            raise CannotWatch(_detail(answer), os.EX_NOPERM)
        self._access = _expected(status, answer)["access_token"]

    async def _send(self, method: str, path: str, **given: Any) -> tuple[int, Any]:
        """Status and decoded answer. Away if there is none, or one that asks to come back."""
        headers = {"User-Agent": f"social-watch/{version('social')}", **given.pop("headers", {})}
        if self._access is not None and path not in {"/session/refresh"}:
            headers["Authorization"] = f"Bearer {self._access}"
        if self._workspace is not None:
            headers["Social-Workspace"] = self._workspace
        given.setdefault("timeout", PATIENCE)
        try:
            async with self._session.request(
                method, self._api + path, headers=headers, allow_redirects=False, **given
            ) as answer:
                self._remember(answer)
                if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in MOMENTARY:
                    raise Away
                if answer.status == HTTPStatus.NO_CONTENT:
                    return answer.status, None
                return answer.status, await answer.json(content_type=None)
        except ValueError:
            raise CannotWatch(f"What answers at {self._api} is not Social.") from None
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            raise Away from error

    def _remember(self, answer: aiohttp.ClientResponse) -> None:
        for name in COOKIES:
            if name in answer.cookies:
                value = answer.cookies[name].value
                self._memory.kept.cookie = (name, value) if value else None
                self._memory.save()


def _expected(status: int, answer: Any) -> Any:
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        raise CannotWatch(_detail(answer), os.EX_NOPERM if status in {401, 403} else os.EX_UNAVAILABLE)
    return answer


def _detail(answer: Any) -> str:
    told = answer.get("detail") if isinstance(answer, dict) else None
    return told if isinstance(told, str) else "What answers at this address is not Social."


def _chosen(workspace: str | None, mine: list[Json], first: str | None) -> str:
    if workspace is None:
        if first is None:
            raise CannotWatch("You are not a member of any workspace.", os.EX_NOPERM)
        return first
    by_name = [each["id"] for each in mine if each["name"].casefold() == workspace.casefold()]
    for id in [each["id"] for each in mine if each["id"] == workspace] or by_name[:1]:
        if len(by_name) > 1 and id != workspace:
            raise CannotWatch(f"Several workspaces are called {workspace}: use its id.", os.EX_USAGE)
        return str(id)
    names = ", ".join(each["name"] for each in mine) or "none"
    raise CannotWatch(f"You are in no workspace called {workspace}; yours: {names}.", os.EX_USAGE)
