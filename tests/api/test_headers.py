"""What every response carries, and by which names we let ourselves be called."""

import pytest
from litestar import get

from social.backing import Backing
from tests.api.serving import Api, served, with_settings
from tests.api.test_callers import handlers

ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}

PAGES = {"/", "/connect/{platform:str}"}  # have headers of their own


async def test_every_route_and_every_refusal_carries_them(api: Api) -> None:
    await api.set_up()
    paths = {name.partition(" ")[2] for name in handlers(api.app) if "{path" not in name} - PAGES

    for path in [*paths, "/api/v1/nothing", "/m/nothing", "/nothing.txt"]:
        for method in ("GET", "OPTIONS"):
            answer = await api.ask(method, "/" + path.replace("{", "").replace("}", ""))
            assert ALWAYS.items() <= answer.headers.items(), (method, path)
            assert "strict-transport-security" not in answer.headers


async def test_a_fault_of_ours_carries_them_too(backing: Backing) -> None:
    @get("/fails", opt={"public": True})
    async def fails() -> None:
        raise RuntimeError

    async with served(with_settings(backing, public_url="https://social.example.org"), others=[fails]) as api:
        answer = await api.ask("GET", "//fails")

    assert answer.status == 500
    assert ALWAYS.items() <= answer.headers.items()
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize(
    "host", ["evil.example.org", "127.0.0.1.evil.example.org", "localhost.evil:80", "10.0.0.1", "[::2]:80", ""]
)
async def test_a_host_that_is_not_ours_is_refused(api: Api, host: str) -> None:
    for path in ("/setup", "//"):
        answer = await api.ask("GET", path, headers={"Host": host, "X-Forwarded-Host": "127.0.0.1"})
        assert answer.status in {400, 421}, host
        assert answer.problem == "invalid"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:9999", "[::1]:8080", "LOCALHOST"])
async def test_a_loopback_is_ours_by_all_its_names(api: Api, host: str) -> None:
    assert (await api.ask("GET", "/setup", headers={"Host": host})).status == 200


async def test_the_public_name_is_ours_and_health_may_be_asked_by_number(backing: Backing) -> None:
    async with served(with_settings(backing, public_url="https://social.example.org")) as api:
        for host, status in (
            ("Social.Example.org", 200),
            ("social.example.org:8443", 421),
            ("social.example.org.", 421),
        ):
            assert (await api.ask("GET", "/setup", headers={"Host": host})).status == status
        assert (await api.ask("GET", "//health/live", headers={"Host": "10.0.0.7:8080"})).status == 200
