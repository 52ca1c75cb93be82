"""A large file through the browser: the network goes, the page is loaded anew, and it is there all the same, once."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, CDPSession, Page, Request, expect

from social.settings import Settings
from tests.journeys.conftest import Device
from tests.journeys.steps import set_up
from tests.media.films import of_size
from tests.servers.browser import look, window
from tests.servers.product import Product

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MIB = 2**20
SIZE = 60 * MIB + 12_345  # eight parts
PACE = 4 * MIB  # bytes in a second


async def test_a_film_survives_the_network_and_a_reload(
    product: Product, settings: Settings, browser: Browser, device: Device, tmp_path: Path
) -> None:
    film, other = tmp_path / "film.mp4", tmp_path / "other.mp4"
    film.write_bytes(of_size(SIZE))
    other.write_bytes(film.read_bytes()[:MIB])
    async with window(browser, phone=device.phone, dark=device.dark) as (page, complaints):
        await set_up(page, product.url, settings.setup_token)
        await page.get_by_test_id("nav-media").first.click()
        line = await page.context.new_cdp_session(page)
        await at_a_pace(line)
        upload = page.get_by_test_id("upload")

        await page.get_by_test_id("media-file").set_input_files(film)
        await until_sent(page, 10 * MIB)
        await expect(page.get_by_test_id("upload-said")).to_have_text(re.compile(r"MB/s · \d+ s left"))
        await look(page, f"upload-going-{device.name}")

        await page.get_by_test_id("upload-pause").click()
        await expect(upload).to_have_attribute("data-phase", "paused")
        await look(page, f"upload-paused-{device.name}")
        await page.get_by_test_id("upload-resume").click()
        await until_sent(page, 24 * MIB)

        await at_a_pace(line, offline=True)
        await expect(upload).to_have_attribute("data-phase", "lost")
        await look(page, f"upload-lost-{device.name}")
        await at_a_pace(line)
        await expect(upload).to_have_attribute("data-phase", "sending")
        await until_sent(page, 40 * MIB)

        await page.reload()
        begun = page.get_by_test_id("upload-begun")
        await begun.wait_for()
        await look(page, f"upload-begun-{device.name}")
        there = await begun.get_by_role("progressbar").evaluate("bar => bar.value")
        assert 0.2 < there < 0.9, "what was there before is gone, or nothing is left to be sent"
        again = page.get_by_test_id("upload-again")
        await again.set_input_files(other)
        await expect(begun).to_contain_text("another file")
        with sent_parts(page) as parts:
            await again.set_input_files(film)
            await page.get_by_test_id("media-item").wait_for(timeout=60_000)
        assert await page.get_by_test_id("upload").count() == 0
        assert await begun.count() == 0
        assert 0 < len(parts) <= round((1 - there) * 8) + 1, "parts that were there were sent again"
        await look(page, f"upload-there-{device.name}")
        await page.get_by_test_id("media-item").get_by_role("button").click()
        address = await page.get_by_test_id("media-look").locator("video").get_attribute("src")
        assert [each for each in complaints if "ERR_INTERNET_DISCONNECTED" not in each] == []
    assert await fetched(f"{product.url}{address}") == hashlib.sha256(film.read_bytes()).hexdigest()


async def at_a_pace(line: CDPSession, *, offline: bool = False) -> None:
    """A line as people have: without it, all would be there before anybody could pull the plug."""
    await line.send(
        "Network.emulateNetworkConditions",
        {"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": PACE},
    )


async def until_sent(page: Page, bytes: int) -> None:
    """Waits until the only upload has so much through."""
    await page.wait_for_function(
        "most => Number(document.querySelector('[data-testid=upload]')?.dataset.sent ?? 0) >= most",
        arg=bytes,
        timeout=60_000,
    )


@contextmanager
def sent_parts(page: Page) -> Iterator[set[str]]:
    """The numbers of the parts that are sent within the block."""
    parts: set[str] = set()

    def note(request: Request) -> None:
        if request.method == "PUT" and "/parts/" in request.url:
            parts.add(request.url.rpartition("/")[2])

    page.on("request", note)
    yield parts
    page.remove_listener("request", note)


async def fetched(address: str) -> str:
    """The SHA-256 of what is there."""
    digest = hashlib.sha256()
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        assert answer.status == 200
        async for piece in answer.content.iter_chunked(MIB):
            digest.update(piece)
    return digest.hexdigest()
