"""`Idempotency-Key`: a POST that carries one happens once, and its answer is given again to every repeat, for a day.

One place for all routes, around their handlers. It comes after the guards, so that nobody is told an answer they may
not have any more, and before anything is decoded. Where an answer holds a secret (a token, a ticket, a link) it is not
kept, and the key is taken without effect; each route's part of the OpenAPI document says so.

A body that is bounded is read first and compared from the start. A file is not held in memory: its repeats are refused
while it is being taken in, and afterwards compared by the digest of what was read.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from litestar.connection import ASGIConnection
from litestar.datastructures import Headers, State
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPReceiveMessage, Message, Receive, Scope, Send
from pymongo.errors import PyMongoError

from social.api.callers import guarded
from social.backing import Backing
from social.errors import Conflict, Invalid, Wrong
from social.outbox.documents import noting
from social.people.repeats import Answered, Asked, Held, Repeat, key_id

KEY = "idempotency-key"
REPLAYED = (b"idempotency-replayed", b"true")
LONGEST = 255  # characters of a key
KEEPABLE = 1_000_000  # bytes of an answer
KEPT_HEADERS = frozenset({b"content-type", b"location", b"link"})
NOT_KEPT = frozenset({401, 408, 425, 429})  # what these say is of the moment; so is all from 500 on
AGAIN = 1  # seconds until a request that is running may be asked about again

log = structlog.get_logger()


class Running(Conflict):
    """The same request is being handled just now."""

    retry_after = AGAIN


def keeps(handler: BaseRouteHandler) -> bool:
    """Whether the route's answers are kept: those of POSTs by somebody known, unless they hold a secret."""
    return (
        isinstance(handler, HTTPRouteHandler)
        and "POST" in handler.http_methods
        and guarded(handler)
        and not handler.opt.get("secret_answer")
    )


class Repeats(ASGIMiddleware):
    """The middleware. A request without a key passes by it."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, backing: Backing) -> None:
        self._backing = backing
        self._lease = timedelta(seconds=backing.settings.times.lease)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Invalid for a key that is none or was given to another request, Running while its request is handled."""
        handler, key = scope["route_handler"], Headers.from_scope(scope).get(KEY)
        if (
            key is None
            or not isinstance(handler, HTTPRouteHandler)
            or scope.get("method") != "POST"
            or not keeps(handler)
        ):
            await next_app(scope, receive, send)
            return
        _check(key)
        await handler.authorize_connection(connection=ASGIConnection[Any, Any, Any, State](scope))
        body = Body(receive, _announced(scope), most=handler.resolve_request_max_body_size())
        if not await body.known():  # too long or cut off: whoever handles it says so, and nothing comes of it
            await next_app(scope, body.receive, send)
            return
        asked = Asked(id=_id(scope, key), request=self._mac(_line(scope)), body=self._digest(body))
        token, held = await self._claimed(asked)
        if held.token == token:
            await self._first_time(asked, token, scope, body, send, next_app)
        else:
            await self._again(asked, held, body, send)

    async def _claimed(self, asked: Asked) -> tuple[str, Held]:
        owner = self._backing.owner
        token, held = await Repeat.claim(asked, owner, self._lease)
        if held.token != token and held.answer is None and held.owner.proven_dead(owner):
            token, held = await Repeat.claim(asked, owner, self._lease, dead=held.token)
        return token, held

    async def _again(self, asked: Asked, held: Held, body: "Body", send: Send) -> None:
        """Gives the answer once more, or says why there is none."""
        if held.answer is not None and asked.body is None:
            await body.drained()
            asked = Asked(id=asked.id, request=asked.request, body=self._digest(body))
        if not held.is_of(asked):
            detail = "Use a new key for a new request; this one was used for another within the last 24 hours."
            raise Invalid("This Idempotency-Key belongs to another request.", [Wrong(f"/{KEY}", detail, "key-used")])
        if held.answer is None:
            if held.made and (held.over or held.owner.proven_dead(self._backing.owner)):
                raise Conflict("This was done, but its answer was lost. Look at what it made.", made=held.made)
            raise Running("This very request is being handled just now. Ask again in a moment.")
        if held.answer.body is None:
            raise Conflict("This was done. Its answer was too large to be kept.", made=held.made)
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in held.answer.headers]
        length = (b"content-length", str(len(held.answer.body)).encode())
        start: Any = {
            "type": "http.response.start",
            "status": held.answer.status,
            "headers": [*headers, length, REPLAYED],
        }
        await send(start)
        await send({"type": "http.response.body", "body": held.answer.body, "more_body": False})

    async def _first_time(
        self, asked: Asked, token: str, scope: Scope, body: "Body", send: Send, next_app: ASGIApp
    ) -> None:
        """Has it handled. The answer is kept before it is given, so that one which is lost on its way can be repeated.

        A fault of ours, or the end of this task, lets go of the key.
        """
        answer = Answer(send)
        async with self._holding(asked.id, token):
            try:
                await next_app(scope, body.receive, answer.send)
            except BaseException:
                await asyncio.shield(self._concluded(Repeat.release(asked.id, token)))
                raise
            digest = self._digest(body)
            if answer.keepable and digest is not None:
                await self._concluded(Repeat.conclude(asked.id, token, answer.answered(), digest))
            else:
                await self._concluded(Repeat.release(asked.id, token))
        await answer.give()

    @asynccontextmanager
    async def _holding(self, id: str, token: str) -> AsyncIterator[None]:
        """The key stays in our hands, and what is done is noted on it, until the block ends."""
        renewing = asyncio.create_task(self._renewed(id, token))
        told = noting.set(partial(Repeat.note, id, token))
        try:
            yield
        finally:
            noting.reset(told)
            renewing.cancel()

    async def _renewed(self, id: str, token: str) -> None:
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            with suppress(PyMongoError):  # the next one may come in time
                await Repeat.renew(id, token, self._lease)

    async def _concluded(self, write: Any) -> None:
        """With Mongo away the answer is given all the same. A repeat then finds what was done, or does it."""
        try:
            await write
        except PyMongoError as error:
            log.warning("repeats.mongo_away", error=type(error).__name__)

    def _digest(self, body: "Body") -> str | None:
        """Under a key of ours, so that what is stored tells nothing of a password in a body."""
        return None if body.digest is None else self._mac(body.digest)

    def _mac(self, text: str) -> str:
        return self._backing.vault.signature("idempotency", text)


class Body:
    """A request's body on its way in. `digest` is there once all of it has been seen.

    With `most` (bytes) it is read beforehand and handed on afterwards; without, it is handed on as it comes.
    """

    def __init__(self, receive: Receive, announced: int, most: int | None) -> None:
        self._receive = receive
        self._announced = announced
        self._most = most
        self._read: list[HTTPReceiveMessage] = []
        self._hash = hashlib.sha256()
        self.digest: str | None = None

    async def known(self) -> bool:
        """Reads it if it is bounded. False if it is longer than that or was cut off."""
        if self._most is None:
            return True
        if self._announced > self._most:
            return False
        read = 0
        while self.digest is None:
            message = await self._next()
            self._read.append(message)
            read += len(message.get("body", b""))
            if message["type"] == "http.disconnect" or read > self._most:
                return False
        return True

    async def receive(self) -> Any:
        """What the handler receives."""
        return self._read.pop(0) if self._read else await self._next()

    async def drained(self) -> None:
        """Reads what is left, for its digest."""
        while self.digest is None and (await self._next())["type"] == "http.request":
            pass

    async def _next(self) -> Any:
        message: Any = await self._receive()
        if message["type"] == "http.request" and self.digest is None:
            self._hash.update(message.get("body", b""))
            if not message.get("more_body"):
                self.digest = self._hash.hexdigest()
        return message


class Answer:
    """An answer, held back until it was kept; one that is too large goes out as it comes."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._messages: list[Message] = []
        self._start: Any = None
        self._body = bytearray()
        self._too_large = False

    async def send(self, message: Message) -> None:
        """What the handler sends to."""
        self._messages.append(message)
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body" and not self._too_large:
            self._body += message["body"]
            self._too_large = len(self._body) > KEEPABLE
        if self._too_large:
            self._body.clear()
            await self.give()

    @property
    def keepable(self) -> bool:
        """Whether it may be given again."""
        if self._start is None or self._start["status"] >= 500 or self._start["status"] in NOT_KEPT:
            return False
        return all(name.lower() != b"set-cookie" for name, _ in self._start["headers"])

    def answered(self) -> Answered:
        """What is kept of it."""
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in self._start["headers"]
            if name.lower() in KEPT_HEADERS
        ]
        body = None if self._too_large else bytes(self._body)
        return Answered(status=self._start["status"], headers=headers, body=body)

    async def give(self) -> None:
        """Lets it go out."""
        messages, self._messages = self._messages, []
        for message in messages:
            await self._send(message)


def _check(key: str) -> None:
    if not (0 < len(key) <= LONGEST and key.isascii() and key.isprintable()):
        detail = f"Use 1 to {LONGEST} printable ASCII characters, such as a new UUID for every new request."
        raise Invalid("This Idempotency-Key cannot be used.", [Wrong(f"/{KEY}", detail, "form")])


def _announced(scope: Scope) -> int:
    """How many bytes the body has, by its own account; 0 where it does not say."""
    length = Headers.from_scope(scope).get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else 0


def _id(scope: Scope, key: str) -> str:
    """The guards have left who is asking."""
    asking = scope["state"].get("caller") or scope["state"]["somebody"]
    return key_id(asking.user_id, getattr(asking, "workspace_id", None), key)


def _line(scope: Scope) -> str:
    """Method, path and query. Two paths for one thing are two requests."""
    query = scope["query_string"].decode("latin-1")
    return f"{scope['method']} {scope['path']}?{query}"  # type: ignore[typeddict-item]
