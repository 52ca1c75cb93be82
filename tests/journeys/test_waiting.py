"""Why something waits is read in the browser and counts down until it goes on; and so is how punctual all was."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.journeys.conftest import DESKTOP, OTHERS, PHONE, Device
from tests.journeys.steps import it_fits, sign_in
from tests.servers.browser import look
from tests.servers.product import Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
Json = dict[str, Any]


@pytest.mark.parametrize("device", [DESKTOP, PHONE, *OTHERS], ids=lambda device: device.name, indirect=True)
async def test_why_it_waits_is_said_with_when_it_goes_on(
    product: Product, owner: Person, sandbox: Sandbox, page: Page, device: Device
) -> None:
    account = await owner.connect(sandbox)
    later = await owner.plan(await owner.write("next year", account["id"]), at="2031-01-01T00:00:00Z")
    await sign_in(page, product.url)
    await it_waits_for_its_time(page, later, device.name)
    await it_waits_for_the_platform(page, owner, account, sandbox, device.name)
    await an_account_gets_a_limit_of_its_own(page, product, owner, account, device.name)
    await page.goto(f"{product.url}/settings")
    await expect(page.get_by_test_id("punctuality-verdict")).to_contain_text(
        "the only post in the last hour", timeout=20_000
    )
    await look(page, f"punctuality-{device.name}")
    await it_fits(page)


async def an_account_gets_a_limit_of_its_own(
    page: Page, product: Product, person: Person, account: Json, name: str
) -> None:
    """What the platform allows is shown with what is used; a figure that cannot be is not taken, and one that can be
    is taken back with one click."""
    path = f"/accounts/{account['id']}/quotas"
    await page.goto(f"{product.url}/accounts")
    await page.get_by_test_id("account-menu").click()
    await page.get_by_test_id("account-limits").click()
    limits, save = page.get_by_test_id("limits"), page.get_by_test_id("limits-save")
    hours = limits.locator('[data-name="3 hours"]')
    await expect(limits).to_contain_text("of 300 used")
    await hours.fill("0")
    await expect(save).to_be_disabled()
    await hours.fill("40")
    await look(page, f"limits-{name}")
    await save.click()
    await expect(limits).to_have_count(0)
    assert [each["allowed"] for each in await person.ask("GET", path)] == [300, 40]
    async with page.expect_response(lambda answer: answer.url.endswith("/quotas") and answer.request.method == "PUT"):
        await page.get_by_test_id("toast").get_by_role("button", name="Undo").click()
    assert [each["set"] for each in await person.ask("GET", path)] == [None, None]


async def it_waits_for_its_time(page: Page, post: Json, name: str) -> None:
    """In the list there is nothing to say; whoever opens it reads it all."""
    row = page.get_by_test_id("publication-row")
    await expect(row).to_have_count(1)
    await expect(row.get_by_test_id("reason")).to_have_count(0)
    await row.get_by_test_id("publication-open").click()
    reason = page.get_by_test_id("details").get_by_test_id("reason")
    await expect(reason).to_contain_text("It waits for its time.")
    await expect(reason.get_by_test_id("expected")).to_contain_text("2031")
    await expect(page.get_by_test_id("details-when")).to_contain_text("2031")
    await look(page, f"why-planned-{name}")
    await page.get_by_test_id("details-menu").click()
    for action in ("edit", "move", "duplicate", "cancel"):
        await expect(page.get_by_test_id("details").get_by_test_id(f"action-{action}")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")


async def it_waits_for_the_platform(page: Page, person: Person, account: Json, sandbox: Sandbox, name: str) -> None:
    """A platform that wants to be left alone for a while: the seconds are counted, and then it is online."""
    sandbox.trouble(publish={"status": 429, "reset_in": 9, "count": 1})
    post = await person.plan(await person.write("too many", account["id"]), now=True)
    row = page.locator(f'[data-post="{post["id"]}"]')
    await expect(row).to_have_attribute("data-state", "waiting")
    await expect(row.get_by_test_id("expected")).to_contain_text("next try in")
    await look(page, f"why-quota-{name}")
    first = await row.get_by_test_id("expected").text_content()
    await expect(row.get_by_test_id("expected")).not_to_have_text(first or "", timeout=4_000)
    await person.until(post, "online", within=30)
    await page.get_by_test_id("tab-sent").click()
    row = page.locator(f'[data-post="{post["id"]}"]')
    await expect(row).to_have_attribute("data-state", "online")
    await row.get_by_test_id("publication-open").click()
    stamps = page.get_by_test_id("details").locator(".course time")
    await expect(stamps).to_have_count(5)
    moments = [await stamps.nth(n).get_attribute("datetime") for n in range(5)]
    assert moments == sorted(moments, key=str)
    await look(page, f"why-stamps-{name}")
    await page.keyboard.press("Escape")
