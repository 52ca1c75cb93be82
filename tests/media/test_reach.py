"""Whether platforms can fetch our files: asked at the very address that they would be given."""

import dataclasses
import datetime
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from social.backing import Backing
from social.backing.bucket import Bucket
from social.backing.outbound import once
from social.media.links import Opened, opened, outside
from social.media.reach import reach
from social.moments import now

NAME = "social.example.org"


class Door:
    """Our own door as the internet sees it: https on a name of ours, and behind it `answers`."""

    def __init__(self, backing: Backing) -> None:
        self.answers = "file"
        self._backing = backing

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.answers == "moved":
            return web.Response(status=301, headers={"Location": "https://elsewhere.example.org/"})
        if self.answers == "hotel":
            return web.Response(text="Please sign in to the hotel's network")
        linked: Opened = opened(request.path.removeprefix("/m/"), self._backing, now())
        async with self._backing.bucket.reading(linked.key) as pieces:
            return web.Response(body=b"".join([piece async for piece in pieces]), content_type=linked.mime)


class Resolver(AbstractResolver):
    """Knows our name alone, and where it really leads to."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host="127.0.0.1", port=self._port, family=socket.AF_INET, proto=0, flags=0)
        ]

    async def close(self) -> None: ...


@pytest.fixture
async def door(backing: Backing, tmp_path: Path) -> AsyncIterator[tuple[Door, Backing]]:
    there = Door(backing)
    app = web.Application()
    app.router.add_get("/{tail:.*}", there.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certified(tmp_path)).start()
    connector = aiohttp.TCPConnector(resolver=Resolver(runner.addresses[0][1]), ssl=False)
    async with aiohttp.ClientSession(connector=connector, middlewares=(once,)) as session:
        outbound = dataclasses.replace(backing.outbound, platforms=session)
        settings = msgspec.structs.replace(backing.settings, public_url=f"https://{NAME}")
        yield there, dataclasses.replace(backing, outbound=outbound, settings=settings)
    await runner.cleanup()


def certified(folder: Path) -> ssl.SSLContext:
    """A certificate that nobody trusts, for the door."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    today = datetime.datetime.now(datetime.UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
    built = built.serial_number(1).not_valid_before(today).not_valid_after(today + datetime.timedelta(days=1))
    file = folder / "door.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_files_that_come_back_as_they_were_put_can_be_fetched(door: tuple[Door, Backing]) -> None:
    _, backing = door

    found = await reach(backing)

    assert (found.address, found.problem) == (f"https://{NAME}", None)
    assert [each.key async for each in backing.bucket.listed("reach/")] == []


@pytest.mark.parametrize(("answers", "words"), [("moved", "leads on"), ("hotel", "Something else answers")])
async def test_what_else_answers_is_said(answers: str, words: str, door: tuple[Door, Backing]) -> None:
    there, backing = door
    there.answers = answers

    assert words in str((await reach(backing)).problem)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://social.example.org", "over https only"),
        ("https://social.example.org:8443", "over https only"),
        ("https://127.0.0.1", "not an address on the public internet"),
        ("https://[::1]", "not an address on the public internet"),
    ],
)
async def test_an_address_that_no_platform_reaches_is_told_from_one_that_is_down(
    address: str, words: str, backing: Backing
) -> None:
    settings = msgspec.structs.replace(backing.settings, public_url=address)

    assert words in str((await reach(dataclasses.replace(backing, settings=settings))).problem)


async def test_where_others_reach_the_bucket_files_are_fetched_there(
    backing: Backing, session: aiohttp.ClientSession
) -> None:
    settings = msgspec.structs.replace(backing.settings, s3_public_url=backing.settings.s3_endpoint)
    await backing.bucket.put("reach/fetched", b"0123456789", mime="application/octet-stream", size=10)
    async with Bucket.opened(settings) as bucket:
        address = await outside(
            "reach/fetched", "video/mp4", "a.mp4", dataclasses.replace(backing, settings=settings, bucket=bucket)
        )

    async with session.get(address, headers={"Range": "bytes=2-4"}) as answer:
        assert (answer.status, await answer.read()) == (206, b"234")
        assert answer.content_type == "video/mp4"
    await backing.bucket.delete(["reach/fetched"])
