"""The public surface as a document."""

from tests.api.serving import Api
from tests.api.test_callers import handlers


async def test_the_document_lists_every_route_of_the_api_and_is_for_the_signed_in(api: Api) -> None:
    assert (await api.ask("GET", "/openapi.json")).problem == "sign-in-needed"
    await api.set_up()

    document = (await api.ask("GET", "/openapi.json")).json

    assert (document["info"]["title"], document["openapi"][:2]) == ("Social", "3.")
    told = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    there = {
        name.replace(":str}", "}").rstrip("/")
        for name, handler in handlers(api.app).items()
        if "/api/v1/" in name and handler.resolve_include_in_schema()
    }
    assert there <= told
    assert {"POST /api/v1/session", "GET /api/v1/me"} <= told
    assert document["components"]["schemas"]["Me"]["required"] == ["user", "workspace_id", "workspaces"]


async def test_pages_about_the_api_are_for_the_signed_in_and_load_nothing_from_elsewhere(api: Api) -> None:
    for path in ("/schema", "/schema/openapi.json", "/schema/swagger"):
        assert (await api.ask("GET", path)).problem == "sign-in-needed"
    await api.set_up()

    for path in ("/schema", "/schema/swagger", "/schema/openapi.json"):
        assert b"<script" not in (await api.ask("GET", path)).body
