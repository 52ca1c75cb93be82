"""Where we connect to, and where never."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from social.backing import outbound as room
from social.backing.outbound import Blocked, Lost, Outbound, Redirected, checked, public
from social.errors import Invalid
from social.settings import Settings


def settings(**changes: object) -> Settings:
    needed = {
        "mongo_url": "mongodb://127.0.0.1:1",
        "redis_url": "redis://127.0.0.1:1",
        "s3_endpoint": "http://127.0.0.1:1",
        "s3_access_key": "a",
        "s3_secret_key": "s",
        "master_key": base64.b64encode(bytes(32)).decode(),
    }
    return Settings(**(needed | changes))  # type: ignore[arg-type]


class Target:
    """A server on loopback that nobody should reach. `seen` counts connections."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.port = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request.path_qs)
        inside = {"Location": f"http://127.0.0.1:{self.port}/inside"}
        answers: dict[str, Callable[[], web.Response]] = {
            "/moved": lambda: web.Response(status=302, headers=inside),
            "/big": lambda: web.Response(body=b"x" * 5000),
            "/packed": lambda: web.Response(body=b"x", headers={"Content-Encoding": "gzip"}),
            "/cookie": lambda: web.Response(headers={"Set-Cookie": "a=b; Path=/"}),
            "/headers": lambda: web.json_response(dict(request.headers)),
        }
        made = answers.get(request.path, lambda: web.Response(text="secret"))()
        made.force_close()  # so that every request needs a connection of its own
        return made


@asynccontextmanager
async def listening(target: Target, host: str) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", target.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, host, target.port).start()
    target.port = runner.addresses[0][1]
    yield
    await runner.cleanup()


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    target = Target()
    async with listening(target, "127.0.0.1"):
        yield target


URLS = [
    "http://127.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://0.0.0.0:{port}/",
    "http://localhost:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://①②⑦.0.0.1:{port}/",
    "http://10.0.0.1:{port}/",
    "http://192.168.1.1:{port}/",
    "http://169.254.169.254:{port}/latest/meta-data/",
    "http://[fe80::1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
]


@pytest.mark.parametrize("url", URLS)
async def test_no_spelling_of_an_inner_address_is_connected_to(url: str, target: Target) -> None:
    async with Outbound.opened(settings()) as outbound:
        for session in (outbound.outside, outbound.platforms):
            with pytest.raises((aiohttp.ClientConnectorError, aiohttp.InvalidURL)):
                await session.get(url.format(port=target.port))
    assert target.seen == []


async def test_the_refusal_says_that_the_address_is_not_public(target: Target) -> None:
    async with Outbound.opened(settings()) as outbound:
        with pytest.raises(Invalid) as refused:
            await outbound.fetched("http://127.0.0.1/", at_most=10)
        with pytest.raises(aiohttp.ClientConnectorError) as blocked:
            await outbound.outside.get(f"http://127.0.0.1:{target.port}/")
    assert refused.value.wrong[0].code == "not-public"
    assert isinstance(blocked.value.os_error, Blocked)


class Names(AbstractResolver):
    """A name server whose answer changes: what it says is a list of addresses, one for each time it is asked."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        kind = socket.AF_INET6 if ":" in answer else socket.AF_INET
        return [ResolveResult(hostname=host, host=answer, port=port, family=kind, proto=0, flags=0)]

    async def close(self) -> None:
        pass


async def test_a_name_that_is_bound_anew_is_checked_anew(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = f"http://rebound.example:{target.port}"
    monkeypatch.setattr(room, "public", lambda address: address == "127.0.0.2")  # stands in for a public one
    monkeypatch.setattr(room, "ours", lambda _: False)
    monkeypatch.setattr(room, "WEB_PORTS", frozenset({target.port}))
    names = Names("127.0.0.2", "127.0.0.1")
    async with listening(target, "127.0.0.2"), Outbound.opened(settings(), resolver=names) as outbound:
        assert (await outbound.fetched(f"{inner}/first", at_most=100)).body == b"secret"
        outbound.outside.connector.clear_dns_cache()  # type: ignore[union-attr]
        with pytest.raises(Invalid) as refused:
            await outbound.fetched(f"{inner}/second", at_most=100)
    assert refused.value.wrong[0].code == "not-public"
    assert target.seen == ["/first"]


async def test_a_redirect_is_not_followed_by_any_session(target: Target) -> None:
    origin = f"http://127.0.0.1:{target.port}"
    async with Outbound.opened(settings(sandbox_url=origin)) as outbound:
        with pytest.raises(Redirected):  # even where the caller forgot to forbid it
            await outbound.towards(origin, sandbox=True).get(f"{origin}/moved")
    assert target.seen == ["/moved"]


async def test_a_request_is_not_repeated_after_a_reset() -> None:
    asked = 0

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readline()
        asked += 1
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with Outbound.opened(settings(sandbox_url=origin)) as outbound:
            with pytest.raises(Lost):
                await outbound.towards(origin, sandbox=True).get(f"{origin}/")  # aiohttp by itself would ask twice
    assert asked == 1


async def test_cookies_are_not_kept_and_we_say_who_we_are(target: Target) -> None:
    origin = f"http://127.0.0.1:{target.port}"
    async with Outbound.opened(settings(sandbox_url=origin, public_url="https://social.example")) as outbound:
        session = outbound.towards(origin, sandbox=True)
        await session.get(f"{origin}/cookie")
        async with session.get(f"{origin}/headers") as answer:
            sent = await answer.json()
    assert "Cookie" not in sent
    assert sent["User-Agent"].startswith("Social/")
    assert sent["User-Agent"].endswith("(+https://social.example)")
    assert sent["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("path", "code"),
    [("/moved", "redirect"), ("/big", "large"), ("/packed", "packed"), ("/inside", None)],
)
async def test_what_is_fetched_is_capped_and_plain(
    path: str, code: Any, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "public", lambda _: True)
    monkeypatch.setattr(room, "ours", lambda _: False)
    monkeypatch.setattr(room, "WEB_PORTS", frozenset({target.port}))
    async with Outbound.opened(settings()) as outbound:
        fetching = outbound.fetched(f"http://127.0.0.1:{target.port}{path}", at_most=1000)
        if code is None:
            assert (await fetching).body == b"secret"
        else:
            with pytest.raises(Invalid) as refused:
                await fetching
            assert refused.value.wrong[0].code == code


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://example.org/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("example.org", "scheme"),
        ("https://", "scheme"),
        ("http://[::1", "malformed"),
        ("https://a:b@example.org/", "credentials"),
        ("https://a@example.org/", "credentials"),
        ("https://example.org:8443/", "port"),
        ("https://example.org:99999/", "malformed"),
    ],
)
def test_an_address_that_is_none_of_the_webs_is_refused_in_words(url: str, code: Any) -> None:
    with pytest.raises(Invalid) as refused:
        checked(url)
    assert refused.value.wrong[0].code == code


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"])
def test_public_addresses_are_public(address: str) -> None:
    assert public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.8",
        "192.88.99.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:0:7f00:1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "fc00::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "not an address",
    ],
)
def test_special_addresses_are_not_public(address: str) -> None:
    assert not public(address)


async def test_this_machines_own_addresses_are_open_to_platforms_and_closed_to_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "public", lambda _: True)
    info = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 443))
    room._to_public({443})(info).close()
    with pytest.raises(Blocked):
        room._to_public({443}, but_not=room.ours)(info)


@pytest.mark.parametrize(
    "origin",
    [
        "http://127.0.0.1:1234",
        "https://127.0.0.1:9000/",
        "http://localhost:9000",
        "http://127.0.0.1:9000@example.org",
    ],
)
async def test_a_sandbox_account_speaks_to_the_sandbox_only(origin: str) -> None:
    async with Outbound.opened(settings(sandbox_url="http://127.0.0.1:9000")) as outbound:
        assert outbound.towards("http://127.0.0.1:9000", sandbox=True) is outbound.sandbox
        with pytest.raises(Invalid):
            outbound.towards(origin, sandbox=True)


@pytest.mark.parametrize(
    "origin",
    ["http://127.0.0.1:9000", "http://example.org", "https://example.org:8443", "https://a@example.org", "https:"],
)
async def test_a_live_account_speaks_https_only_and_never_to_the_sandbox(origin: str) -> None:
    async with Outbound.opened(settings(sandbox_url="http://127.0.0.1:9000")) as outbound:
        assert outbound.towards("https://example.org", sandbox=False) is outbound.platforms
        with pytest.raises(Invalid):
            outbound.towards(origin, sandbox=False)


async def test_the_sandbox_is_off_unless_it_is_switched_on() -> None:
    async with Outbound.opened(settings()) as outbound:
        with pytest.raises(Invalid):
            outbound.towards("http://127.0.0.1:9000", sandbox=True)


async def test_a_connection_is_used_again_only_if_it_was_idle_for_a_moment(target: Target) -> None:
    origin = f"http://127.0.0.1:{target.port}"
    async with Outbound.opened(settings(sandbox_url=origin)) as outbound:
        session = outbound.towards(origin, sandbox=True)
        assert session.connector is not None
        assert session.connector._keepalive_timeout == 2.0
