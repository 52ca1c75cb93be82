"""A post that goes out on several accounts is moved and cancelled at once, and comes back at once."""

from datetime import datetime, timedelta

import pytest
from playwright.async_api import Browser, expect

from tests.journeys.steps import BERLIN, it_fits, sign_in
from tests.servers.browser import look, window
from tests.servers.product import Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
NOON, LATER = "12:00", "15:30"


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
async def test_all_of_a_post_is_moved_and_cancelled_and_put_back_at_once(
    product: Product, owner: Person, sandbox: Sandbox, browser: Browser, phone: bool
) -> None:
    accounts = [(await owner.connect(sandbox, "bakery", platform))["id"] for platform in ("mastodon", "x", "bluesky")]
    tomorrow = f"{datetime.now(BERLIN) + timedelta(days=1):%Y-%m-%d}"
    post = await owner.plan(await owner.write("Rye", *accounts), wall=f"{tomorrow}T{NOON}:00", zone="Europe/Berlin")

    async def walls() -> set[tuple[str, str]]:
        seen = await owner.ask("GET", f"/posts/{post['id']}")
        return {(each["state"], each["wall"][11:16]) for each in seen["publications"]}

    async with window(browser, phone=phone) as (page, complaints):
        await sign_in(page, product.url)
        menu, undo = page.get_by_test_id("post-menu"), page.get_by_test_id("toast-action")
        await menu.click()
        await it_fits(page)
        await look(page, f"whole-post-{'phone' if phone else 'desktop'}")
        await page.get_by_test_id("action-move").click()
        await expect(page.get_by_test_id("plan-said")).to_contain_text("on 3 accounts")
        await page.get_by_test_id("plan-time").fill(LATER)
        await page.get_by_test_id("plan-confirm").click()
        await expect(page.get_by_test_id("post-row")).to_contain_text(LATER)
        assert {wall for _, wall in await walls()} == {LATER}
        await undo.click()
        await expect(page.get_by_test_id("post-row")).to_contain_text(NOON)

        await menu.click()
        await page.get_by_test_id("action-cancel").click()
        await expect(page.get_by_test_id("cancel")).to_contain_text("bakery.test")
        await page.get_by_test_id("cancel-yes").click()
        await expect(page.locator("[data-testid=publication-row][data-state=cancelled]")).to_have_count(3)
        assert {state for state, _ in await walls()} == {"cancelled"}
        await undo.last.click()
        await expect(page.locator("[data-state=cancelled]")).to_have_count(0)
        assert {wall for state, wall in await walls() if state != "cancelled"} == {NOON}
        assert complaints == []
