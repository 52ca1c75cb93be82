"""Client programs and the scopes they may ask for. Sheet: Connecting an account, 1."""

import re
from urllib.parse import urlsplit

from litestar import Response, get, post
from litestar.di import NamedDependency

from social.sandbox.mastodon.entities import app_entity, application_entity
from social.sandbox.mastodon.errors import Refused
from social.sandbox.mastodon.instance import Instance, authorized, fresh_secret, reply
from social.sandbox.mastodon.params import Call, Params, read_params
from social.sandbox.mastodon.records import App

OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"

_READ = ("accounts", "blocks", "bookmarks", "favourites", "filters", "follows", "lists", "mutes", "notifications")
SCOPES = [
    "read", *(f"read:{area}" for area in (*_READ, "search", "statuses")),
    "write", *(f"write:{area}" for area in (*_READ, "conversations", "media", "reports", "statuses")),
    "follow", "push", "profile", "admin:read", "admin:write",
]  # fmt: skip

UNKNOWN_CLIENT = (
    "Client authentication failed due to unknown client, no client authentication included, "
    "or unsupported authentication method."
)
BAD_SCOPE = "The requested scope is invalid, unknown, or malformed."


@post("/api/v1/apps")
async def register(request: Call, instance: NamedDependency[Instance]) -> Response[bytes]:
    params = await read_params(request, instance.incoming_folder)
    params.drop_uploads()
    if "client_name" not in params or "redirect_uris" not in params:
        missing = "client_name" if "client_name" not in params else "redirect_uris"
        raise Refused(400, f"param is missing or the value is empty: {missing}")
    app = App(
        id=instance.archive.next_id(),
        client_id=fresh_secret(),
        client_secret=fresh_secret(),
        name=_app_name(params),
        website=params.text("website") or None,
        redirect_uris=_redirect_uris(params, instance),
        scopes=_registered_scopes(params),
    )
    instance.archive.save_app(app)
    secrets_ = {"client_id": app.client_id, "client_secret": app.client_secret}
    if not instance.oddities.since(4, 3):  # the shape before 4.3
        old = {
            "id": str(app.id),
            "name": app.name,
            "website": app.website,
            "redirect_uri": "\n".join(app.redirect_uris),
        }
        return reply({**old, **secrets_, "vapid_key": ""})
    return reply({**app_entity(app), **secrets_, "client_secret_expires_at": 0, "vapid_key": ""})


@get("/api/v1/apps/verify_credentials")
async def own_app(request: Call, instance: NamedDependency[Instance]) -> Response[bytes]:
    app = instance.archive.app(authorized(request, instance).client_id)
    return reply({**(application_entity(app) or {}), **(app_entity(app) if app else {})})


def _app_name(params: Params) -> str:
    name = (params.text("client_name") or "").strip()
    if not name:
        raise Refused(422, "Validation failed: Application name can't be blank")
    if len(name) > 60:
        raise Refused(422, "Validation failed: Application name is too long (maximum is 60 characters)")
    return name


def _redirect_uris(params: Params, instance: Instance) -> list[str]:
    """One string, several with whitespace between them, or since 4.3 a list."""
    listed = params.texts("redirect_uris") if instance.oddities.since(4, 3) else None
    uris = listed if listed is not None else (params.text("redirect_uris") or "").split()
    if not uris:
        raise Refused(422, "Validation failed: Redirect URI can't be blank")
    if not all(_is_redirect_uri(uri) for uri in uris):
        raise Refused(422, "Validation failed: Redirect URI must be an absolute URI.")
    return uris


def _is_redirect_uri(uri: str) -> bool:
    if uri == OUT_OF_BAND:
        return True
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return (
        bool(re.fullmatch(r"[a-z][a-z0-9+.-]*", parts.scheme))
        and not parts.fragment
        and bool(parts.netloc or parts.path)
    )


def _registered_scopes(params: Params) -> list[str]:
    scopes = (params.text("scopes") or "read").split()
    if not set(scopes) <= set(SCOPES):
        raise Refused(422, "Validation failed: Scopes doesn't match configured on the server.")
    return scopes


ROUTES = (register, own_app)
