"""The main job, through the browser alone: set up, connect, write with a picture, plan, and watch it turn online."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from social import web
from social.settings import Settings
from tests.journeys.conftest import Device
from tests.journeys.steps import choose_all, plan, set_up
from tests.pictures import jpeg
from tests.servers.browser import look
from tests.servers.product import Product
from tests.servers.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
TEXT = "Our new bakery opens tomorrow, come by! https://example.org/bakery"
ALT = "A loaf of bread in the morning light"


async def test_write_once_and_at_its_second_it_is_online_while_you_watch(
    product: Product, sandbox: Sandbox, settings: Settings, page: Page, device: Device, tmp_path: Path
) -> None:
    assert (web.files() / "index.html").exists(), "the web client is not built"
    picture = tmp_path / "bread.jpg"
    picture.write_bytes(jpeg(1600, 1200))
    await page.goto(f"{product.url}/setup#token={settings.setup_token}")
    await look(page, f"setup-{device.name}")
    await set_up(page, product.url, settings.setup_token)
    await look(page, f"empty-{device.name}")
    await connect(page)
    await look(page, f"connected-{device.name}")
    await write(page, picture)
    await look(page, f"composer-{device.name}")
    due = await plan(page, within=7)
    row = page.get_by_test_id("publication-row").first
    await expect(row).to_have_attribute("data-state", re.compile("planned|prepar"))
    await look(page, f"planned-{device.name}")
    loaded = await page.evaluate("performance.timeOrigin")

    await expect(row).to_have_attribute("data-state", "online", timeout=25_000)

    assert await page.evaluate("performance.timeOrigin") == loaded, "the page was loaded anew"
    await look(page, f"online-{device.name}")
    [status] = sandbox.statuses()
    assert (status["text"], status["media"][0]["alt"]) == (TEXT, ALT)
    assert timedelta() <= datetime.fromisoformat(status["created_at"]) - due < timedelta(seconds=2)

    await page.goto(f"{sandbox.url}/sandbox/timeline")
    shown = page.get_by_role("img", name=ALT)
    await expect(shown).to_have_count(1)
    assert await shown.evaluate("image => image.complete && image.naturalWidth > 0")
    await expect(page.get_by_text("Our new bakery opens tomorrow")).to_have_count(1)
    await look(page, f"timeline-{device.name}")


async def connect(page: Page) -> None:
    """An account of the sandbox, over the platform's own consent page."""
    await page.goto(page.url.split("/", 3)[0] + "//" + page.url.split("/")[2] + "/accounts")
    await page.get_by_test_id("connect-button").first.click()
    await page.get_by_test_id("connect-sandbox").click()
    await page.get_by_test_id("connect-go").click()
    await page.locator("input[name=new_username]").fill("bakery")
    await page.get_by_role("button", name="Authorize").click()
    await expect(page.get_by_test_id("connect-found")).to_contain_text("bakery")
    await page.get_by_test_id("connect-confirm").click()
    await page.get_by_test_id("connected").wait_for()


async def write(page: Page, picture: Path) -> None:
    """A text, and a picture with words for those who cannot see it."""
    await choose_all(page, 1)
    await page.get_by_test_id("compose-text").fill(TEXT)
    await page.get_by_test_id("compose-file").set_input_files(picture)
    await page.get_by_test_id("compose-alt").fill(ALT)
    await expect(page.get_by_test_id("preview-text")).to_contain_text("Our new bakery")
    await expect(page.get_by_test_id("compose-count")).to_contain_text("63")  # the address counts 23
