"""How long somebody waits for a database that does not answer. The engine, which nobody waits for, is more patient."""

import asyncio

import pymongo
import structlog
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from social.api.callers import MONGO_ANSWERS_IN
from social.backing import Backing, mongo
from social.errors import Unavailable

READS = frozenset({"GET", "HEAD"})
LOOK_AFTER = 0.5  # seconds that a write may take until the database is looked at, again and again
LATE = 0.2  # seconds after the end of a look at which its end is noticed, at most, where there is time for us
LOOK = MONGO_ANSWERS_IN - LOOK_AFTER  # seconds that this may take

log = structlog.get_logger()


class Patience(ASGIMiddleware):
    """The middleware. A read is over when its whole time is: then it is answered that the database is away.

    A write may take long, for some wait for others: for a platform, for a hash, for a file that comes slowly. But while
    it does the database is looked at, and once that is away it is answered so. The write goes on without us: cut off it
    might have happened all the same, or lose what only it knows. A route with `opt={"much": True}` takes megabytes that
    nobody wants to send twice: it is waited for as long as the engine waits.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, backing: Backing) -> None:
        self._backing = backing
        self._look: asyncio.Task[bool] | None = None
        self._left: set[asyncio.Task[None]] = set()  # writes whose answer nobody waits for any more

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """PyMongoError from whatever asks the database when a read's time is over, Unavailable for a write."""
        if scope.get("method") in READS:
            with pymongo.timeout(MONGO_ANSWERS_IN):
                await next_app(scope, receive, send)
            return
        if scope["route_handler"].opt.get("much"):
            await next_app(scope, receive, send)
            return
        answer = Answer(send)
        work = asyncio.create_task(_handled(scope, receive, answer, next_app), name="write")
        try:
            while not (await asyncio.wait({work}, timeout=LOOK_AFTER))[0]:
                if not answer.begun and await self._database_is_silent() and answer.given_up():
                    self._leave(work)
                    raise Unavailable("The database does not answer just now. Please try again in a moment.")
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.wait({work})  # it has things to put in order, such as a key that it holds
            raise
        work.result()

    async def _database_is_silent(self) -> bool:
        """One look for all who want to know it at the same time. Who is let run late knows nothing of others: on a
        machine that is too busy for us the database has no more time to answer than we."""
        clock = asyncio.get_running_loop().time
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(mongo.reachable(self._backing.client, LOOK), name="look at the database")
        began = clock()
        return not await asyncio.shield(self._look) and clock() - began < LOOK + LATE

    def _leave(self, work: asyncio.Task[None]) -> None:
        log.warning("database.away", error="silent")
        self._left.add(work)
        work.add_done_callback(self._ended)

    def _ended(self, work: asyncio.Task[None]) -> None:
        self._left.discard(work)
        if not work.cancelled() and (error := work.exception()) is not None:
            log.warning("request.left", error=type(error).__name__)


class Answer:
    """A request's answer on its way out, until it was given up before it had begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False
        self._over = False

    def given_up(self) -> bool:
        """From now on nothing of it goes out. False if it has begun meanwhile."""
        self._over = not self.begun
        return self._over

    async def send(self, message: Message) -> None:
        """Sends `message`, unless nobody waits for it any more."""
        if not self._over:
            self.begun = True
            await self._send(message)


async def _handled(scope: Scope, receive: Receive, answer: Answer, app: ASGIApp) -> None:
    await app(scope, receive, answer.send)
