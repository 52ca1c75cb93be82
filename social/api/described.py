"""What the OpenAPI document says of every route alike: the headers that all of them take."""

from typing import Any

from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.openapi.spec import Operation, Parameter, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute

from social.api.callers import needed
from social.api.repeats import LONGEST, keeps

KEPT = (
    "A key of your own making, such as a UUID, new for every new request. Within 24 hours the same request with the "
    "same key happens once: its answer comes again, with the header `Idempotency-Replayed: true`. 409 with "
    "`Retry-After` while it is being handled, 422 with another path or body. An answer of 500 and above, 401 or 429 "
    "is not kept: then the request may be repeated with the key."
)
NOT_KEPT = (
    "Taken, and without effect here: this answer is a secret or is not bound to anybody signed in, so it is not kept, "
    "and a repeat is a new request."
)
WORKSPACE = "The id of the workspace to act in, one of yours (`GET /me` lists them). Without it: the one joined first."


class Headers(ReceiveRoutePlugin):
    """Adds them to the description of each route as it is registered."""

    def receive_route(self, route: BaseRoute) -> None:
        """Litestar calls it once for each route."""
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if "OPTIONS" not in handler.http_methods:
                    _describe(handler)


def _describe(handler: HTTPRouteHandler) -> None:
    before, headers = handler.operation_class, _headers(handler)

    def described(self: Operation, **declared: Any) -> None:
        before.__init__(self, **declared)
        self.parameters = [*(self.parameters or []), *headers]

    handler.operation_class = type(before.__name__, (before,), {"__init__": described})


def _headers(handler: BaseRouteHandler) -> list[Parameter]:
    found = []
    if needed(handler) is not None:
        found.append(_header("Social-Workspace", WORKSPACE, Schema(type=OpenAPIType.STRING)))
    if isinstance(handler, HTTPRouteHandler) and "POST" in handler.http_methods:
        key = Schema(type=OpenAPIType.STRING, min_length=1, max_length=LONGEST)
        found.append(_header("Idempotency-Key", KEPT if keeps(handler) else NOT_KEPT, key))
    return found


def _header(name: str, description: str, schema: Schema) -> Parameter:
    return Parameter(name=name, param_in="header", description=description, required=False, schema=schema)
