"""What was cancelled has a place of its own, whatever its date: among what was sent stands only what was sent."""

import pytest
from playwright.async_api import Page, expect

from tests.journeys.conftest import Device
from tests.journeys.steps import it_fits, sign_in
from tests.servers.browser import look
from tests.servers.product import Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


async def test_nothing_that_lies_ahead_stands_in_what_was_sent(
    product: Product, owner: Person, sandbox: Sandbox, page: Page, device: Device
) -> None:
    account = await owner.connect(sandbox)
    ahead = await owner.plan(await owner.write("happy new year", account["id"]), at="2031-01-01T08:00:00Z")
    sent = await owner.plan(await owner.write("good morning", account["id"]), now=True)
    await owner.until(sent, "online")
    await owner.ask("DELETE", f"/publications/{ahead['publications'][0]['id']}/plan")
    await sign_in(page, product.url)

    await page.get_by_test_id("tab-sent").click()
    listed, cancelled = page.locator("#list"), page.get_by_test_id("cancelled")
    await expect(page.get_by_test_id("publication-row")).to_have_count(1)
    await expect(listed).to_contain_text("good morning")
    await expect(page.get_by_test_id("tab-sent")).to_contain_text("1")
    await expect(listed).not_to_contain_text("2031")
    await expect(cancelled).to_have_text("Cancelled1")
    await look(page, f"sent-{device.name}")
    await cancelled.locator("summary").click()
    await expect(cancelled).to_contain_text("1 January 2031")
    await expect(cancelled.get_by_test_id("publication-row")).to_have_attribute("data-state", "cancelled")
    await look(page, f"sent-cancelled-{device.name}")
    await it_fits(page)

    await cancelled.get_by_test_id("publication-open").click()
    await expect(page.get_by_test_id("details")).to_contain_text("happy new year")
    await look(page, f"cancelled-details-{device.name}")
