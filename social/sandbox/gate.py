"""Every call to a simulated platform passes here: noted, counted by the platform, disturbed where trouble is on."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from social.sandbox.connection import line_of
from social.sandbox.faults import Fault
from social.sandbox.journal import Entry, Journal
from social.sandbox.platform import Answer, Platform
from social.sandbox.trouble import Switchboard

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

GARBAGE = Answer(
    200, b"<!doctype html><title>One moment</title><p>Checking your browser before you proceed", "text/html"
)


class Gate:
    """The outermost ASGI app. The sandbox's own pages, and what is no platform's API, pass untouched."""

    def __init__(self, app: App, platforms: tuple[Platform, ...], switchboard: Switchboard, journal: Journal) -> None:
        self._app = app
        self._platforms = platforms
        self._switchboard = switchboard
        self._journal = journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        platform, groups = self._addressed(scope)
        if platform is None:
            return await self._app(scope, receive, send)
        entry = self._journal.begin(scope["method"], scope["path"])
        fault = self._switchboard.take(groups, platform.name)
        try:
            if fault is None:
                return await self._answer(platform, entry, scope, receive, send)
            return await self._disturbed(fault, platform, entry, scope, receive, send)
        except asyncio.CancelledError:  # the server ends and waits no longer: no 500 for what may be half done
            return await _hang_up(entry, scope, receive)

    def _addressed(self, scope: Scope) -> tuple[Platform | None, tuple[str, ...]]:
        if scope["type"] == "http":
            for platform in self._platforms:
                if groups := platform.groups(scope["method"], scope["path"]):
                    return platform, groups
        return None, ()

    async def _answer(self, platform: Platform, entry: Entry, scope: Scope, receive: Receive, send: Send) -> None:
        """As on a good day, with the headers of the platform's front door on it."""
        admission = platform.admit(scope)
        if admission.refusal is not None:
            return await _say(admission.refusal, entry, send)

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.status, entry.ended = message["status"], "answered"
                message["headers"] = _with(list(message["headers"]), admission.headers)
            await send(message)

        return await self._app(scope, receive, noting)

    async def _disturbed(
        self, fault: Fault, platform: Platform, entry: Entry, scope: Scope, receive: Receive, send: Send
    ) -> None:
        refusal = _refusal(fault, platform)
        if fault.delay_before or fault.hang_up == "before" or refusal is not None:
            receive = await _taken_whole(receive)
            await asyncio.sleep(fault.delay_before)
        if fault.hang_up == "before":
            return await _hang_up(entry, scope, receive, reset=fault.reset)
        if refusal is not None:
            await asyncio.sleep(fault.delay_after)
            return await _say(refusal, entry, send)

        held: list[Message] = []
        await self._answer(platform, entry, scope, receive, _keeping(held))
        await asyncio.sleep(fault.delay_after)
        if fault.hang_up == "after":
            return await _hang_up(entry, scope, receive, reset=fault.reset)
        if fault.status_after is not None:
            return await _say(platform.broken(fault, fault.status_after), entry, send)
        if fault.garbage:
            return await _say(GARBAGE, entry, send)
        if fault.truncated:
            return await _say_half(held, entry, scope, receive, send)
        for message in held:
            await send(message)
        return None


def _refusal(fault: Fault, platform: Platform) -> Answer | None:
    if fault.status is not None:
        return platform.broken(fault, fault.status)
    if fault.dead_token:
        return platform.dead_token()
    return platform.missing_scope() if fault.missing_scope else None


async def _taken_whole(receive: Receive) -> Receive:
    """The request's body, read to its end and kept, so that it outlives a caller who leaves."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break  # left while still sending: what is behind sees the broken body, as it would have
        parts.append(message)
        if not message["more_body"]:
            break
    waiting = iter(parts)

    async def again() -> Message:
        return next(waiting, None) or await receive()

    return again


def _keeping(held: list[Message]) -> Send:
    async def keep(message: Message) -> None:
        held.append(message)

    return keep


async def _hang_up(entry: Entry, scope: Scope, receive: Receive, *, reset: bool = False) -> None:
    entry.status, entry.ended = None, "hung up"
    await line_of(scope).hang_up(receive, reset=reset)


async def _say(answer: Answer, entry: Entry, send: Send) -> None:
    entry.status, entry.ended = answer.status, "answered"
    headers = [("content-type", answer.content_type), ("content-length", str(len(answer.body))), *answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": _with([], headers)})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


async def _say_half(held: list[Message], entry: Entry, scope: Scope, receive: Receive, send: Send) -> None:
    """The true head with its length, half of what it promises, then the end of the connection."""
    entry.ended = "truncated"
    body = b"".join(message["body"] for message in held if message["type"] == "http.response.body")
    await send(held[0])
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    await line_of(scope).finish(receive)


def _with(own: list[tuple[bytes, bytes]], added: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """`own`, and those of `added` that are not among them."""
    named = {name.lower() for name, _ in own}
    encoded = [(name.lower().encode(), value.encode()) for name, value in added]
    return [*own, *(header for header in encoded if header[0] not in named)]
