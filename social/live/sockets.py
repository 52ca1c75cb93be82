"""The WebSocket door, `/live?ticket=...&after=...`: who may hear which workspace, and what a socket may say.

Whoever has no ticket, or comes from a page that is not ours, is refused before the handshake (HTTP 403). Cross-origin
rules do not apply to WebSockets, so the Origin is compared here; programs that are no browsers send none.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import aclosing, suppress
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog
from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.handlers import WebsocketRouteHandler
from pymongo.errors import PyMongoError

from social.live.hub import Hub, NoSeat
from social.live.rooms import TRY_AGAIN, Listener, Room
from social.people.tickets import Admission
from social.settings import Settings

STUCK = 10.0  # seconds for a socket to take a handful of events, or its close
LONGEST = 2**16  # characters in a message to us; the server's `ws_max_size` refuses longer ones before they are read
WORTH_READING = 100  # characters of the longest message that means anything
PER_SECOND, BURST = 5.0, 20.0  # messages to us
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

GOODBYE, NO_TICKET, TOO_OFTEN, TOO_LONG = 1000, 4401, 1008, 1009  # what a socket is closed with
PONG = '{"type":"pong"}'

log = structlog.get_logger()

Socket = WebSocket[Any, Any, Any]


class Said(msgspec.Struct):
    """What a socket says to us. Anything but a ping is ignored, so that newer clients may say more."""

    type: str


class Pace:
    """Whether somebody keeps to BURST messages at once and PER_SECOND in the long run."""

    def __init__(self, now: float) -> None:
        self._left, self._then = BURST, now

    def kept(self, now: float) -> bool:
        """Counts one message at `now` (seconds on any clock)."""
        self._left = min(BURST, self._left + (now - self._then) * PER_SECOND) - 1
        self._then = now
        return self._left >= 0


def handlers(hub: Hub) -> list[WebsocketRouteHandler]:
    """The routes for sockets of `hub`. Their guard is the ticket."""

    @websocket("/live", opt={"public": True})
    async def live(socket: WebSocket[Any, Any, Any]) -> None:
        admission = await _admitted(socket, hub)
        if admission is None:
            await socket.close(NO_TICKET)
            return
        listener = Listener(admission)
        try:
            with hub.seat(listener) as room:
                await socket.accept()
                await _converse(socket, listener, room)
        except NoSeat:
            await socket.close(TRY_AGAIN)

    return [live]


def ours(headers: Mapping[str, str], settings: Settings) -> bool:
    """Whether a handshake comes from a page of ours, or from no page at all.

    Where the public address is on loopback, a page under any of the machine's names for itself is ours.
    """
    origin = headers.get("origin")
    if origin is None:
        return "sec-fetch-mode" not in headers  # sent by browsers alone, which always tell the origin
    if origin == _origin(settings.public_url):
        return True
    host = headers.get("host", "")
    return origin == f"http://{host}" and _loopback(origin) and _loopback(settings.public_url)


async def _admitted(socket: Socket, hub: Hub) -> Admission | None:
    if not ours(socket.headers, hub.settings):
        return None
    try:
        return await hub.admission(socket.query_params.get("ticket", ""))
    except PyMongoError as error:
        log.warning("live.mongo_away", error=type(error).__name__)
        return None


async def _converse(socket: Socket, listener: Listener, room: Room) -> None:
    """Until either side ends it."""
    async with asyncio.TaskGroup() as tasks:
        hearing = tasks.create_task(_hear(socket, listener))
        with suppress(WebSocketDisconnect, OSError):  # it is gone, or takes nothing, not even a close
            await _tell(socket, listener, room)
            async with asyncio.timeout(STUCK):
                await socket.close(listener.code or GOODBYE)
        hearing.cancel()


async def _tell(socket: Socket, listener: Listener, room: Room) -> None:
    """Sends `listener` what it is to hear, until it is ended."""
    try:
        async with aclosing(room.told(listener, _after(socket))) as told:
            async for texts in told:
                async with asyncio.timeout(STUCK):
                    for text in texts:
                        await socket.send_text(text)
                await asyncio.sleep(0)  # a send that need not wait gives nobody else a turn
    except TimeoutError:
        listener.end(TRY_AGAIN)
    except PyMongoError as error:
        log.warning("live.mongo_away", error=type(error).__name__)
        listener.end(TRY_AGAIN)


async def _hear(socket: Socket, listener: Listener) -> None:
    """Answers pings until the socket is gone or says too much."""
    pace = Pace(time.monotonic())
    async for text in socket.iter_data("text"):
        if len(text) > LONGEST:
            listener.end(TOO_LONG)
        if not pace.kept(time.monotonic()):
            listener.end(TOO_OFTEN)
        if listener.code is not None:
            return
        if _is_ping(text):
            listener.say(PONG)
    listener.end(GOODBYE)


def _is_ping(text: str) -> bool:
    if len(text) > WORTH_READING:
        return False
    try:
        return msgspec.json.decode(text, type=Said).type == "ping"
    except msgspec.MsgspecError:
        return False


def _after(socket: Socket) -> int | None:
    """The number the client heard last. What is no number counts as older than all: the client is told to refetch."""
    given = socket.query_params.get("after")
    if given is None:
        return None
    return int(given) if given.isascii() and given.isdigit() and len(given) < 16 else -1


def _origin(url: str) -> str:
    """The origin of an address of ours, as browsers write it."""
    parts = urlsplit(url)
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    port = "" if parts.port in {None, usual} else f":{parts.port}"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{port}"


def _loopback(url: str) -> bool:
    try:
        return urlsplit(url).hostname in LOOPBACK
    except ValueError:
        return False
