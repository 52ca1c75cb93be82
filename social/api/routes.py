"""The public surface on one screen: which controllers there are, and what stands around every one of them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, Router, get
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ControllerRouterHandler

from social import web as web_client
from social.api import web
from social.api.accounts import AccountController, ConnectionController, PlatformController, client_document
from social.api.alarms import AlarmController
from social.api.bodies import JsonRequest
from social.api.callers import Callers, deny_by_default, needs, the_caller, the_somebody
from social.api.described import Headers
from social.api.errands import Errands
from social.api.files import file
from social.api.headers import Entrance, OnTheWayOut
from social.api.health import HealthController, Readiness
from social.api.holds import HoldController
from social.api.invitations import InvitationController
from social.api.lateness import LatenessController
from social.api.live import LiveController
from social.api.media import LibraryController, MediaController
from social.api.members import MemberController
from social.api.metrics import metrics
from social.api.passwords import PasswordController
from social.api.patience import Patience
from social.api.people import PeopleController
from social.api.posts import PostController
from social.api.problems import HANDLERS
from social.api.publications import PublicationController
from social.api.quotas import QuotaController
from social.api.repeats import Repeats
from social.api.sessions import SessionController
from social.api.uploads import ImportController, UploadController
from social.api.workspaces import ReachabilityController, WorkspaceController
from social.backing import Backing
from social.people.signin import SignIn

V1 = "/api/v1"
LARGEST_JSON = 1_000_000  # bytes; the upload of files has its own

CONTROLLERS: Sequence[ControllerRouterHandler] = (  # everything under /api/v1
    PeopleController,
    PasswordController,
    SessionController,
    WorkspaceController,
    ReachabilityController,
    MemberController,
    InvitationController,
    PlatformController,
    ConnectionController,
    AccountController,
    QuotaController,
    MediaController,
    LibraryController,
    UploadController,
    ImportController,
    PostController,
    PublicationController,
    HoldController,
    AlarmController,
    LatenessController,
    LiveController,
)


def application(
    backing: Backing, *, others: Sequence[ControllerRouterHandler] = (), readiness: Readiness | None = None
) -> Litestar:
    """The API, the web client, and the doors that `others` are (for doors may not import one another).

    Every route says who may use it, with `needs("editor")` among its guards or `opt={"public": True}`; one that says
    nothing answers nobody. Dependencies by name: backing, caller (or somebody, after `signed_in`), readiness, signin,
    callers. A POST whose answer holds a secret says `opt={"secret_answer": True}`: it is not kept for repeats.
    """
    ready, address = readiness or Readiness(), backing.settings.public_url
    return Litestar(
        route_handlers=[
            Router(V1, route_handlers=[*CONTROLLERS, openapi_document]),
            HealthController,
            metrics,
            file,
            client_document,
            *others,
            *web.handlers(web_client.files(), address, backing.settings.s3_public_url),
        ],
        lifespan=[_front_desk],
        state=State({"backing": backing, "readiness": ready}),
        request_class=JsonRequest,
        request_max_body_size=LARGEST_JSON,
        guards=[deny_by_default],
        dependencies={
            "caller": Provide(the_caller, sync_to_thread=False),
            "somebody": Provide(the_somebody, sync_to_thread=False),
            "backing": Provide(_backing, sync_to_thread=False),
            "readiness": Provide(_readiness, sync_to_thread=False),
            "signin": Provide(_signin, sync_to_thread=False),
            "errands": Provide(_errands, sync_to_thread=False),
            "callers": Provide(_callers, sync_to_thread=False),
        },
        middleware=[Entrance(address), Patience(backing), Repeats(backing)],
        plugins=[Headers()],
        before_send=[OnTheWayOut(address)],
        exception_handlers=HANDLERS,
        openapi_config=_openapi(),
        logging_config=None,
        debug=False,
    )


@get("/openapi.json", guards=[needs("viewer")], include_in_schema=False)
async def openapi_document(request: Request[Any, Any, State]) -> Response[bytes]:
    """All of this API, for those who are signed in. Made once: it takes a quarter of a second."""
    state = request.app.state
    if "document" not in state:
        state.document = msgspec.json.encode(request.app.openapi_schema.to_schema())
    return Response(state.document, media_type="application/json")


@asynccontextmanager
async def _front_desk(app: Litestar) -> AsyncIterator[None]:
    with SignIn.opened(app.state.backing) as signin:
        app.state.signin, app.state.callers, app.state.errands = signin, Callers(signin.tokens), Errands()
        yield
        await app.state.errands.end()


def _openapi() -> OpenAPIConfig:
    """Litestar's own pages for it stay behind the sign-in too, and out of the way."""
    return OpenAPIConfig(
        title="Social",
        version="1",
        openapi_router=Router(f"{V1}/schema", guards=[needs("viewer")], route_handlers=[], include_in_schema=False),
        render_plugins=[JsonRenderPlugin()],
        components=Components(
            security_schemes={"session": SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")}
        ),
        security=[{"session": []}],
    )


def _backing(state: State) -> Backing:
    backing: Backing = state.backing
    return backing


def _readiness(state: State) -> Readiness:
    readiness: Readiness = state.readiness
    return readiness


def _signin(state: State) -> SignIn:
    signin: SignIn = state.signin
    return signin


def _callers(state: State) -> Callers:
    callers: Callers = state.callers
    return callers


def _errands(state: State) -> Errands:
    errands: Errands = state.errands
    return errands
