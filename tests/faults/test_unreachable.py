"""Platforms that cannot be reached: nothing was sent and nothing is in doubt, no try is used up, it goes out later."""

import ssl
import time
from collections.abc import Callable
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from social.moments import now
from social.platforms import PLATFORMS
from tests.faults.conftest import Scenes
from tests.faults.ledger import Figures
from tests.faults.scene import BY_WIRE, Scene
from tests.faults.wire import Wire
from tests.servers.product import Product
from tests.servers.sandbox import Sandbox

Report = Callable[..., Figures]
NO_NAME = "http://nowhere.invalid:8080"  # a name that nobody has, by RFC 6761


@pytest.mark.rows("F10")
async def test_a_platform_that_refuses_connections_costs_no_try_and_is_tried_again(
    stage: Scenes, wire: Wire, report: Report
) -> None:
    scene = await stage(sandbox_port=wire.port, platforms=BY_WIRE)
    scene.started()
    wire.trouble(refuse=True)
    wire.reset()
    await kept_back(scene)

    wire.trouble()

    await goes_out(scene, report)


@pytest.mark.rows("F10")
async def test_a_platform_whose_name_nobody_knows_costs_no_try_and_is_tried_again(
    stage: Scenes, report: Report
) -> None:
    scene = await stage(platforms=BY_WIRE)
    asking = (await speaking_to(NO_NAME, scene)).start(ready=False)
    await kept_back(scene)
    asking.kill()

    (await speaking_to(scene.sandbox.url, scene)).start(ready=False)

    await goes_out(scene, report)


@pytest.mark.rows("F10")
async def test_a_platform_whose_certificate_nobody_vouches_for_is_told_nothing_and_tried_again(
    stage: Scenes, generous: Sandbox, tmp_path: Path, report: Report
) -> None:
    certificate, tls = its_own_word(tmp_path)
    with Wire(int(generous.url.rpartition(":")[2]), tls=tls) as wire:
        scene = await stage(platforms=BY_WIRE)
        doubting = (await speaking_to(f"https://127.0.0.1:{wire.port}", scene)).start(ready=False)
        await kept_back(scene)
        assert wire.towards == 0, "not a byte was sent before it was known to whom"
        doubting.kill()

        believing = await speaking_to(f"https://127.0.0.1:{wire.port}", scene, SSL_CERT_FILE=str(certificate))
        believing.start(ready=False)

        await goes_out(scene, report)


@pytest.mark.rows("F10")
async def test_a_platform_that_suddenly_speaks_no_tls_costs_no_try_and_is_tried_again(
    stage: Scenes, report: Report
) -> None:
    scene = await stage(platforms=BY_WIRE)
    asking = (await speaking_to(scene.sandbox.url.replace("http:", "https:"), scene)).start(ready=False)
    await kept_back(scene)
    asking.kill()

    (await speaking_to(scene.sandbox.url, scene)).start(ready=False)

    await goes_out(scene, report)


async def speaking_to(url: str, scene: Scene, **env: str) -> Product:
    """An instance, not started, for which the platforms are at `url`; the accounts are there from now on."""
    for platform in BY_WIRE:
        origin = f"{url}{PLATFORMS[platform].sandbox_path}"
        await scene.db.accounts.update_many({"platform": platform}, {"$set": {"origin": origin}})
    # What a certificate is held against is read when the program is imported.
    return scene.instance(settings=msgspec.structs.replace(scene.settings, sandbox_url=url), forked=not env, **env)


async def kept_back(scene: Scene) -> None:
    """Plans a post and waits until it waits everywhere; and nothing of it is there."""
    await scene.plan("into the void")
    for platform in BY_WIRE:
        waiting = await scene.until("waiting", platform=platform)
        assert waiting["reason"]["code"] == "unreachable"
    assert scene.ledger.live() == []


async def goes_out(scene: Scene, report: Report) -> None:
    """All goes out, as if it had been tried for the first time."""
    began = time.monotonic()
    figures = report(await scene.concluded(len(BY_WIRE), 60), lag_s=time.monotonic() - began)
    assert {state for _, state, _ in await scene.states()} == {"online"}
    assert figures.unknown == 0
    assert {each["tries"] for each in await scene.ledger.publications()} == {0}


def its_own_word(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that vouches for itself, and what a server speaks TLS with by it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - timedelta(days=1))
        .not_valid_after(now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    held, secret = folder / "certificate.pem", folder / "key.pem"
    held.write_bytes(certificate.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(held, secret)
    return held, tls
