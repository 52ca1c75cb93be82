"""What was moved or cancelled by mistake is as it was with one click, wherever one is by then."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.journeys.conftest import DESKTOP, Device
from tests.journeys.steps import it_fits, sign_in
from tests.servers.browser import look
from tests.servers.product import Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
Json = dict[str, Any]
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


async def test_one_account_that_was_taken_out_of_a_post_comes_back(
    product: Product, owner: Person, sandbox: Sandbox, page: Page, device: Device
) -> None:
    accounts = [(await owner.connect(sandbox, name))["id"] for name in ("ada", "grace")]
    post = await owner.plan(await owner.write("happy new year", *accounts), wall=WALL, zone="Europe/Berlin")
    mine = next(each["id"] for each in post["publications"] if each["account_id"] == accounts[1])
    await sign_in(page, product.url)
    row = page.locator(f'[data-id="{mine}"]')
    toast = page.get_by_test_id("toast")
    await expect(row).to_have_attribute("data-state", "planned")
    await look(page, f"planned-{device.name}")

    await it_is_cancelled(page, mine)
    await expect(toast).to_have_count(1)
    await expect(toast).to_contain_text("Cancelled.")
    await look(page, f"one-cancelled-{device.name}")
    await page.get_by_test_id("publication-open").last.click()
    await look(page, f"one-cancelled-details-{device.name}")
    await page.keyboard.press("Escape")
    await toast.get_by_test_id("toast-action").click()
    await expect(toast.filter(has_text="Planned for Wed, 1 Jan 2031")).to_be_visible()
    await expect(row).to_have_attribute("data-state", "planned")
    assert await stands(owner, mine) == ("planned", WALL)

    await it_is_cancelled(page, mine)
    await row.get_by_test_id("publication-menu").click()
    await page.get_by_test_id("action-move").click()
    await page.get_by_test_id("plan-date").fill("2031-02-03")
    await page.get_by_test_id("plan-confirm").click()
    await expect(toast.filter(has_text="Planned for Mon, 3 Feb 2031")).to_be_visible()
    assert await stands(owner, mine) == ("planned", "2031-02-03T08:00:00")
    await it_fits(page)


@pytest.mark.parametrize("device", [DESKTOP], ids=lambda device: device.name, indirect=True)
async def test_where_the_date_of_what_was_taken_out_has_passed_it_is_said_that_there_is_no_way_back(
    product: Product, owner: Person, sandbox: Sandbox, page: Page
) -> None:
    accounts = [(await owner.connect(sandbox, name))["id"] for name in ("ada", "grace")]
    await owner.ask("POST", "/holds", json={})
    post = await owner.until(await owner.plan(await owner.write("passed", *accounts), now=True), "held")
    await sign_in(page, product.url)

    await it_is_cancelled(page, post["publications"][0]["id"])

    await expect(page.get_by_test_id("toast")).to_contain_text("Its time has passed, so there is no way back to it")
    await expect(page.get_by_test_id("toast-action")).to_have_count(0)


async def it_is_cancelled(page: Page, publication: str) -> None:
    """From its menu in the list."""
    row = page.locator(f'[data-id="{publication}"]')
    await row.get_by_test_id("publication-menu").click()
    await page.get_by_test_id("action-cancel").click()
    await page.get_by_test_id("cancel-yes").click()
    await expect(row).to_have_attribute("data-state", "cancelled")


async def stands(person: Person, publication: str) -> tuple[str, str]:
    """Its state, and the date it has."""
    found: Json = await person.ask("GET", f"/publications/{publication}")
    return found["state"], found["wall"]
