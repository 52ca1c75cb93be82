"""The lists: which one somebody looks at outlasts a reload, a draft that was opened from it, and details over it."""

from datetime import datetime, timedelta

import pytest
from playwright.async_api import Browser, Page, expect

from tests.journeys.steps import BERLIN, it_fits, sign_in
from tests.servers.browser import window
from tests.servers.product import Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


async def test_a_list_is_found_again(product: Product, owner: Person, sandbox: Sandbox, browser: Browser) -> None:
    account = await owner.connect(sandbox)
    await owner.write("A draft", account["id"])
    await owner.until(await owner.plan(await owner.write("Gone out", account["id"]), now=True), "online")
    async with window(browser, phone=True) as (page, complaints):
        await sign_in(page, product.url)
        await page.get_by_test_id("tab-drafts").click()
        await page.reload()
        await chosen(page, "drafts")
        await page.get_by_test_id("draft-row").get_by_text("A draft").click()
        await page.get_by_test_id("compose-text").fill(f"A draft https://example.org/{'long' * 40}")
        await expect(page.get_by_test_id("preview-text")).to_contain_text("example.org")
        await it_fits(page)
        await no_time_that_has_passed(page)
        await page.go_back()
        await chosen(page, "drafts")

        await page.get_by_test_id("tab-sent").click()
        await page.get_by_test_id("publication-open").click()
        await page.keyboard.press("Escape")
        await chosen(page, "sent")
        await page.get_by_test_id("nav-home").click()
        await chosen(page, "planned")
        assert complaints == []


async def chosen(page: Page, name: str) -> None:
    await expect(page.get_by_test_id(f"tab-{name}")).to_have_attribute("aria-selected", "true")


async def no_time_that_has_passed(page: Page) -> None:
    """By keys alone: it is said within what a phone shows, and the date has the focus."""
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_test_id("plan-date")).to_be_focused()
    await page.get_by_test_id("plan-date").fill(f"{datetime.now(BERLIN) - timedelta(days=1):%Y-%m-%d}")
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_test_id("plan-date")).to_have_attribute("aria-invalid", "true")
    await expect(page.get_by_test_id("plan-date")).to_be_focused()
    await expect(page.get_by_test_id("plan-said")).to_contain_text("That time has passed")
    await expect(page.get_by_test_id("plan-said")).to_be_in_viewport()
    await page.keyboard.press("Escape")
