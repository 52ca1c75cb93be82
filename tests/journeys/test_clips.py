"""A video that the browser cannot play is looked at all the same: in the library, in a preview, while it is trimmed."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.journeys.conftest import DESKTOP
from tests.journeys.steps import it_fits, sign_in
from tests.media.films import film, looped
from tests.servers.browser import PHONE, look
from tests.servers.product import Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
HEVC = "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -tag:v hvc1 -x265-params log-level=none"
VP9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8"
SAID = "This browser cannot play the original; this is a preview of its first 15 seconds."
PATIENCE = 60_000  # ms, for what is made in the background
ADVANCES = "video => video.videoWidth > 0 && video.currentTime > 0.2"


@pytest.mark.parametrize("device", [DESKTOP], ids=lambda device: device.name, indirect=True)
async def test_what_a_phone_filmed_plays_where_it_is_looked_at(
    product: Product, owner: Person, sandbox: Sandbox, page: Page, tmp_path: Path
) -> None:
    second = film(tmp_path / "second.mov", size=(640, 360), seconds=1, fps="15", video=HEVC)
    holiday = looped(tmp_path / "holiday.mov", second, 20)
    await owner.connect(sandbox)
    await sign_in(page, product.url)
    await in_the_library(page, holiday)
    await in_the_composer(page)
    wide = film(tmp_path / "wide.webm", size=(2048, 96), seconds=1, fps="15", video=VP9, audio=None)
    await a_heavy_one(page, f"{product.url}/media", owner, wide)


async def in_the_library(page: Page, file: Path) -> None:
    """It is opened at once; the clip comes by itself."""
    await page.get_by_test_id("nav-media").first.click()
    await page.get_by_test_id("media-file").set_input_files(file)
    await page.get_by_test_id("media-item").get_by_role("button").click()
    dialog = page.get_by_test_id("media-look")
    await expect(dialog.get_by_test_id("film-said")).to_have_text(SAID, timeout=PATIENCE)
    clip = dialog.get_by_test_id("film")
    await clip.focus()
    await page.keyboard.press("Space")
    await advances(clip)
    await in_both_sizes(page, "clip-library")
    await dialog.get_by_role("link", name="Write a post with it").click()


async def in_the_composer(page: Page) -> None:
    """In the preview by its button, and while it is trimmed."""
    await page.get_by_test_id("compose-text").fill("By the sea")
    preview = page.get_by_test_id("preview")
    await preview.get_by_test_id("preview-play").press("Enter")
    await advances(preview.get_by_test_id("film"))
    await expect(preview.get_by_test_id("film-said")).to_have_text(SAID)
    await in_both_sizes(page, "clip-preview")

    await page.get_by_test_id("compose-adjust").click()
    dialog = page.get_by_test_id("fit")
    await expect(dialog.get_by_test_id("fit-clip")).to_contain_text("preview of its first 15 seconds")
    await dialog.get_by_test_id("fit-play").click()
    await advances(dialog.get_by_test_id("fit-video"))
    await in_both_sizes(page, "clip-adjust")


async def a_heavy_one(page: Page, url: str, owner: Person, file: Path) -> None:
    """Every browser plays it, and its clip is played first all the same, until somebody wants the original."""
    await page.goto(url)
    await page.get_by_test_id("media-file").set_input_files(file)
    await expect(page.get_by_test_id("media-item")).to_have_count(2)
    async with asyncio.timeout(PATIENCE / 1000):
        while not (heavy := (await owner.ask("GET", "/media"))["items"][0])["clip_url"]:
            await asyncio.sleep(0.1)
    assert heavy["heavy"]
    await page.reload()
    await page.get_by_test_id("media-item").first.get_by_role("button").click()
    dialog = page.get_by_test_id("media-look")
    await expect(dialog.get_by_test_id("film-said")).to_contain_text("The original is large; this is a small preview")
    await expect(dialog.get_by_test_id("film")).to_have_attribute("data-clip", "true")

    await dialog.get_by_role("button", name="Play the original").click()

    await expect(dialog.get_by_test_id("film")).to_have_attribute("src", heavy["url"])
    await expect(dialog.get_by_test_id("film-said")).to_have_count(0)


async def advances(film: Locator) -> None:
    """What is played is the clip, and it is seen."""
    await expect(film).to_have_attribute("data-clip", "true")
    handle = await film.element_handle()
    await film.page.wait_for_function(ADVANCES, arg=handle)


async def in_both_sizes(page: Page, name: str) -> None:
    """Pictures for people who look at them, and nothing is wider than a phone."""
    await look(page, f"{name}-desktop")
    usual = page.viewport_size
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    await page.emulate_media(color_scheme="dark")
    await it_fits(page)
    await look(page, f"{name}-phone")
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size(usual)  # type: ignore[arg-type]
