"""What was moved or cancelled by mistake is as it was with one click, wherever one is by then."""

import pytest
from playwright.async_api import Page, expect

from tests.journeys.conftest import DESKTOP
from tests.journeys.steps import sign_in
from tests.servers.product import Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
WALL = "2031-01-01T08:00:00"


@pytest.mark.parametrize("device", [DESKTOP], ids=lambda device: device.name, indirect=True)
async def test_a_move_and_a_cancellation_are_taken_back(
    product: Product, owner: Person, sandbox: Sandbox, page: Page
) -> None:
    account = await owner.connect(sandbox)
    lateness = {"then": "miss", "minutes": 15}
    draft = await owner.write("happy new year", account["id"])
    post = await owner.plan(draft, wall=WALL, zone="Europe/Berlin", lateness=lateness)
    await sign_in(page, product.url)
    undo = page.get_by_test_id("toast-action").filter(has_text="Undo")

    await page.get_by_test_id("publication-menu").click()
    await page.get_by_test_id("action-move").click()
    await page.get_by_test_id("plan-date").fill("2031-02-03")
    await expect(page.get_by_test_id("plan-said")).to_contain_text("Mon, 3 Feb 2031")
    await page.get_by_test_id("plan-confirm").click()
    await expect(page.get_by_test_id("toast")).to_contain_text("Moved to Mon, 3 Feb 2031")
    await undo.click()
    await expect(page.get_by_test_id("toast")).to_contain_text("Moved to Wed, 1 Jan 2031")
    assert (await owner.ask("GET", f"/posts/{post['id']}"))["plan"]["wall"] == WALL

    await page.get_by_test_id("publication-menu").click()
    await page.get_by_test_id("action-cancel").click()
    await page.get_by_test_id("cancel-yes").click()
    cancelled = page.get_by_test_id("toast").filter(has_text="a draft again")
    await expect(cancelled).to_be_visible()
    await page.get_by_test_id("nav-accounts").first.click()
    await cancelled.get_by_test_id("toast-action").click()
    await expect(page.get_by_test_id("toast").filter(has_text="Planned for Wed, 1 Jan 2031")).to_be_visible()
    plan = (await owner.ask("GET", f"/posts/{post['id']}"))["plan"]
    assert (plan["wall"], plan["lateness"]) == (WALL, lateness)
