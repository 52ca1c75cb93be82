"""The focus: where it goes when a form is not taken, a page is come to, and what opened a dialog is gone."""

import pytest
from playwright.async_api import Browser, Page, expect

from social.settings import Settings
from tests.journeys.steps import set_up
from tests.servers.browser import window
from tests.servers.product import Product

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


async def test_the_focus_leads_on(product: Product, settings: Settings, browser: Browser) -> None:
    async with window(browser) as (page, complaints):
        await page.goto(f"{product.url}/setup#token={settings.setup_token}")
        await page.get_by_test_id("setup-submit").click()
        await expect(page.get_by_test_id("setup-name")).to_be_focused()
        await set_up(page, product.url, settings.setup_token)

        await page.get_by_test_id("nav-accounts").click()
        await expect(page.locator("#content")).to_be_focused()
        await page.get_by_test_id("nav-write").click()
        await expect(page.get_by_test_id("compose-text")).to_be_focused()
        await page.keyboard.type("Written at once")
        await expect(page.get_by_test_id("compose-saving")).to_have_attribute("data-state", "saved")

        await the_draft_goes(page)
        assert complaints == []
    async with window(browser) as (page, _):
        await page.goto(f"{product.url}/sign-in")
        await page.get_by_test_id("sign-in-submit").click()
        await expect(page.get_by_test_id("sign-in-email")).to_be_focused()
        await page.get_by_test_id("sign-in-email").fill("ada@example.org")
        await page.get_by_test_id("sign-in-password").fill("not this one")
        await page.get_by_test_id("sign-in-submit").click()
        await expect(page.get_by_test_id("sign-in-refused")).to_be_visible()
        await expect(page.get_by_test_id("sign-in-password")).to_be_focused()


async def the_draft_goes(page: Page) -> None:
    """With the menu from which it was deleted."""
    await page.get_by_test_id("nav-home").click()
    await page.get_by_test_id("tab-drafts").click()
    row = page.get_by_test_id("draft-row")
    await row.get_by_role("button", name="Actions").click()
    await page.get_by_role("menuitem", name="Delete").click()
    await page.get_by_test_id("discard-yes").click()
    await expect(row).to_have_count(0)
    await expect(page.locator("#content")).to_be_focused()
