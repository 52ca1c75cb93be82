"""HTML for people. Every page is escaped by Jinja, may load only what is ours, and runs no inline script or style."""

from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response
from litestar.static_files import create_static_files_router
from litestar.types import ControllerRouterHandler
from markupsafe import Markup

from social.sandbox.clock import iso

HERE = Path(__file__).parent

_environment = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(template: str, *, status: int = 200, form_action: str | None = None, **values: object) -> Response[bytes]:
    """`form_action`: another place that a form of this page may lead to, itself or by a redirect."""
    return Response(
        _environment.get_template(template).render(values).encode(),
        status_code=status,
        media_type="text/html",
        headers={"Content-Security-Policy": _policy(form_action), "Cache-Control": "no-store", **HEADERS},
    )


# same-origin, not no-referrer: that would make browsers send `Origin: null` with our own forms
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}

static_files: ControllerRouterHandler = create_static_files_router(
    path="/sandbox/static", directories=[HERE / "static"], cache_control=None
)


def _policy(form_action: str | None) -> str:
    forms = f"'self' {form_action}" if form_action else "'self'"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
        f"connect-src 'self'; form-action {forms}; base-uri 'none'; frame-ancestors 'none'"
    )


def _when(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%d %b %Y, %H:%M:%S")


_environment.filters.update(when=_when, machine_time=iso, escaped_already=Markup)
