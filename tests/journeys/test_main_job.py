"""The main job, through the browser alone: set up, connect, write with a picture, plan, and watch it turn online."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Browser, Page, expect

from social import web
from social.settings import Settings
from tests.pictures import jpeg
from tests.servers.browser import chromium, look, window
from tests.servers.product import PASSWORD, Product
from tests.servers.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
BERLIN = ZoneInfo("Europe/Berlin")
TEXT = "Our new bakery opens tomorrow, come by! https://example.org/bakery"
ALT = "A loaf of bread in the morning light"


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
async def test_write_once_and_at_its_second_it_is_online_while_you_watch(
    phone: bool, settings: Settings, backing: object, sandbox: Sandbox, tmp_path: Path
) -> None:
    assert (web.files() / "index.html").exists(), "the web client is not built"
    with Product(settings, tmp_path) as product:
        product.start()
        async with chromium() as browser:
            await the_whole_job(browser, product, settings, sandbox, phone, tmp_path)
        assert product.stop() == 0


async def the_whole_job(
    browser: Browser, product: Product, settings: Settings, sandbox: Sandbox, phone: bool, folder: Path
) -> None:
    size = "phone" if phone else "desktop"
    picture = folder / "bread.jpg"
    picture.write_bytes(jpeg(1600, 1200))
    async with window(browser, phone=phone) as (page, complaints):
        await page.goto(f"{product.url}/setup#token={settings.setup_token}")
        await look(page, f"setup-{size}")
        await set_up(page)
        await look(page, f"empty-{size}")
        await connect(page)
        await look(page, f"connected-{size}")
        await write(page, picture)
        await look(page, f"composer-{size}")
        due = await plan(page)
        row = page.get_by_test_id("publication-row").first
        await expect(row).to_have_attribute("data-state", re.compile("planned|prepar"))
        await look(page, f"planned-{size}")
        loaded = await page.evaluate("performance.timeOrigin")

        await expect(row).to_have_attribute("data-state", "online", timeout=25_000)

        assert await page.evaluate("performance.timeOrigin") == loaded, "the page was loaded anew"
        await look(page, f"online-{size}")
        assert complaints == []
        [status] = sandbox.statuses()
        assert (status["text"], status["media"][0]["alt"]) == (TEXT, ALT)
        assert timedelta() <= datetime.fromisoformat(status["created_at"]) - due < timedelta(seconds=2)

        await page.goto(f"{sandbox.url}/sandbox/timeline")
        shown = page.get_by_role("img", name=ALT)
        await expect(shown).to_have_count(1)
        assert await shown.evaluate("image => image.complete && image.naturalWidth > 0")
        await expect(page.get_by_text("Our new bakery opens tomorrow")).to_have_count(1)
        await look(page, f"timeline-{size}")


async def set_up(page: Page) -> None:
    """A newcomer becomes the owner."""
    await page.get_by_test_id("setup-name").fill("Ada Lovelace")
    await page.get_by_test_id("setup-email").fill("ada@example.org")
    await page.get_by_test_id("setup-password").fill(PASSWORD)
    await page.get_by_test_id("setup-workspace").fill("Ada's bakery")
    await page.get_by_test_id("setup-submit").click()
    await page.get_by_test_id("nav-write").first.wait_for()


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
    await page.get_by_test_id("nav-write").first.click()
    await page.get_by_test_id("compose-text").fill(TEXT)
    await page.get_by_test_id("compose-file").set_input_files(picture)
    await page.get_by_test_id("compose-alt").fill(ALT)
    chosen = page.get_by_test_id("compose-account").first
    if await chosen.get_attribute("aria-pressed") != "true":
        await chosen.click()
    await expect(page.get_by_test_id("preview-text")).to_contain_text("Our new bakery")
    await expect(page.get_by_test_id("compose-count")).to_contain_text("63")  # the address counts 23


async def plan(page: Page) -> datetime:
    """Seven seconds from now, to the second; the instant."""
    await page.get_by_test_id("compose-plan").click()
    await page.get_by_test_id("plan-dialog").get_by_role("checkbox").check()
    due = (datetime.now(BERLIN) + timedelta(seconds=7)).replace(microsecond=0)
    await page.get_by_test_id("plan-date").fill(f"{due:%Y-%m-%d}")
    await page.get_by_test_id("plan-time").fill(f"{due:%H:%M:%S}")
    await page.get_by_test_id("plan-confirm").click()
    await page.get_by_test_id("toast").first.wait_for()
    return due
