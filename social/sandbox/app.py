"""Puts the sandbox together: store, platforms, pages, and the gate around them."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from litestar import Litestar, Request, Response, Router
from litestar.di import Provide
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.types import Scope

from social.sandbox import control, rehearsal, timeline
from social.sandbox.desk import Desk
from social.sandbox.gate import Gate
from social.sandbox.journal import Journal
from social.sandbox.mastodon.errors import Refused
from social.sandbox.mastodon.params import TooLarge
from social.sandbox.mastodon.simulated import no_route, refused, too_large
from social.sandbox.pages import static_files
from social.sandbox.platform import Refusal
from social.sandbox.platforms import SCHEMA
from social.sandbox.platforms import made as platforms_made
from social.sandbox.store import Store
from social.sandbox.trouble import Switchboard, Trouble

TICK = 1.0  # seconds

log = logging.getLogger(__name__)


def made(origin: str, folder: Path, at_start: Trouble | None = None) -> Gate:
    """The ASGI app on `folder`, reached as `origin`. Raises store.FolderTaken."""
    store = Store(folder, SCHEMA)
    switchboard, journal = Switchboard(at_start), Journal()
    platforms = platforms_made(origin, store, folder, switchboard)
    desk = Desk(store, switchboard, journal, platforms)
    mastodon = desk.mastodon
    app = Litestar(
        route_handlers=[
            Router("/", route_handlers=[*control.ROUTES, *rehearsal.ROUTES, *timeline.ROUTES]),
            *(Router("/", route_handlers=platform.routes, request_max_body_size=None) for platform in platforms),
            static_files,
        ],
        dependencies={"instance": _given(mastodon.instance), "desk": _given(desk)},
        before_request=control.refuse_foreign,
        exception_handlers={
            Refused: _refused(switchboard),
            TooLarge: too_large,
            control.Unusable: control.unusable,
            control.Foreign: control.foreign,
            NotFoundException: no_route,
            MethodNotAllowedException: no_route,
        },
        after_exception=[_complain],
        lifespan=[_ticking(desk)],
        openapi_config=None,
    )
    return Gate(app, platforms, switchboard, journal)


def _given(value: Any) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)


def _refused(switchboard: Switchboard) -> Any:
    def handle(request: Request[Any, Any, Any], error: Refused) -> Response[bytes]:
        return refused(request, error, switchboard.trouble.mastodon.localised)

    return handle


async def _complain(error: Exception, _: Scope) -> None:
    """A fault of the sandbox's own, as against what it refuses on purpose, is for whoever runs it to see."""
    if not isinstance(error, (Refusal, Refused, TooLarge, control.Unusable, control.Foreign, HTTPException)):
        log.error("the sandbox failed", exc_info=error)


def _ticking(desk: Desk) -> Any:
    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        ticking = asyncio.create_task(_tick(desk))
        yield
        ticking.cancel()
        with suppress(asyncio.CancelledError):
            await ticking
        desk.store.close()

    return lifespan


async def _tick(desk: Desk) -> None:
    while True:
        await asyncio.sleep(TICK)
        for platform in desk.platforms.values():
            platform.tick()
