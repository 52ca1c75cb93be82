"""How long somebody who reads waits for the database. The engine, which nobody waits for, is more patient."""

import pymongo
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from social.api.callers import MONGO_ANSWERS_IN

READS = frozenset({"GET", "HEAD"})


class Patience(ASGIMiddleware):
    """The middleware. A read is over when its whole time is: then it is answered that the database is away.

    A write has the time that the driver gives it: given up early, it might have happened all the same. And some wait
    for others: for a platform, for a hash, for a file that comes slowly.
    """

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """PyMongoError from whatever asks the database when the time is over."""
        if scope.get("method") not in READS:
            await next_app(scope, receive, send)
            return
        with pymongo.timeout(MONGO_ANSWERS_IN):
            await next_app(scope, receive, send)
